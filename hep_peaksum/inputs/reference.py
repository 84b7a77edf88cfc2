"""The section `reference` of a collection: objects of the file that clusters are compared with."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from hep_peaksum.inputs.branch_names import BranchName
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import Number


class ReferenceInput(FrozenModel):
    """A collection that the file has of its own, which `closure` compares clusters with."""

    row: BranchName = Field(
        description="Branch with the place of each object along the rows: label, index or coordinate, as for "
        "hits."
    )
    col: BranchName = Field(description="Branch with the place of each object along the columns.")
    sum: BranchName = Field(description="Branch with the sum of each object, in counts.")
    where: dict[str, Number] = Field(
        default_factory=dict,
        description="Branches and the values that they must have for an object to be compared.",
    )
    sum_where: dict[str, Number] = Field(
        default_factory=dict,
        description="Branches and the values that they must have for the sums to be compared, too.",
        examples=[{"up:L1Upgrade/tauIsMerged": 0}],
    )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return self.row, self.col, self.sum, *self.where, *self.sum_where

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.{word}", getattr(self, word)) for word in ("row", "col", "sum"))
        yield from ((f"{key}.where.{branch}", branch) for branch in self.where)
        yield from ((f"{key}.sum_where.{branch}", branch) for branch in self.sum_where)
