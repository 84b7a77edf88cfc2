"""Two threads of chunks against two processes: does the search let go of Python's lock?

Each of two workers, threads of one process or processes of their own, searches a block of events of its own a
few times. Both kinds do the same work in turns; the processes are started, and their blocks made, before the
clock runs.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

from hep_peaksum import find_clusters
from tests.benchmarks import contenders
from tests.benchmarks.cases import Case, toy_case
from tests.benchmarks.measuring import Contender, digits, interleaved
from tests.benchmarks.results import Table

TARGET = 0.9
PASSES = 5
WORK = ("kernel numba", "find_clusters")
cases: dict[int, Case] = {}  # of a worker


def threads(rounds: int, n_cells: int) -> Table:
    """Return the table of two threads to two processes."""
    table = Table(
        "threads",
        "Two threads of chunks against two processes",
        ["work", "speed of threads to processes", "speed of one thread to them", "events/s of two threads"],
        notes=[f"Target: >= {TARGET}. Median (least..greatest) of the rounds; toy showers, a block a worker."],
    )
    work(n_cells, WORK[1])  # compiled here, so that the processes find it in the cache
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(2) as thread_pool, ProcessPoolExecutor(2, context) as processes:
        for name in WORK:
            n = 2 * PASSES * len(case_of(n_cells).grids)
            rivals = [
                Contender("two processes", partial(both, processes, n_cells, name), n),
                Contender("two threads", partial(both, thread_pool, n_cells, name), n),
                Contender("one thread", partial(work, n_cells, name), n // 2),
            ]
            times = interleaved(rivals, rounds, f"threads: {name}")
            two, alone, apart = times["two threads"], times["one thread"], times["two processes"]
            cells = {
                "work": name,
                "speed of threads to processes": f"{two.speed_to(apart)}",
                "speed of one thread to them": f"{alone.speed_to(apart)}",
                "events/s of two threads": f"{digits(two.rate / 1e6)} M",
            }
            table.add(cells, raw={key: time.as_dict() for key, time in times.items()})
    return table


def both(pool: Executor, n_cells: int, name: str) -> None:
    """Let two workers do the work at the same time."""
    for future in [pool.submit(work, n_cells, name) for _ in range(2)]:
        future.result()


def work(n_cells: int, name: str) -> None:
    """Search this worker's block a few times."""
    case = case_of(n_cells)
    search: Callable[[], object] = partial(find_clusters, case.grids, case.settings, case.grid)
    if name == WORK[0]:
        search = contenders.kernel(case, "numba", 1).call
    for _ in range(PASSES):
        search()


def case_of(n_cells: int) -> Case:
    """Return the block of events, which is made once in a process."""
    if n_cells not in cases:
        cases[n_cells] = toy_case(n_cells)
    return cases[n_cells]
