"""What the viewer opens: a config, a ROOT file, the results of a job; and what stands on its picture."""

import numpy as np
import pytest
import yaml

from hep_peaksum import toy
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import run
from hep_peaksum.preview.closure import closure
from hep_peaksum.viewer import drawing
from hep_peaksum.viewer.notebook import first_state
from hep_peaksum.viewer.sources import config_of, source_of_arrays, source_of_config
from hep_peaksum.viewer.state import ViewState


@pytest.fixture
def truth_job(tmp_path):
    """Return a config of toy events, whose showers are references."""
    toy.write_events(tmp_path / "toy.root", toy.make_events(5, seed=3))
    plane = {
        "rows": {"name": "eta", "bins": 24, "start": -3, "stop": 3},
        "cols": {"name": "phi", "bins": 16, "start": 0, "stop": "2pi", "periodic": True},
    }
    content = {
        "datasets": {"toy": {"files": {str(tmp_path / "toy.root"): "Events"}}},
        "grids": {"calo": {"dense": {"branch": "calo_e", "shape": [24, 16]}, **plane, "unit": "1 GeV"}},
        "clusters": {"Cluster": {"grid": "calo", "seed_threshold": "1 GeV"}},
        "references": {
            "Shower": {"eta": "Shower_eta", "phi": "Shower_phi"},
        },
        "output": {"directory": str(tmp_path / "results"), "plots": False},
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_config_with_overrides(truth_job):
    config = config_of(truth_job, ["clusters.Cluster.tie_rule=all"])
    assert config.clusters["Cluster"].settings.tie_rule == "all"


def test_truth_lies_on_the_cells_that_it_hits(truth_job):
    state = ViewState.first(source_of_config(config_of(truth_job)))
    truth = toy.make_events(5, seed=3).truth[0]
    columns = drawing.object_columns(state)
    assert columns.keys() == {"Shower"}
    points = zip(columns["Shower"]["x"], columns["Shower"]["y"], strict=True)
    # the azimuth of the columns of this config begins at 0, half a turn from that of the toy
    at = [(row, (col + 8) % 16) for row, col in (drawing.cell_at(state, x, y) for x, y in points)]
    assert len(at) > 1
    assert at == list(zip(truth.row.to_list(), truth.col.to_list(), strict=True))


def test_references_are_shown_in_the_datasets_that_have_them(truth_job):
    showers = "{eta: Shower_eta, phi: Shower_phi, datasets: [toy]}"
    overrides = [f"datasets.other={{files: {truth_job.parent}/toy.root}}", f"references.Shower={showers}"]
    config = config_of(truth_job, overrides)
    source = source_of_config(config)
    assert [[*source.read(name, 0).objects] for name in ("toy", "other")] == [["Shower"], []]


@pytest.mark.parametrize("coarsen", [(1, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("has_coordinates", [False, True])
def test_a_reference_on_towers_lies_at_its_cluster(write_events, job, has_coordinates, coarsen):
    cells = np.zeros((1, 8, 8))
    cells[0, 4, 6] = 9
    tower = [4 // coarsen[0], 6 // coarsen[1]]
    axes = {"rows": {"n": 8}, "cols": {"n": 8}}
    if has_coordinates:
        names = {"rows": "y", "cols": "x"}
        axes = {word: {"name": name, "bins": 8, "start": 0, "stop": 80} for word, name in names.items()}
        tower = [42.0, 63.0]
    places = {"row": [[tower[0], -1]], "col": [[tower[1], 3]], "sum": [[9.0, 1]]}
    content = job(write_events("a.root", 1, cells=cells, **places))
    content["grids"]["calo"] = {"dense": {"branch": "cells", "shape": [8, 8]}, **axes}
    content["clusters"]["Jet"] |= {"coarsen": coarsen, "reference": {word: word for word in places}}
    config = parse_config(content)
    state = ViewState.first(source_of_config(config))
    ours, theirs = drawing.seed_columns(state), drawing.object_columns(state)["reference of Jet"]
    assert [theirs["x"].tolist(), theirs["y"].tolist()] == [ours["x"].tolist(), ours["y"].tolist()]
    (point,) = zip(theirs["x"], theirs["y"], strict=True)
    assert drawing.cell_at(state, *point) == (4 // coarsen[0], 6 // coarsen[1])
    assert closure(config)["Jet"].n_matched == 1


def test_a_results_folder_is_viewed_with_the_config_of_its_job(truth_job, tmp_path):
    config = config_of(truth_job)
    with pytest.raises(ValueError, match="not a results directory"):
        config_of(tmp_path)
    run(config)
    found = config_of(tmp_path / "results")
    assert found.clusters == config.clusters
    assert found.grids == config.grids
    ours, theirs = (ViewState.first(source_of_config(each)) for each in (config, found))
    assert ours.clusters.to_list() == theirs.clusters.to_list()


def test_a_root_file_is_read_as_inspect_proposes(truth_job, tmp_path, write_root):
    state = first_state(str(tmp_path / "toy.root"))
    assert state.cells.tolist() == toy.make_events(5, seed=3).grids[0].tolist()
    empty = write_root("none.root", {"Events": {"run": np.arange(3)}})
    with pytest.raises(ValueError, match="no branch looks like a grid"):
        first_state(empty)


def test_an_entry_that_is_not_there(truth_job):
    with pytest.raises(ValueError, match="there is no entry 5"):
        ViewState.first(source_of_config(config_of(truth_job)), entry=5)


def test_arrays_are_events_and_one_plane_is_none():
    cells = np.zeros((2, 4, 5))
    cells[1, 2, 3] = 7
    source = source_of_arrays(cells)
    assert source.read("arrays", 1).cells["calo"].tolist() == [cells[1].tolist()]
    with pytest.raises(ValueError, match=r"shape \(4, 5\), .*: for one event write grids\[None\]$"):
        source_of_arrays(cells[0])
    for entry in (-1, 2):
        with pytest.raises(
            ValueError, match=f"^there are 2 events, there is no event {entry}: they count from 0$"
        ):
            source.read("arrays", entry)


def test_a_dataset_and_a_collection_that_are_not_there(truth_job):
    source = source_of_config(config_of(truth_job))
    with pytest.raises(ValueError, match="no dataset 'data'; there are toy"):
        ViewState.first(source, dataset="data")
    with pytest.raises(ValueError, match="no collection 'Jet'; there are Cluster"):
        ViewState.first(source, collection="Jet")


def test_cells_with_a_table_are_calibrated_and_masked(write_events, job, tmp_path, random_cells):
    dead = np.unravel_index(random_cells(3)[0].argmax(), (6, 8))
    lines = [f"{r},{c},2,0.5,{int((r, c) == dead)}" for r, c in np.ndindex(6, 8)]
    (tmp_path / "cells.csv").write_text("\n".join(["row,col,gain,noise,status", *lines]))
    content = job(write_events("a.root", 3))
    content["grids"]["calo"]["cells"] = str(tmp_path / "cells.csv")
    state = ViewState.first(source_of_config(parse_config(content)))
    expected = 2.0 * random_cells(3)[0]
    expected[dead] = np.nan
    np.testing.assert_array_equal(state.cells, expected)
    assert state.has_noise
    assert "is masked" in str(state.why(*dead))
    assert len(list(state.counts())) == 16
    assert state.changed(seed_threshold="5 sigma").threshold_unit == "sigma"
    row, col = state.clusters.row[0], state.clusters.col[0]
    assert state.why(int(row), int(col)).is_seed


def test_a_cell_that_is_no_number_is_an_error_that_names_the_entry(write_events, job):
    path = write_events("bad.root", 2)
    content = job(path)
    state = ViewState.first(source_of_config(parse_config(content)))
    state.event.cells["calo"][0, 1, 2] = np.nan  # as if it had been read
    with pytest.raises(ValueError, match=r"entry 0: .*row 1.*2"):
        state.changed(tie_rule="all")


def test_settings_beside_a_file_are_refused(truth_job):
    with pytest.raises(ValueError, match="a file has its own settings"):
        first_state(str(truth_job), {"tie_rule": "all"})


def test_the_azimuth_begins_at_minus_pi_as_the_field_does():
    cells = np.zeros((1, 3, 8))
    cells[0, 1, 5] = 7  # from 5/4 pi to 3/2 pi, whose centre is at -5/8 pi
    phi = {"name": "phi", "bins": 8, "start": 0, "stop": "2pi", "periodic": True}
    state = first_state(
        cells, {"sum_window": (1, 3)}, {"rows": {"name": "eta", "edges": [0, 1, 2, 3]}, "cols": phi}
    )
    (at,) = drawing.seed_columns(state)["y"]
    assert at == pytest.approx(-5 / 8 * np.pi)
    assert at == pytest.approx(state.clusters.phi[0])
    (filled,) = np.stack([drawing.filled_columns(state)[side] for side in ("bottom", "top")], axis=-1)
    assert filled == pytest.approx([-3 / 4 * np.pi, -1 / 2 * np.pi])
    lines = drawing.outline_columns(state)
    assert (min(lines["y0"]), max(lines["y1"])) == pytest.approx((-np.pi, -np.pi / 4))
    assert drawing.cell_at(state, 1.5, at) == (1, 5)


@pytest.mark.parametrize("name", ["phi", "turned", "none"])
def test_every_cell_is_found_at_its_centre(name):
    turn = {"name": "phi", "bins": 4, "start": "-pi", "stop": "pi"}
    axes = {
        "phi": turn,
        "turned": {**turn, "start": 1, "stop": 7.283185307179586, "periodic": True},
        "none": {"n": 4},
    }
    rows = {"n": 3} if name == "none" else {"name": "eta", "edges": [-2, -1, 0, 3]}
    grid = {"rows": rows, "cols": axes[name]}
    state = first_state(np.arange(12.0).reshape(1, 3, 4), grid=grid)
    cells = drawing.cell_columns(state)
    x, y = ((cells[low] + cells[high]) / 2 for low, high in (("left", "right"), ("bottom", "top")))
    at = [drawing.cell_at(state, *point) for point in zip(x, y, strict=True)]
    assert at == list(np.ndindex(3, 4)) == list(zip(cells["row"], cells["col"], strict=True))
    assert drawing.cell_at(state, x.min() - 10, y[0]) is None


def test_colours_of_cells():
    scale = drawing.scale_of(np.array([[0.0, 1.0, 2.0]]))
    colours = drawing.fill_colours(np.array([[0.0, -1.0, np.nan, 2.0]]), scale)
    assert colours == [drawing.EMPTY, drawing.NEGATIVE, drawing.NEGATIVE, drawing.palette()[-1]]


def test_the_outline_of_a_window_is_that_of_the_pictures():
    cells = np.zeros((1, 6, 8))
    cells[0, [0, 3, 5], [0, 4, 7]] = 1, 2, 3
    grid = {"rows": {"n": 6}, "cols": {"n": 8, "periodic": True}}
    state = first_state(cells, {"sum_window": "xx.\n.ox"}, grid)
    found = {tuple(each) for each in np.stack([*drawing.outline_columns(state).values()], axis=-1).tolist()}
    from hep_peaksum.plotting import canvas

    view, expected = canvas.View.of(state.grid), set()
    for row, col in ((0, 0), (3, 4), (5, 7)):
        ends = view.points(canvas.window_outline(row, col, state.settings.sum_cells(), state.grid))
        expected |= {tuple(each) for each in ends.reshape(-1, 4).tolist()}
    assert found == expected


def test_hostile_names_are_escaped():
    state = first_state(np.ones((1, 3, 3)))
    state = state.at(0)
    source = state.source._replace(collections={"<b>x": state.section})
    table = drawing.cluster_table(ViewState.first(source))
    assert "<b>x" not in table
    assert "&lt;b&gt;x: 1 cluster" in table


def test_a_dataset_without_entries_has_no_event_to_show(write_events, job):
    source = source_of_config(parse_config(job(write_events("a.root", 0))))
    with pytest.raises(ValueError, match="dataset 'toy' has no entries, hence no entry 0"):
        ViewState.first(source)
