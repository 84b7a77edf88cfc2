"""The contenders: this package and what people would write instead, each written as one would.

All of them get the same array, slow ones only its first events; times are per event. `read` turns the result of
a contender into the flat places of its seeds and their sums, which are compared with ours before the timing.
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

BLOCK = 200  # events that numpy takes at once: more leave the cache
Read = tuple[Array, Array | None]  # flat places of the seeds, sorted, and their sums


@dataclass(frozen=True)
class Rival:
    """One way to find the clusters in the first `n` events of a case.

    `ties` is its tie rule if that is not the one of the case.
    """

    name: str
    n: int
    call: Callable[[], Any]
    read: Callable[[Any], Read] | None = None
    ties: str | None = None
    note: str = ""


def searched(case: Case, n: int | None = None) -> Array:
    """Return the cells of the first `n` events, with layers as events if they are searched one by one."""
    grids = case.grids[:n]
    return grids.reshape(-1, *grids.shape[-2:]) if case.layers == "each" else grids


def summed(cells: Array) -> Array:
    """Return the sum of the layers, if there are any."""
    return cells if cells.ndim == 3 else cells.sum(axis=1, dtype=accumulator(cells.dtype))


def bound_of(case: Case) -> float:
    """Return the lowest value of a seed."""
    bound = seed_bound(case.settings, case.grid.unit, integer=case.grids.dtype.kind != "f")
    assert bound is not None
    return bound


def passing(case: Case) -> Callable[[Any], Any]:
    """Return the seed threshold as others write it: a comparison of the cells with a number of counts."""
    counts = inclusive_bound(case.settings.seed_threshold, ">=", case.grid.unit, integer=False)
    compare = operator.gt if case.settings.seed_comparison == ">" else operator.ge
    return lambda cells: compare(cells, counts)


def floor(case: Case) -> Rival:
    """Return the sum of the array, which reads every cell."""
    return Rival("np.sum of the array", len(case.grids), lambda: np.sum(case.grids))


def kernel(case: Case, name: str, part: float) -> Rival:
    """Return one of our kernels, called as the package calls it."""
    n = share(case, part)
    cells = searched(case, n)
    rule = Rule(case.settings.search_cells(), bound_of(case), case.settings.sum_cells(), None)
    module = get_kernel(name)  # type: ignore[arg-type]

    def call() -> Peaks:
        return module.find_peaks(summed(cells), rule, case.grid.periodic).peaks

    def read(peaks: Peaks) -> Read:
        return by_place(case, peaks.event, peaks.row, peaks.col, peaks.sum)

    return Rival(f"kernel {name}", n, call, read)


def clusters(case: Case) -> Rival:
    """Return the whole call: checks, search, sums and records of clusters."""

    def call() -> ak.Array:
        return find_clusters(case.grids, case.settings, case.grid, layers=case.layers)

    return Rival("find_clusters", len(case.grids), call, lambda records: by_record(case, records))


def straight_from_hits(case: Case) -> Rival:
    """Return our clusters from jagged hits, as in a job."""

    def call() -> ak.Array:
        return find_clusters(sparse(*case.hits, case.grid), case.settings, case.grid)

    return Rival("find_clusters from hits", len(case.grids), call, lambda records: by_record(case, records))


def densify_then_search(case: Case) -> Rival:
    """Return the alternative: fill an array with every cell from the hits, then search it."""
    cells = [np.asarray(ak.flatten(column)) for column in case.hits]
    event = np.repeat(np.arange(len(case.grids)), ak.to_numpy(ak.num(case.hits[0])))

    def call() -> ak.Array:
        row, col = case.grid.rows.find(cells[0]), case.grid.cols.find(cells[1])
        grids = np.zeros(case.grids.shape, accumulator(case.grids.dtype))
        np.add.at(grids, (event, row, col), cells[2])
        return find_clusters(grids, case.settings, case.grid)

    note = "np.add.at, then find_clusters"
    return Rival(
        "densify, then search", len(case.grids), call, lambda records: by_record(case, records), note=note
    )


def scipy_idiom(case: Case) -> Rival:
    """Return `maximum_filter` and `uniform_filter` on the batch, as in most analyses."""
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

    return Rival("scipy idiom", share(case, 0.1), call, lambda answer: answer, ties="all")


def scipy_at_seeds(case: Case) -> Rival:
    """Return `maximum_filter` on the batch, and the sums of the windows around seeds alone."""
    cells, reach = searched(case, share(case, 0.1)), case.reach
    modes = ["constant", "wrap" if case.grid.rows.periodic else "constant"]
    modes.append("wrap" if case.grid.cols.periodic else "constant")
    passes = passing(case)

    def call() -> tuple[Array, Array]:
        towers = summed(cells)
        highest = ndimage.maximum_filter(towers, size=(1, 2 * reach + 1, 2 * reach + 1), mode=modes)
        event, row, col = np.nonzero((towers == highest) & passes(towers))
        image = padded(towers, case, fill=0)
        sums = np.zeros(len(event), accumulator(towers.dtype))
        for d in range(2 * reach + 1):
            for p in range(2 * reach + 1):
                sums += image[event, row + d, col + p]
        return np.ravel_multi_index((event, row, col), towers.shape), sums

    return Rival("scipy, sums at seeds", share(case, 0.1), call, lambda answer: answer, ties="all")


def short_numpy(case: Case) -> Rival:
    """Return slices of a padded block of 200 events: the fastest that a few lines of numpy give.

    The window maximum is one of rows, then one of columns; a block fits into the cache.
    """
    cells, reach, passes = searched(case, share(case, 0.1)), case.reach, passing(case)
    steps = range(2 * reach + 1)

    def block(towers: Array) -> tuple[Array, Array]:
        n_rows, n_cols = towers.shape[1:]
        image = padded(towers, case, fill=np.finfo("f4").min if towers.dtype.kind == "f" else -1)
        rows = image[:, :, :n_cols].copy()
        for p in steps[1:]:
            np.maximum(rows, image[:, :, p : p + n_cols], out=rows)
        highest = rows[:, :n_rows].copy()
        for d in steps[1:]:
            np.maximum(highest, rows[:, d : d + n_rows], out=highest)
        event, row, col = np.nonzero((towers == highest) & passes(towers))
        image = padded(towers, case, fill=0)
        sums = np.zeros(len(event), accumulator(towers.dtype))
        for d in steps:
            for p in steps:
                sums += image[event, row + d, col + p]
        return np.ravel_multi_index((event, row, col), towers.shape), sums

    def call() -> list[tuple[Array, Array]]:
        return [block(summed(cells[start : start + BLOCK])) for start in range(0, len(cells), BLOCK)]

    def read(answers: list[tuple[Array, Array]]) -> Read:
        n_cells = BLOCK * cells.shape[-2] * cells.shape[-1]
        places = [place + number * n_cells for number, (place, _) in enumerate(answers)]
        return np.concatenate(places), np.concatenate([sums for _, sums in answers])

    note = f"slices of padded blocks of {BLOCK} events, sums at seeds"
    return Rival("short numpy", share(case, 0.1), call, read, ties="all", note=note)


def padded(towers: Array, case: Case, *, fill: float) -> Array:
    """Return events with a margin as wide as the windows reach: wrapped where periodic, else of one value."""
    reach, closed = case.reach, (case.grid.rows.periodic, case.grid.cols.periodic)
    for axis, wraps in enumerate(closed, start=1):
        width = [(0, 0)] * 3
        width[axis] = (reach, reach)
        options: dict[str, Any] = {"mode": "wrap"} if wraps else {"constant_values": fill}
        towers = np.pad(towers, width, **options)
    return towers


def skimage_peaks(case: Case) -> Rival | None:
    """Return scikit-image's `peak_local_max`, which takes one event at a time and returns no sums."""
    if importlib.util.find_spec("skimage") is None:
        return None
    from skimage.feature import peak_local_max

    n, reach, below = share(case, 0.005), case.reach, np.nextafter(bound_of(case), -np.inf)
    cells = summed(searched(case, n))
    n_cols, closed = cells.shape[2], case.grid.cols.periodic

    def call() -> list[Array]:
        places = []
        for event in cells:
            image = np.pad(event, ((0, 0), (reach, reach)), mode="wrap") if closed else event
            place = peak_local_max(image, min_distance=reach, threshold_abs=below, exclude_border=False)
            if closed:
                place = place[(place[:, 1] >= reach) & (place[:, 1] < n_cols + reach)] - (0, reach)
            places.append(place)
        return places

    def read(places: list[Array]) -> Read:
        event = np.repeat(np.arange(len(places)), [len(place) for place in places])
        row, col = np.concatenate(places).T
        return np.sort(np.ravel_multi_index((event, row, col), cells.shape)), None

    note = "seeds only, one event at a time; of equal peaks nearby it keeps one"
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

    def read(answer: tuple[Any, Any]) -> Read:
        return answer[0].numpy(), answer[1].numpy()

    return Rival("torch", n, call, read, ties="all", note=f"{torch.__version__}, float32, one thread")


def plain_cpp(case: Case, folder: Path) -> Iterator[Rival]:
    """Yield the plain loop in C++ (`loops.cpp`), one cell after the other.

    It returns newly allocated results, as all contenders do; a second row shows it without that.
    """
    if compiler() is None:
        return
    n, bound = share(case, 0.5), bound_of(case)
    cells = searched(case, n)
    plane = Case(case.title, summed(cells[:1]), case.settings, case.grid)  # for the type of its cells
    loops, room = Loops(plane, bound, folder), capacity(cells)
    reused = loops.allocate(room)

    def read(columns: list[Array]) -> Read:
        return by_place(case, *columns[:3], columns[4])

    def call() -> list[Array]:
        return loops(summed(cells), loops.allocate(room))

    yield Rival("plain C++ loop", n, call, read, note="g++ -O3 -march=native, compiled for these sizes")
    note = "every call overwrites the results of the previous one"
    yield Rival("C++ into one memory", n, lambda: loops(summed(cells), reused), read, note=note)


def naive_numba(case: Case) -> Rival:
    """Return the same loop in numba."""
    n, bound, reach = share(case, 0.5), bound_of(case), case.reach
    cells = searched(case, n)
    number, room = accumulator(case.grids.dtype), capacity(cells)
    diagonal = case.settings.tie_rule == "diagonal"

    def call() -> list[Array]:
        columns = [np.empty(room, dtype) for dtype in (np.int64, np.int64, np.int64, number)]
        n_peaks = naive_loop(summed(cells), number(bound), reach, case.grid.cols.periodic, diagonal, *columns)
        return [column[:n_peaks] for column in columns]

    return Rival("naive numba loop", n, call, lambda columns: by_place(case, *columns))


@numba.njit(nogil=True, cache=True)  # type: ignore[misc]
def naive_loop(
    grids: Any, bound: Any, reach: int, closed: bool, diagonal: bool, event: Any, row: Any, col: Any, total: Any
) -> int:
    """Write the seeds and their sums, one cell after the other."""
    n_events, n_rows, n_cols = grids.shape
    n_peaks = 0
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
                    event[n_peaks], row[n_peaks], col[n_peaks], total[n_peaks] = e, r, c, added
                    n_peaks += 1
    return n_peaks


def share(case: Case, part: float) -> int:
    """Return the number of events in a part of a case, at least a few."""
    return min(len(case.grids), max(20, int(part * len(case.grids))))


def capacity(cells: Array) -> int:
    """Return the greatest possible number of clusters, of which no two are neighbours."""
    return len(cells) * ((cells.shape[-2] + 1) // 2) * ((cells.shape[-1] + 1) // 2)


def by_place(case: Case, event: Array, row: Array, col: Array, sums: Array) -> Read:
    """Return flat places and sums of seeds that are sorted by position."""
    return (np.asarray(event) * case.grid.shape[0] + row) * case.grid.shape[1] + col, sums


def by_record(case: Case, clusters: ak.Array) -> Read:
    """Return flat places and sums of clusters, sorted by position."""
    event = np.repeat(np.arange(len(clusters)), ak.to_numpy(ak.num(clusters)))
    row, col, sums = (ak.to_numpy(ak.flatten(clusters[name])) for name in ("row", "col", "peak_sum"))
    if case.layers == "each":
        event = event * case.grids.shape[1] + ak.to_numpy(ak.flatten(clusters["layer"]))
    places, sums = by_place(case, event, row, col, sums)
    order = np.argsort(places)
    return places[order], sums[order]


def ours(case: Case, n: int, ties: str | None) -> Read:
    """Return our seeds in the first `n` events, with another tie rule if one is given."""
    settings = case.settings
    if ties is not None:
        settings = settings.model_copy(update={"tie_rule": ties})
    return by_record(case, find_clusters(case.grids[:n], settings, case.grid, layers=case.layers))


def compare_with_ours(case: Case, rival: Rival) -> str:
    """Return in words how the answer of a contender differs from ours."""
    if rival.read is None:
        return ""
    places, sums = rival.read(rival.call())
    our_places, our_sums = ours(case, rival.n, rival.ties)
    n_different = len(np.setxor1d(places, our_places))
    words = [f"as ours with ties {rival.ties}" if rival.ties else "same"]
    if n_different:
        words = [f"{n_different:,} of {len(our_places):,} seeds differ"]
    elif sums is None:
        words = [f"seeds {words[0]}, no sums"]
    elif not np.array_equal(sums, our_sums):
        tolerance = 1e-5 * np.abs(our_sums).max(initial=1)
        is_close = np.allclose(sums, our_sums, rtol=1e-5, atol=tolerance)
        words.append("sums to 1e-5" if is_close else "sums differ")
    return ", ".join(words)
