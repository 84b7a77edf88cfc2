"""Cells that are a branch each, by the numbers in the names of the branches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from hep_peaksum.inspection.candidates import Candidate, ChannelNames, Rejected
from hep_peaksum.inspection.cells import are_numbers_of_channels, array_candidate
from hep_peaksum.lattices.shapes import MIN_CELLS, SHAPE_ENTRIES, Shape, guess_shape, in_words
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree, read

FEWEST_NAMED = 6  # branches whose names begin alike


def series_candidates(tree: Tree, branches: Sequence[Branch]) -> Iterator[Candidate | ChannelNames]:
    """Yield groups of branches with one number each whose names count cells: a cell each, or its channel.

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


def named_numbers(tree: Tree, branches: Sequence[Branch]) -> Iterator[Rejected]:
    """Yield branches with one number each whose names begin alike, which may be cells under names of words."""
    families: dict[tuple[str, str], list[Branch]] = {}
    for branch in branches:
        begin = branch.words.partition("_")[0]
        if not branch.shape and branch.dtype.kind == "f" and conventions.holds_cells(branch.name):
            families.setdefault((f"{branch.collection}.{begin}", branch.dtype.str), []).append(branch)
    for members in families.values():
        if len(members) >= FEWEST_NAMED and (shape := guess_shape(len(members))) is not None:
            names, axes = (", ".join(each) for each in ([b.config_name for b in members], shape.axes))
            reason = "if these are cells, in an order of your own: dense: "
            reason += f"{{branches: [{names}], shape: {list(shape.sizes)}, axes: [{axes}]}}"
            yield Rejected(tree.name, tuple(branch.name for branch in members), reason, "order")


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
) -> Candidate | ChannelNames | None:
    """Return branches with a cell each as a candidate, None if their number makes no plane, or all are 0.

    Numbers that never change and are all different are those of channels, where names say a row and a column.
    """
    shape = guess_shape(len(numbered)) if len(sizes) == 1 else Shape(sizes, "the numbers in the names", ())
    if len(numbered) == 4 and conventions.likeness(names[0]) in ("towers", "cells", "hits"):
        shape = Shape((2, 2), "the nearest to a square", ())  # as few are cells only where a name says it
    elif len(numbered) < MIN_CELLS:
        shape = None
    if shape is None:
        return None
    arrays = read(tree.content, numbered, SHAPE_ENTRIES)
    cells = None if arrays is None else np.stack([np.asarray(each) for each in arrays], axis=1)
    if cells is None or not cells.any():
        return None
    if are_numbers_of_channels(cells):
        return ChannelNames(names, cells[0].reshape(sizes)) if len(sizes) == 2 else None
    if len(sizes) == 1:
        shape = guess_shape(len(numbered), cells) or shape
    looks_like = f"a branch for each of {len(numbered)} cells, {in_words(shape.sizes)} guessed"
    comment = f"{shape.comment}\n{numbered[0].name} is the first cell of the first row, row by row: guessed"
    source = {"branches": names[0] if len(names) == 1 else list(names)}
    cells = cells.reshape(-1, *shape.sizes)
    return array_candidate(tree, names, looks_like, source, cells, shape.axes, comment, numbered[0])
