"""The section `hits` of a grid: the branches of jagged hits."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from hep_peaksum.inputs.branch_names import BranchName
from hep_peaksum.settings.frozen_model import FrozenModel


class HitBranches(FrozenModel):
    """Branches of jagged hits: the place of each hit on the two axes, and its value."""

    row: BranchName = Field(
        description="Branch with the place of each hit along the rows: its label, its index, or its "
        "coordinate, as the axis has labels, n, or positions.",
        examples=["L1CaloTower/ieta"],
    )
    col: BranchName = Field(description="Branch with the place of each hit along the columns, as for row.")
    value: BranchName = Field(
        description="Branch with the energy of each hit, in counts. Hits in one cell add."
    )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.value

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.{word}", getattr(self, word)) for word in ("row", "col", "value"))
