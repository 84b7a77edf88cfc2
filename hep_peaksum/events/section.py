"""The section `events`: how events are read, what identifies them, and what is carried along."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from hep_peaksum.events.conditions import Conditions, EventCondition, check_order
from hep_peaksum.events.weights import Term
from hep_peaksum.inputs.branch_names import NAME, AlsoWritten, Name
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.suggestions import did_you_mean

SCHEMAS = {
    "base": "BaseSchema",
    "nanoaod": "NanoAODSchema",
    "delphes": "DelphesSchema",
    "edm4hep": "EDM4HEPSchema",
}

SCHEMA_NAME = {
    "title": f"one of {', '.join(SCHEMAS)}, or module:Class",
    "anyOf": [{"enum": list(SCHEMAS)}, {"type": "string", "pattern": ":"}],
}

# The columns that name an event, with NanoAOD's types; readers of NanoAOD need all three.
IDENTITY = {"run": "uint32", "luminosityBlock": "uint32", "event": "uint64"}
# The columns of the weight of an event, and of whether it passes in a variation that is written.
WEIGHT, PASS = "weight", "pass_{}"


def is_in_range(name: str, numbers: Any) -> Any:
    """Return where numbers, in an array of any type, may be in the range of a column of `IDENTITY`.

    Needed besides comparing the numbers with what they are cast to. That finds integers out of range, but a
    cast of a floating 2^64 may give any number, such as 2^64 - 1 on ARM, which as a floating number is 2^64
    again.
    """
    limit = 2.0 ** int(IDENTITY[name].removeprefix("uint"))
    return (numbers >= 0) & ((numbers.dtype.kind != "f") | (numbers < limit))


def _check_pattern(pattern: str) -> str:
    """Return a regular expression with one group; anything else is a ValueError."""
    try:
        n_groups = re.compile(pattern).groups
    except re.error as error:
        msg = f"{pattern!r} is not a regular expression ({error}): write one such as 'run_(\\d+)'"
        raise ValueError(msg) from None
    if n_groups != 1:
        msg = f"{pattern!r} has {n_groups} groups in parentheses, expected one around the number: 'run_(\\d+)'"
        raise ValueError(msg)
    return pattern


class NumberInName(FrozenModel):
    """A number in the names of the files."""

    filename: Annotated[str, AfterValidator(_check_pattern)] = Field(
        description="Regular expression with one group, the number, looked for in the path of every file; the "
        "last match counts.",
        examples=["run_(\\d+)"],
    )

    def of(self, path: str) -> int:
        r"""Return the number in the path of a file; a path without one is a ValueError.

        >>> NumberInName(filename=r"run_?(\d+)").of("run_7/run_0042_c.root")
        42
        """
        numbers = re.findall(self.filename, path)
        if not numbers or not re.fullmatch(r"\d{1,20}", numbers[-1]):
            msg = f"{self.filename!r} finds no number in {path!r}: correct the expression, or name a branch"
            raise ValueError(msg)
        return int(numbers[-1])


def _parse_identifier(value: object) -> object:
    """Return the name of a branch, a whole number, or where in the name of a file one is."""
    if isinstance(value, (str, dict, NumberInName)) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    msg = f"{value!r} is neither the name of a branch nor a whole number"
    raise ValueError(msg)


def _kind(value: object) -> str:
    return "[map]" if isinstance(value, (dict, NumberInName)) else "[word]"


Identifier = Annotated[
    Annotated[str | int, Tag("[word]")] | Annotated[NumberInName, Tag("[map]")],
    Discriminator(_kind),
    BeforeValidator(_parse_identifier),
    AlsoWritten({"title": "name of a branch", "type": "string"}, {"type": "integer"}),
]


def _parse_kept(value: object) -> object:
    """Return a branch, a map of names and branches, or a list of both, as a list with a branch per entry."""
    entries = value if isinstance(value, (list, tuple)) else (value,)
    parts: list[object] = []
    for entry in entries:
        parts.extend([{name: branch} for name, branch in entry.items()] if isinstance(entry, dict) else [entry])
    return tuple(parts)


_NAMED = {"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"pattern": NAME}}
_KEPT = {"anyOf": [{"type": "string"}, _NAMED]}
Kept = Annotated[
    tuple[
        Annotated[
            Annotated[str, Tag("[word]")]
            | Annotated[dict[Annotated[str, Field(pattern=NAME)], str], Tag("[map]")],
            Discriminator(_kind),
        ],
        ...,
    ],
    BeforeValidator(_parse_kept),
    WithJsonSchema(
        {
            "title": "list of branches, or of {name: branch}",
            "anyOf": [*_KEPT["anyOf"], {"type": "array", "items": _KEPT}],
        }
    ),
]


def _last_part(branch: str) -> str:
    """Return the name of a column for a branch: the last part of its name."""
    return re.sub(r"\W+", "_", re.split(r"[:/]", branch)[-1]).strip("_")


class EventsInput(FrozenModel):
    """How events are read, what identifies them, and what is carried along."""

    schema_name: Annotated[str, WithJsonSchema(SCHEMA_NAME)] = Field(
        "base",
        alias="schema",
        description="Schema of coffea that names the branches: base (as in the file), nanoaod, delphes, "
        "edm4hep, or module:Class. With the last four a branch is Collection.field.",
    )
    identify: dict[Literal["run", "luminosityBlock", "event"], Identifier] = Field(
        default_factory=dict,
        description="Branches of the three numbers that identify an event: run, luminosityBlock and event, "
        "each with a number for every event, or a list of one. Or a number that all events have, or the one in "
        "the names of the files, {filename: run_(\\d+)}. A number that is left out is the branch of that "
        "name. Without "
        "identify these branches are taken if the tree has all three, as integers; else numbers of dataset, "
        "file and entry.",
        examples=[{"run": "Event/run", "luminosityBlock": 1, "event": "Event/event"}],
    )
    keep: Kept = Field(
        (),
        description="Branches that are copied to the results, one value or list per event; or one branch. "
        "{name: branch} gives its column another name.",
        examples=[["ev:Event/orbit", {"pileup": "ev:Event/nPV"}]],
    )

    where: Conditions = Field(
        (),
        description="Conditions that an event must meet to be kept, in the order in which the cut flow counts "
        "them. Events that fail one are not searched, unless the condition is on clusters. A function of "
        "yours, "
        "module:function, may be a condition.",
        examples=[[{"branch": "hodo_x", "abs_max": 5}, {"field": "nJet", "min": 1}]],
    )
    weight: dict[Name, Term] = Field(
        default_factory=dict,
        description="Factors of the weight of an event, by name: each a branch, a function of yours, "
        "module:function, or a number. Their product fills histograms and is written as the column weight.",
        examples=[{"gen": "genWeight", "pileup": "mysite:pileup_weight"}],
    )
    write_variations: tuple[Name, ...] = Field(
        (),
        description="Variations whose collections are written, too, as JetScaleUp beside Jet. An event is "
        "written if it passes in any of them, with a column pass_ScaleUp for each.",
        examples=[["ScaleUp"]],
    )

    @field_validator("where")
    @classmethod
    def _check_where(cls, conditions: tuple[EventCondition, ...]) -> tuple[EventCondition, ...]:
        check_order(conditions)
        return conditions

    @field_validator("identify")
    @classmethod
    def _complete(cls, identify: dict[Any, Any]) -> dict[Any, Any]:
        """Return the three identifiers, each by default the branch of its name, if any is given."""
        for word, number in identify.items():
            if isinstance(number, int) and number not in range(np.iinfo(IDENTITY[word]).max + 1):
                msg = f"{number} does not fit into {IDENTITY[word]}, the type of {word}"
                raise ValueError(msg)
        return {word: identify.get(word, word) for word in IDENTITY} if identify else {}

    @property
    def kept(self) -> tuple[str, ...]:
        """The branches of `keep`."""
        return tuple(next(iter(entry.values())) if isinstance(entry, dict) else entry for entry in self.keep)

    @model_validator(mode="after")
    def _check_kept(self) -> EventsInput:
        for branch in self.kept:
            if self.kept.count(branch) > 1:
                msg = f"keep: {branch!r} is there twice: keep it once"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_schema(self) -> EventsInput:
        if self.schema_name not in SCHEMAS and ":" not in self.schema_name:
            near = did_you_mean(self.schema_name, SCHEMAS)
            msg = f"schema: {self.schema_name!r} is none of {', '.join(SCHEMAS)}, nor module:Class{near}"
            raise ValueError(msg)
        return self

    def kept_names(self) -> dict[str, str]:
        """Return, for every branch that is kept, its column in the results: by default the end of its name."""
        names = (next(iter(entry)) if isinstance(entry, dict) else _last_part(entry) for entry in self.keep)
        return dict(zip(self.kept, names, strict=True))
