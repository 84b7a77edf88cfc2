"""A `Problem` of `strategies`, given to a kernel and to the definition in `oracle`."""

import numpy as np
import oracle
from hypothesis import HealthCheck
from hypothesis import settings as runs
from strategies import Problem, columns

from hep_peaksum.kernels import Periodic, Rule, absent
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import inclusive_bound

many_examples = runs(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
some_examples = runs(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

NEITHER, COLS, ROWS, BOTH = (False, False), (False, True), (True, False), (True, True)


def run_kernel(kernel, problem):
    """Return the peaks of a kernel."""
    settings = PeakSumSettings(
        search_window=problem.search_window, sum_window=problem.sum_window, tie_rule=problem.tie_rule
    )
    integer, cell_threshold = problem.grids.dtype == np.int64, problem.cell_threshold
    rule = Rule(
        search=settings.search_cells(),
        bound=inclusive_bound(problem.threshold, problem.comparison, 1.0, integer=integer),
        window=settings.sum_cells(),
        cell_bound=None
        if cell_threshold is None
        else inclusive_bound(cell_threshold, ">=", 1.0, integer=integer),
    )
    cells = np.where(problem.mask, np.array(absent(problem.grids.dtype), problem.grids.dtype), problem.grids)
    return kernel.find_peaks(cells, rule, Periodic(*problem.periodic)).peaks


def as_tuples(peaks):
    """Return peaks as (event, row, col, seed, sum, n_cells)."""
    return list(zip(*(column.tolist() for column in columns(peaks)), strict=True))


def find_peaks(kernel, problem):
    """Return the peaks of a kernel as (event, row, col, seed, sum, n_cells)."""
    return as_tuples(run_kernel(kernel, problem))


def seeds(kernel, problem):
    """Return the seeds of a kernel as a set of (event, row, col)."""
    return {peak[:3] for peak in find_peaks(kernel, problem)}


def by_definition(problem):
    """Return the same peaks according to the oracle."""
    return [
        (event, *peak)
        for event, (grid, mask) in enumerate(zip(problem.grids.tolist(), problem.mask.tolist(), strict=True))
        for peak in oracle.find_peaks(
            grid,
            search_window=problem.search_window,
            sum_window=problem.sum_window,
            threshold=problem.threshold,
            comparison=problem.comparison,
            tie_rule=problem.tie_rule,
            periodic=problem.periodic,
            cell_threshold=problem.cell_threshold,
            mask=mask,
        )
    ]


def picture(cells, dtype="int64", **changes):
    """Return a 3x3 search in one event, with anything else changed."""
    grids = np.array([cells], dtype)
    return Problem(
        grids=grids,
        mask=np.zeros(grids.shape, bool),
        periodic=NEITHER,
        search_window=(3, 3),
        sum_window=(3, 3),
        tie_rule="first",
        threshold=0,
        comparison=">",
        cell_threshold=None,
    ).given(**changes)
