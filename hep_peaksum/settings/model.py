"""The physics knobs: windows, tie rules, thresholds, sharing, pile-up. One frozen object, the same in YAML.

It stands below arrays and detectors: it knows offsets and numbers only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hep_peaksum.kernels import KernelName, Offset, SearchCell
from hep_peaksum.settings.thresholds import Number, Threshold, finite_number, in_sigmas
from hep_peaksum.settings.tie_rules import TIE_RULES, TieRule
from hep_peaksum.settings.windows import NOT_GATED, SumCell, Window, sum_window_cells, window_marks

Comparison = Literal[">", ">="]
Overlap = Literal["shared", "highest", "nearest", "proportional", "proportional-sum", "equal", "suppress"]
PileupKind = Literal["chunky_donut", "donut", "phi_ring", "ring_median"]
Count = Annotated[int, Field(strict=True, ge=1)]

# What is usual for each kind: how deep, and what cells beyond an edge are, first what is usual.
DEPTH: dict[str, int] = {"chunky_donut": 3, "donut": 1, "ring_median": 1}
EDGES: dict[str, tuple[str, ...]] = {
    "chunky_donut": ("zero", "strip"),
    "donut": ("zero", "strip"),
    "phi_ring": ("zero", "existing"),
    "ring_median": ("existing", "zero"),
}


class Pileup(BaseModel):
    """An estimate of the energy under a cluster, from the cells around it: a column beside the sum.

    `chunky_donut` and `donut` look at four strips that flank the window, `phi_ring` at the full rings through
    its rows, `ring_median` at the cells around it. Each is scaled to the area of the sum window.

    >>> Pileup(kind="donut").depth
    1
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: PileupKind
    name: str = Field(
        "", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$", description="of the column; by default the kind"
    )
    depth: Count | None = Field(None, description="of the strips or of the ring, in cells")
    length: Count | None = Field(None, description="of the strips; by default the side of the sum window")
    edge: Literal["", "zero", "strip", "existing"] = Field(
        "", description="cells beyond an edge count 0, make their whole strip 0, or are left out of the area"
    )
    includes_cluster: bool = Field(
        True, strict=True, description="whether the phi ring runs through the cluster"
    )
    axis: Literal["rows", "cols"] | None = Field(None, description="along which a phi ring closes")

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("kind") not in EDGES:
            return values
        kind = values["kind"]
        usual = {"name": kind, "depth": DEPTH.get(kind), "edge": EDGES[kind][0]}
        return {**usual, **{key: value for key, value in values.items() if value not in (None, "")}}

    @model_validator(mode="after")
    def _of_its_kind(self) -> Pileup:
        takes = {"chunky_donut": {"depth", "length"}, "donut": {"depth", "length"}, "ring_median": {"depth"}}
        takes["phi_ring"] = {"axis", "includes_cluster"}
        given = {key for key in ("depth", "length", "axis") if getattr(self, key) is not None}
        given |= {"includes_cluster"} if not self.includes_cluster else set()
        if wrong := sorted(given - takes[self.kind]):
            msg = f"{self.kind} has no {wrong[0]}; it takes {', '.join(sorted(takes[self.kind]))}"
            raise ValueError(msg)
        if self.edge not in EDGES[self.kind]:
            msg = f"edge of {self.kind} is {' or '.join(EDGES[self.kind])}, not {self.edge}"
            raise ValueError(msg)
        if self.length is not None and self.length % 2 == 0:
            msg = f"length {self.length} is even: strips lie symmetrically about the seed, give an odd number"
            raise ValueError(msg)
        return self

    @property
    def has_strips(self) -> bool:
        """Whether it looks at strips that flank the window."""
        return self.kind in ("chunky_donut", "donut")


def _pileup(value: object) -> object:
    """Let a name stand for the published estimate of that kind."""
    return {"kind": value} if isinstance(value, str) else value


def _pool(value: object) -> object:
    try:
        k, m = (finite_number(n) for n in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        k = m = None
    if not (isinstance(k, int) and isinstance(m, int) and k >= 1 and m >= 1):
        msg = f"{value!r} is not a number of cells: give [rows, cols], two integers from 1"
        raise ValueError(msg)
    return k, m


class PeakSumSettings(BaseModel):
    """Which cells are seeds, which cells are summed, what is kept. Frozen, hashable, the same in YAML.

    Thresholds are numbers in the units of the grid, or texts such as ``"4 GeV"`` or ``"5 sigma"``. Windows are
    ``(rows, cols)``, both odd, or drawn one character a cell, the top line being the lowest row offset and `o`
    the seed.

    >>> PeakSumSettings(search_window=(3, 3), seed_threshold="4 GeV").tie_rule
    'first'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_window: Window = Field((3, 3), description="where the seed must be the highest cell")
    sum_window: Window = Field((3, 3), description="which cells are added")
    seed_window: Window = Field((1, 1), description="whose sum about a cell is compared: by default the cell")
    partial_seed_windows: bool = Field(
        True, strict=True, description="whether a seed window may reach beyond an edge"
    )
    quantity: Literal["energy", "significance"] = Field(
        "energy", description="what is compared: the energy, or the energy over its noise"
    )
    tie_rule: TieRule = Field("first", description="who wins between equal cells of one search window")
    greedy_ties: Literal["first", "last"] = Field(
        "first", description="which of equal cells a greedy rule takes first: lowest or highest (row, col)"
    )
    seed_threshold: Threshold = Field(0, description="a seed must pass it")
    seed_comparison: Comparison = Field(">", description="how a seed passes the seed threshold")
    cell_threshold: Threshold | None = Field(None, description="cells below it are not added")
    cell_comparison: Comparison = Field(">=", description="how a cell passes the cell threshold")
    cell_threshold_abs: bool = Field(False, strict=True, description="whether the absolute value has to pass")
    keep_stronger_side: Literal["rows", "cols"] | None = Field(
        None, description="along this axis only the stronger side of the window is added"
    )
    overlap: Overlap = Field("shared", description="who gets a cell of two sum windows")
    sum_threshold: Threshold | None = Field(None, description="clusters whose sum is below it are dropped")
    sum_comparison: Comparison = Field(">=", description="how a sum passes the sum threshold")
    sum_threshold_on: Literal["sum", "net"] = Field("sum", description="what the sum threshold cuts on")
    min_seed_gap: Threshold | None = Field(None, description="least height of a seed above its neighbours")
    min_prominence: Threshold | None = Field(None, description="least height of a seed above the saddle")
    min_neighbours: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="so many cells of the search window must exceed the neighbour threshold"
    )
    neighbour_threshold: Threshold = Field(0, description="what such a neighbour must exceed")
    pileup: tuple[Annotated[Pileup, BeforeValidator(_pileup)], ...] = Field(
        (), description="pile-up estimates, a column each"
    )
    subtract: str | None = Field(None, description="the estimate that `net` subtracts: by default the first")
    max_clusters: Count | None = Field(None, description="keep so many of an event, those of the largest sums")
    order: Literal["sum", "position"] = Field("sum", description="of the clusters of an event: falling sum")
    position: Literal["seed", "linear", "log"] = Field(
        "seed", description="where a cluster is: the centre of its seed cell, or a barycentre"
    )
    w0: Annotated[Number, Field(gt=0)] = Field(4.5, description="of the logarithmic weights w0 + ln(E/sum)")
    isolation_depth: Count = Field(1, description="how many cells deep the ring of `isolation` is")
    coarsen: Annotated[tuple[int, int], BeforeValidator(_pool)] = Field(
        (1, 1), description="cells, [rows, cols], that are pooled into one tower before the search"
    )
    pool_by: Literal["sum", "max"] = Field("sum", description="what a tower is of its cells")
    allow_partial_towers: bool = Field(
        False, strict=True, description="whether the last tower of an axis may be smaller"
    )
    sum_over: Literal["towers", "cells"] = Field(
        "towers", description="whether towers are added or the cells that they were pooled from"
    )
    masked: Literal["absent", "zero"] = Field("absent", description="what a masked cell is to the others")
    nonfinite: Literal["error", "mask"] = Field("error", description="what to do with NaN and infinity")
    kernel: KernelName = Field("numba", description="the fast one or the readable one: equal results")

    @model_validator(mode="before")
    @classmethod
    def _drawn_tie_rule(cls, values: Any) -> Any:
        """Let a window drawn with `>` and `=` be its own tie rule."""
        if not isinstance(values, dict):
            return values
        window = values.get("search_window", "")
        own_rule = isinstance(window, str) and (">" in window or "=" in window)
        given = values.get("tie_rule", "drawn" if own_rule else "first")
        if own_rule != (given == "drawn"):
            msg = (
                f"tie_rule {given!r} beside a search window drawn with '>' and '=': leave tie_rule out"
                if own_rule
                else "tie_rule 'drawn' needs a search window drawn with '>' and '='"
            )
            raise ValueError(msg)
        return {**values, "tie_rule": given}

    @model_validator(mode="after")
    def _consistent(self) -> PeakSumSettings:
        for problem in (*self._window_problems(), *self._pileup_problems(), *self._problems()):
            raise ValueError(problem)
        return self

    def _window_problems(self) -> list[str]:
        problems = [
            f"{key} is drawn with 'x', 'o' and '.': nothing is compared in it"
            for key in ("sum_window", "seed_window")
            if set(getattr(self, key)) & set(">=")
        ]
        problems += [
            f"{key} is drawn with a gated cell 'g': only into a sum window do cells join"
            for key in ("search_window", "seed_window")
            if "g" in getattr(self, key)
        ]
        if not problems:
            try:
                sum_window_cells(self.sum_window)
            except ValueError as error:
                problems.append(f"sum_window: {error}")
        return problems

    def _pileup_problems(self) -> list[str]:
        names = [estimate.name for estimate in self.pileup]
        is_square = isinstance(self.sum_window, tuple) and self.sum_window[0] == self.sum_window[1]
        problems = [
            f"{estimate.kind} is defined about a square sum window [n, n], not about {self.sum_window!r}: "
            "give it a length"
            for estimate in self.pileup
            if estimate.has_strips and not is_square and estimate.length is None
        ]
        if len(set(names)) < len(names):
            problems.append(f"two pile-up estimates are named {max(names, key=names.count)!r}: give them names")
        if self.subtract is not None and self.subtract not in names:
            problems.append(
                f"subtract: no pile-up estimate is named {self.subtract!r}; there are {names or 'none'}"
            )
        if self.sum_threshold_on == "net" and not names:
            problems.append("sum_threshold_on 'net' needs a pile-up estimate: ask for one with pileup")
        return problems

    def _problems(self) -> list[str]:
        problems = []
        if self.removes_cells and self.overlap not in ("shared", "highest"):
            problems.append(
                f"overlap {self.overlap!r} beside greedy-residual: there a cell belongs to the first seed"
            )
        is_gated = isinstance(self.sum_window, str) and "g" in self.sum_window
        if self.sum_over == "cells" and is_gated:
            problems.append("gated cells 'g' are towers: sum_over 'cells' does not go with them")
        is_energy = isinstance(self.seed_threshold, str) and in_sigmas(self.seed_threshold) is None
        if self.quantity == "significance" and is_energy:
            problems.append(
                f"seed_threshold {self.seed_threshold!r} is an energy, but quantity is significance: "
                "give a number of sigma"
            )
        problems += [
            f"{key} is in units of the seed, it cannot be {getattr(self, key)!r}"
            for key in ("min_seed_gap", "min_prominence", "neighbour_threshold")
            if in_sigmas(getattr(self, key)) is not None
        ]
        return problems

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
        """Whether the noise of the cells plays a part."""
        thresholds = (self.seed_threshold, self.cell_threshold, self.sum_threshold)
        return self.quantity == "significance" or any(in_sigmas(t) is not None for t in thresholds)

    @property
    def net_estimate(self) -> Pileup | None:
        """The pile-up estimate that `net` subtracts."""
        wanted = self.subtract or (self.pileup[0].name if self.pileup else None)
        return next((estimate for estimate in self.pileup if estimate.name == wanted), None)

    @property
    def seed_is_cell(self) -> bool:
        """Whether what is compared is the energy of single cells."""
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
        """Return the cells that are added, each with the place of the cell that lets it in."""
        return sum_window_cells(self.sum_window)

    @property
    def adds_whole_windows(self) -> bool:
        """Whether every cell above one bound is added: no gate, side, noise or other cluster plays a part."""
        is_gated = any(cell.gate != NOT_GATED for cell in self.gated_sum_cells())
        has_one_bound = not self.cell_threshold_abs and in_sigmas(self.cell_threshold) is None
        is_shared = self.overlap in ("shared", "suppress") and not self.removes_cells
        return has_one_bound and is_shared and not is_gated and self.keep_stronger_side is None

    def seed_cells(self) -> tuple[Offset, ...]:
        """Return the offsets (row, col) of the cells whose sum is compared, in row-major order."""
        return tuple(window_marks(self.seed_window))
