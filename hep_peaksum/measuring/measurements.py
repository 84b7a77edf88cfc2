"""The section `measurements`: what is measured with matched clusters, and how it is filled, chunk by chunk.

Each kind of measurement has a model that names its fields; `filling` fills it, `results` makes tables of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from hep_peaksum.events.barns import CrossSection
from hep_peaksum.geometry.axis import Axis, Coordinate
from hep_peaksum.inputs.branch_names import FieldPath, Words
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Count, Number, Size, parse_quantity

FREQUENCIES = {"Hz": "1", "kHz": "1e3", "MHz": "1e6"}
Term = Literal["stochastic", "noise", "constant"]
Width = Literal["half_width_68", "sigma_eff", "gaussian", "crystal_ball"]
FITTED = ("gaussian", "crystal_ball")  # widths that a fit of this name gives


class Bins(FrozenModel):
    """Bins of an axis: equal ones between two values, or their edges."""

    bins: Size | None = Field(None, description="Number of bins of equal width between start and stop.")
    start: Coordinate | None = Field(None, description="Lower end of the first bin.")
    stop: Coordinate | None = Field(None, description="Upper end of the last bin.")
    edges: tuple[Coordinate, ...] | None = Field(
        None, description="Edges of the bins, in place of bins, start and stop."
    )

    @model_validator(mode="after")
    def _check_bins(self) -> Bins:
        _ = self.as_axis
        return self

    @property
    def as_axis(self) -> Axis:
        """The axis with these bins."""
        return Axis(bins=self.bins, start=self.start, stop=self.stop, edges=self.edges)


class MeasuredAxis(Bins):
    """The axis of a measurement: a field of objects or clusters, and its bins."""

    field: FieldPath = Field(
        description="Field, Name.field; of events a sum, nCollection, or the name of a scalar.",
        examples=["GenJet.pt"],
    )


class PassInput(FrozenModel):
    """What passes: a field at or above thresholds."""

    field: FieldPath = Field(description="Field of the clusters, Collection.field; of events as for axes.")
    thresholds: tuple[Number, ...] = Field(
        description="Thresholds, in the unit of the field; each gives a turn-on.", examples=[[20, 40, 60]]
    )
    nth: Count = Field(1, description="Of a field of clusters in events: the n-th highest of an event counts.")

    @field_validator("thresholds")
    @classmethod
    def _check(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or len(set(value)) < len(value):
            msg = "give one or more, all different"
            raise ValueError(msg)
        return value


# Of which side of a match a field is: the key of it that names the collection, or the objects.
Side = Literal["clusters", "reference"]

# After the name of a measurement: its histogram of the numbers of weights below zero; of a scaling the table of
# the rate against the offline threshold.
NEGATIVE, OFFLINE_RATE = "_negative", "_rate"
# Labels: what all objects count in, beside the thresholds; and those that have a partner.
TOTAL, MATCHED = "total", "matched"
THRESHOLD = "threshold"  # the axis of an efficiency


class EfficiencyInput(FrozenModel):
    """The fraction of objects whose matched cluster passes a threshold, against a field of the objects."""

    efficiency: str = Field(
        description="Match whose objects are counted; with match: none any name, as events are compared."
    )
    axis: MeasuredAxis = Field(description="Field of the objects, or of events, and its bins.")
    passing: PassInput = Field(alias="pass", description="Field of the clusters, and its thresholds.")
    denominator: Literal["all", "matched", "leading"] = Field(
        "all",
        description="Objects that count: all, those with a cluster, or the leading one of every event. The "
        "leading one is the highest in pt (else et, else energy; without these the first).",
    )
    match: Literal["none"] | None = Field(
        None,
        description="With none, numbers of the event are compared, not objects: sums, counts, scalars, "
        "n-th leading.",
    )
    datasets: Words | None = Field(None, description="Datasets that are measured; by default all.")
    kind: ClassVar[str] = "efficiency"
    sides: ClassVar[Mapping[str, Side]] = {"axis.field": "reference", "pass.field": "clusters"}

    @property
    def uses(self) -> str | None:
        """The match that is used."""
        return None if self.match == "none" else self.efficiency

    @property
    def labels(self) -> tuple[str, ...]:
        """What objects are counted in: all, and those that pass each threshold."""
        # as short as they can be without becoming another number
        return TOTAL, *(np.format_float_positional(each, trim="-") for each in self.passing.thresholds)

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a field, with it."""
        yield "axis.field", self.axis.field
        yield "pass.field", self.passing.field


class PurityInput(FrozenModel):
    """The fraction of clusters that belong to an object, against a field of the clusters."""

    purity: str = Field(description="Match whose clusters are counted.")
    axis: MeasuredAxis = Field(description="Field of the clusters, and its bins.")
    datasets: Words | None = Field(None, description="Datasets that are measured; by default all.")
    kind: ClassVar[str] = "purity"
    sides: ClassVar[Mapping[str, Side]] = {"axis.field": "clusters"}
    labels: ClassVar[tuple[str, ...]] = (TOTAL, MATCHED)

    @property
    def uses(self) -> str | None:
        """The match that is used."""
        return self.purity

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a field, with it."""
        yield "axis.field", self.axis.field


class ResponseInput(FrozenModel):
    """The ratio of a field of the clusters to a field of their objects, or to a number of the dataset."""

    response: str = Field(
        description="Match whose pairs are taken; or leading: the highest cluster of every event, and no match."
    )
    ratio: tuple[FieldPath, FieldPath] | None = Field(
        None,
        description="Field of the clusters, and the field of the objects it is divided by.",
        examples=[["Jet.pt", "GenJet.pt"]],
    )
    of: FieldPath | None = Field(
        None, description="Without a match: field of clusters, of which the highest of an event counts."
    )
    to: str | None = Field(
        None,
        description="Without a match: number in the metadata of the dataset by which it is divided.",
        examples=["dataset.beam_energy"],
    )
    ratio_axis: Bins = Field(description="Bins of the ratio.")
    axis: MeasuredAxis | None = Field(None, description="Field of the objects against which it is measured.")
    fit: Literal["gaussian", "crystal_ball"] | None = Field(
        None,
        description="Function that is fitted to the ratios of every bin: the core of a Gaussian, or a "
        "double-sided Crystal Ball function.",
    )
    datasets: Words | None = Field(None, description="Datasets that are measured; by default all.")
    kind: ClassVar[str] = "response"
    sides: ClassVar[Mapping[str, Side]] = {
        "ratio.0": "clusters",
        "ratio.1": "reference",
        "axis.field": "reference",
    }
    labels: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _check(self) -> ResponseInput:
        if (self.response == "leading") != (self.of is not None and self.to is not None):
            msg = "response: leading needs of and to, and only it has them"
            raise ValueError(msg)
        if (self.response == "leading") == (self.ratio is not None):
            msg = "response: a match needs ratio, and leading has none"
            raise ValueError(msg)
        if self.to is not None and not re.fullmatch(r"dataset\.\w+", self.to):
            msg = f"to: {self.to!r} is not a number of the dataset: write dataset.NAME, a key of its metadata"
            raise ValueError(msg)
        if self.response == "leading" and self.axis is not None:
            msg = "axis: the leading cluster has no object: drop it"
            raise ValueError(msg)
        return self

    @property
    def divisor(self) -> str | None:
        """The number of the metadata of a dataset that it divides by, if it does."""
        return None if self.to is None else self.to.partition(".")[2]

    @property
    def uses(self) -> str | None:
        """The match that is used."""
        return None if self.response == "leading" else self.response

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a field, with it."""
        if self.ratio is not None:
            yield from ((f"ratio.{place}", name) for place, name in enumerate(self.ratio))
        if self.of is not None:
            yield "of", self.of
        if self.axis is not None:
            yield "axis.field", self.axis.field


class ResolutionInput(FrozenModel):
    """The energy resolution over datasets: a/sqrt(E) + b/E + c, added in quadrature, fitted to a response."""

    resolution: str = Field(description="Response without a match, measured in datasets of known energy.")
    fit: tuple[Term, ...] = Field(
        ("stochastic", "noise", "constant"), description="Terms that are fitted; the others are 0, or fixed."
    )
    fixed: dict[Term, Number] = Field(
        default_factory=dict, description="Terms that are known, with their value."
    )
    beam_spread: Number = Field(0.0, description="Relative spread of the beam, subtracted in quadrature.")
    width: Width = Field("half_width_68", description="Width that is divided by the centre of the response.")
    kind: ClassVar[str] = "resolution"
    uses: ClassVar[None] = None
    datasets: ClassVar[None] = None

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield nothing: it names no field."""
        yield from ()


Frequency = Annotated[
    int | float,
    Field(gt=0),
    BeforeValidator(partial(parse_quantity, units=FREQUENCIES, kind="frequency", example="11245.5 Hz")),
    WithJsonSchema({"title": "number of Hz, or frequency", "type": ["number", "string"]}),
]


class RateInput(FrozenModel):
    """The rate of events with a value at or above a threshold, against the threshold."""

    rate: FieldPath = Field(description="Field of clusters, or number of an event, that is compared.")
    nth: Count = Field(1, description="Of a field of clusters: the n-th highest of an event counts.")
    axis: Bins = Field(description="Bins of the threshold.")
    bunches: Count | None = Field(None, description="Number of colliding bunches; needs orbit.")
    orbit: Frequency | None = Field(None, description="Frequency of the orbit.", examples=["11245.5 Hz"])
    crossing_rate: Frequency | None = Field(
        None, description="Rate of the events of the sample, those that pass events.where."
    )
    cross_section: CrossSection | None = Field(None, description="Cross section of the events of the sample.")
    instantaneous_luminosity: Number | None = Field(None, description="In 1/(cm^2 s); needs cross_section.")
    scale: Number = Field(1.0, description="Factor on the rate, such as one for the pile-up.")
    datasets: Words | None = Field(None, description="Datasets that are measured; by default all.")
    kind: ClassVar[str] = "rate"
    labels: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[None] = None

    @model_validator(mode="after")
    def _check(self) -> RateInput:
        ways = (
            (self.bunches, self.orbit),
            (self.crossing_rate,),
            (self.cross_section, self.instantaneous_luminosity),
        )
        given = [way for way in ways if any(each is not None for each in way)]
        if len(given) != 1 or None in given[0]:
            msg = "give bunches and orbit, or crossing_rate, or cross_section and instantaneous_luminosity"
            raise ValueError(msg)
        return self

    @property
    def total(self) -> float:
        """The rate in Hz if every event passed."""
        if self.bunches is not None and self.orbit is not None:
            return self.bunches * self.orbit * self.scale
        if self.crossing_rate is not None:
            return self.crossing_rate * self.scale
        picobarn = 1e-36  # cm^2
        return math.prod((self.cross_section or 0, self.instantaneous_luminosity or 0, picobarn, self.scale))

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield the key that names a field, with it."""
        yield "rate", self.rate


class ScalingInput(FrozenModel):
    """The offline value at which every online threshold of a turn-on is efficient."""

    scaling: str = Field(description="Efficiency whose thresholds are scaled.")
    at: Annotated[Number, Field(gt=0, le=1)] = Field(0.95, description="Efficiency that has to be reached.")
    of: Literal["plateau", "absolute"] = Field(
        "absolute", description="Whether it is relative to the plateau of the turn-on, or absolute."
    )
    rate: str | None = Field(None, description="Rate that is shown against the offline threshold, too.")
    kind: ClassVar[str] = "scaling"
    uses: ClassVar[None] = None
    datasets: ClassVar[None] = None

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield nothing: it names no field."""
        yield from ()


KINDS = {
    each.kind: each
    for each in (EfficiencyInput, PurityInput, ResponseInput, ResolutionInput, RateInput, ScalingInput)
}
FILLED = (EfficiencyInput, PurityInput, ResponseInput, RateInput)  # those that events fill


def _kind(value: Any) -> str | None:
    """Return the kind of a measurement, the key of that name, in brackets: it is not part of the place."""
    if not isinstance(value, dict):
        return f"[{value.kind}]" if hasattr(value, "kind") else None
    kinds = [kind for kind in KINDS if kind in value and kind != "rate"]  # a scaling has a rate, too
    return f"[{kinds[0]}]" if kinds else "[rate]" if "rate" in value else None


Measurement = Annotated[
    Annotated[EfficiencyInput, Tag("[efficiency]")]
    | Annotated[PurityInput, Tag("[purity]")]
    | Annotated[ResponseInput, Tag("[response]")]
    | Annotated[ResolutionInput, Tag("[resolution]")]
    | Annotated[RateInput, Tag("[rate]")]
    | Annotated[ScalingInput, Tag("[scaling]")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message=f"is none of these: give one of the keys {', '.join(KINDS)}",
    ),
]
