"""Windows: how they are written or drawn, and the offsets from the seed that they name.

Only shapes; what a window is used for is the business of the settings.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

from hep_peaksum.kernels import Offset
from hep_peaksum.settings.thresholds import MAX_SIZE, finite_number

NOT_GATED = -1
MAX_CELLS = 10_000  # of a window; the largest in use, ALICE's and CMS's, have some hundreds
MARKS = "oxg.>="
# What to do about marks that are meant, but not those of a drawing.
NEAR_MARKS = {
    frozenset("O0"): ": the seed is a small 'o'",
    frozenset("X"): ": cells are a small 'x'",
    frozenset("/|\\,;"): ": begin a new line for every row, below `|`",
    frozenset(" \t"): ": leave out the blanks between cells",
}
_PAIR: dict[str, Any] = {"type": "array", "minItems": 2, "maxItems": 2}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}
_ODD: dict[str, Any] = {**_COUNT, "not": {"multipleOf": 2}}
_DRAWING = {"type": "string", "pattern": rf"^[{MARKS}\s]*o[{MARKS}\s]*$"}


class SumCell(NamedTuple):
    """A cell of the sum window: its offset, and the index in the window of the cell that gates it."""

    row: int
    col: int
    gate: int = NOT_GATED


def _parse_window(value: object) -> object:
    """Return a window as (rows, cols), or as a drawing without surrounding blank space."""
    if isinstance(value, str):
        if size := re.fullmatch(r"\D*(\d+)\D+(\d+)\D*", value):
            msg = f"{value!r} is not a window: write the list [{size[1]}, {size[2]}], or draw the window"
            raise ValueError(msg)
        if not value.strip():
            msg = "the window is empty: give [rows, cols], or draw it, as in 'xox'"
            raise ValueError(msg)
        drawing = "\n".join(line.strip() for line in value.strip().splitlines())
        _check_cells(len(drawing))
        read_drawing(drawing)
        return drawing
    try:
        rows, cols = (operator.index(finite_number(n)) for n in value)  # type: ignore[attr-defined, arg-type]
    except (TypeError, ValueError):
        msg = f"{value!r} is not a window: give [rows, cols], two odd integers, or draw it"
        raise ValueError(msg) from None
    if min(rows, cols) < 1 or not (rows % 2 and cols % 2):
        msg = f"[{rows}, {cols}] is not a window: give two odd numbers from 1; an even window has to be drawn"
        raise ValueError(msg)
    _check_cells(rows * cols)
    return rows, cols


def _check_cells(n_cells: int) -> None:
    if n_cells > MAX_CELLS:
        msg = f"a window of {n_cells:.6g} cells is too large: make it smaller, at most {MAX_CELLS} are possible"
        raise ValueError(msg)


Window = Annotated[
    tuple[int, int] | str,
    BeforeValidator(_parse_window),
    WithJsonSchema({"title": "[rows, cols] or a drawing", "anyOf": [{**_PAIR, "items": _ODD}, _DRAWING]}),
]


def _parse_tower_size(value: object) -> object:
    """Return the size of a tower as (rows, cols)."""
    try:
        rows, cols = (finite_number(n) for n in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        rows = cols = None
    if not all(isinstance(n, int) and 1 <= n <= MAX_SIZE for n in (rows, cols)):
        msg = f"{value!r} is not a number of cells: give [rows, cols], two whole numbers from 1 to {MAX_SIZE}"
        raise ValueError(msg)
    return rows, cols


TowerSize = Annotated[
    tuple[int, int],
    BeforeValidator(_parse_tower_size),
    WithJsonSchema({"title": "[rows, cols]", **_PAIR, "items": _COUNT}),
]


def read_drawing(drawing: str) -> dict[Offset, str]:
    """Return the characters of a drawn window by their offset (row, col) from the `o`."""
    lines = drawing.splitlines()
    unknown = sorted(set(drawing) - {*MARKS, "\n"})
    if unknown:
        remedy = next((text for marks, text in NEAR_MARKS.items() if unknown[0] in marks), "")
        if drawing.isalpha() and len(drawing) > 1 and not remedy:  # a word, and no drawing
            remedy = ": give [rows, cols], two odd numbers, or draw it"
        msg = f"a window is drawn with 'o', 'x', 'g', '.', '>' and '=', not with {unknown[0]!r}{remedy}"
        raise ValueError(msg)
    if len({len(line) for line in lines}) != 1:
        lengths = [len(line) for line in lines]
        msg = f"the lines of a drawn window must be of one length, these have {lengths}: fill them up with '.'"
        raise ValueError(msg)
    if drawing.count("o") != 1:
        msg = f"a drawn window has exactly one 'o', the seed; this one has {drawing.count('o')}"
        raise ValueError(msg)
    if set(drawing) & set("xg") and set(drawing) & set(">="):
        msg = "a window drawn with 'x' is compared by tie_rule, one with '>' and '=' by itself; do not mix"
        raise ValueError(msg)
    row = next(i for i, line in enumerate(lines) if "o" in line)
    col = lines[row].index("o")
    return {(i - row, j - col): mark for i, line in enumerate(lines) for j, mark in enumerate(line)}


@lru_cache(maxsize=64)  # a call for a single event would draw every window anew
def window_marks(window: tuple[int, int] | str) -> Mapping[Offset, str]:
    """Return the mark of every cell of a window, in row-major order; [rows, cols] is all `x` about the `o`.

    >>> dict(window_marks("x.o"))
    {(0, -2): 'x', (0, 0): 'o'}
    """
    if isinstance(window, str):
        return MappingProxyType({offset: mark for offset, mark in read_drawing(window).items() if mark != "."})
    half_rows, half_cols = window[0] // 2, window[1] // 2
    return MappingProxyType(
        {
            (d, p): "o" if d == p == 0 else "x"
            for d in range(-half_rows, half_rows + 1)
            for p in range(-half_cols, half_cols + 1)
        }
    )


@lru_cache(maxsize=64)
def sum_window_cells(window: tuple[int, int] | str) -> tuple[SumCell, ...]:
    """Return the cells of a sum window in row-major order, each with the index of the cell that gates it.

    Raises
    ------
    ValueError
        If the cell one ring inside a gated cell is not in the window.

    >>> sum_window_cells("gxo")
    (SumCell(row=0, col=-2, gate=1), SumCell(row=0, col=-1, gate=-1), SumCell(row=0, col=0, gate=-1))
    """
    marks = window_marks(window)
    index = {offset: n for n, offset in enumerate(marks)}
    cells = []
    for (d, p), mark in marks.items():
        gate = NOT_GATED
        if mark == "g":
            inner = _inside(d, p)
            if inner not in index:
                msg = f"the cell 'g' at {(d, p)} is let in by the one at {inner}, which is not in the window"
                raise ValueError(msg)
            gate = index[inner]
        cells.append(SumCell(d, p, gate))
    return tuple(cells)


def _inside(d: int, p: int) -> Offset:
    """Return the offset one ring nearer to the seed: (0, -2) -> (0, -1), (2, 1) -> (1, 1), (2, 2) -> (1, 1)."""
    ring = max(abs(d), abs(p))
    inner_d, inner_p = (int(x - np.sign(x)) if abs(x) == ring else x for x in (d, p))
    return inner_d, inner_p


def window_problems(
    search_window: tuple[int, int] | str, sum_window: tuple[int, int] | str, seed_window: tuple[int, int] | str
) -> Iterator[str]:
    """Yield what is wrong with marks in windows that do not have them, and with the gates of the sum window."""
    has_wrong_marks = False
    for key, window in (("sum_window", sum_window), ("seed_window", seed_window)):
        if set(window) & set(">="):
            has_wrong_marks = True
            yield f"{key} is drawn with 'x', 'o' and '.': nothing is compared in it"
    for key, window in (("search_window", search_window), ("seed_window", seed_window)):
        if "g" in window:
            has_wrong_marks = True
            yield f"{key} is drawn with a gated cell 'g': only the cells of a sum window have gates"
    if not has_wrong_marks:
        try:
            sum_window_cells(sum_window)
        except ValueError as error:
            yield f"sum_window: {error}"


def draw(window: tuple[int, int] | str) -> str:
    """Return a window as a drawing, also one given as (rows, cols).

    >>> print(draw((1, 3)))
    xox
    """
    if isinstance(window, str):
        return window
    lines = [["x"] * window[1] for _ in range(window[0])]
    lines[window[0] // 2][window[1] // 2] = "o"
    return "\n".join("".join(line) for line in lines)


class Box(NamedTuple):
    """The extent of a window about its seed: first and last offset in rows and in columns."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, offsets: Sequence[Offset]) -> Box:
        """Return the smallest box that holds the offsets.

        >>> Box.around([(0, 0), (1, -2)])
        Box(top=0, bottom=1, left=-2, right=0)
        """
        rows, cols = [d for d, _ in offsets], [p for _, p in offsets]
        return cls(min(rows), max(rows), min(cols), max(cols))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.bottom - self.top + 1, self.right - self.left + 1

    def ring(self, depth: int) -> tuple[Offset, ...]:
        """Return the offsets that lie around the box, up to `depth` cells from it, in row-major order."""
        return tuple(
            (d, p)
            for d in range(self.top - depth, self.bottom + depth + 1)
            for p in range(self.left - depth, self.right + depth + 1)
            if not (self.top <= d <= self.bottom and self.left <= p <= self.right)
        )

    def strips(self, depth: int, length: int | None = None) -> tuple[tuple[Offset, ...], ...]:
        """Return the four strips that flank the box: below and above it in rows, then in columns.

        Each is `depth` cells deep and as long as the side it lies on, as in the chunky donut of CMS
        (cms-sw/cmssw Stage2Layer2JetAlgorithmFirmwareImp1.cc: depth 3 about 9x9); or `length` cells long, then
        symmetric about the seed.

        >>> Box(-1, 1, -1, 1).strips(1)[0]
        ((-2, -1), (-2, 0), (-2, 1))
        """
        rows, cols = range(self.top, self.bottom + 1), range(self.left, self.right + 1)
        if length is not None:
            rows = cols = range(-(length // 2), length // 2 + 1)
        return (
            tuple((d, p) for d in range(self.top - depth, self.top) for p in cols),
            tuple((d, p) for d in range(self.bottom + 1, self.bottom + depth + 1) for p in cols),
            tuple((d, p) for d in rows for p in range(self.left - depth, self.left)),
            tuple((d, p) for d in rows for p in range(self.right + 1, self.right + depth + 1)),
        )
