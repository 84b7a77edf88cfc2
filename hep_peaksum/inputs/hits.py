"""The section `hits` of a grid: the branches of jagged hits."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, model_validator

from hep_peaksum.inputs.branch_names import BranchName
from hep_peaksum.settings.frozen_model import FrozenModel


class HitBranches(FrozenModel):
    """Branches of jagged hits: the place of each hit on the two axes, or its channel, and its value."""

    row: BranchName | None = Field(
        None,
        description="Branch with the place of each hit along the rows: its label, its index, or its "
        "coordinate, as the axis has labels, n, or positions. Give either row and col, or channel.",
        examples=["L1CaloTower/ieta"],
    )
    col: BranchName | None = Field(
        None, description="Branch with the place of each hit along the columns, as for row."
    )
    channel: BranchName | None = Field(
        None,
        description="Branch with the channel of each hit, whose place is that in the cell table of the grid.",
        examples=["det_id"],
    )
    value: BranchName = Field(
        description="Branch with the energy of each hit, in counts. Hits in one cell add."
    )

    @model_validator(mode="after")
    def _check_place(self) -> HitBranches:
        given = [word for word in ("row", "col", "channel") if getattr(self, word) is not None]
        if given not in (["row", "col"], ["channel"]):
            msg = f"give row and col, or channel alone; here: {', '.join(given) or 'none of them'}"
            raise ValueError(msg)
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """The keys that name a branch."""
        return ("channel", "value") if self.channel is not None else ("row", "col", "value")

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that are read."""
        return tuple(getattr(self, word) for word in self.words)

    def branch_keys(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; `key` is that of these."""
        yield from ((f"{key}.{word}", getattr(self, word)) for word in self.words)
