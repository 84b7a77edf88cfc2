"""The weights of events, as `events.weight` names them: branches, functions and numbers that are multiplied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, model_serializer, model_validator

from hep_peaksum.events.conditions import one_number
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.inputs.branch_names import Words, split_branch
from hep_peaksum.inputs.functions import key_named, values_for
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Number

if TYPE_CHECKING:
    import awkward as ak


class WeightTerm(FrozenModel):
    """One factor of the weight of an event."""

    source: str | None = Field(
        None,
        description="Branch with the factor of every event; or a function of yours, module:function, from the "
        "events to a number for each. The branch or the function alone may stand here, or a number.",
        examples=["genWeight", "mysite:pileup_weight"],
    )
    number: Number | None = Field(None, description="The same factor for every event.")
    datasets: Words | None = Field(
        None, description="Datasets that the factor applies to; for others it is 1. By default all."
    )

    @model_validator(mode="after")
    def _check(self) -> WeightTerm:
        if (self.source is None) == (self.number is None):
            msg = "a factor is a branch or function (source), or a number: give one of the two"
            raise ValueError(msg)
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: Any) -> Any:
        """Return a factor that is for all datasets as it is written."""
        plain = self.source if self.source is not None else self.number
        return plain if self.datasets is None else serialise(self)

    def is_function(self, friends: Mapping[str, str]) -> bool:
        """Return whether it names a function: a name before the colon that is not that of a friend."""
        alias = split_branch(self.source)[0] if self.source is not None else ""
        return bool(alias) and alias not in friends

    def branch_keys(self, key: str, friends: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
        """Yield the key that names a branch, with the branch and the datasets that need it."""
        if self.source is not None and not self.is_function(friends):
            yield key, self.source, self.datasets


def _parse_term(value: object) -> object:
    """Return a branch, a function or a number as a map."""
    if isinstance(value, str):
        return {"source": value}
    return {"number": value} if isinstance(value, (int, float)) else value


Term = Annotated[WeightTerm, BeforeValidator(_parse_term, json_schema_input_type=str | float | WeightTerm)]


def weights_of(
    terms: Mapping[str, WeightTerm],
    dataset: str,
    events: Any,
    column: Callable[[str], ak.Array],
    friends: Mapping[str, str],
) -> Array:
    """Return the weight of every event, the product of all factors that apply to its dataset.

    Raises
    ------
    ValueError
        If a factor has not one number for every event; an EventError if one is not finite.
    """
    weights = np.ones(len(events))
    for name, term in terms.items():
        if term.datasets is not None and dataset not in term.datasets:
            continue
        if term.number is not None:
            weights *= float(term.number)
            continue
        factor = _factor(name, term, events, column, friends)
        if factor.shape != weights.shape or factor.dtype.kind not in "fiub":
            msg = (
                f"events.weight.{name}: {term.source!r} has {factor.dtype} of shape {factor.shape}, expected a "
            )
            msg += f"number for each of {len(events)} events"
            raise ValueError(msg)
        if not np.isfinite(factor).all():
            event = int(np.argmin(np.isfinite(factor)))
            msg = f"events.weight.{name}: {term.source!r} is {factor[event]}, expected a finite number"
            raise EventError(event, msg)
        weights *= factor
    return weights


def _factor(
    name: str, term: WeightTerm, events: Any, column: Callable[[str], ak.Array], friends: Mapping[str, str]
) -> Array:
    """Return the factor of every event."""
    if term.is_function(friends):
        with key_named(f"events.weight.{name}"):
            return values_for(str(term.source), events)
    values = one_number(column(str(term.source)))
    if values.ndim > 1:
        msg = f"events.weight.{name}: {term.source!r} has several values for every event, expected one"
        raise ValueError(msg)
    return np.asarray(values)
