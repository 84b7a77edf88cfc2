"""The section `events`: how events are read, what identifies them, and what is carried along."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from hep_peaksum.events.conditions import Conditions, EventCondition, check_order
from hep_peaksum.events.weights import Term
from hep_peaksum.inputs.branch_names import Name, Words
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


def is_in_range(name: str, numbers: Any) -> Any:
    """Return where numbers, in an array of any type, may be in the range of a column of `IDENTITY`.

    To be asked besides comparing the numbers with what they are cast to. That finds integers out of range, but
    of a floating 2^64 a cast makes any number, on ARM 2^64 - 1, which as a floating number is 2^64 again.
    """
    limit = 2.0 ** int(IDENTITY[name].removeprefix("uint"))
    return (numbers >= 0) & ((numbers.dtype.kind != "f") | (numbers < limit))


def _parse_identifier(value: object) -> object:
    """Return the name of a branch, or a whole number."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    msg = f"{value!r} is neither the name of a branch nor a whole number"
    raise ValueError(msg)


Identifier = Annotated[
    str | int,
    BeforeValidator(_parse_identifier),
    WithJsonSchema({"title": "name of a branch, or whole number", "type": ["string", "integer"]}),
]


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
        description="Branches of the three numbers that identify an event: run, luminosityBlock and event; or "
        "a number that all events have. One that is left out is the branch of its name. Without identify these "
        "branches are taken if the tree has all three, as integers; else numbers of dataset, file and entry.",
        examples=[{"run": "Event/run", "luminosityBlock": 1, "event": "Event/event"}],
    )
    keep: Words = Field(
        (),
        description="Branches that are copied to the results, one value or list per event; or one branch.",
        examples=[["ev:Event/nPV"]],
    )

    where: Conditions = Field(
        (),
        description="Conditions that an event must meet to be kept, in the order in which the cut flow counts "
        "them. Events that fail one are not searched, unless it is of clusters. A function of yours, "
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
            if not isinstance(number, str) and number not in range(np.iinfo(IDENTITY[word]).max + 1):
                msg = f"{number} does not fit into {IDENTITY[word]}, the type of {word}"
                raise ValueError(msg)
        return {word: identify.get(word, word) for word in IDENTITY} if identify else {}

    @property
    def identifying_branches(self) -> tuple[str, ...]:
        """The branches of `identify`."""
        return tuple(source for source in self.identify.values() if isinstance(source, str))

    @model_validator(mode="after")
    def _check_schema(self) -> EventsInput:
        if self.schema_name not in SCHEMAS and ":" not in self.schema_name:
            near = did_you_mean(self.schema_name, SCHEMAS)
            msg = f"schema: {self.schema_name!r} is none of {', '.join(SCHEMAS)}, nor module:Class{near}"
            raise ValueError(msg)
        return self

    def kept_names(self) -> dict[str, str]:
        """Return, for every branch that is kept, its column name in the results: the last part of its name."""
        return {branch: re.sub(r"\W+", "_", re.split(r"[:/]", branch)[-1]).strip("_") for branch in self.keep}
