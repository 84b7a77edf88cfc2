"""Candidates that hold every cell: arrays, and lists of n numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np

from hep_peaksum.inspection.candidates import (
    GUESSED_TABLE,
    TABLE,
    Candidate,
    ChannelNames,
    Channels,
    Rejected,
)
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.depth import SEARCHED, SUMMED
from hep_peaksum.lattices.shapes import (
    MAX_RATIO,
    MIN_CELLS,
    SHAPE_ENTRIES,
    closes,
    guess_shape,
    in_words,
    seen_layers,
)
from hep_peaksum.naming.branches import Branch, Tree, read
from hep_peaksum.naming.conventions import order_of_cells, unit_comments, units_of


def dense_candidate(
    tree: Tree, branch: Branch, channel_names: Sequence[ChannelNames] = ()
) -> Candidate | Rejected:
    """Return a branch that may hold every cell as a candidate, after a look at its first entries."""
    arrays = read(tree.content, [branch], SHAPE_ENTRIES)
    if arrays is None:
        return Rejected(tree.name, (branch.name,), "cannot be read")
    cells = _regular(arrays[0])
    reason, lacks = cells if isinstance(cells, tuple) else _problem(branch, cells)
    if isinstance(cells, tuple) or reason:
        return Rejected(tree.name, (branch.name,), reason, lacks)
    sizes = cells.shape[1:]
    if len(sizes) == 1:
        names = next((each for each in channel_names if {*each.numbers.flat} <= {*range(sizes[0])}), None)
        if names is not None:
            return _named_candidate(tree, branch, cells, names)
        return _flat_candidate(tree, branch, cells)
    axes, comment, are_modules = _axes_with_layers(cells) if len(sizes) == 3 else (["row", "col"], "", False)
    # Raw counts are never 0, as a pedestal lies below them.
    are_raw = branch.dtype.kind in "iu" and sizes[-1] != sizes[-2] and bool(cells.all())
    if are_raw or max(sizes) > MAX_RATIO * sorted(sizes)[-2]:
        n_samples = sizes[-1] if are_raw else max(sizes)
        text = f"guessed that all {n_samples} are cells: samples of a waveform become hits by a function of "
        text += 'your own (hits: "module:function")'
        comment = f"{comment}\n{text}".lstrip()
    content = "cells" if math.prod(sizes) > MIN_CELLS else "values"
    looks_like = f"{' x '.join(map(str, sizes))} {content} per entry"
    about = (looks_like, {"branch": branch.config_name}, cells, axes, comment, branch)
    return array_candidate(tree, (branch.name,), *about, are_modules=are_modules)


def _axes_with_layers(cells: Array) -> tuple[list[str], str, bool]:
    """Return the words of three axes, the comment on them, and whether each layer is searched by itself.

    Layers are the axis that showers show; else the first, unless the last has fewer.
    """
    seen = seen_layers(cells)
    axis, are_modules = seen or (2 if cells.shape[-1] < cells.shape[1] else 0, False)
    reason = " (no shower is in two layers)" if are_modules else " (along layers showers are longest)"
    orders = {0: ["layer", "row", "col"], 2: ["row", "col", "layer"], 1: ["row", "layer", "col"]}
    axes = orders.pop(axis)
    others = " or ".join(f"[{', '.join(each)}]" for each in orders.values())
    return axes, f"{' × '.join(axes)} guessed{reason if seen else ''}; also {others}", are_modules


def _problem(branch: Branch, cells: Array) -> tuple[str, str]:
    """Return why numbers of entries are no plane of cells, and what they lack; empty if they may be one."""
    sizes = cells.shape[1:]
    numbers = f"{in_words(sizes)} numbers per entry"
    if not np.nan_to_num(cells).any():
        return f"0 in the first {len(cells)} entries", ""
    if are_numbers_of_channels(cells.reshape(len(cells), -1)):
        return f"the same {numbers}, all different, as the numbers of channels are", ""
    if len(sizes) > 3:
        text = f"{branch.name}: {numbers} have more axes than layer, row and col: a function of your own makes "
        return f'{text}hits of them (hits: "module:function")', "order"
    if len(sizes) > 1 and (min(sizes) < 2 or math.prod(sizes) < MIN_CELLS):
        return f"{numbers} are not a plane of cells", ""
    return "", ""


def are_numbers_of_channels(numbers: Array) -> bool:
    """Return whether numbers, shape (event, n), are integers, the same in every event, and no two are equal."""
    if numbers.dtype.kind not in "iu" or len(numbers) < 2:
        return False
    return bool((numbers == numbers[0]).all()) and len(np.unique(numbers[0])) == numbers.shape[1] > 1


def _named_candidate(tree: Tree, branch: Branch, cells: Array, names: ChannelNames) -> Candidate:
    """Return a branch with n values per entry, of which other branches say which ones are cells, and where."""
    n, (n_rows, n_cols) = cells.shape[1], names.numbers.shape
    place = {int(number): divmod(k, n_cols) for k, number in enumerate(names.numbers.flat)}
    text = f"{', '.join(names.names)} hold the numbers of channels: guessed that their names say row and col"
    text += f"\nthe other {n - len(place)} channels are no cells: status 1 in {TABLE}" * (len(place) < n)
    looks_like = f"{n} values per entry, {len(place)} of them {n_rows}×{n_cols} cells, guessed by names"
    planes, axes = cells[:, names.numbers], ["row", "col"]
    found = array_candidate(tree, (branch.name,), looks_like, {}, planes, axes, text, branch)
    lines = [
        f"{channel},{place[channel][0]},{place[channel][1]},0" if channel in place else f"{channel},,,1"
        for channel in range(n)
    ]
    grid = {"dense": {"branch": branch.config_name, "axes": ["channel"]}, "cells": TABLE}
    return found._replace(
        grid={**found.grid, **grid},
        table="\n".join(["channel,row,col,status", *lines, ""]),
        told_of_table=GUESSED_TABLE,
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
    cells = cells.reshape(-1, *shape.sizes)
    found = array_candidate(tree, (branch.name,), looks_like, source, cells, shape.axes, comment, branch)
    found = found._replace(channels=Channels(branch.config_name, np.arange(n), are_in_order=True))
    if branch.dtype.kind == "f" and not shape.is_seen:
        table = f"dense: {{branch: {branch.config_name}, axes: [channel]}} and cells: FILE.csv"
        by_table = (
            f"where some are no cells (triggers), or in another order: {table} with channel, row, col, status"
        )
        found = found._replace(comments=(*found.comments, ("dense", by_table)))
    planes = [sizes for sizes in (shape.sizes, *shape.others) if len(sizes) == 2 and sizes[0] != sizes[1]]
    if not planes:
        return found
    rows, cols = planes[-1]
    turned = f"any of these may be turned: shape: [{cols}, {rows}] for {in_words((rows, cols))}"
    return found._replace(comments=(*found.comments, ("dense", turned)))


def array_candidate(
    tree: Tree,
    names: tuple[str, ...],
    looks_like: str,
    source: dict[str, Any],
    cells: Array,
    axes: list[str],
    comment: str,
    branch: Branch,
    *,
    are_modules: bool = False,
) -> Candidate:
    """Return arrays of cells as a candidate; `cells` are some, an axis each behind that of the entries.

    `axes` are the words of these, and `branch` is the first of the branches. Modules beside each other are
    layers, of which each is searched by itself.
    """
    units, sizes = units_of(tree, branch, None), cells.shape[1:]
    rings, told = _rings(cells, axes)
    layered = [("layers", SEARCHED if are_modules else SUMMED)] if "layer" in axes else []
    found = Candidate(
        *(tree.name, tree.n_entries, names, looks_like),
        {
            "dense": {**source, "shape": list(sizes), "axes": axes},
            **({"layers": "each"} if are_modules else {}),
            **rings,
            **({"unit": units.energy} if units.energy else {}),
        },
        n_values=tree.n_entries * math.prod(sizes),
        order=order_of_cells(branch.name, tree.name),
        comments=tuple(
            (key, text.lstrip())
            for key, text in (("dense", comment), *layered, *told, *unit_comments(tree, units, branch))
            if text
        ),
    )
    return found.masking(cells)


def _rings(cells: Array, axes: Sequence[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the keys of the grid for rows or columns that close on themselves, and comments."""
    at = {word: 1 + axes.index(word) for word in ("row", "col")}
    rings = {f"{word}s": {"n": cells.shape[axis], "periodic": True} for word, axis in at.items()}
    found = {f"{word}s": rings[f"{word}s"] for word, axis in at.items() if closes(cells, axis)}
    if not found:
        rows, cols = (f"{key}: {{n: {ring['n']}, periodic: true}}" for key, ring in rings.items())
        return {}, [("rows", f"if columns close on themselves: {cols}; if rows do: {rows}")]
    reason = "the first and the last have energy together, as neighbours do"
    return found, [(key, f"{key}: guessed that they close on themselves, as {reason}") for key in found]


def _regular(sample: ak.Array) -> Array | tuple[str, str]:
    """Return entries of one common shape as an array; or why there is none, and what they lack."""
    if len(sample) == 1 and not sample.layout.purelist_isregular:
        return "one entry does not say whether all have the same length", ""
    try:
        cells = ak.to_numpy(ak.to_regular(sample, axis=None))
    except ValueError:
        return "entries differ in length", "length"
    return cells if all(cells.shape) else ("entries are empty", "")
