"""Inspect a ROOT file: find the branches that look like calorimeter cells or hits, and propose a config."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.reading.files import one_line_errors, open_file, tree_names

# Common names of hits: the last word of a branch, in lower case; labels are preferred to coordinates.
HIT_WORDS = {
    "row": ("ieta", "eta", "irow", "row", "iy", "y"),
    "col": ("iphi", "phi", "icol", "col", "ix", "x"),
    "value": ("iet", "et", "energy", "e", "edep", "adc", "amplitude", "pt"),
}
SHAPE_ENTRIES, LABEL_ENTRIES = 20, 2000  # entries that are read for the shape of a branch, and for its labels
MIN_CELLS = 6


class Candidate(NamedTuple):
    """Branches of one tree that could fill a grid: what they look like, and the `grids` section to read them.

    `n_values` is the number of cells or hits, by which candidates are ordered.
    """

    tree: str
    n_entries: int
    branches: tuple[str, ...]
    looks_like: str
    grid: dict[str, Any]
    n_values: int


def inspect_file(path: str) -> tuple[dict[str, int], list[Candidate]]:
    """Return the number of entries by tree, and every candidate for a grid, the likeliest first.

    Raises
    ------
    OSError
        If the file cannot be read as a ROOT file.
    """
    trees: dict[str, int] = {}
    candidates: list[Candidate] = []
    with open_file(path) as file, one_line_errors(path):
        for key in tree_names(file):  # other objects may have names that uproot cannot look up
            tree = file[key]
            trees[key] = int(tree.num_entries)
            candidates.extend(_candidates(key, tree))
    return trees, sorted(candidates, key=lambda candidate: -_likelihood(candidate))


def _likelihood(candidate: Candidate) -> float:
    """Return the key of the order: names of a calorimeter first, then the number of values."""
    words = " ".join([candidate.tree, *candidate.branches]).lower()
    return candidate.n_values + 1e12 * bool(re.search(r"calo|tower|cell|ecal|hcal|grid|emu", words))


def _candidates(name: str, tree: Any) -> Iterator[Candidate]:
    """Yield the candidates of a tree: single branches of fixed shape, then groups of branches of hits."""
    n_entries = int(tree.num_entries)
    groups: dict[str, dict[str, str]] = {}
    for branch in tree.keys():  # noqa: SIM118 -- a tree is no dict
        sample = _sample(tree, branch)
        if sample is None:
            continue
        shape = _fixed_shape(sample)
        if shape is None:
            group, _, word = re.sub(r"[/.]", "_", branch).rpartition("_")
            groups.setdefault(group, {})[word.lower()] = branch
        elif dense := _dense(branch, shape):
            content = "cells" if len(shape) > 1 else "values"
            looks_like = f"{' x '.join(map(str, shape))} {content} per entry"
            n_values = n_entries * math.prod(shape)
            yield Candidate(name, n_entries, (branch,), looks_like, {"dense": dense}, n_values)
    for words in groups.values():
        hits = _hit_branches(words)
        if hits and (columns := _first_hits(tree, hits)):
            axes = {
                f"{part}s": _axis(re.split(r"[/._]", hits[part])[-1], columns[part]) for part in ("row", "col")
            }
            quantity = {"quantity": "et"} if re.search(r"(^|[/._])i?et$", hits["value"].lower()) else {}
            grid = {"hits": hits, **axes, **quantity}
            yield Candidate(name, n_entries, tuple(hits.values()), "hits", grid, len(columns["row"]))


def _hit_branches(words: Mapping[str, str]) -> dict[str, str] | None:
    """Return the branches of row, column and value among those of a group (last word: branch), or None."""
    hits = {}
    for part, names in HIT_WORDS.items():
        branch = next((words[name] for name in names if name in words), None)
        if branch is None:
            return None
        hits[part] = branch
    return hits


def _sample(tree: Any, branch: str) -> ak.Array | None:
    """Return the first entries of a branch with several numbers per entry; None for any other branch."""
    try:
        sample = tree[branch].array(entry_stop=SHAPE_ENTRIES)
    except Exception:  # noqa: BLE001 -- an unreadable branch is no candidate
        return None
    is_number = re.search(r"(^|\* )(u?int|float)\d+(\[|$)", str(sample.type))
    return sample if is_number and sample.ndim > 1 and len(sample) else None


def _fixed_shape(sample: ak.Array) -> tuple[int, ...] | None:
    """Return the common shape of all entries, or None if they differ."""
    if len(sample) == 1 and not sample.layout.purelist_isregular:
        return None
    try:
        shape = tuple(int(n) for n in ak.to_numpy(ak.to_regular(sample, axis=None)).shape[1:])
    except ValueError:
        return None
    return shape if all(shape) else None  # lists that are all empty are no grid


def _dense(branch: str, shape: tuple[int, ...]) -> dict[str, Any] | None:
    """Return the `dense` section of a branch of fixed shape, or None if it is too small for a grid."""
    if len(shape) == 1:
        shape = _factors(shape[0]) or ()
    if len(shape) not in (2, 3) or min(shape) < 2 or math.prod(shape) < MIN_CELLS:
        return None
    return {"branch": branch, "shape": list(shape), "axes": ["layer", "row", "col"][-len(shape) :]}


def _factors(n: int) -> tuple[int, int] | None:
    """Return the rows x cols of n values that are closest to a square, or None if n is a prime number.

    >>> _factors(80), _factors(7)
    ((10, 8), None)
    """
    for rows in range(int(np.sqrt(n)), 1, -1):
        if n % rows == 0:
            return n // rows, rows
    return None


def _first_hits(tree: Any, branches: Mapping[str, str]) -> dict[str, Array] | None:
    """Return row and column of the hits in the first entries, or None without hits."""
    columns = {
        part: np.asarray(ak.flatten(tree[branches[part]].array(entry_stop=LABEL_ENTRIES)))
        for part in ("row", "col")
    }
    return columns if all(len(hits) for hits in columns.values()) else None


def _axis(word: str, hits: Array) -> dict[str, Any]:
    """Return the section of an axis: labels for integers, bins for coordinates; an azimuth is periodic."""
    coordinate = word.lower().removeprefix("i")
    name = {"name": coordinate} if coordinate in ("eta", "phi", "x", "y") else {}
    if hits.dtype.kind in "iu":
        labels = np.unique(hits)
        axis: dict[str, Any] = {**name, "labels": _ranges(labels)}
        return (
            {**axis, "bins": len(labels), "start": 0, "stop": "2pi", "periodic": True}
            if coordinate == "phi"
            else axis
        )
    if coordinate == "phi":
        ring = {**name, "bins": 72, "start": "-pi", "stop": "pi", "periodic": True}
        if np.abs(hits).max() <= 2 * np.pi:
            return ring
        start = -180 if hits.min() < 0 else 0
        return {**ring, "start": start, "stop": start + 360, "unit": "deg"}
    reach = float(np.ceil(np.abs(hits).max() * 1.01)) or 1.0
    return {**name, "bins": 60, "start": -reach, "stop": reach}


def _ranges(labels: Iterable[int]) -> str:
    """Format sorted integers as ranges.

    >>> _ranges([-2, -1, 1, 2, 3])
    '-2..-1, 1..3'
    """
    ranges: list[list[int]] = []
    for label in labels:
        if ranges and int(label) == ranges[-1][1] + 1:
            ranges[-1][1] = int(label)
        else:
            ranges.append([int(label), int(label)])
    return ", ".join(f"{first}..{last}" if first < last else f"{first}" for first, last in ranges)


def proposed_config(path: str, candidate: Candidate) -> dict[str, Any]:
    """Return a complete config with the candidate as its grid and 3x3 clusters on it."""
    return {
        "datasets": {"data": {"files": {path: candidate.tree}}},
        "grids": {"calo": candidate.grid},
        "clusters": {
            "Cluster": {"grid": "calo", "search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": 0}
        },
        "output": {"directory": "results", "clusters": ["parquet"]},
    }
