"""The physics settings: windows, tie rules, thresholds, sharing, pile-up. One frozen object, the same in YAML.

Below arrays and detectors: it knows offsets and numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hep_peaksum.kernels import KernelName, Offset, SearchCell
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.pileup import Pileup, PileupEstimate, pileup_problems
from hep_peaksum.settings.thresholds import Count, Depth, Number, Threshold
from hep_peaksum.settings.tie_rules import TIE_RULES, TieRule
from hep_peaksum.settings.units import in_sigmas
from hep_peaksum.settings.windows import (
    NOT_GATED,
    SumCell,
    TowerSize,
    Window,
    sum_window_cells,
    window_marks,
    window_problems,
)

Comparison = Literal[">", ">="]
Overlap = Literal["shared", "highest", "nearest", "proportional", "proportional-sum", "equal", "suppress"]


class PeakSumSettings(FrozenModel):
    """Which cells are seeds, which cells are summed, which clusters stay. Frozen, hashable, the same in YAML.

    Thresholds are numbers in the units of the grid, or texts such as ``"4 GeV"`` or ``"5 sigma"``. Windows are
    ``(rows, cols)``, both odd, or drawn one character a cell, the top line being the lowest row offset and `o`
    the seed.

    >>> PeakSumSettings(search_window=(3, 3), seed_threshold="4 GeV").tie_rule
    'first'
    """

    search_window: Window = Field(
        (3, 3),
        description="Cells that a seed is compared with: [rows, cols], both odd, or a drawing. Cells drawn as "
        "x are compared by tie_rule. A drawing with > (the seed must exceed this cell) and = (it may equal "
        "it) is a tie rule of its own.",
        examples=["===\n=o>\n>>>"],
    )
    sum_window: Window = Field(
        (3, 3),
        description="Cells that are added: [rows, cols], both odd, or a drawing. Cells drawn as x are added, "
        "cells drawn as g only if the cell one ring nearer to the seed was added.",
        examples=[".x.\nxox\n.x."],
    )
    seed_window: Window = Field(
        (1, 1),
        description="Cells whose sum is compared in the search; by default the cell alone. [3, 3] compares "
        "the sums of 3 x 3 cells. The field seed of a cluster is this sum.",
    )
    partial_seed_windows: bool = Field(
        True,
        strict=True,
        description="Whether a seed window may reach beyond an edge. If not, cells along the edge are no "
        "candidates.",
    )
    quantity: Literal["energy", "significance"] = Field(
        "energy",
        description="Quantity that is compared: energy, or significance (energy over noise). With "
        "significance a bare seed_threshold is a number of sigma.",
    )
    tie_rule: TieRule = Field("first", description="Rule that decides between equal cells of a search window.")
    greedy_ties: Literal["first", "last"] = Field(
        "first",
        description="Equal cell that a greedy tie rule takes first: the one with the lowest (first) or the "
        "highest (last) (row, col).",
    )
    seed_threshold: Threshold = Field(
        0,
        description="Threshold on the seed. A bare number is in counts of the grid; '4 GeV' and '5 sigma' are "
        "understood, sigma being the noise of the seed.",
        examples=["4 GeV"],
    )
    seed_comparison: Comparison = Field(
        ">", description="Whether a seed must exceed the seed threshold (>) or may equal it (>=)."
    )
    cell_threshold: Threshold | None = Field(
        None,
        description="Threshold on the cells that are added. Without one all are added, negative ones too. "
        "Counts, an energy or a number of sigma.",
        examples=["0.05 GeV"],
    )
    cell_comparison: Comparison = Field(
        ">=", description="Whether a cell must exceed the cell threshold (>) or may equal it (>=)."
    )
    cell_threshold_abs: bool = Field(
        False,
        strict=True,
        description="Whether the cell threshold applies to the absolute value of a cell. Large negative cells "
        "are then added, too.",
    )
    keep_stronger_side: Literal["rows", "cols"] | None = Field(
        None,
        description="Axis along which only the stronger side of the sum window is added. Of two equal sides "
        "the higher one is added.",
    )
    overlap: Overlap = Field(
        "shared", description="Rule for cells that lie in the sum windows of several clusters."
    )
    sum_threshold: Threshold | None = Field(
        None,
        description="Threshold on the sum: clusters that do not pass it are dropped. Counts, an energy or a "
        "number of sigma.",
        examples=["10 GeV"],
    )
    sum_comparison: Comparison = Field(
        ">=", description="Whether a sum must exceed the sum threshold (>) or may equal it (>=)."
    )
    sum_threshold_on: Literal["sum", "net"] = Field(
        "sum", description="What the sum threshold is applied to: the sum, or net, the sum minus pile-up."
    )
    min_seed_gap: Threshold | None = Field(
        None,
        description="Smallest height of a seed above the highest other cell of its search window (the field "
        "seed_gap). In the units of the seed, or an energy.",
        examples=["30 MeV"],
    )
    min_prominence: Threshold | None = Field(
        None,
        description="Smallest height of a seed above the saddle to anything higher (the field prominence). In "
        "the units of the seed, or an energy.",
        examples=["0.1 GeV"],
    )
    min_neighbours: Annotated[int, Field(strict=True, ge=0)] = Field(
        0,
        description="Smallest number of cells of the search window that exceed neighbour_threshold (the field "
        "n_neighbours).",
    )
    neighbour_threshold: Threshold = Field(
        0,
        description="Threshold that a neighbour must exceed to be counted by min_neighbours. In the units of "
        "the seed, or an energy.",
    )
    pileup: tuple[PileupEstimate, ...] = Field(
        (),
        description="Pile-up estimates, each a column beside the sum. A name stands for the published "
        "estimate of that kind; a map can change it. The field net is the sum minus one of them.",
        examples=[["chunky_donut", {"kind": "ring_median", "depth": 2}]],
    )
    subtract: str | None = Field(
        None, description="Name of the pile-up estimate that net subtracts; by default the first."
    )
    max_clusters: Count | None = Field(
        None,
        description="Largest number of clusters of an event: those with the largest sums stay. By default all "
        "stay.",
    )
    order: Literal["sum", "position"] = Field(
        "sum", description="Order within an event: sum (descending, then row, col) or position (row, col)."
    )
    position: Literal["seed", "linear", "log"] = Field(
        "seed",
        description="Position of a cluster: seed (the centre of its seed cell), or the barycentre with linear "
        "or log weights. Only positive cells weigh, linear by their energy, log by max(0, w0 + ln(E / sum)).",
    )
    w0: Annotated[Number, Field(gt=0)] = Field(
        4.5, description="Constant of the logarithmic weights max(0, w0 + ln(E / sum))."
    )
    isolation_depth: Depth = Field(
        1, description="Depth of the ring that the field isolation adds around the sum window, in cells."
    )
    coarsen: TowerSize = Field(
        (1, 1),
        description="Size of the towers that cells are pooled into before the search, [rows, cols]. Windows "
        "then count towers.",
        examples=[[3, 3]],
    )
    pool_by: Literal["sum", "max"] = Field(
        "sum", description="What a tower is of its cells: their sum, or the highest of them (max)."
    )
    allow_partial_towers: bool = Field(
        False,
        strict=True,
        description="Whether the last tower of an axis may have fewer cells. If not, the size of a tower must "
        "divide the number of cells; on a periodic axis it always must.",
    )
    sum_over: Literal["towers", "cells"] = Field(
        "towers", description="What the sum window adds: towers, or the cells that they were pooled from."
    )
    masked: Literal["absent", "zero"] = Field(
        "absent",
        description="What a masked cell is to its neighbours: absent (it neither seeds, vetoes nor adds) or "
        "zero (an energy of 0).",
    )
    nonfinite: Literal["error", "mask"] = Field(
        "error",
        description="Treatment of cells that are NaN or infinite: an error that names event and cell, or a "
        "mask.",
    )
    kernel: KernelName = Field(
        "numba",
        description="Implementation of the search: numba (compiled) or scipy (readable and slow). The results "
        "are equal bit by bit.",
    )

    @model_validator(mode="before")
    @classmethod
    def _drawn_tie_rule(cls, values: Any) -> Any:
        """Set the tie rule of a window drawn with `>` and `=`, which is a rule of its own."""
        if not isinstance(values, dict):
            return values
        window = values.get("search_window", "")
        is_drawn = isinstance(window, str) and (">" in window or "=" in window)
        tie_rule = values.get("tie_rule", "drawn" if is_drawn else "first")
        if is_drawn != (tie_rule == "drawn"):
            msg = (
                f"tie_rule {tie_rule!r} beside a search window drawn with '>' and '=': leave tie_rule out, or "
                "set it to drawn"
                if is_drawn
                else "tie_rule 'drawn' needs a search window drawn with '>' and '='"
            )
            raise ValueError(msg)
        return {**values, "tie_rule": tie_rule}

    @model_validator(mode="after")
    def _consistent(self) -> PeakSumSettings:
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        """Yield what is wrong between keys that are fine each on their own."""
        yield from window_problems(self.search_window, self.sum_window, self.seed_window)
        yield from pileup_problems(self.pileup, self.sum_window, self.subtract)
        if self.sum_threshold_on == "net" and not self.pileup:
            yield "sum_threshold_on 'net' needs a pile-up estimate: ask for one with pileup"
        if self.removes_cells and self.overlap not in ("shared", "highest"):
            yield (
                f"overlap {self.overlap!r} beside greedy-residual: there a cell belongs to the first seed, "
                "leave overlap out"
            )
        is_gated = isinstance(self.sum_window, str) and "g" in self.sum_window
        if self.sum_over == "cells" and is_gated:
            yield "sum_over 'cells' beside gated cells 'g': gates are towers, draw them as 'x'"
        is_energy = isinstance(self.seed_threshold, str) and in_sigmas(self.seed_threshold) is None
        if self.quantity == "significance" and is_energy:
            yield (
                f"seed_threshold {self.seed_threshold!r} is an energy, but quantity is significance: "
                "give a number of sigma"
            )
        for key in ("min_seed_gap", "min_prominence", "neighbour_threshold"):
            if in_sigmas(getattr(self, key)) is not None:
                yield f"{key} {getattr(self, key)!r} is in sigma: give counts of the seed, or an energy"

    @property
    def is_greedy(self) -> bool:
        """Whether seeds are accepted one after the other."""
        return TIE_RULES[self.tie_rule].is_greedy

    @property
    def removes_cells(self) -> bool:
        """Whether a seed removes the cells of its windows from search and sums, so that none are compared."""
        return TIE_RULES[self.tie_rule].decides_by == "removal"

    @property
    def needs_noise(self) -> bool:
        """Whether the noise of the cells is needed."""
        thresholds = (self.seed_threshold, self.cell_threshold, self.sum_threshold)
        return self.quantity == "significance" or any(in_sigmas(t) is not None for t in thresholds)

    @property
    def net_estimate(self) -> Pileup | None:
        """The pile-up estimate that `net` subtracts."""
        name = self.subtract or (self.pileup[0].name if self.pileup else None)
        return next((estimate for estimate in self.pileup if estimate.name == name), None)

    @property
    def seed_is_cell(self) -> bool:
        """Whether the search compares the energies of single cells."""
        return self.quantity == "energy" and self.seed_cells() == ((0, 0),)

    def search_cells(self) -> tuple[SearchCell, ...]:
        """Return the cells a seed is compared with, each with who wins a tie.

        >>> PeakSumSettings(search_window=(1, 3), tie_rule="none").search_cells()
        (SearchCell(row=0, col=-1, tie=1), SearchCell(row=0, col=1, tie=1))
        """
        marks, winner = window_marks(self.search_window), TIE_RULES[self.tie_rule].winner
        return tuple(SearchCell(d, p, winner((d, p), mark)) for (d, p), mark in marks.items() if mark != "o")

    def sum_cells(self) -> tuple[Offset, ...]:
        """Return the offsets (row, col) of the cells that are added, in row-major order.

        >>> PeakSumSettings(sum_window="xo").sum_cells()
        ((0, -1), (0, 0))
        """
        return tuple(window_marks(self.sum_window))

    def gated_sum_cells(self) -> tuple[SumCell, ...]:
        """Return the cells that are added, each with the index of the cell that gates it."""
        return sum_window_cells(self.sum_window)

    @property
    def adds_whole_windows(self) -> bool:
        """Whether every cell above one bound is added, whatever gates, sides, noise and other clusters are."""
        is_gated = any(cell.gate != NOT_GATED for cell in self.gated_sum_cells())
        has_one_bound = not self.cell_threshold_abs and in_sigmas(self.cell_threshold) is None
        is_shared = self.overlap in ("shared", "suppress") and not self.removes_cells
        return has_one_bound and is_shared and not is_gated and self.keep_stronger_side is None

    def seed_cells(self) -> tuple[Offset, ...]:
        """Return the offsets (row, col) of the cells whose sum is compared, in row-major order."""
        return tuple(window_marks(self.seed_window))
