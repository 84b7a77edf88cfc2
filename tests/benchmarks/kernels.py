"""The search alone, on one thread: our kernels and `find_clusters` against what others would write.

The floor is `np.sum` of the same array, which reads every cell and does little else. Every answer is compared
with ours before the timing. Slow contenders get the first events only; times are per event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import contenders
from tests.benchmarks.cases import CASES, CELLS, Case
from tests.benchmarks.contenders import Rival
from tests.benchmarks.measuring import Contender, Timing, digits, interleaved
from tests.benchmarks.results import Table

FLOOR, OURS = "np.sum of the array", "kernel numba"
COLUMNS = ["contender", "speed to np.sum", "ours is faster by", "events/s", "events", "its answer", "target"]
# Of our own rows the least speed relative to np.sum, of the others the least factor by which ours is faster.
TARGETS = {
    "toy": {OURS: 0.40, "find_clusters": 0.25, "scipy idiom": 40, "plain C++ loop": 2},
    "cms": {"scipy idiom": 100},
    "100%": {"plain C++ loop": 5},
    "sparse-hits": {"densify, then search": 5},
}
NOTES = [
    "Ratios within a round, the median (minimum..maximum) of all rounds; one thread. Events/s are medians.",
    "`ours is faster by`: the time of the contender divided by that of our row, the one in bold.",
    "`events`: slow contenders get fewer events; times are per event.",
]


def kernels(names: Sequence[str], rounds: int, n_cells: int = CELLS) -> Iterator[Table]:
    """Yield one table per case."""
    for name in names:
        case = CASES[name](n_cells)
        with TemporaryDirectory() as folder:
            table = measure(name, case, [rival for rival in rivals_of(case, Path(folder)) if rival], rounds)
        table.notes += NOTES if name == names[-1] else []
        yield table


def rivals_of(case: Case, folder: Path) -> Iterable[Rival | None]:
    """Yield the contenders of a case; None if the package or compiler of one is missing."""
    yield contenders.floor(case)
    if case.from_hits:
        yield contenders.straight_from_hits(case)
        yield contenders.densify_then_search(case)
        return
    yield contenders.kernel(case, "numba", 1)
    yield contenders.clusters(case)
    yield contenders.kernel(case, "scipy", 0.05)
    yield contenders.scipy_idiom(case)
    yield contenders.scipy_at_seeds(case)
    yield contenders.short_numpy(case)
    yield contenders.skimage_peaks(case)
    yield contenders.torch_pooling(case)
    yield from contenders.plain_cpp(case, folder)
    yield contenders.naive_numba(case)


def measure(name: str, case: Case, rivals: Sequence[Rival], rounds: int) -> Table:
    """Return the table of one case."""
    answers = {rival.name: contenders.compare_with_ours(case, rival) for rival in rivals}
    times = interleaved([Contender(r.name, r.call, r.n, r.note) for r in rivals], rounds, case.title)
    own = times["find_clusters from hits" if case.from_hits else OURS]
    table = Table(name, case.describe(), COLUMNS, notes=[f"{r.name}: {r.note}." for r in rivals if r.note])
    for rival in rivals:
        time = times[rival.name]
        target = TARGETS.get(name, {}).get(rival.name)
        table.add(row(time, times[FLOOR], own, answers[rival.name], target), raw=time.as_dict())
    return table


def row(time: Timing, floor: Timing, own: Timing, answer: str, target: float | None) -> dict[str, str]:
    """Return the row of a contender."""
    is_ours = time.name in (OURS, "find_clusters")
    reached = (time.speed_to(floor) if is_ours else time.time_to(own)).median
    cells = (
        f"**{time.name}**" if time is own else time.name,
        f"{time.speed_to(floor)}",
        "" if time is own or time is floor else f"{time.time_to(own)}",
        f"{digits(time.rate / 1e6)} M",
        f"{time.n:,}",
        answer,
        "" if target is None else f">= {target}: {'met' if reached >= target else 'missed'}",
    )
    return dict(zip(COLUMNS, cells, strict=True))
