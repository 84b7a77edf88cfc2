"""Fields made of the fields of clusters, views of collections, and sums over the clusters of an event.

Models of the sections `derive`, `select` and `sums`, with what they do to jagged clusters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from hep_peaksum.evaluation.rates import nth_leading
from hep_peaksum.geometry.jagged import event_of
from hep_peaksum.inputs.comparisons import Comparison
from hep_peaksum.inputs.functions import FUNCTION, FunctionName, failure_of, local_place, user_function
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel, text_under
from hep_peaksum.settings.thresholds import parse_energy

if TYPE_CHECKING:
    import awkward as ak

FIELD_NAME = r"^[A-Za-z]\w*$"
FieldName = Annotated[str, Field(pattern=FIELD_NAME)]
COLLECTION_FIELD = r"^[A-Za-z]\w*\.[A-Za-z]\w*$"
CollectionField = Annotated[str, Field(pattern=COLLECTION_FIELD)]


class DerivedField(FrozenModel):
    """A field that is computed from the clusters and can then be used like any other."""

    function: FunctionName | None = Field(
        None,
        description="Function of yours, module:function, from the clusters, jagged, to a number for each. The "
        "function alone may stand here.",
        examples=["mysite:calibrate"],
    )
    correctionlib: str | None = Field(
        None, description="Path of a correctionlib file, .json or .json.gz.", examples=["jec.json.gz"]
    )
    name: str | None = Field(None, description="Name of the correction in the file.")
    inputs: tuple[FieldName | float, ...] = Field(
        (), description="Fields of the clusters, or numbers, that the correction takes, in its order."
    )

    @model_validator(mode="after")
    def _check(self) -> DerivedField:
        if (self.function is None) == (self.correctionlib is None):
            msg = "a derived field is made by module:function or by correctionlib: give one of the two"
            raise ValueError(msg)
        if self.function is not None and not re.fullmatch(FUNCTION, self.function):
            msg = f"function: {self.function!r} is not written as module:function"
            raise ValueError(msg)
        if self.correctionlib is not None and (self.name is None or not self.inputs):
            msg = "correctionlib needs the name of the correction and its inputs: add them"
            raise ValueError(msg)
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: Any) -> Any:
        """Return a function as it is written."""
        return self.function if self.function is not None else serialise(self)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the correction takes; those that a function uses are unknown."""
        return tuple(each for each in self.inputs if isinstance(each, str))

    def values(self, clusters: ak.Array, key: str) -> Array:
        """Return the value for every cluster, flat.

        Raises
        ------
        ValueError
            If the function or the correction does not give one number for every cluster.
        """
        if self.function is not None:
            return _values_of_function(self.function, clusters, key)
        return self._corrections(clusters, key)

    def _corrections(self, clusters: ak.Array, key: str) -> Array:
        """Return what the correction gives for every cluster."""
        import awkward as ak

        flat = ak.flatten(clusters)
        arguments = [np.asarray(flat[each]) if isinstance(each, str) else each for each in self.inputs]
        takes = ""
        try:
            correction = _correction(*local_place(str(self.correctionlib)), str(self.name))
            takes = f": it takes {', '.join(each.name for each in correction.inputs)}, in this order"
            return np.asarray(correction.evaluate(*arguments))
        except (RuntimeError, ValueError, IndexError) as error:
            said = " ".join(str(error).split())
            msg = f"{key}: correction {self.name!r} of {self.correctionlib}: {said}{takes}"
            raise ValueError(msg) from None


def _values_of_function(name: str, clusters: ak.Array, key: str) -> Array:
    """Return what a function of the user gives for every cluster."""
    import awkward as ak

    function = user_function(name)
    try:
        result = ak.Array(function(clusters))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 -- what a function of the user raises can be anything
        fields = ", ".join(clusters.fields)
        msg = f"{key}: {failure_of(name, error)}: the clusters have the fields {fields}"
        raise ValueError(msg) from None
    if result.ndim != 2 or not ak.all(ak.num(result) == ak.num(clusters)):
        expected = "a number for every cluster, in a list for every event"
        remedy = "neither flatten nor cut the fields that it is made of"
        msg = f"{key}: {name!r} returned {ak.type(result)}, expected {expected}: {remedy}"
        raise ValueError(msg)
    return np.asarray(ak.to_numpy(ak.flatten(result)), np.float64)


@lru_cache(maxsize=16)
def _correction(path: str, _state: object, name: str) -> Any:
    """Return a correction of a file; an error that says what is there if it has none of that name."""
    try:
        import correctionlib
    except ImportError:
        msg = "derive: correctionlib is not installed: pip install correctionlib"
        raise ValueError(msg) from None
    corrections = correctionlib.CorrectionSet.from_file(path)
    if name in [*corrections]:
        return corrections[name]
    if name in [*corrections.compound]:
        return corrections.compound[name]
    msg = f"no correction {name!r}; there are {', '.join([*corrections, *corrections.compound])}"
    raise ValueError(msg)


Derived = Annotated[
    DerivedField, BeforeValidator(text_under("function"), json_schema_input_type=FunctionName | DerivedField)
]


Amount = Annotated[
    int | float,
    BeforeValidator(parse_energy),
    WithJsonSchema({"title": "number, or energy", "type": ["number", "string"]}),
]


class FieldCondition(Comparison):
    """A condition on a field of clusters or objects; energies may be written with their unit."""

    field: FieldName = Field(description="Field that is compared.", examples=["eta", "net_pt"])
    min: Amount | None = Field(None, description="Smallest value that passes, included.")
    max: Amount | None = Field(None, description="Largest value that passes, included.")
    above: Amount | None = Field(None, description="Value that it must exceed.")
    below: Amount | None = Field(None, description="Value that it must be below.")

    @model_validator(mode="after")
    def _check(self) -> FieldCondition:
        if not self.tests:
            raise ValueError(self.nothing_compared(self.field))
        return self


class ViewInput(FrozenModel):
    """Some clusters of a collection, usable wherever a collection is; they are not written a second time."""

    from_: str = Field(alias="from", description="Collection, or an earlier view, that it is of.")
    where: tuple[FieldCondition, ...] = Field(
        (),
        description="Conditions on fields that a cluster has to meet.",
        examples=[[{"field": "eta", "abs_max": 1.5}, {"field": "net_pt", "min": "30 GeV"}]],
    )
    sort: FieldName | None = Field(
        None,
        description="Field by which the clusters are ordered, the largest first.",
        examples=["net_pt"],
    )

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it looks at."""
        return (*(each.field for each in self.where), *([self.sort] if self.sort else []))

    def indices(self, clusters: ak.Array) -> ak.Array:
        """Return, for every event, which clusters are in the view, in its order."""
        import awkward as ak

        index = ak.local_index(clusters, axis=1)
        if self.where:
            counts = ak.num(clusters)
            flat = ak.flatten(clusters)
            passed = [each.passes(np.asarray(flat[each.field])) for each in self.where]
            index = index[ak.unflatten(np.logical_and.reduce(passed), counts)]
        if self.sort is not None:
            order = ak.argsort(clusters[self.sort][index], axis=1, ascending=False, stable=True)
            index = index[order]
        return index


@dataclass(frozen=True)
class Collections:
    """The clusters of some events: collections and views by name, jagged, and the sums of every event.

    `origins` says, for every view, its collection and which clusters of it the view holds.
    """

    clusters: Mapping[str, ak.Array]
    origins: Mapping[str, tuple[str, ak.Array]]
    sums: Mapping[str, Array]
    _event_of: dict[str, Array] = dataclass_field(default_factory=dict, repr=False, compare=False)

    def select(self, passed: Array | None) -> Collections:
        """Return the collections of the events in a mask, None for all, without the origins of views."""
        if passed is None:
            return self
        clusters = {name: each[passed] for name, each in self.clusters.items()}
        return Collections(clusters, {}, {name: each[passed] for name, each in self.sums.items()})

    def event_of(self, name: str) -> Array:
        """Return the event of every cluster of a collection or view."""
        if name not in self._event_of:
            self._event_of[name] = event_of(self.clusters[name])
        return self._event_of[name]

    def event_value(self, field: str, nth: int = 1) -> Array:
        """Return a number for every event: how many clusters there are, a sum, or the n-th highest value.

        An event with fewer clusters has the value -inf.
        """
        import awkward as ak

        if field in self.sums:
            return self.sums[field]
        name, dot, column = field.partition(".")
        if not dot:
            return np.asarray(ak.to_numpy(ak.num(self.clusters[field.removeprefix("n")])))
        return nth_leading(self.clusters[name][column], nth)


def derive(
    clusters: Mapping[str, ak.Array],
    derived: Mapping[str, Mapping[str, DerivedField]],
    views: Mapping[str, ViewInput],
    sums: Mapping[str, str],
) -> Collections:
    """Return collections with their derived fields, their views, and the sums of every event.

    Raises
    ------
    ValueError
        If a function of the user does not give one number for every cluster.
    """
    import awkward as ak

    whole = dict(clusters)
    for name, fields in derived.items():
        for field, how in fields.items():
            values = how.values(whole[name], f"derive.{name}.{field}")
            whole[name] = ak.with_field(whole[name], ak.unflatten(values, ak.num(whole[name])), field)
    origins: dict[str, tuple[str, ak.Array]] = {}
    for name, view in views.items():
        index = view.indices(whole[view.from_])
        origin, inner = origins.get(view.from_, (view.from_, None))
        whole[name] = whole[view.from_][index]
        origins[name] = origin, index if inner is None else inner[index]
    totals = {}
    for name, field in sums.items():
        collection, _, column = field.partition(".")
        totals[name] = np.asarray(ak.to_numpy(ak.sum(whole[collection][column], axis=1, mask_identity=False)))
    return Collections(whole, origins, totals)


def view_fields(views: Mapping[str, ViewInput], collection: str) -> Iterable[str]:
    """Yield the fields of a collection that its views look at, and the views of these."""
    for name, view in views.items():
        if view.from_ == collection:
            yield from view.fields
            yield from view_fields(views, name)


def origin_of(views: Mapping[str, ViewInput], name: str) -> str:
    """Return the collection that a name stands for: its own, or that of a view."""
    seen: Sequence[str] = ()
    while name in views and name not in seen:
        seen, name = (*seen, name), views[name].from_
    return name
