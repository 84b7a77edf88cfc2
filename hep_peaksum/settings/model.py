"""The physics settings: windows, tie rules, thresholds, sharing, pile-up. One frozen object, the same in YAML.

Below arrays and detectors: it knows offsets and numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hep_peaksum import notebook_html
from hep_peaksum.kernels import KernelName, Offset, SearchCell
from hep_peaksum.settings.pileup import Pileup, PileupEstimate, pileup_problems
from hep_peaksum.settings.search import Comparison, SearchSettings
from hep_peaksum.settings.thresholds import Count, Depth, Number, Threshold
from hep_peaksum.settings.tie_rules import TIE_RULES
from hep_peaksum.settings.units import in_sigmas
from hep_peaksum.settings.windows import (
    NOT_GATED,
    SumCell,
    TowerSize,
    sum_window_cells,
    window_marks,
    window_problems,
)


class PeakSumSettings(SearchSettings):
    """Which cells are seeds, which cells are summed, which clusters stay. Frozen, hashable, the same in YAML.

    Thresholds are numbers in the units of the grid, or texts such as ``"4 GeV"`` or ``"5 sigma"``. Windows are
    ``(rows, cols)``, both odd, or drawn one character per cell, the top line being the lowest row offset and
    `o` the seed.

    >>> PeakSumSettings(search_window=(3, 3), seed_threshold="4 GeV").tie_rule
    'first'
    """

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
    saturated_seeds: tuple[Number, ...] = Field(
        (),
        description="Values of a seed cell, in counts, that stand for an overflow. Pile-up estimates of such "
        "clusters are 0.",
        examples=[[509, 510, 511]],
    )
    saturated_net: Number | None = Field(
        None,
        description="Value of net, in counts, for a seed that is one of saturated_seeds; by default the sum. "
        "A fraction makes net a float also on a grid of whole numbers.",
        examples=[65535],
    )
    max_clusters: Count | None = Field(
        None,
        description="Largest number of clusters of an event, or of a region: those with the largest sums stay. "
        "By default all stay.",
    )
    max_clusters_by: Literal["sum", "seed"] = Field(
        "sum",
        description="What max_clusters ranks clusters by: their sums, or their seeds (equal seeds in the "
        "order of greedy_ties).",
    )
    max_clusters_per: str = Field(
        "event",
        description="What max_clusters counts in: the event, or each region of the division of the grid that "
        "has this name. Clusters whose seed is in no region are then dropped.",
        examples=["card"],
    )
    order: Literal["sum", "position"] = Field(
        "sum", description="Order within an event: sum (descending, then row, col) or position (row, col)."
    )
    position: Literal["seed", "linear", "log"] = Field(
        "seed",
        description="Position of a cluster: seed (the centre of its seed cell), or the barycentre with linear "
        "or log weights. Only positive cells have weight: their energy (linear), or max(0, w0 + "
        "ln(E / sum)) (log).",
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
        "sum", description="Value of a tower: the sum of its cells, or the highest of them (max)."
    )
    pool_threshold: Threshold | None = Field(
        None,
        description="Threshold that a cell must exceed; otherwise it counts as 0 in its tower. Counts or "
        "an energy.",
        examples=["1 GeV"],
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
                f"tie_rule {tie_rule!r} together with a search window drawn with '>' and '=': leave "
                "tie_rule out, or set it to drawn"
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
                f"overlap {self.overlap!r} together with greedy-residual: there a cell belongs to the first "
                "seed, leave overlap out"
            )
        is_gated = isinstance(self.sum_window, str) and "g" in self.sum_window
        if self.sum_over == "cells" and is_gated:
            yield "sum_over 'cells' together with gated cells 'g': gates are towers, draw them as 'x'"
        is_energy = isinstance(self.seed_threshold, str) and in_sigmas(self.seed_threshold) is None
        if self.quantity == "significance" and is_energy:
            yield (
                f"seed_threshold {self.seed_threshold!r} is an energy, but quantity is significance: "
                "give a number of sigma"
            )
        if self.group is not None and self.cell_threshold is None:
            yield f"group {self.group!r} without cell_threshold: say which cells are joined"
        if self.group is None and self.seedless_groups != "drop":
            yield f"seedless_groups {self.seedless_groups!r} without group: set group to 'edges' or 'corners'"
        if self.max_clusters is None and self.max_clusters_per != "event":
            yield f"max_clusters_per {self.max_clusters_per!r} without max_clusters: say how many stay"
        if self.saturated_net is not None and not self.saturated_seeds:
            yield f"saturated_net {self.saturated_net} without saturated_seeds: list the values of such seeds"
        if self.pool_threshold is not None and self.coarsen == (1, 1):
            yield f"pool_threshold {self.pool_threshold!r} without towers: set coarsen, or leave it out"
        for key in ("min_seed_gap", "min_prominence", "neighbour_threshold", "pool_threshold"):
            if in_sigmas(getattr(self, key)) is not None:
                yield f"{key} {getattr(self, key)!r} is in sigma: give counts, or an energy"

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
        return bool(self.keys_with_noise)

    @property
    def keys_with_noise(self) -> list[str]:
        """The keys whose values need the noise of the cells."""
        thresholds = ("seed_threshold", "cell_threshold", "sum_threshold")
        keys = [key for key in thresholds if in_sigmas(getattr(self, key)) is not None]
        return ["quantity", *keys] if self.quantity == "significance" else keys

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

    def comparison_marks(self) -> dict[Offset, str]:
        """Return the comparison in every cell of the search window: `>` must be exceeded, `=` may be equalled.

        Rules that order cells by their index in the grid (`first`, `last`) are given as they are away from a
        seam. Where cells are not compared (`greedy-residual`) the mark is `x`.

        >>> PeakSumSettings(search_window=(1, 3)).comparison_marks()
        {(0, -1): '>', (0, 0): 'o', (0, 1): '='}
        """
        if self.removes_cells:
            return dict(window_marks(self.search_window))
        marks = {(0, 0): "o"}
        for cell in self.search_cells():
            offset = (cell.row, cell.col)
            marks[offset] = ">" if cell.must_be_exceeded(has_lower_index=offset < (0, 0)) else "="
        return dict(sorted(marks.items()))

    def _repr_html_(self) -> str:
        """Return what notebooks show: the windows, the keys that decide most, and the others behind a click."""
        windows: dict[str, Mapping[Offset, str]] = {"search window": self.comparison_marks()}
        if len(self.seed_cells()) > 1:
            windows["seed window"] = window_marks(self.seed_window)
        windows["sum window"] = window_marks(self.sum_window)
        values = {name: value for name, value in self if not name.endswith("_window")}
        values["pileup"] = ", ".join(estimate.name for estimate in self.pileup) or "none"
        shown = {
            "seed threshold": f"{values.pop('seed_comparison')} {values.pop('seed_threshold')}",
            "tie rule": f"{self.tie_rule}: {TIE_RULES[values.pop('tie_rule')].meaning}",
            "overlap": values.pop("overlap"),
        }
        fields = type(self).model_fields
        unset = {name for name in values if getattr(self, name) == fields[name].default}
        shown |= {name: value for name, value in values.items() if name not in unset}
        defaults = {name: value for name, value in values.items() if name in unset}
        return notebook_html.page(
            type(self).__name__,
            *(notebook_html.window_table(name, marks) for name, marks in windows.items()),
            notebook_html.key_table(shown)
            + notebook_html.folded(f"{len(defaults)} keys as by default", notebook_html.key_table(defaults)),
        )

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
        """Whether every cell above one bound is added, whatever gates, sides, groups, noise, other clusters."""
        is_gated = any(cell.gate != NOT_GATED for cell in self.gated_sum_cells())
        has_one_bound = not self.cell_threshold_abs and in_sigmas(self.cell_threshold) is None
        is_shared = self.overlap in ("shared", "suppress") and not self.removes_cells
        is_plain = not is_gated and self.keep_stronger_side is None and self.group is None
        return has_one_bound and is_shared and is_plain

    def seed_cells(self) -> tuple[Offset, ...]:
        """Return the offsets (row, col) of the cells whose sum is compared, in row-major order."""
        return tuple(window_marks(self.seed_window))
