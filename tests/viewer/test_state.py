"""The state of the viewer, without a browser: its clusters are those of the library, whatever is changed."""

import awkward as ak
import numpy as np
import pytest
import yaml

import hep_peaksum as ps
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.sections import ClusterInput
from hep_peaksum.viewer.notebook import first_state
from hep_peaksum.viewer.section_yaml import section_yaml
from hep_peaksum.viewer.sources import config_of, source_of_config
from hep_peaksum.viewer.state import ViewState

PAIR = np.zeros((2, 5, 6))
PAIR[0, 1, 1], PAIR[0, 1, 2], PAIR[0, 3, 4] = 4, 4, 2  # two equal cells, and a small one
PAIR[1, 2, 2] = 7


def found(state):
    """Return row, column and sum of every cluster that is shown."""
    return list(zip(*(state.clusters[name].to_list() for name in ("row", "col", "peak_sum")), strict=True))


def expected(cells, settings, grid=None, **maps):
    clusters = ps.find_clusters(cells, settings, grid, fields=["row", "col", "peak_sum"], **maps)[0]
    return list(zip(*(clusters[name].to_list() for name in ("row", "col", "peak_sum")), strict=True))


def test_a_tie_rule_changes_the_clusters():
    state = first_state(PAIR)
    assert found(state) == [(1, 1, 8.0), (3, 4, 2.0)]
    assert found(state.changed(tie_rule="all")) == [(1, 1, 8.0), (1, 2, 8.0), (3, 4, 2.0)]
    assert found(state.changed(tie_rule="none")) == [(3, 4, 2.0)]
    assert found(state) == [(1, 1, 8.0), (3, 4, 2.0)]


def test_another_event_keeps_the_settings():
    state = first_state(PAIR).changed(seed_threshold=3).at(1)
    assert found(state) == [(2, 2, 7.0)]
    assert state.settings.seed_threshold == 3
    with pytest.raises(ValueError, match="there are 2 events, there is no event 2"):
        state.at(2)
    with pytest.raises(ValueError, match="no event -1"):
        state.at(-1)


@pytest.mark.parametrize(
    "keys",
    [
        {"seed_threshold": 2.5},
        {"sum_window": (1, 5)},
        {"search_window": ">=>\n=o=\n>=>", "sum_window": "x.\nxo"},
        {"overlap": "highest", "tie_rule": "all", "sum_window": (5, 5)},
        {"sum_threshold": "9 GeV"},
        {"tie_rule": "greedy"},
        {"tie_rule": "greedy-residual"},
        {"coarsen": (2, 2)},
    ],
    ids=str,
)
def test_the_clusters_are_those_of_find_clusters(keys, random_cells):
    cells, grid = (
        random_cells(3, shape=(6, 8)),
        {"rows": {"n": 6}, "cols": {"n": 8, "periodic": True}, "unit": 1},
    )
    state = first_state(cells, {"seed_threshold": 1}, grid).at(2).changed(**keys)
    assert found(state) == expected(cells[2:3], {"seed_threshold": 1, **keys}, grid)
    content = yaml.safe_load(state.yaml())["clusters"]["Cluster"]
    assert ClusterInput.model_validate(content).settings == state.settings


def test_a_box_replaces_a_drawing_and_its_tie_rule():
    drawn = first_state(PAIR).changed(search_window="==>\n=o>\n>>>")
    assert drawn.settings.tie_rule == "drawn"
    boxed = drawn.changed(search_window=(3, 3))
    assert boxed.settings == ps.PeakSumSettings()


def test_what_cannot_be_is_the_error_of_the_library():
    state = first_state(PAIR)
    with pytest.raises(ValueError, match="give two odd numbers"):
        state.changed(search_window=(2, 3))
    with pytest.raises(ValueError, match="unit"):
        state.changed(seed_threshold="4 GeV")
    with pytest.raises(ValueError, match="noise"):
        state.changed(seed_threshold="4 sigma")


def test_who_holds_a_cell():
    cells = np.zeros((1, 3, 7))
    cells[0, 1] = [0, 4, 1, 5, 0, 0, 9]
    state = first_state(cells, {"sum_window": (1, 3), "seed_threshold": 4, "seed_comparison": ">="})
    assert found(state) == [(1, 6, 9.0), (1, 3, 6.0), (1, 1, 5.0)]
    assert state.holders[1].tolist() == ["3", "3", "2, 3", "2", "2", "1", "1"]
    assert set(state.holders[0]) == {""}
    assert state.changed(overlap="highest").holders[1].tolist() == ["3", "3", "2", "2", "2", "1", "1"]
    cut = state.changed(sum_threshold=6)
    assert cut.holders[1].tolist() == ["dropped", "dropped", "2, dropped", "2", "2", "1", "1"]


def test_towers_are_drawn_where_cells_are_pooled():
    cells = np.arange(24.0).reshape(1, 4, 6)
    state = first_state(cells, {"coarsen": (2, 3)})
    assert state.cells.tolist() == [[24, 42], [96, 114]]
    assert state.holders.tolist() == [["1", "1"], ["1", "1"]]
    fine = state.changed(sum_over="cells", sum_window=(1, 1))
    assert fine.holders.tolist() == [["", ""], ["", "1"]]


def test_masked_cells_have_no_energy_and_no_holder():
    state = first_state(PAIR[:1], mask=PAIR[0] == 2)
    assert np.isnan(state.cells[3, 4])
    assert found(state) == [(1, 1, 8.0)]
    assert state.holders[3, 4] == ""
    assert "is masked" in str(state.why(3, 4))


def test_why_not_here_is_the_answer_of_explain():
    state = first_state(PAIR)
    for row, col in np.ndindex(5, 6):
        assert str(state.why(row, col)) == str(ps.explain(PAIR[0], row=row, col=col))
    assert "the seed must be >" in str(state.why(1, 2))


@pytest.mark.parametrize("layers", ["sum", "each"])
def test_layers(layers, random_cells):
    cells = random_cells(6, shape=(5, 6)).reshape(2, 3, 5, 6)
    state = first_state(cells, {"seed_threshold": 1}, layers=layers)
    clusters = ps.find_clusters(cells[:1], {"seed_threshold": 1}, layers=layers)[0]
    assert found(state) == expected(cells[:1], {"seed_threshold": 1}, layers=layers)
    if layers == "sum":
        assert state.cells.tolist() == cells[0].sum(axis=0).tolist()
        assert str(state.why(2, 2)) == str(ps.explain(cells[0], {"seed_threshold": 1}, row=2, col=2))
        return
    state = state.on(layer=1)
    assert state.cells.tolist() == cells[0, 1].tolist()
    assert state.clusters[state.drawn].to_list() == clusters[clusters.layer == 1].to_list()
    assert str(state.why(2, 2)) == str(ps.explain(cells[0, 1], {"seed_threshold": 1}, row=2, col=2))


def test_the_counts_are_those_of_find_clusters(random_cells):
    cells, grid = random_cells(20), {"rows": {"n": 6}, "cols": {"n": 8}, "unit": 0.5}
    state = first_state(cells, {"tie_rule": "all"}, grid, n_sample=15)
    counts = list(state.counts())
    assert len(counts) == 16
    for count in counts:
        settings = {"tie_rule": "all", "seed_threshold": count.threshold}
        clusters = ps.find_clusters(cells[:15], settings, grid)
        assert count.n_clusters == ak.sum(ak.num(clusters)), count
    assert counts[0].n_clusters > counts[-1].n_clusters
    assert counts[-1].position == cells[:15].max() * 0.5


@pytest.mark.parametrize("highest", [0, -2])
def test_where_no_energy_is_above_zero_no_threshold_is_counted(highest):
    state = first_state(np.full((2, 3, 4), highest))
    assert (state.thresholds(), list(state.counts())) == ([], [])


@pytest.mark.parametrize(
    ("settings", "unit"),
    [
        ({}, "GeV"),
        ({"seed_threshold": "2 sigma"}, "sigma"),
        ({"quantity": "significance", "seed_threshold": 2}, "sigma"),
    ],
    ids=["energy", "sigma", "significance"],
)
def test_the_threshold_of_the_curve_is_in_the_unit_of_what_is_compared(random_cells, settings, unit):
    plane = {"rows": {"n": 6}, "cols": {"n": 8}, "unit": 1}
    assert first_state(random_cells(2), settings, plane, noise=np.full((6, 8), 2.0)).threshold_unit == unit


def test_counts_against_a_threshold_in_sigma(random_cells):
    cells, noise = random_cells(5), np.full((6, 8), 2.0)
    state = first_state(cells, {"seed_threshold": "2 sigma"}, noise=noise)
    assert (state.threshold_unit, state.threshold_position) == ("sigma", 2.0)
    count = list(state.counts())[3]
    settings = {"seed_threshold": count.threshold}
    assert count.threshold == "2 sigma"
    assert count.n_clusters == ak.sum(ak.num(ps.find_clusters(cells, settings, noise=noise)))


def test_a_collection_on_two_grids(write_root, job, random_cells):
    em, had = random_cells(4, seed=1), random_cells(4, seed=2)
    path = write_root("two.root", {"Events": {"em": em, "had": had}})
    plane = {"rows": {"name": "x", "bins": 6, "start": 0, "stop": 6}, "cols": {"n": 8}, "unit": "1 GeV"}
    grids = {name: {"dense": {"branch": name, "shape": [6, 8]}, **plane} for name in ("em", "had")}
    clusters = {"Both": {"grid": ["em", "had"], "max_clusters": 3}}
    state = ViewState.first(
        source_of_config(parse_config(job(path, grids=grids, clusters=clusters, events={})))
    )
    rows, cols = np.asarray(state.clusters.row), np.asarray(state.clusters.col)
    assert len(rows) == 3
    for name, cells in (("em", em), ("had", had)):
        state = state.on(name)
        assert state.cells.tolist() == cells[0].tolist()
        for number in state.drawn:
            assert str(number + 1) in state.holders[rows[number], cols[number]].split(", ")


def test_another_collection_is_shown_from_its_first_layer(write_root, job, random_cells):
    layered, flat = random_cells(6).reshape(2, 3, 6, 8), random_cells(2)
    path = write_root("layers.root", {"Events": {"layered": layered, "flat": flat}})
    plane = {"rows": {"n": 6}, "cols": {"n": 8}}
    by_layer = {"dense": {"branch": "layered", "axes": ["layer", "row", "col"]}, "layers": "each"}
    grids = {"layered": {**by_layer, **plane}, "flat": {"dense": {"branch": "flat"}, **plane}}
    content = job(
        path, grids=grids, clusters={"Each": {"grid": "layered"}, "Flat": {"grid": "flat"}}, events={}
    )
    state = ViewState.first(source_of_config(parse_config(content))).on(layer=2).of("Flat")
    assert state.cells.tolist() == flat[0].tolist()


def test_a_preset_and_what_overrides_it():
    grid = {"rows": {"n": 5}, "cols": {"n": 6}, "unit": 0.5}
    with pytest.raises(ValueError, match="the grid has no unit"):
        first_state(PAIR).with_preset("cms-l1-jet")
    state = first_state(PAIR, grid=grid).with_preset("cms-l1-jet")
    assert state.settings == ps.preset("cms-l1-jet")[0]
    assert yaml.safe_load(state.yaml()) == {"clusters": {"Cluster": {"grid": "calo", "preset": "cms-l1-jet"}}}
    changed = state.changed(tie_rule="all")
    assert yaml.safe_load(changed.yaml())["clusters"]["Cluster"]["tie_rule"] == "all"


@pytest.mark.parametrize("name", ps.presets())
def test_the_yaml_of_a_preset_and_of_any_change_gives_the_settings(name):
    section = ClusterInput(grid="calo", preset=name)
    assert yaml.safe_load(section_yaml("A", section)) == {"clusters": {"A": {"grid": "calo", "preset": name}}}
    for settings in (ps.PeakSumSettings(), ps.preset("cms-l1-tau")[0], ps.preset("lhcb-calo")[0]):
        other = section.model_copy(update={"settings": settings})
        content = yaml.safe_load(section_yaml("A", other))["clusters"]["A"]
        assert ClusterInput.model_validate(content).settings == settings


def test_references_are_read_with_the_event(data, monkeypatch):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data("cms_L1Ntuple.root").parent))
    from places import ROOT

    state = ViewState.first(source_of_config(config_of(ROOT / "configs" / "cms-l1-closure.yaml")))
    jets = state.event.objects["reference of Jet"]
    assert sorted(zip(*(each.tolist() for each in jets.places), strict=True)) == sorted(
        zip(state.clusters.row.to_list(), state.clusters.col.to_list(), strict=True)
    )
