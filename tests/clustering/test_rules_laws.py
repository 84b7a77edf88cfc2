"""Laws that follow from the rules: independence, symmetry, scaling, conservation of energy."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from oracle import read_window
from rules_checks import clusters_by_definition, find_with
from rules_plane import Plane
from rules_strategies import INDEX_FREE_TIES, mirrored, questions, sharing_questions

pytestmark = pytest.mark.slow  # together they take many seconds

some = runs(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


@some
@given(question=questions(), order=st.randoms(use_true_random=False))
def test_events_are_independent(kernel, question, order):
    assume(not isinstance(clusters_by_definition(question), int))
    picked = [order.randrange(len(question.grids)) for _ in range(4)] if len(question.grids) else []
    clusters = find_with(kernel, question)

    assert find_with(kernel, question.events(picked)) == [clusters[event] for event in picked]


@some
@given(
    question=questions(
        tie_rules=INDEX_FREE_TIES,
        overlaps=("shared", "equal", "proportional", "proportional-sum"),
        whole=True,
    ),
    rows=st.integers(-4, 4),
    cols=st.integers(-4, 4),
)
def test_rolling_a_periodic_axis_rolls_the_clusters(kernel, question, rows, cols):
    assume(question.rules.get("seedless_groups") != "highest")  # of equal highest cells the first is taken
    check_rolled(kernel, question, rows, cols)


@some
@given(
    question=questions(all_different=True, seed_is_cell=True), rows=st.integers(-4, 4), cols=st.integers(-4, 4)
)
def test_without_ties_every_rule_rolls_with_the_cells(kernel, question, rows, cols):
    check_rolled(kernel, question, rows, cols)


def check_rolled(kernel, question, rows, cols):
    assume(not isinstance(clusters_by_definition(question), int))
    towers = rows * question.periodic[0], cols * question.periodic[1]
    shift = tuple(n * k for n, k in zip(towers, question.rules["coarsen"], strict=True))
    rolled = question.arrays(lambda array: np.roll(array, shift, axis=(-2, -1)))
    fields = [name for name in question.fields if not name.startswith(("barycentre", "width"))]
    n_rows, n_cols = question.n_towers
    expected = [
        sorted(
            (
                {
                    **cluster,
                    "row": (cluster["row"] + towers[0]) % n_rows,
                    "col": (cluster["col"] + towers[1]) % n_cols,
                }
                for cluster in event
            ),
            key=lambda cluster: (cluster["row"], cluster["col"]),
        )
        for event in find_with(kernel, question._replace(fields=fields))
    ]

    assert find_with(kernel, rolled._replace(fields=fields)) == expected


@some
@given(
    question=questions(
        tie_rules=("all", "none", "drawn"), overlaps=("shared", "equal", "proportional"), whole=True
    ),
    axis=st.sampled_from((0, 1)),
)
def test_mirrored_cells_give_mirrored_clusters(kernel, question, axis):
    assume(not isinstance(clusters_by_definition(question), int))
    assume(question.rules["keep_stronger_side"] is None and not question.rules["allow_partial_towers"])
    assume(question.rules.get("seedless_groups") != "highest")
    fields = [name for name in question.fields if not name.startswith(("barycentre", "width"))]
    question = question._replace(fields=fields)
    word = ("row", "col")[axis]
    expected = [
        sorted(
            ({**cluster, word: question.n_towers[axis] - 1 - cluster[word]} for cluster in event),
            key=lambda cluster: (cluster["row"], cluster["col"]),
        )
        for event in find_with(kernel, question)
    ]
    ours = find_with(kernel, mirrored(question, axis))

    assert [[(c["row"], c["col"]) for c in event] for event in ours] == [
        [(c["row"], c["col"]) for c in event] for event in expected
    ]
    for mine, other in zip(chain(*ours), chain(*expected), strict=True):
        assert mine == pytest.approx(other, rel=1e-12, abs=1e-12)


@some
@given(
    question=questions(tie_rules=(*INDEX_FREE_TIES, "first", "last"), overlaps=("shared",)),
    higher=st.floats(0, 3),
)
def test_raising_the_seed_threshold_only_removes_clusters(kernel, question, higher):
    assume(not isinstance(question.rules["seed_threshold"], str))
    # a raised threshold leaves more groups without a seed, and each would then have its highest cell
    assume(question.rules.get("seedless_groups") != "highest")
    threshold = question.rules["seed_threshold"] + higher
    raised = question.given(seed_threshold=threshold)
    passes = np.greater if question.rules["seed_comparison"] == ">" else np.greater_equal
    fields = [name for name in question.fields if name != "shared_sum"]
    before, after = (find_with(kernel, each._replace(fields=fields)) for each in (question, raised))

    assert after == [[cluster for cluster in event if passes(cluster["seed"], threshold)] for event in before]


@some
@given(question=questions(phi_rings=False), power=st.integers(1, 10))
def test_a_power_of_two_scales_the_energies_and_nothing_else(kernel, question, power):
    assume(not isinstance(clusters_by_definition(question), int))
    factor = 2**power
    is_energy = question.rules["quantity"] == "energy"
    scaled = question.times(factor)
    energies = {"peak_sum", "shared_sum", "noise", "net", *question.pileup_names}
    energies |= {"seed", "seed_gap", "prominence"} if is_energy else set()

    assert find_with(kernel, scaled) == [
        [{k: v * factor if k in energies else v for k, v in cluster.items()} for cluster in event]
        for event in find_with(kernel, question)
    ]


@some
@given(question=sharing_questions())
def test_sharing_conserves_energy(kernel, question):
    assume(not isinstance(clusters_by_definition(question), int))
    for event, clusters in enumerate(find_with(kernel, question)):
        cells = question.grids[event].tolist()
        seeds = [(cluster["row"], cluster["col"]) for cluster in clusters]
        left = unclustered(cells, seeds, question)
        total, everything = sum(cluster["peak_sum"] for cluster in clusters), sum(map(sum, cells))
        if question.is_whole:
            assert total + sum(left) == everything
        else:
            size = float(np.abs(question.grids[event]).sum())
            assert total + sum(left) == pytest.approx(everything, rel=1e-12, abs=1e-12 * size)


def unclustered(cells, seeds, question):
    """Return the cells that no sum window about a seed reaches, or that are below the cell threshold."""
    plane = Plane(len(cells), len(cells[0]), question.periodic)
    offsets = read_window(question.rules["sum_window"])
    reached = {plane.at(seed, offset) for seed in seeds for offset in offsets}
    least = question.rules["cell_threshold"]
    return [
        value
        for row, line in enumerate(cells)
        for col, value in enumerate(line)
        if (row, col) not in reached or (least is not None and value < least)
    ]
