"""Names of branches in the config, and lists of words."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME)]
BranchName = Annotated[str, WithJsonSchema({"title": "name of a branch", "type": "string"})]


def _one_or_more(value: object) -> object:
    """Return a word that stands for a list of one."""
    return (value,) if isinstance(value, str) else value


_WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"title": "word, or list of words", "anyOf": [{"type": "string"}, _WORDS]}),
]


def split_branch(name: str) -> tuple[str, str]:
    """Return the friend and the branch of ``friend:branch``; the friend of a branch of the main tree is ``""``.

    >>> split_branch("ev:nPV"), split_branch("cells"), split_branch(":a:b")
    (('ev', 'nPV'), ('', 'cells'), ('', 'a:b'))
    """
    friend, colon, branch = name.partition(":")
    return (friend, branch) if colon else ("", name)
