"""Who is compared: this package and what people would write instead, each on its own terms.

A rival is given the same array. What takes long gets only the first events of it; times are per event. `read`
turns what a rival gives into the flat places of its seeds and their sums, which are compared with ours before
anything is timed.
"""

from __future__ import annotations

import importlib.util
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numba
import numpy as np
from scipy import ndimage

from hep_peaksum import find_clusters, sparse
from hep_peaksum.clustering.seeding import seed_bound
from hep_peaksum.kernels import Array, Peaks, Rule, accumulator, get_kernel
from hep_peaksum.settings.thresholds import inclusive_bound
from tests.benchmarks.cases import Case
from tests.benchmarks.compiled import Loops, compiler

Read = tuple[Array, Array | None]  # flat places of the seeds in rising order, and their sums


@dataclass(frozen=True)
class Rival:
    """One way to find the clusters of the first `n` events of a case.

    `ties` is the tie rule that it follows, if that is not the rule of the case.
    """

    name: str
    n: int
    call: Callable[[], Any]
    read: Callable[[Any], Read] | None = None
    ties: str | None = None
    note: str = ""


def searched(case: Case, n: int | None = None) -> Array:
    """Return the cells of the first `n` events that are searched, shape (event, row, col): layers lie apart."""
    grids = case.grids[:n]
    return grids.reshape(-1, *grids.shape[-2:]) if case.layers == "each" else grids


def summed(cells: Array) -> Array:
    """Return the sum of the layers, where they are still apart."""
    return cells if cells.ndim == 3 else cells.sum(axis=1, dtype=accumulator(cells.dtype))


def bound_of(case: Case) -> float:
    """Return the least that a seed may have."""
    bound = seed_bound(case.settings, case.grid.unit, integer=case.grids.dtype.kind != "f")
    assert bound is not None
    return bound


def passing(case: Case) -> Callable[[Any], Any]:
    """Return the seed threshold as others write it: the cells compared with one number, in counts."""
    counts = inclusive_bound(case.settings.seed_threshold, ">=", case.grid.unit, integer=False)
    compare = operator.gt if case.settings.seed_comparison == ">" else operator.ge
    return lambda cells: compare(cells, counts)


def floor(case: Case) -> Rival:
    """Return the reading of the array, which is what nobody can be faster than."""
    return Rival("np.sum of the array", len(case.grids), lambda: np.sum(case.grids))


def kernel(case: Case, name: str, part: float) -> Rival:
    """Return one of our kernels, seeds and sums. It is handed what the package hands it."""
    n = share(case, part)
    cells = searched(case, n)
    rule = Rule(case.settings.search_cells(), bound_of(case), case.settings.sum_cells(), None)
    module = get_kernel(name)  # type: ignore[arg-type]

    def call() -> Peaks:
        found: Any = module.find_peaks(summed(cells), rule, case.grid.periodic)
        return getattr(found, "peaks", found)

    def read(peaks: Peaks) -> Read:
        return by_place(case, peaks.event, peaks.row, peaks.col, peaks.sum)

    return Rival(f"kernel {name}", n, call, read)


def clusters(case: Case) -> Rival:
    """Return the whole call: checks, search, sums, records of clusters."""

    def call() -> ak.Array:
        return find_clusters(case.grids, case.settings, case.grid, layers=case.layers)

    return Rival("find_clusters", len(case.grids), call, lambda found: by_record(case, found))


def straight_from_hits(case: Case) -> Rival:
    """Return our clusters of jagged hits, the way a job goes."""

    def call() -> ak.Array:
        return find_clusters(sparse(*case.hits, case.grid), case.settings, case.grid)

    return Rival("find_clusters from hits", len(case.grids), call, lambda found: by_record(case, found))


def densify_then_search(case: Case) -> Rival:
    """Return what one does without it: hits into an array with every cell, then the search."""
    cells = [np.asarray(ak.flatten(column)) for column in case.hits]
    event = np.repeat(np.arange(len(case.grids)), ak.to_numpy(ak.num(case.hits[0])))

    def call() -> ak.Array:
        row, col = case.grid.rows.find(cells[0]), case.grid.cols.find(cells[1])
        grids = np.zeros(case.grids.shape, accumulator(case.grids.dtype))
        np.add.at(grids, (event, row, col), cells[2])
        return find_clusters(grids, case.settings, case.grid)

    note = "np.add.at, then find_clusters"
    return Rival("densify, then search", len(case.grids), call, lambda found: by_record(case, found), note=note)


def scipy_idiom(case: Case) -> Rival:
    """Return `maximum_filter` and `uniform_filter` on the batch, as most analyses have it."""
    cells, side = searched(case, share(case, 0.1)), 2 * case.reach + 1
    modes = ["constant", "wrap" if case.grid.rows.periodic else "constant"]
    modes.append("wrap" if case.grid.cols.periodic else "constant")
    passes = passing(case)

    def call() -> tuple[Array, Array]:
        towers = summed(cells)
        highest = ndimage.maximum_filter(towers, size=(1, side, side), mode=modes)
        sums = ndimage.uniform_filter(towers.astype(np.float64), size=(1, side, side), mode=modes) * side**2
        seeds = np.nonzero((towers == highest) & passes(towers))
        return np.ravel_multi_index(seeds, towers.shape), sums[seeds]

    return Rival("scipy idiom", share(case, 0.1), call, lambda found: found, ties="all")


def skimage_peaks(case: Case) -> Rival | None:
    """Return scikit-image's `peak_local_max`, which takes one event at a time and gives no sums."""
    if importlib.util.find_spec("skimage") is None:
        return None
    from skimage.feature import peak_local_max

    n, reach, below = share(case, 0.005), case.reach, np.nextafter(bound_of(case), -np.inf)
    cells = summed(searched(case, n))
    n_cols, closed = cells.shape[2], case.grid.cols.periodic

    def call() -> list[Array]:
        found = []
        for event in cells:
            image = np.pad(event, ((0, 0), (reach, reach)), mode="wrap") if closed else event
            place = peak_local_max(image, min_distance=reach, threshold_abs=below, exclude_border=False)
            if closed:
                place = place[(place[:, 1] >= reach) & (place[:, 1] < n_cols + reach)] - (0, reach)
            found.append(place)
        return found

    def read(found: list[Array]) -> Read:
        event = np.repeat(np.arange(len(found)), [len(place) for place in found])
        row, col = np.concatenate(found).T
        return np.sort(np.ravel_multi_index((event, row, col), cells.shape)), None

    note = "seeds only, an event at a time; of near equal peaks it keeps one"
    return Rival("scikit-image", n, call, read, ties="all", note=note)


def torch_pooling(case: Case) -> Rival | None:
    """Return torch's `max_pool2d` and `conv2d` on one thread."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    n, reach, passes = share(case, 0.1), case.reach, passing(case)
    side = 2 * reach + 1
    cells, ones = searched(case, n), torch.ones(1, 1, side, side)
    closed = case.grid.cols.periodic

    def call() -> tuple[Any, Any]:
        towers = torch.from_numpy(summed(cells)).to(torch.float32)[:, None]
        image = torch.nn.functional.pad(towers, (reach, reach, 0, 0), mode="circular") if closed else towers
        padding = (reach, 0) if closed else reach
        highest = torch.nn.functional.max_pool2d(image, side, stride=1, padding=padding)
        sums = torch.nn.functional.conv2d(image, ones, padding=padding)
        place = torch.nonzero(((towers == highest) & passes(towers)).flatten())[:, 0]
        return place, sums.flatten()[place]

    def read(found: tuple[Any, Any]) -> Read:
        return found[0].numpy(), found[1].numpy()

    return Rival("torch", n, call, read, ties="all", note=f"{torch.__version__}, float32, one thread")


def plain_cpp(case: Case, folder: Path) -> Iterator[Rival]:
    """Yield the plain loop in C++ (`loops.cpp`), one cell after the other.

    Everybody here gives results in memory of their own, and so does it. It is shown, too, without that.
    """
    if compiler() is None:
        return
    n, bound = share(case, 0.5), bound_of(case)
    cells = searched(case, n)
    plane = Case(case.title, summed(cells[:1]), case.settings, case.grid)  # of the type that is searched
    loops, most = Loops(plane, bound, folder), capacity(cells)
    kept = loops.room(most)

    def read(found: list[Array]) -> Read:
        return by_place(case, *found[:3], found[4])

    def call() -> list[Array]:
        return loops(summed(cells), loops.room(most))

    yield Rival("plain C++ loop", n, call, read, note="g++ -O3 -march=native, sizes known to it")
    note = "every call writes over the results of the one before"
    yield Rival("C++ into one memory", n, lambda: loops(summed(cells), kept), read, note=note)


def naive_numba(case: Case) -> Rival:
    """Return the same loop in numba."""
    n, bound, reach = share(case, 0.5), bound_of(case), case.reach
    cells = searched(case, n)
    number, most = accumulator(case.grids.dtype), capacity(cells)
    diagonal = case.settings.tie_rule == "diagonal"

    def call() -> list[Array]:
        columns = [np.empty(most, dtype) for dtype in (np.int64, np.int64, np.int64, number)]
        found = naive_loop(summed(cells), number(bound), reach, case.grid.cols.periodic, diagonal, *columns)
        return [column[:found] for column in columns]

    return Rival("naive numba loop", n, call, lambda found: by_place(case, *found))


@numba.njit(nogil=True, cache=True)  # type: ignore[misc]
def naive_loop(
    grids: Any, bound: Any, reach: int, closed: bool, diagonal: bool, event: Any, row: Any, col: Any, total: Any
) -> int:
    """Write down the seeds and their sums, one cell after the other."""
    n_events, n_rows, n_cols = grids.shape
    found = 0
    for e in range(n_events):
        for r in range(n_rows):
            for c in range(n_cols):
                cell = grids[e, r, c]
                if cell < bound:
                    continue
                wins, added = True, bound - bound
                for d in range(-reach, reach + 1):
                    for p in range(-reach, reach + 1):
                        i, j = r + d, c + p
                        if closed:
                            j %= n_cols
                        if not wins or i < 0 or i >= n_rows or j < 0 or j >= n_cols:
                            continue
                        other = grids[e, i, j]
                        added += other
                        if (d != 0 or p != 0) and other >= cell:
                            loses = (i, j) < (r, c)
                            if diagonal:
                                loses = d + p > 0 or (d + p == 0 and d > 0)
                            wins = other == cell and not loses
                if wins:
                    event[found], row[found], col[found], total[found] = e, r, c, added
                    found += 1
    return found


def share(case: Case, part: float) -> int:
    """Return how many events are a part of the case: at least a few."""
    return min(len(case.grids), max(20, int(part * len(case.grids))))


def capacity(cells: Array) -> int:
    """Return how many clusters there is room for: no two are neighbours."""
    return len(cells) * ((cells.shape[-2] + 1) // 2) * ((cells.shape[-1] + 1) // 2)


def by_place(case: Case, event: Array, row: Array, col: Array, sums: Array) -> Read:
    """Return flat places and sums of seeds that come sorted by position."""
    return (np.asarray(event) * case.grid.shape[0] + row) * case.grid.shape[1] + col, sums


def by_record(case: Case, found: ak.Array) -> Read:
    """Return flat places and sums of clusters, in order of position."""
    event = np.repeat(np.arange(len(found)), ak.to_numpy(ak.num(found)))
    row, col, sums = (ak.to_numpy(ak.flatten(found[name])) for name in ("row", "col", "peak_sum"))
    if case.layers == "each":
        event = event * case.grids.shape[1] + ak.to_numpy(ak.flatten(found["layer"]))
    places, sums = by_place(case, event, row, col, sums)
    order = np.argsort(places)
    return places[order], sums[order]


def ours(case: Case, n: int, ties: str | None) -> Read:
    """Return what the package finds in the first `n` events, with another tie rule if one is asked for."""
    settings = case.settings
    if ties is not None:
        settings = settings.model_copy(update={"tie_rule": ties})
    found = find_clusters(case.grids[:n], settings, case.grid, layers=case.layers)
    return by_record(case, found)


def compared(case: Case, rival: Rival) -> str:
    """Return in words how the answer of a rival differs from ours."""
    if rival.read is None:
        return ""
    places, sums = rival.read(rival.call())
    our_places, our_sums = ours(case, rival.n, rival.ties)
    n_different = len(np.setxor1d(places, our_places))
    said = [f"as ours with ties {rival.ties}" if rival.ties else "same"]
    if n_different:
        said = [f"{n_different:,} of {len(our_places):,} seeds differ"]
    elif sums is None:
        said = [f"seeds {said[0]}, no sums"]
    elif not np.array_equal(sums, our_sums):
        tolerance = 1e-5 * np.abs(our_sums).max(initial=1)
        is_close = np.allclose(sums, our_sums, rtol=1e-5, atol=tolerance)
        said.append("sums to 1e-5" if is_close else "sums differ")
    return ", ".join(said)
