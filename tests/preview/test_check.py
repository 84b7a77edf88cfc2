"""`check` refuses what `run` refuses, and remarks on what is probably not meant."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from small_config import small

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.job.run import run
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.preview.likely_mistakes import oblique_windows

N, PLANE = 5, {"rows": {"n": 6}, "cols": {"n": 8}}
LISTS = ak.Array([[1, 2], [], [3], [0, 1, 2], [5]])
BRANCHES = {
    "cells": np.ones((N, 6, 8), np.float32),
    "flat": np.ones((N, 48)),
    "rising": np.arange(N * 48.0).reshape(N, 48),
    "short": np.ones((N, 47)),
    "layers": np.ones((N, 3, 6, 8)),
    "zeros": np.zeros((N, 6, 8)),
    "one_cell": (np.arange(N * 48).reshape(N, 6, 8) == 50) * 1.0,
    "nan": np.where(np.arange(N)[:, None, None] == 2, np.nan, np.ones((N, 6, 8))),
    "number": np.arange(N) + 0.0,
    "negative": -np.arange(N),
    "zero": np.zeros(N),
    "twice": ak.concatenate([LISTS, LISTS], axis=1),
    "degrees": ak.Array([[0.0, 90], [], [180], [0, 1, 2], [5]]),
    "lists": LISTS,
    "energies": ak.values_astype(LISTS, np.float32),
    "uneven": ak.Array([[1.0] * 48] * 4 + [[1.0] * 40]),
    "run": np.arange(N),
    "luminosityBlock": np.arange(N),
    "event": np.arange(N),
}
HITS = {"row": "lists", "col": "lists", "value": "energies"}


@pytest.fixture
def config(write_root, tmp_path):
    """Return a function that makes a job of a grid."""
    full, empty = BRANCHES, {name: values[:0] for name, values in BRANCHES.items()}
    file = write_root("a.root", {"Events": full, "Empty": empty})

    def make(
        grid=None, tree="Events", events=None, derive=None, references=None, histograms=None, **collection
    ):
        return parse_config(
            {
                "datasets": {"toy": {"files": {file: tree}}},
                "grids": {"calo": {**PLANE, **(grid or {"dense": {"branch": "cells"}})}},
                "events": events or {},
                "derive": derive or {},
                "references": references or {},
                "histograms": histograms,
                "clusters": {"Jet": {"grid": "calo", **collection}},
                "output": {"directory": str(tmp_path / "results"), "plots": False},
            }
        )

    return make


def dense(branch, **keys):
    return {"grid": {"dense": {"branch": branch, **keys}}}


def hits(**branches):
    return {"grid": {"hits": {**HITS, **branches}}}


def of_hits(events):
    """Return a value for every hit, where one for every event is expected."""
    return events.lists


def never(events):
    return np.zeros(len(events), bool)


def of_events(clusters):
    """Return a value for every event, where one for every cluster is expected."""
    return ak.num(clusters)


def of_clusters(clusters):
    """Return a value for every cluster."""
    return 2 * clusters.peak_sum


def of_earlier(clusters):
    """Return a value made of a derived one."""
    return clusters.earlier + 1


def of_no_field(clusters):
    """Return a field that is misspelt."""
    return clusters.rwo


LIST = "expected a list with a number for every hit"
IN_TYPE = {  # also of a tree without entries
    "too_few_cells": (dense("short"), "short: the array has (47,) cells an event, the grid needs (6, 8)"),
    "turned": (
        dense("cells", axes=["col", "row"]),
        "cells: the array has (6, 8) cells an event, the grid needs",
    ),
    "layers_that_are_not_named": (dense("layers"), "the array has (3, 6, 8) cells an event"),
    "another_number_of_layers": (
        dense("layers", axes=["layer", "row", "col"], shape=[2, 6, 8]),
        "(3, 6, 8) cells an event, the grid needs (2, 6, 8) (layer, row, col)",
    ),
    "one_number_for_all_cells": (dense("number"), "number: the array has one number an event"),
    "one_row_for_all_hits": (hits(row="number"), f"row has one number for every event, {LIST}"),
    "one_energy_for_all_hits": (
        hits(value="number"),
        f"value has one number for every event, {LIST}: 'number' is no branch",
    ),
    "one_hit_an_entry": (
        hits(row="number", col="number", value="number"),
        f"{LIST}: if every entry is a hit, first make events of them by `hep-peaksum group FILE:TREE --by ",
    ),
    "a_grid_for_a_hit": (hits(col="cells"), f"col has 2 axes below the event, {LIST}"),
    "a_grid_that_identifies": (
        {"events": {"identify": {"event": "cells"}}},
        "identify event: the branch 'cells' has several values per entry, expected one number",
    ),
    "a_kept_grid": (
        {"events": {"keep": ["cells"]}},
        "'cells' is of type var * 8 * float32: a column holds a number or a list of numbers per event",
    ),
}
IN_VALUES = {
    "lists_of_another_length": (dense("energies"), "entry 0: energies: 2 values where the grid needs 48: "),
    "one_list_of_another_length": (dense("uneven"), "entry 4: uneven: 40 values where the grid needs 48"),
    "a_list_that_identifies": (
        {"events": {"identify": {"event": "lists"}}},
        "entry 0: identify event: the branch 'lists' holds 2 values, expected one number",
    ),
    "a_negative_run": (
        {"events": {"identify": {"run": "negative"}}},
        "which does not fit into uint32: name a branch with whole numbers from 0 to 4294967295",
    ),
    "a_condition_on_hits": (
        {"events": {"where": [f"{__name__}:of_hits"]}},
        f"'{__name__}:of_hits' returned lists of different lengths, expected one value for each of 5",
    ),
    "a_weight_of_hits": (
        {"events": {"weight": {"w": f"{__name__}:of_hits"}}},
        f"'{__name__}:of_hits' returned lists of different lengths, expected one value for each of 5",
    ),
    "a_cell_that_is_no_number": (dense("nan"), "cell (row 0, col 0) is nan"),
    "shares_of_nothing": (
        {**dense("zeros"), "overlap": "proportional", "seed_threshold": -1},
        "the seed at (row 0, col 0) is 0.0: keep seeds above 0 by seed_threshold",
    ),
    "rows_and_columns_of_different_lengths": (
        hits(col="uneven"), "entry 0: lists, uneven, energies: col has 48, energy has 2 values"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("job", "problem", "tree"),
    [
        *(
            pytest.param(*case, tree, id=f"{name}-{tree}")
            for name, case in IN_TYPE.items()
            for tree in ("Events", "Empty")
        ),
        *(pytest.param(*case, "Events", id=name) for name, case in IN_VALUES.items()),
    ],
)
def test_check_refuses_what_run_refuses(config, job, problem, tree):
    job = config(tree=tree, **job)
    with pytest.raises(ChunkError) as from_run:
        run(job)
    with pytest.raises(ConfigError) as from_check:
        check_inputs(job)
    (line,) = from_check.value.problems
    (path,) = job.datasets["toy"].files
    assert f"{path}: " in line
    assert problem in line
    assert problem in str(from_run.value)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (
            "of_events",
            f"'{__name__}:of_events' returned 5 * int64, expected a number for every cluster, in a list for ev",
        ),
        ("of_no_field", f"{__name__}:of_no_field failed in line "),
    ],
)
def test_a_derived_field_that_fails_is_named_by_its_key_and_not_those_made_of_it(config, function, problem):
    fields = {"twice": f"{__name__}:of_clusters", "earlier": f"{__name__}:{function}"}
    fields["later"] = f"{__name__}:of_earlier"
    job = config(derive={"Jet": fields})
    with pytest.raises(ConfigError) as error:
        check_inputs(job)
    (path,) = job.datasets["toy"].files
    (line,) = error.value.problems
    assert line.startswith(f"derive.Jet.earlier: {path}: {problem}")


def test_a_derived_field_may_use_an_earlier_one(config):
    fields = {"earlier": f"{__name__}:of_clusters", "later": f"{__name__}:of_earlier"}
    check_inputs(config(derive={"Jet": fields}))


@pytest.mark.parametrize("tree", ["Events", "Empty"])
@pytest.mark.parametrize(
    "job",
    [
        pytest.param({}, id="dense"),
        pytest.param(dense("flat"), id="flat"),
        pytest.param(dense("layers", axes=["layer", "row", "col"]), id="layers"),
        pytest.param({**dense("nan"), "nonfinite": "mask"}, id="nan_masked"),
        pytest.param(hits(), id="hits"),
        pytest.param(hits(row="flat", col="flat", value="rising"), id="a_fixed_number_of_hits"),
        pytest.param({"events": {"keep": ["lists", "number", "flat"]}}, id="kept"),
        pytest.param({"events": {"identify": {"run": 3, "event": "number"}}}, id="identify"),
        pytest.param({"fields": ["row", "isolation", "width_row", "e9_e25"]}, id="fields"),
    ],
)
def test_check_accepts_what_run_accepts(config, job, tree):
    job = config(tree=tree, **job)
    (path,) = job.datasets["toy"].files
    empty = f"datasets.toy: {path}: tree 'Empty' has no entries: is it the right one?"
    assert check_inputs(job)[:2] == ([], [empty] if tree == "Empty" else [])
    run(job)


def test_check_names_every_problem_of_a_file(config):
    job = config(events={"keep": ["cells"], "identify": {"run": "lists"}}, **hits(row="number"))
    with pytest.raises(ConfigError) as error:
        check_inputs(job)
    assert len(error.value.problems) == 3


# ---------------------------------------------------------------------------------------------------- remarks


@pytest.mark.parametrize("threshold", [{"seed_threshold": -1}, {"seed_threshold": 0, "seed_comparison": ">="}])
def test_a_threshold_that_empty_cells_pass_is_remarked(config, threshold):
    text = " ".join((threshold.get("seed_comparison", ">"), str(threshold["seed_threshold"])))
    remark = f"Jet: empty cells pass seed_threshold ({text}): is a threshold above 0 meant?"
    job = config(**threshold)
    assert check_inputs(job).others == [remark]
    assert run(job).summary["hints"] == [remark]


@pytest.mark.parametrize("threshold", ["0 sigma", "0.5 sigma", 0, 0.5])
def test_a_threshold_that_no_empty_cell_passes_is_not_remarked(config, threshold):
    job = config(grid={"dense": {"branch": "cells"}, "noise": 1}, seed_threshold=threshold)
    assert check_inputs(job)[:2] == ([], [])


# the cells are 1, event is 0 to 4, the numbers of the 7 hits are 0 to 5
@pytest.mark.parametrize(
    ("job", "key", "remark"),
    [
        (
            {"grid": {"dense": {"branch": "cells"}, "unit": "8 TeV"}},
            "grids.calo.unit",
            "the highest cell is 8000 GeV, more than any beam has: is the unit another, as 1 MeV?",
        ),
        ({"grid": {"dense": {"branch": "cells"}, "unit": "7 TeV"}}, None, ""),
        ({"grid": {"dense": {"branch": "cells"}, "unit": "8 TeV", "saturated": [1]}}, None, ""),
        (
            {
                "grid": {
                    "hits": HITS,
                    "where": [{"branch": "lists", "above": 0}, {"branch": "lists", "max": -1}],
                }
            },
            "grids.calo.where.1",
            "lists max -1 leaves none of the 7 hits, as lists is 0 to 5: is it as meant?",
        ),
        ({"grid": {"hits": HITS, "where": [{"branch": "lists", "above": 0}]}}, None, ""),
        (
            {"events": {"where": [{"branch": "event", "min": 2}, {"branch": "event", "max": 1}]}},
            "events.where.1",
            "event max 1 leaves none of the first 5 entries, as event is 0 to 4: is it as meant?",
        ),
        (
            {"events": {"where": [f"{__name__}:never"]}},
            "events.where.0",
            f"{__name__}:never leaves none of the first 5 entries: is it as meant?",
        ),
        (
            {"events": {"weight": {"gen": "zero"}}},
            "events.weight.gen",
            "zero is 0 in each of the first 5 entries, and fills nothing: is it right?",
        ),
        ({"events": {"weight": {"gen": "number"}}}, None, ""),
        (
            {"cell_threshold": 5},
            "clusters.Jet.cell_threshold",
            "no cell passes cell_threshold (>= 5 counts), the highest seed is 1: is a lower one meant?",
        ),
        ({"cell_threshold": 1}, None, ""),
        (
            {"grid": {"hits": {"row": "twice", "col": "twice", "value": "twice"}}},
            "grids.calo.hits",
            "14 of 14 hits repeat place and value of another one of their event: is every hit there twice?",
        ),
        ({"grid": {"hits": {"row": "twice", "col": "twice", "value": 1}}}, None, ""),  # these are counted
        (
            {"references": {"Gen": {"eta": "energies", "phi": "degrees"}}},
            "references.Gen.phi",
            "0 to 180 is more than a turn in radian: is the branch in degrees? give one in radian",
        ),
        ({"references": {"Gen": {"eta": "energies", "phi": "energies"}}}, None, ""),
    ],
)
def test_what_the_first_entries_say_against_a_config_is_remarked_on(config, job, key, remark):
    found = check_inputs(config(**job, seed_threshold=0)).others
    assert found == [f"{key}: dataset toy: {remark}"] * bool(key)


# with a search window of one cell, each of the 6 x 8 cells of 5 events is a seed of 1
@pytest.mark.parametrize(
    ("axis", "side"), [((2, 3), "below"), ((0, 1), "above"), ((0, 2), None), ((1, 1.5), None)]
)
def test_a_histogram_that_holds_nothing_between_its_ends_is_remarked_on(config, axis, side):
    start, stop = axis
    axes = [{"field": "Jet.seed", "bins": 4, "start": start, "stop": stop}]
    job = config(histograms={"seed": {"axes": axes}}, search_window=[1, 1])
    ends = f"its axis Jet.seed, {start} to {stop}: is another range meant, or another unit?"
    line = f"histograms.seed: {{}}all that it holds is {side} {ends}"
    assert check_inputs(job).others == [line.format("dataset toy: of the first 5 events, ")] * bool(side)
    assert run(job).summary["hints"] == [f"toy: {line.format('')}"] * bool(side)


def test_a_job_whose_weights_are_all_0_has_a_hint(config):
    hints = run(config(events={"weight": {"gen": "zero"}})).summary["hints"]
    assert hints == ["toy: every histogram is empty: is a factor of events.weight 0 for all events?"]


def test_the_branches_of_the_next_files_are_looked_up(config, write_root):
    other = write_root("other.root", {"Events": {"run": np.arange(2)}})
    job = config()
    first = next(iter(job.datasets["toy"].files))
    dataset = job.datasets["toy"].model_copy(update={"files": {first: "Events", other: "Events"}})
    with pytest.raises(ConfigError) as caught:
        check_inputs(job.model_copy(update={"datasets": {"toy": dataset}}))
    assert list(caught.value.problems) == [
        f"grids.calo.dense.branch: {other}: no branch 'cells'; there are run"
    ]


def test_cells_that_are_all_zero_are_remarked(config):
    job = config(**dense("zeros"))
    remark = "grid 'calo' is empty in the first 5 entries: is 'zeros' the branch of its cells?"
    assert check_inputs(job).others == [f"grids.calo: dataset toy: {remark}"]
    assert run(job).summary["hints"] == [
        "toy: not a single cluster in Jet; grid calo seems to be empty: is its branch right?"
    ]


# 5 events of 48 equal cells have a cluster each, in the first of them; one_cell has a single 1
@pytest.mark.parametrize(
    ("branch", "cuts", "found"),
    [
        (
            "cells",
            {"seed_threshold": 50},
            "5 without seed_threshold (> 50 counts), the highest seed is 1 counts",
        ),
        (
            "one_cell",
            {"seed_threshold": 0, "sum_threshold": 50},
            "1 without sum_threshold (>= 50 counts), the highest peak_sum is 1 counts",
        ),
        ("cells", {"seed_threshold": 0, "min_neighbours": 30}, "5 without min_neighbours (30)"),
        (
            "one_cell",
            {"seed_threshold": 2, "sum_threshold": 50},
            "1 without sum_threshold (>= 50 counts) and seed_threshold (> 2 counts)",
        ),
    ],
)
def test_the_cut_that_leaves_no_cluster_is_named(config, branch, cuts, found):
    job = config(**dense(branch), tie_rule="first", **cuts)
    said = f"the first 5 entries have {found}: is a lower one meant?"
    assert check_inputs(job).others == [f"clusters.Jet: dataset toy: there is not a single cluster, and {said}"]
    assert run(job).summary["hints"] == [f"toy: not a single cluster in Jet; {said}"]


def test_a_job_without_events_has_no_hint_of_its_clusters(config):
    hint = "toy: not a single entry; are its files and trees the right ones?"
    assert run(config(tree="Empty")).summary["hints"] == [hint]


def test_gains_that_leave_no_energy_are_asked_about(config, tmp_path):
    table = tmp_path / "gains.csv"
    table.write_text("row,col,gain\n" + "".join(f"{row},{col},0\n" for row in range(6) for col in range(8)))
    found = check_inputs(
        config(grid={"dense": {"branch": "cells"}, "cells": str(table)}, seed_threshold=0)
    ).others
    said = f"grid 'calo' is empty in the first 5 entries: what do the gains of {table} make of cells?"
    assert found == [f"grids.calo: dataset toy: {said}"]


@pytest.mark.parametrize(
    ("preset", "angle", "remark"),
    [
        ("hexagon-7", 60, None),
        ("hexagon-7-uv", 120, None),
        ("crystal-3x3", 60, None),
        ("hexagon-7", 120, "has (1, -1), which is not a neighbour on the hexagons of 'calo' with angle 120"),
        ("hexagon-7-uv", 60, "has (1, 1), which is not a neighbour on the hexagons of 'calo' with angle 60"),
    ],
)
def test_neighbours_on_hexagons_of_another_angle_are_remarked_on(preset, angle, remark):
    config = parse_config(
        small(
            f"grids.calo.hexagons={{angle: {angle}}}",
            f"clusters.Jet.preset={preset}",
            "clusters.Jet.seed_threshold=1",
        )
    )
    expected = [f"Jet: {key}_window {remark}" for key in ("search", "sum")] if remark else []
    other = {60: "hexagon-7", 120: "hexagon-7-uv"}[angle]
    assert list(oblique_windows(config)) == [f"{line}: is the preset {other} meant?" for line in expected]


def test_hits_outside_their_grid_are_a_remark(config):
    job = config(**hits(), seed_threshold=0.5)
    assert check_inputs(job).others == []
    small_plane = job.model_copy(update={"grids": {"calo": {**PLANE, "rows": {"n": 3}, "hits": HITS}}})
    (remark,) = check_inputs(small_plane).others
    assert remark.startswith("grids.calo: dataset toy: 2 hits of the first 5 entries lie outside grid 'calo': ")
    assert remark.endswith(
        ": row is 3 to 5 for 2 of them, rows has index (0 to 2): does rows need more cells, or labels?"
    )


FRIENDS = {
    "no_such_tree": ("Emulator", "no tree 'Emulator'; there are Events, Empty"),
    "another_number_of_entries": (
        "Empty",
        (
            "'Empty' has 0 entries, the main tree 5: its branches cannot be used, the entries of a friend are "
            "those of the events, name another tree of the file"
        ),
    ),
}


@pytest.mark.parametrize(("tree", "problem"), FRIENDS.values(), ids=FRIENDS)
def test_a_friend_that_is_wrong_is_told_before_a_branch_of_it_is_used(config, tree, problem):
    job = config(seed_threshold=0.5)
    (path,) = job.datasets["toy"].files
    job = job.model_copy(update={"friends": {"emu": tree, "self": "Events"}})
    assert check_inputs(job).others == [f"friends.emu: {path}: {problem}"]
    used = job.model_copy(update={"events": {"keep": ["emu:number"]}})
    with pytest.raises(ConfigError) as error:
        check_inputs(used)
    assert error.value.problems == (f"friends.emu: {path}: {problem}",)


def test_a_file_whose_cells_are_cut_off_is_to_be_copied_again(config, write_root):
    job = config()
    cells = np.random.default_rng(1).normal(size=(300, 6, 8))  # noise is not compressed
    numbers = {name: np.arange(300) for name in ("run", "luminosityBlock", "event")}
    path = Path(write_root("a.root", {"Events": {**numbers, "cells": cells}}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError) as error:
        check_inputs(job)
    (problem,) = error.value.problems
    assert problem.startswith(
        f"grids.calo.dense: {path}: cannot be read as a ROOT file, it is cut short or damaged"
    )
    assert problem.endswith(": copy it again")
