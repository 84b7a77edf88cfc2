"""The physics knobs: windows, tie rules, thresholds, pile-up. One frozen object for Python and YAML alike.

It stands below everything else: it knows offsets and numbers, neither arrays nor detectors.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hep_peaksum.kernels import (
    HIGHER_INDEX_WINS,
    LOWER_INDEX_WINS,
    NEIGHBOUR_WINS,
    SEED_WINS,
    KernelName,
    Offset,
    SearchCell,
)

TieRule = Literal["all", "none", "first", "last", "diagonal", "lexicographic", "drawn"]
ENERGY_UNITS = {"eV": "1e-9", "keV": "1e-6", "MeV": "1e-3", "GeV": "1", "TeV": "1e3"}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def exact(number: float | str) -> Fraction:
    """Return the number as it is written: 0.1 is one tenth, not the nearest float.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(str(number))


def energy_in_gev(text: str) -> Fraction:
    """Return an energy such as ``"0.5 GeV"`` in GeV, exactly.

    Raises
    ------
    ValueError
        If the text is not a number and one of eV, keV, MeV, GeV, TeV.

    >>> energy_in_gev("500 MeV")
    Fraction(1, 2)
    """
    match = re.fullmatch(rf"\s*({NUMBER})\s*({'|'.join(ENERGY_UNITS)})\s*", text)
    if not match:
        msg = f"{text!r} is not an energy: write a number and one of {', '.join(ENERGY_UNITS)}, as in '4 GeV'"
        raise ValueError(msg)
    return exact(match[1]) * Fraction(ENERGY_UNITS[match[2]])


def finite_number(value: object) -> object:
    """Return the value as a Python number; a bool, NaN or infinity is a ValueError, other things pass."""
    if hasattr(value, "item") and not getattr(value, "shape", ()):  # a numpy scalar
        value = value.item()
    if isinstance(value, bool):
        msg = f"{value} is not a number"
        raise ValueError(msg)  # pydantic reports a ValueError, not a TypeError
    if isinstance(value, float) and not math.isfinite(value):
        msg = f"{value} is not a finite number"
        raise ValueError(msg)
    return value


def _threshold(value: object) -> object:
    value = finite_number(value)
    if isinstance(value, str):
        energy_in_gev(value)
        return " ".join(value.split())
    if value is not None and not isinstance(value, (int, float)):
        msg = f"{value!r} is not a threshold: give a number, or an energy such as '4 GeV'"
        raise ValueError(msg)
    return value


def _window(value: object) -> object:
    """Normalise a window to (rows, cols), or to a drawing without surrounding blank space."""
    if isinstance(value, str):
        drawing = "\n".join(line.strip() for line in value.strip().splitlines())
        _read_drawing(drawing)
        return drawing
    try:
        rows, cols = (operator.index(finite_number(n)) for n in value)  # type: ignore[attr-defined, arg-type]
    except (TypeError, ValueError):
        msg = f"{value!r} is not a window: give [rows, cols], two odd integers, or draw it"
        raise ValueError(msg) from None
    if min(rows, cols) < 1 or not (rows % 2 and cols % 2):
        msg = f"[{rows}, {cols}] is not a window: rows and columns must be odd; an even window has to be drawn"
        raise ValueError(msg)
    return rows, cols


def _read_drawing(drawing: str) -> dict[Offset, str]:
    """Return the characters of a drawn window by their offset (row, col) from the `o`."""
    lines = drawing.splitlines()
    strange = sorted(set(drawing) - set("ox.>=\n"))
    if strange:
        msg = f"a window is drawn with 'o', 'x', '.', '>' and '=', not with {strange[0]!r}"
        raise ValueError(msg)
    if len({len(line) for line in lines}) != 1:
        msg = f"the lines of a drawn window must have one length, these have {[len(line) for line in lines]}"
        raise ValueError(msg)
    if drawing.count("o") != 1:
        msg = f"a drawn window has exactly one 'o', the seed; this one has {drawing.count('o')}"
        raise ValueError(msg)
    if "x" in drawing and (">" in drawing or "=" in drawing):
        msg = "a window drawn with 'x' is compared by tie_rule, one with '>' and '=' by itself; do not mix"
        raise ValueError(msg)
    row = next(i for i, line in enumerate(lines) if "o" in line)
    col = lines[row].index("o")
    return {(i - row, j - col): mark for i, line in enumerate(lines) for j, mark in enumerate(line)}


def _window_marks(window: tuple[int, int] | str) -> dict[Offset, str]:
    """Return the mark of every cell of a window, in row-major order; [rows, cols] is all `x` about the `o`."""
    if isinstance(window, str):
        return {offset: mark for offset, mark in _read_drawing(window).items() if mark != "."}
    half_rows, half_cols = window[0] // 2, window[1] // 2
    return {
        (d, p): "o" if d == p == 0 else "x"
        for d in range(-half_rows, half_rows + 1)
        for p in range(-half_cols, half_cols + 1)
    }


Window = Annotated[tuple[int, int] | str, BeforeValidator(_window)]
Number = Annotated[int | float, BeforeValidator(finite_number)]
Threshold = Annotated[int | float | str, BeforeValidator(_threshold)]


class PeakSumSettings(BaseModel):
    """Which cells are seeds, which cells are summed, what is kept. Frozen, hashable, the same in YAML.

    Thresholds are numbers in the units of the grid, or texts such as ``"4 GeV"``. Windows are ``(rows, cols)``,
    both odd, or drawn one character a cell, the top line being the lowest row offset and `o` the seed.

    >>> PeakSumSettings(search_window=(3, 3), seed_threshold="4 GeV").tie_rule
    'first'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_window: Window = Field((3, 3), description="where the seed must be the highest cell")
    sum_window: Window = Field((3, 3), description="which cells are added")
    tie_rule: TieRule = Field("first", description="who wins between equal cells of one search window")
    seed_threshold: Threshold = Field(0, description="a seed must pass it")
    seed_comparison: Literal[">", ">="] = Field(">", description="how a seed passes the seed threshold")
    cell_threshold: Threshold | None = Field(None, description="cells below it are not added")
    overlap: Literal["shared"] = Field("shared", description="who gets a cell of two sum windows: both")
    pileup: tuple[Literal["chunky_donut"], ...] = Field((), description="pile-up estimates, a column each")
    max_clusters: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="keep so many of an event, those of the largest sums"
    )
    order: Literal["sum", "position"] = Field("sum", description="of the clusters of an event: falling sum")
    position: Literal["seed"] = Field("seed", description="where a cluster is: the centre of its seed cell")
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
    def _sum_window_marks(self) -> PeakSumSettings:
        if isinstance(self.sum_window, str) and set(self.sum_window) & set(">="):
            msg = "sum_window is drawn with 'x', 'o' and '.': nothing is compared in it"
            raise ValueError(msg)
        if "chunky_donut" in self.pileup and not (
            isinstance(self.sum_window, tuple) and self.sum_window[0] == self.sum_window[1]
        ):
            msg = f"chunky_donut is defined about a square sum window [n, n], not about {self.sum_window!r}"
            raise ValueError(msg)
        return self

    def search_cells(self) -> tuple[SearchCell, ...]:
        """Return the cells a seed is compared with, each with who wins a tie.

        >>> PeakSumSettings(search_window=(1, 3), tie_rule="none").search_cells()
        (SearchCell(row=0, col=-1, tie=1), SearchCell(row=0, col=1, tie=1))
        """
        marks = _window_marks(self.search_window)
        return tuple(SearchCell(d, p, self._tie(d, p, mark)) for (d, p), mark in marks.items() if mark != "o")

    def sum_cells(self) -> tuple[Offset, ...]:
        """Return the offsets (row, col) of the cells that are added, in row-major order.

        >>> PeakSumSettings(sum_window="xo").sum_cells()
        ((0, -1), (0, 0))
        """
        return tuple(_window_marks(self.sum_window))

    def _tie(self, d: int, p: int, mark: str) -> int:
        """Return who wins a tie with the cell at offset (d, p)."""
        if self.tie_rule in ("first", "last"):
            return LOWER_INDEX_WINS if self.tie_rule == "first" else HIGHER_INDEX_WINS
        strict = {
            "all": False,
            "none": True,
            # cms-sw/cmssw L1Trigger/L1TCalorimeter/src/firmware/Stage2Layer2JetAlgorithmFirmwareImp1.cc
            "diagonal": d + p > 0 or (d + p == 0 and d > 0),
            "lexicographic": (d, p) > (0, 0),
            "drawn": mark == ">",
        }[self.tie_rule]
        return NEIGHBOUR_WINS if strict else SEED_WINS


def inclusive_bound(threshold: Threshold, comparison: str, unit: float, *, integer: bool) -> float:
    """Return b such that "value `comparison` threshold" is exactly "value >= b" on float64 or int64 cells.

    Parameters
    ----------
    threshold
        In the units of the grid, or an energy with its unit.
    comparison
        ``">"`` or ``">="``.
    unit
        GeV in one count of the grid.
    integer
        Whether the cells are integers; then b is one.

    >>> inclusive_bound("4 GeV", ">=", 0.5, integer=True)
    8
    >>> inclusive_bound(2.5, ">", 1.0, integer=True)
    3
    """
    count = energy_in_gev(threshold) / exact(unit) if isinstance(threshold, str) else Fraction(threshold)
    if integer:
        bound = math.floor(count) + 1 if comparison == ">" else math.ceil(count)
        if abs(bound) >= 2**63:
            msg = f"the threshold {threshold!r} is beyond what a 64-bit integer grid can hold"
            raise ValueError(msg)
        return bound
    try:
        closest = float(count)
    except OverflowError:
        msg = f"the threshold {threshold!r} is beyond what a float64 can hold"
        raise ValueError(msg) from None
    if isinstance(threshold, str):  # an energy is meant as the nearest number of counts, not as a fraction
        count = Fraction(closest)
    passes = closest >= count if comparison == ">=" else closest > count
    return closest if passes else math.nextafter(closest, math.inf)


def strips_around(window: Sequence[int], *, depth: int) -> tuple[tuple[Offset, ...], ...]:
    """Return the four strips that flank a [rows, cols] window: below, above in rows, then in columns.

    Each is as long as the side it lies on and `depth` cells deep, as in the chunky donut of CMS
    (cms-sw/cmssw Stage2Layer2JetAlgorithmFirmwareImp1.cc, `chunkyDonutPUEstimate`: depth 3 about 9x9).
    """
    half_rows, half_cols = window[0] // 2, window[1] // 2
    along_rows, along_cols = range(-half_rows, half_rows + 1), range(-half_cols, half_cols + 1)
    return (
        tuple((d, p) for d in range(-half_rows - depth, -half_rows) for p in along_cols),
        tuple((d, p) for d in range(half_rows + 1, half_rows + depth + 1) for p in along_cols),
        tuple((d, p) for d in along_rows for p in range(-half_cols - depth, -half_cols)),
        tuple((d, p) for d in along_rows for p in range(half_cols + 1, half_cols + depth + 1)),
    )
