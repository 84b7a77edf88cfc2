"""Two threads against two processes: does the search release the GIL?

Each of two workers, threads or processes, searches its own block of events a few times. Both kinds take turns;
processes are started, and blocks made, before the timing.
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
cases: dict[int, Case] = {}  # of this worker


def threads(rounds: int, n_cells: int) -> Table:
    """Return the table."""
    table = Table(
        "threads",
        "Two threads against two processes",
        ["work", "speed of threads to processes", "speed of one thread to them", "events/s of two threads"],
        notes=[
            f"Target: >= {TARGET}. Median (minimum..maximum) of the rounds; toy showers, one block per worker."
        ],
    )
    work(n_cells, WORK[1])  # compiles, so that the processes load kernels from the cache
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
            two, one, processes_time = times["two threads"], times["one thread"], times["two processes"]
            cells = {
                "work": name,
                "speed of threads to processes": f"{two.speed_to(processes_time)}",
                "speed of one thread to them": f"{one.speed_to(processes_time)}",
                "events/s of two threads": f"{digits(two.rate / 1e6)} M",
            }
            table.add(cells, raw={key: time.as_dict() for key, time in times.items()})
    return table


def both(pool: Executor, n_cells: int, name: str) -> None:
    """Run the work in two workers at the same time."""
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
    """Return the block of events, made once per process."""
    if n_cells not in cases:
        cases[n_cells] = toy_case(n_cells)
    return cases[n_cells]
