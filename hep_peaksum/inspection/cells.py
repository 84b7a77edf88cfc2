"""Candidates that hold every cell: arrays, lists of n numbers and what shape they have, a branch per cell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.inspection.branches import Branch, Tree, read
from hep_peaksum.inspection.candidates import Candidate, Rejected
from hep_peaksum.inspection.conventions import order, unit_comments, units_of
from hep_peaksum.kernels import Array

SHAPE_ENTRIES = 50  # that are read for the shape of a branch
MAX_NUMBERS = 2_000_000  # of them in which a shape is sought

MIN_CELLS = 6
MAX_RATIO = 10  # of the sides of a plane that is proposed without a reason to
LARGEST_SIDE = 16  # a prime factor above this is rather a number of layers than part of a side
MAX_OTHERS = 6


class Shape(NamedTuple):
    """A shape that n numbers may have, the reason, and other shapes, the likelier first."""

    sizes: tuple[int, ...]
    reason: str
    others: tuple[tuple[int, ...], ...]

    @property
    def axes(self) -> list[str]:
        """The words of the axes, slowest first."""
        return ["layer", "row", "col"][-len(self.sizes) :]

    @property
    def comment(self) -> str:
        """The guess and its alternatives, as a comment in a config."""
        reason = f" ({self.reason})" if self.reason else ""
        others = ", ".join(map(in_words, self.others))
        return (
            f"{in_words(self.sizes)} guessed{reason}; also {others}"
            if others
            else f"{in_words(self.sizes)} guessed{reason}"
        )


def in_words(sizes: tuple[int, ...]) -> str:
    """Return a shape in words.

    >>> in_words((67, 10, 10))
    '67×10×10'
    """
    return "×".join(map(str, sizes))


def guess_shape(n: int, cells: Array | None = None) -> Shape | None:
    """Return the likeliest shape of n numbers; None if n is too small, or a prime number.

    Parameters
    ----------
    n
        How many numbers there are.
    cells
        The numbers of some events, shape (event, n). Neighbours in a column rise and fall together, so that
        numbers that are a row apart are alike.

    >>> guess_shape(80).sizes, guess_shape(6700).sizes, guess_shape(384).sizes, guess_shape(7)
    ((10, 8), (67, 10, 10), (24, 16), None)
    """
    planes = [(n // cols, cols) for cols in range(2, math.isqrt(n) + 1) if n % cols == 0][::-1]
    if n < MIN_CELLS or not planes:
        return None
    boxes = [
        (n // side**2, side, side) for side in range(math.isqrt(n), 2, -1) if n % side**2 == 0 and n > side**2
    ]
    layered = [box for box in boxes if _largest_prime(box[0]) > LARGEST_SIDE]
    sizes: tuple[int, ...] = (layered or planes)[0]
    reason = "" if layered else "the nearest to a square"
    seen = None if cells is None else _seen_in(cells)
    if seen is not None:
        sizes, reason = seen, f"numbers {seen[-1]} apart are alike"
    elif sizes[-2] > MAX_RATIO * sizes[-1]:
        return None
    others = [other for other in [*planes, *boxes] if other != sizes]
    return Shape(sizes, reason, tuple(others[:MAX_OTHERS]))


def _largest_prime(n: int) -> int:
    """Return the largest prime factor.

    >>> _largest_prime(67), _largest_prime(24)
    (67, 3)
    """
    factor = 2
    while factor * factor <= n:
        factor, n = (factor, n // factor) if n % factor == 0 else (factor + 1, n)
    return n


def _seen_in(cells: Array) -> tuple[int, ...] | None:
    """Return the shape of which the likeness of cells speaks: a row, or a layer, apart it has a maximum."""
    cells = np.nan_to_num(np.asarray(cells[: max(MAX_NUMBERS // cells.shape[1], 1)], np.float64))
    n, total = cells.shape[1], float(np.mean(cells * cells))
    if total == 0:
        return None

    def likeness(lag: int) -> float:
        return float(np.mean(cells[:, :-lag] * cells[:, lag:])) / total if 0 < lag < n else 0.0

    def stands_out(lag: int, width: int) -> bool:
        here = likeness(lag)
        return here > 0.05 and here > 1.15 * max(likeness(lag - width), likeness(lag + width))

    divisors = [lag for lag in range(2, n // 2 + 1) if n % lag == 0]
    row = next((lag for lag in divisors if stands_out(lag, 1)), None)
    if row is None:
        return None
    layer = next((lag for lag in divisors if lag > row and lag % row == 0 and stands_out(lag, row)), None)
    return (n // row, row) if layer is None else (n // layer, layer // row, row)


def dense_candidate(tree: Tree, branch: Branch) -> Candidate | Rejected:
    """Return a branch that may hold every cell as a candidate, after a look at its first entries."""
    arrays = read(tree.content, [branch], SHAPE_ENTRIES)
    if arrays is None:
        return Rejected(tree.name, (branch.name,), "cannot be read")
    cells = _regular(arrays[0])
    if isinstance(cells, str):
        return Rejected(tree.name, (branch.name,), cells)
    if not cells.any():
        return Rejected(tree.name, (branch.name,), f"0 in the first {len(cells)} entries")
    sizes = cells.shape[1:]
    if len(sizes) == 1:
        return _flat_candidate(tree, branch, cells)
    if len(sizes) > 3 or min(sizes) < 2 or math.prod(sizes) < MIN_CELLS:
        return Rejected(
            tree.name, (branch.name,), f"{in_words(sizes)} numbers per entry are not a plane of cells"
        )
    axes = ["layer", "row", "col"] if len(sizes) == 3 else ["row", "col"]
    comment = ""
    if len(sizes) == 3:
        if sizes[-1] < sizes[0]:
            axes = ["row", "col", "layer"]
        other = ["row", "col", "layer"] if axes[0] == "layer" else ["layer", "row", "col"]
        comment = f"{' × '.join(axes)} guessed; also [{', '.join(other)}]"
    # Raw counts are never 0, as a pedestal lies below them.
    are_raw = branch.dtype.kind in "iu" and sizes[-1] != sizes[-2] and bool(cells.all())
    if are_raw or max(sizes) > MAX_RATIO * sorted(sizes)[-2]:
        n_samples = sizes[-1] if are_raw else max(sizes)
        text = f"guessed that all {n_samples} are cells: samples of a waveform become hits by a function of "
        text += 'your own (hits: "module:function")'
        comment = f"{comment}\n{text}".lstrip()
    content = "cells" if math.prod(sizes) > MIN_CELLS else "values"
    looks_like = f"{' x '.join(map(str, sizes))} {content} per entry"
    return _candidate(
        tree, (branch.name,), looks_like, {"branch": branch.config_name}, sizes, axes, comment, branch
    )


def _flat_candidate(tree: Tree, branch: Branch, cells: Array) -> Candidate | Rejected:
    """Return a branch with n values per entry, which may have several shapes."""
    n = cells.shape[1]
    shape = guess_shape(n, cells)
    if shape is None:
        row = f"; as one row: dense: {{branch: {branch.config_name}, shape: [1, {n}]}}"
        reason = f"{n} values per entry make no rectangle{row if n >= MIN_CELLS else ''}"
        return Rejected(tree.name, (branch.name,), reason)
    looks_like = f"{n} values per entry, {in_words(shape.sizes)} guessed"
    source, comment = {"branch": branch.config_name}, shape.comment
    if branch.dtype.kind in "iu":
        comment += (
            "\nraw counts by channel need a cell table with pedestals and gains: dense: "
            f"{{branch: {branch.config_name}, axes: [channel]}} and cells: FILE.csv"
        )
    return _candidate(tree, (branch.name,), looks_like, source, shape.sizes, shape.axes, comment, branch)


def series_candidates(tree: Tree, branches: Sequence[Branch]) -> Iterator[Candidate]:
    """Yield groups of branches with one number each whose names count cells, a cell each.

    Their names end in consecutive numbers, one (``E1`` to ``E25``) or several (``cell_0_0`` to ``cell_3_4``),
    or in a letter and a number as the squares of a chessboard (``A1`` to ``E5``).
    """
    rest = [
        branch
        for branch in branches
        if not branch.shape and branch.dtype.kind in "iuf" and not re.match(r"n[A-Z_]", branch.name)
    ]
    for n_numbers in (3, 2, 1):
        if n_numbers == 1:
            for names, board, sides in _chessboards(rest):
                if (found := _series_candidate(tree, names, board, sides)) is not None:
                    rest = [branch for branch in rest if branch not in board]
                    yield found
        groups: dict[tuple[str, ...], dict[tuple[str, ...], Branch]] = {}
        for branch in rest:
            if (parts := _split_numbers(branch.name, n_numbers)) is not None:
                groups.setdefault((branch.dtype.str, *parts[::2]), {})[tuple(parts[1::2])] = branch
        for (_, *texts), members in groups.items():
            if (ranges := _ranges([*members])) is None:
                continue
            name = _name_of_range(texts, ranges)
            numbered = [members[numbers] for numbers in sorted(members, key=_as_number)]
            sizes = tuple(int(high) - int(low) + 1 for low, high in ranges)
            if (found := _series_candidate(tree, (name,), numbered, sizes)) is not None:
                rest = [branch for branch in rest if branch not in numbered]
                yield found


def _chessboards(branches: Sequence[Branch]) -> Iterator[tuple[tuple[str, ...], list[Branch], tuple[int, int]]]:
    """Yield names, branches and sizes of cells that are named as the squares of a chessboard, from A1 or a1."""
    boards: dict[tuple[str, str], dict[str, dict[tuple[str, ...], Branch]]] = {}
    for branch in branches:
        if match := re.fullmatch(r"(|.*[^A-Za-z]|.*[a-z](?=[A-Z]))([A-Za-z])(\d+)", branch.name):
            rows = boards.setdefault((branch.dtype.str, match[1]), {})
            rows.setdefault(match[2], {})[(match[3],)] = branch
    for (_, prefix), rows in boards.items():
        letters = sorted(rows)
        ranges = {tuple(_ranges([*row]) or ()) for row in rows.values()}
        alphabet = ascii_uppercase if letters[0] == "A" else ascii_lowercase
        if len(letters) < 2 or len(ranges) > 1 or ranges == {()} or not alphabet.startswith("".join(letters)):
            continue
        (numbers,) = ranges
        names = tuple(_name_of_range((prefix + letter, ""), numbers) for letter in letters)
        board = [rows[letter][number] for letter in letters for number in sorted(rows[letter], key=_as_number)]
        yield names, board, (len(letters), len(board) // len(letters))


def _as_number(numbers: tuple[str, ...]) -> list[int]:
    return [*map(int, numbers)]


def _name_of_range(texts: Sequence[str], ranges: Sequence[tuple[str, str]]) -> str:
    """Return the name of branches whose numbers run over ranges, as a config has it.

    >>> _name_of_range(("cell_", "_", ""), [("0", "3"), ("0", "4")])
    'cell_{0..3}_{0..4}'
    """
    ends = zip(ranges, texts[1:], strict=True)
    return texts[0] + "".join(f"{{{low}..{high}}}{text}" for (low, high), text in ends)


# What may stand between the numbers of row and column in a name: cell_3_4, cell_r3_c4, row3col4.
BETWEEN = re.compile(r"_?(?:(?:c|j|x|y|i?col|column|i?phi|row|r)_?)?", re.IGNORECASE)


def _split_numbers(name: str, n_numbers: int) -> list[str] | None:
    """Return a name split at its last numbers, so many, that may be those of a row and a column; or None.

    >>> _split_numbers("cell_r3_c4", 2), _split_numbers("Ecal1_cell4", 2), _split_numbers("Ecal1_cell4", 1)
    (['cell_r', '3', '_c', '4', ''], None, ['Ecal1_cell', '4', ''])
    """
    parts = re.split(r"(\d+)", name)
    if len(parts) <= 2 * n_numbers:
        return None
    first = len(parts) - 2 * n_numbers
    between = parts[first + 1 : -1 : 2]
    return ["".join(parts[:first]), *parts[first:]] if all(map(BETWEEN.fullmatch, between)) else None


def _ranges(numbers: Sequence[tuple[str, ...]]) -> list[tuple[str, str]] | None:
    """Return the first and the last number of each place, from 0 or 1; None if not all between them occur.

    >>> _ranges([("00",), ("01",), ("02",)]), _ranges([("1", "1"), ("1", "2"), ("2", "1")])
    ([('00', '02')], None)
    """
    ranges, n_names = [], 1
    for texts in zip(*numbers, strict=True):
        low, high = min(texts, key=int), max(texts, key=int)
        is_padded = any(text[0] == "0" < text for text in texts if len(text) > 1)
        if int(low) > 1 or low == high or (is_padded and len({*map(len, texts)}) > 1):
            return None
        ranges.append((low, high))
        n_names *= int(high) - int(low) + 1
    return ranges if n_names == len(numbers) else None


def _series_candidate(
    tree: Tree, names: tuple[str, ...], numbered: Sequence[Branch], sizes: tuple[int, ...]
) -> Candidate | None:
    """Return branches with a cell each as a candidate, None if their number makes no plane, or all are 0."""
    shape = guess_shape(len(numbered)) if len(sizes) == 1 else Shape(sizes, "the numbers in the names", ())
    if shape is None or len(numbered) < MIN_CELLS:
        return None
    arrays = read(tree.content, numbered, SHAPE_ENTRIES)
    cells = None if arrays is None else np.stack([np.asarray(each) for each in arrays], axis=1)
    if cells is None or not cells.any():
        return None
    if len(sizes) == 1:
        shape = guess_shape(len(numbered), cells) or shape
    looks_like = f"a branch for each of {len(numbered)} cells, {in_words(shape.sizes)} guessed"
    comment = f"{shape.comment}\n{numbered[0].name} is the first cell of the first row, row by row: guessed"
    source = {"branches": names[0] if len(names) == 1 else list(names)}
    return _candidate(tree, names, looks_like, source, shape.sizes, shape.axes, comment, numbered[0])


def _candidate(
    tree: Tree,
    names: tuple[str, ...],
    looks_like: str,
    source: dict[str, Any],
    sizes: tuple[int, ...],
    axes: list[str],
    comment: str,
    branch: Branch,
) -> Candidate:
    units = units_of(tree, branch, None)
    ring = f"if columns close on themselves: cols: {{n: {sizes[axes.index('col')]}, periodic: true}}"
    return Candidate(
        *(tree.name, tree.n_entries, names, looks_like),
        {
            "dense": {**source, "shape": list(sizes), "axes": axes},
            **({"unit": units.energy} if units.energy else {}),
        },
        n_values=tree.n_entries * math.prod(sizes),
        order=order(branch.name, tree.name),
        comments=tuple(
            each
            for each in (("dense", comment), ("rows", ring), *unit_comments(tree, units, branch))
            if each[1]
        ),
    )


def _regular(sample: ak.Array) -> Array | str:
    """Return entries of one common shape as an array, or why there is none."""
    if len(sample) == 1 and not sample.layout.purelist_isregular:
        return "one entry does not say whether all have the same length"
    try:
        cells = ak.to_numpy(ak.to_regular(sample, axis=None))
    except ValueError:
        return "entries differ in length"
    return cells if all(cells.shape) else "entries are empty"
