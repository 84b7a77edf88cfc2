"""Which cluster belongs to which object: the section `matches`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from hep_peaksum.evaluation.matching import CellIndices, Pairs, same_cell
from hep_peaksum.evaluation.pairing import Pairing, Places, chosen, within_delta_r, within_distance
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.jagged import flat_field
from hep_peaksum.inputs.branch_names import Words, includes
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Number

if TYPE_CHECKING:
    import awkward as ak

# The fields of the clusters of a match, after its name: the index of the object, and how far away it is.
OF_MATCHES = ("Idx", "Distance")
PLACE = {"cell": ("row", "col"), "delta_r": ("eta", "phi"), "distance": ("x", "y")}


class MatchInput(FrozenModel):
    """Clusters of a collection or view, and objects of a reference, that may belong together."""

    clusters: str = Field(description="Collection or view.")
    reference: str = Field(description="Name of the objects, a key of references.")
    by: Literal["cell", "delta_r", "distance"] = Field(
        description="How near they must be: in the same cell, within a distance in eta and phi, or in x and y."
    )
    within: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="Largest distance, in eta and phi, or in the unit of x and y.", examples=[0.4]
    )
    pairing: Pairing | None = Field(
        None,
        description="Which of the candidates is taken. The highest or the nearest for each object, which may "
        "share clusters; one_to_one: the objects in order of decreasing pt (else et, else energy) take the "
        "nearest free cluster; optimal: the smallest sum of distances. The highest is that in pass of an "
        "efficiency, elsewhere in pt (else energy, else peak_sum). By default highest in an efficiency, and "
        "one_to_one elsewhere.",
    )
    datasets: Words | None = Field(None, description="Datasets that are matched; by default all.")

    @model_validator(mode="after")
    def _check(self) -> MatchInput:
        if (self.within is None) != (self.by == "cell"):
            msg = (
                "by cell has no within: drop it" if self.by == "cell" else f"by {self.by} needs within: add it"
            )
            raise ValueError(msg)
        return self

    def is_for(self, dataset: str) -> bool:
        """Return whether it is made in a dataset."""
        return includes(self.datasets, dataset)

    def candidates(self, clusters: ak.Array, references: ak.Array, grid: Grid) -> Pairs:
        """Return every pair that is near enough, of jagged clusters and objects of the same events."""
        if self.by == "cell":
            return same_cell(CellIndices.from_jagged(references), CellIndices.from_jagged(clusters), grid)
        near = within_delta_r if self.by == "delta_r" else within_distance
        objects, found = (Places.from_jagged(each, PLACE[self.by]) for each in (references, clusters))
        return near(objects, found, float(self.within or 0))

    def pairs(
        self,
        candidates: Pairs,
        references: ak.Array,
        *,
        otherwise: Pairing = "one_to_one",
        value: Array | None = None,
    ) -> Pairs:
        """Return the candidates that are taken, by `otherwise` if no pairing is named; `value` of clusters."""
        how = self.pairing or otherwise
        return chosen(candidates, how, height=height_of(references), value=value)


def highest_by(fields: Collection[str]) -> str:
    """Return by which of their fields clusters are the highest: pt, else energy, else peak_sum."""
    return next(name for name in ("pt", "energy", "peak_sum") if name in fields)


def height_of(references: ak.Array) -> Array | None:
    """Return by what objects are ordered, the highest first: pt, else energy or et; None without these."""
    for name in ("pt", "et", "energy"):
        if name in references.fields:
            return flat_field(references, name).astype(np.float64)
    return None
