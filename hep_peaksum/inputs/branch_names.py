"""Names of branches in the config, lists of words, and of datasets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME)]
FIELD_PATH = r"^[A-Za-z]\w*(\.[A-Za-z]\w*)?$"  # of a collection, or of the event
FieldPath = Annotated[str, Field(pattern=FIELD_PATH)]
BRANCH = {"title": "name of a branch", "type": "string"}
BranchName = Annotated[str, WithJsonSchema(BRANCH)]


class AlsoWritten:
    """In the JSON schema of a map: what may be written in its place."""

    def __init__(self, *others: dict[str, Any]) -> None:
        self.others = others

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Return the schema of what may be written, the map last; of several models the first is the map."""
        inner = handler(core_schema)
        return {"anyOf": [*self.others, *inner.get("oneOf", [inner])[:1]]}


def _one_or_more(value: object) -> object:
    """Return a word that stands for a list of one."""
    return (value,) if isinstance(value, str) else value


_WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"title": "word, or list of words", "anyOf": [{"type": "string"}, _WORDS]}),
]

Branches = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"title": "name of a branch, or list of branches", "anyOf": [{"type": "string"}, _WORDS]}),
]


def includes(datasets: Collection[str] | None, dataset: str) -> bool:
    """Return whether what is for some datasets, or with None for all, is for a dataset."""
    return datasets is None or dataset in datasets


def split_branch(name: str) -> tuple[str, str]:
    """Return the friend and the branch of ``friend:branch``; the friend of a branch of the main tree is ``""``.

    >>> split_branch("ev:nPV"), split_branch("cells"), split_branch(":a:b")
    (('ev', 'nPV'), ('', 'cells'), ('', 'a:b'))
    """
    friend, colon, branch = name.partition(":")
    return (friend, branch) if colon else ("", name)


def full_name(name: str, names: Collection[str]) -> str:
    """Return the name of a branch with those of the branches that hold it, which may be left out.

    A name that is none, or that several branches end with, is returned as it is.

    >>> full_name("Hits.x", ["Hits/Hits.x", "Hits/Hits.y"]), full_name("x", ["a/x", "b/x"])
    ('Hits/Hits.x', 'x')
    """
    if name in names:
        return name
    ends = [each for each in names if each.endswith(f"/{name}")]
    return ends[0] if len(ends) == 1 else name
