"""What in a ROOT file looks like a calorimeter: branches with a cell each, and hits, with a config proposed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.reading.files import one_line_errors, open_file

# How hits are commonly called: the last word of a branch, without case; labels before coordinates.
HIT_WORDS = {
    "row": ("ieta", "eta", "irow", "row", "iy", "y"),
    "col": ("iphi", "phi", "icol", "col", "ix", "x"),
    "value": ("iet", "et", "energy", "e", "edep", "adc", "amplitude", "pt"),
}
FEW, MANY = 20, 2000  # entries looked at for the shape, and for the labels
FEWEST_CELLS = 6


class Candidate(NamedTuple):
    """Branches of one tree that could fill a grid: what they look like, and the section `grids` for them."""

    tree: str
    n_entries: int
    branches: tuple[str, ...]
    looks_like: str
    grid: dict[str, Any]
    n_values: int


def survey(path: str) -> tuple[dict[str, int], list[Candidate]]:
    """Return the trees of a file with their entries, and every candidate for a grid, the likeliest first.

    Raises
    ------
    OSError
        If the file cannot be read as a ROOT file.
    """
    trees: dict[str, int] = {}
    found: list[Candidate] = []
    with open_file(path) as file, one_line_errors(path):
        for key in file.keys(cycle=False):
            tree = file[key]
            if not hasattr(tree, "num_entries"):
                continue
            trees[key] = int(tree.num_entries)
            found.extend(_candidates(key, tree))
    return trees, sorted(found, key=lambda candidate: -_likelihood(candidate))


def _likelihood(candidate: Candidate) -> float:
    words = " ".join([candidate.tree, *candidate.branches]).lower()
    return candidate.n_values + 1e12 * bool(re.search(r"calo|tower|cell|ecal|hcal|grid|emu", words))


def _candidates(name: str, tree: Any) -> Iterator[Candidate]:
    n = int(tree.num_entries)
    hits: dict[str, dict[str, str]] = {}
    for branch in tree.keys():  # noqa: SIM118 -- a tree is no dict
        sample = _sample(tree, branch)
        if sample is None:
            continue
        shape = _fixed_shape(sample)
        if shape is None:
            group, _, word = re.sub(r"[/.]", "_", branch).rpartition("_")
            hits.setdefault(group, {})[word.lower()] = branch
        elif dense := _dense(branch, shape):
            looks = " x ".join(map(str, shape)) + (" cells an entry" if len(shape) > 1 else " values an entry")
            yield Candidate(name, n, (branch,), looks, {"dense": dense}, n * math.prod(shape))
    for words in hits.values():
        known = {part: next((words[w] for w in HIT_WORDS[part] if w in words), None) for part in HIT_WORDS}
        chosen = {part: branch for part, branch in known.items() if branch is not None}
        if len(chosen) == len(HIT_WORDS) and (columns := _first_hits(tree, chosen)):
            axes = {
                f"{part}s": _axis(re.split(r"[/._]", chosen[part])[-1], columns[part])
                for part in ("row", "col")
            }
            quantity = {"quantity": "et"} if re.search(r"(^|[/._])i?et$", chosen["value"].lower()) else {}
            grid = {"hits": chosen, **axes, **quantity}
            yield Candidate(name, n, tuple(chosen.values()), "hits", grid, len(columns["row"]))


def _sample(tree: Any, branch: str) -> ak.Array | None:
    """Return the first entries of a branch of numbers, several an entry; None for any other."""
    try:
        sample = tree[branch].array(entry_stop=FEW)
    except Exception:  # noqa: BLE001 -- a branch that cannot be read is no candidate
        return None
    number = re.search(r"(^|\* )(u?int|float)\d+(\[|$)", str(sample.type))
    return sample if number and sample.ndim > 1 and len(sample) else None


def _fixed_shape(sample: ak.Array) -> tuple[int, ...] | None:
    """Return the shape that every entry has, or None where entries differ."""
    if len(sample) == 1 and not sample.layout.purelist_isregular:
        return None
    try:
        shape = tuple(int(n) for n in ak.to_numpy(ak.to_regular(sample, axis=None)).shape[1:])
    except ValueError:
        return None
    return shape if all(shape) else None  # entries that are all empty say nothing


def _dense(branch: str, shape: tuple[int, ...]) -> dict[str, Any] | None:
    """Return the section `dense` for a branch of fixed shape, or None if it is too small for a grid."""
    if len(shape) == 1:
        shape = _factors(shape[0]) or ()
    if len(shape) not in (2, 3) or min(shape) < 2 or math.prod(shape) < FEWEST_CELLS:
        return None
    return {"branch": branch, "shape": list(shape), "axes": ["layer", "row", "col"][-len(shape) :]}


def _factors(n: int) -> tuple[int, int] | None:
    """Return the most nearly square rows x cols of n values.

    >>> _factors(80), _factors(7)
    ((10, 8), None)
    """
    for rows in range(int(np.sqrt(n)), 1, -1):
        if n % rows == 0:
            return n // rows, rows
    return None


def _first_hits(tree: Any, branches: Mapping[str, str]) -> dict[str, Array] | None:
    """Return row and col of the hits of the first entries, or None if there are no hits."""
    columns = {
        part: np.asarray(ak.flatten(tree[branches[part]].array(entry_stop=MANY))) for part in ("row", "col")
    }
    return columns if all(len(hits) for hits in columns.values()) else None


def _axis(word: str, hits: Array) -> dict[str, Any]:
    """Return an axis: labels for integers, bins for coordinates; an azimuth closes on itself."""
    plain = word.lower().removeprefix("i")
    name = {"name": plain} if plain in ("eta", "phi", "x", "y") else {}
    if hits.dtype.kind in "iu":
        labels = np.unique(hits)
        axis: dict[str, Any] = {**name, "labels": _ranges(labels)}
        return (
            {**axis, "bins": len(labels), "start": 0, "stop": "2pi", "periodic": True}
            if plain == "phi"
            else axis
        )
    if plain == "phi":
        return {**name, "bins": 72, "start": "-pi", "stop": "pi", "periodic": True}
    reach = float(np.ceil(np.abs(hits).max() * 1.01)) or 1.0
    return {**name, "bins": 60, "start": -reach, "stop": reach}


def _ranges(labels: Iterable[int]) -> str:
    """Write sorted integers as ranges.

    >>> _ranges([-2, -1, 1, 2, 3])
    '-2..-1, 1..3'
    """
    parts: list[list[int]] = []
    for label in labels:
        if parts and int(label) == parts[-1][1] + 1:
            parts[-1][1] = int(label)
        else:
            parts.append([int(label), int(label)])
    return ", ".join(f"{a}..{b}" if a < b else f"{a}" for a, b in parts)


def proposed_config(path: str, candidate: Candidate) -> dict[str, Any]:
    """Return a config that runs: this candidate as the grid, 3x3 clusters on it."""
    return {
        "datasets": {"data": {"files": {path: candidate.tree}}},
        "grids": {"calo": candidate.grid},
        "clusters": {
            "Cluster": {"grid": "calo", "search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": 0}
        },
        "output": {"directory": "results", "clusters": ["parquet"]},
    }
