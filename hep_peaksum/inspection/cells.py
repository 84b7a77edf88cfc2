"""Candidates that hold every cell: arrays, and lists of n numbers."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak

from hep_peaksum.inspection.candidates import Candidate, Rejected
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.shapes import MAX_RATIO, MIN_CELLS, guess_shape, in_words
from hep_peaksum.naming.branches import Branch, Tree, read
from hep_peaksum.naming.conventions import order, unit_comments, units_of

SHAPE_ENTRIES = 50  # that are read for the shape of a branch


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
    return array_candidate(
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
    found = array_candidate(tree, (branch.name,), looks_like, source, shape.sizes, shape.axes, comment, branch)
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
    sizes: tuple[int, ...],
    axes: list[str],
    comment: str,
    branch: Branch,
) -> Candidate:
    """Return arrays of cells as a candidate; `sizes` and `axes` are their shape, `branch` the first."""
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
