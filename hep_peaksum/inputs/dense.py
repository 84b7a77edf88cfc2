"""The section `dense` of a grid: a branch that holds every cell."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from hep_peaksum.geometry.grid import AxisWord
from hep_peaksum.inputs.branch_names import BranchName
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Count


class DenseBranch(FrozenModel):
    """A branch that holds every cell: fixed 2-D or 3-D, or flat, its axes named slowest first."""

    branch: BranchName = Field(
        description="Branch with one value for every cell, in counts: an array, nested vectors, or flat."
    )
    shape: tuple[Count, ...] | None = Field(
        None,
        description="Number of cells along axes. Needed where neither rows and cols nor the branch say it; "
        "rows and cols can then be left out.",
        examples=[[67, 10, 10]],
    )
    axes: tuple[AxisWord, ...] = Field(
        ("row", "col"),
        description="Order of a cell's indices, the slowest first: row and col, and layer if there are layers.",
        examples=[["layer", "row", "col"]],
    )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return (self.branch,)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the key that names the branch, with the branch; `key` is that of these."""
        yield f"{key}.branch", self.branch
