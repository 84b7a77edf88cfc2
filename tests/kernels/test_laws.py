"""Laws that follow from the definition."""

import numpy as np
import oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kernel_problems import find_peaks, run_kernel, seeds, some_examples
from strategies import DIRECTIONAL, DIRECTIONLESS, INDEX_ORDERED, TIE_RULES, problems

pytestmark = pytest.mark.slow  # together they take many seconds


@some_examples
@given(
    problem=problems(tie_rules=(*DIRECTIONLESS, *DIRECTIONAL, "drawn")),
    rows=st.integers(-6, 6),
    cols=st.integers(-6, 6),
)
def test_rolling_a_periodic_axis_rolls_the_peaks(kernel, problem, rows, cols):
    _, n_rows, n_cols = problem.grids.shape
    shift = rows * problem.periodic[0], cols * problem.periodic[1]
    rolled = problem.given(
        grids=np.roll(problem.grids, shift, axis=(1, 2)), mask=np.roll(problem.mask, shift, axis=(1, 2))
    )

    assert find_peaks(kernel, rolled) == sorted(
        (event, (row + shift[0]) % n_rows, (col + shift[1]) % n_cols, *rest)
        for event, row, col, *rest in find_peaks(kernel, problem)
    )


@some_examples
@given(problem=problems(), higher=st.floats(0, 3))
def test_raising_the_threshold_only_removes_seeds(kernel, problem, higher):
    raised = problem.given(threshold=problem.threshold + higher)
    passes = np.greater if problem.comparison == ">" else np.greater_equal

    assert find_peaks(kernel, raised) == [
        peak for peak in find_peaks(kernel, problem) if passes(peak[3], raised.threshold)
    ]


@some_examples
@given(problem=problems(), power=st.integers(0, 12))
def test_a_power_of_two_scales_everything_exactly(kernel, problem, power):
    factor, cell_threshold = 2**power, problem.cell_threshold
    scaled = problem.given(
        grids=problem.grids * problem.grids.dtype.type(factor),
        threshold=problem.threshold * factor,
        cell_threshold=None if cell_threshold is None else cell_threshold * factor,
    )

    assert find_peaks(kernel, scaled) == [
        (*place, seed * factor, total * factor, n_cells)
        for *place, seed, total, n_cells in find_peaks(kernel, problem)
    ]


@some_examples
@given(problem=problems())
def test_an_event_does_not_depend_on_the_other_events(kernel, problem):
    one_by_one = [
        (event, *peak)
        for event in range(len(problem.grids))
        for _, *peak in find_peaks(
            kernel,
            problem.given(grids=problem.grids[event : event + 1], mask=problem.mask[event : event + 1]),
        )
    ]

    assert find_peaks(kernel, problem) == one_by_one


@some_examples
@given(problem=problems())
def test_the_cells_are_not_written_to(kernel, problem):
    before = problem.grids.copy()
    problem.grids.flags.writeable = False
    run_kernel(kernel, problem)

    assert np.array_equal(problem.grids, before)


@some_examples
@given(problem=problems(tie_rules=TIE_RULES))
def test_the_seeds_of_every_rule_lie_between_none_and_all(kernel, problem):
    fewest, most = (seeds(kernel, problem.given(tie_rule=rule)) for rule in ("none", "all"))

    assert fewest <= seeds(kernel, problem) <= most


@some_examples
@given(problem=problems(tie_rules=("none", *INDEX_ORDERED)))
def test_no_two_seeds_lie_in_each_others_search_window(kernel, problem):
    assert not facing_pairs(kernel, problem)


@some_examples
@given(
    problem=problems(tie_rules=DIRECTIONAL), rows=st.sampled_from((1, 3, 5)), cols=st.sampled_from((1, 3, 5))
)
def test_the_directional_rules_agree_when_the_window_is_symmetric(kernel, problem, rows, cols):
    _, n_rows, n_cols = problem.grids.shape
    assume((rows <= n_rows or not problem.periodic[0]) and (cols <= n_cols or not problem.periodic[1]))

    assert not facing_pairs(kernel, problem.given(search_window=(rows, cols)))


def facing_pairs(kernel, problem):
    """Return the pairs of seeds that each have the other in their search window."""
    offsets = [offset for offset, mark in oracle.read_window(problem.search_window).items() if mark != "o"]
    grid = problem.grids[0].tolist() if len(problem.grids) else [[0]]
    all_seeds = seeds(kernel, problem)
    pairs = {
        (here, there)
        for here in all_seeds
        for offset in offsets
        if (place := oracle.neighbour(grid, *here[1:], offset, problem.periodic))
        and (there := (here[0], *place)) in all_seeds
    }
    return {(here, there) for here, there in pairs if (there, here) in pairs}


@some_examples
@given(problem=problems(tie_rules=INDEX_ORDERED))
def test_first_and_last_never_lose_the_highest_cell(kernel, problem):
    exists = [grid[~mask] for grid, mask in zip(problem.grids, problem.mask, strict=True)]
    passes = np.greater if problem.comparison == ">" else np.greater_equal
    highest = [float(cells.max()) if len(cells) else -np.inf for cells in exists]
    peaks = find_peaks(kernel, problem)

    assert {event for event, value in enumerate(highest) if passes(value, problem.threshold)} == {
        event for event, *_ in peaks
    }
