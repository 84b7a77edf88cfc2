"""Wrong arguments of the functions in Python: each answer is one line with what was given and what to do."""

import pickle

import awkward as ak
import numpy as np
import pytest

import hep_peaksum as ps
from hep_peaksum import Axis, Grid, PeakSumSettings, find_clusters
from hep_peaksum.config.load import load_config
from hep_peaksum.settings.frozen_model import SettingsError

CELLS = np.arange(2 * 6 * 8, dtype="f4").reshape(2, 6, 8)
GRID = Grid(rows=Axis(n=6), cols=Axis(n=8))
ETA_PHI = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
)
LIKE_SETTINGS = "expected PeakSumSettings, a map of their keys, or the name of a preset"

WRONG = {
    # find_clusters and its relatives
    "a_single_event": (lambda: find_clusters(CELLS[0], {}, GRID), "for a single event pass grids[None]"),
    "swapped_axes": (
        lambda: find_clusters(CELLS.transpose(0, 2, 1), {}, GRID),
        "grids have shape (2, 8, 6), the grid has 6 x 8 cells: swap rows and cols of the grid",
    ),
    "events_along_the_last_axis": (
        lambda: find_clusters(np.zeros((6, 8, 2)), {}, GRID),
        "grids have shape (6, 8, 2), the grid has 6 x 8 cells: events come first, (event, row, col): give ",
    ),
    "a_config_for_settings": (
        lambda: find_clusters(CELLS, "job.yaml"),
        f"settings is 'job.yaml', a file, {LIKE_SETTINGS}: of a config take load_config('job.yaml').clusters[",
    ),
    # fields of clusters
    "four_vectors_of_bare_indices": (
        lambda: find_clusters(CELLS, {}, GRID).pt,
        "the clusters have no field 'pt': it needs a grid with axes named eta and phi; there are ",
    ),
    "a_field_in_brackets": (
        lambda: find_clusters(CELLS, {}, GRID)["pt"],
        "the clusters have no field 'pt': it needs a grid with axes named eta and phi; there are ",
    ),
    "a_field_of_a_slice": (
        lambda: find_clusters(CELLS, {}, GRID)[:1].pt,
        "the clusters have no field 'pt': it needs a grid with axes named eta and phi; there are ",
    ),
    "a_field_of_one_cluster": (
        lambda: find_clusters(CELLS, {}, ETA_PHI)[0][0].layer,
        "the clusters have no field 'layer': it needs layers='each'; there are peak_sum",
    ),
    "layers_of_a_plane": (
        lambda: find_clusters(CELLS, {}, GRID).layer,
        "the clusters have no field 'layer': it needs layers='each'; there are peak_sum",
    ),
    "layers_of_four_vectors": (
        lambda: find_clusters(CELLS, {}, ETA_PHI).layer,
        "the clusters have no field 'layer': it needs layers='each'; there are peak_sum",
    ),
    "a_field_that_was_not_asked_for": (
        lambda: find_clusters(CELLS, {}, GRID).prominence,
        "the clusters have no field 'prominence': name it in fields=[..., 'prominence']; there are peak_sum",
    ),
    "pile_up_without_an_estimate": (
        lambda: find_clusters(CELLS, {}, GRID).donut,
        "the clusters have no field 'donut': name it in pileup of the settings; there are peak_sum",
    ),
    "a_misspelt_field_of_clusters": (
        lambda: find_clusters(CELLS, {}, GRID).peaksum,
        "the clusters have no field 'peaksum' (did you mean 'peak_sum'?); there are peak_sum",
    ),
    # the processor
    "a_config_for_a_processor": (
        lambda: ps.PeakSumProcessor("job.yaml"),
        "takes the sections of a config by name: write PeakSumProcessor(**load_config('job.yaml').job()), load",
    ),
    "sections_in_one_map": (
        lambda: ps.PeakSumProcessor({"grids": {}}),
        "PeakSumProcessor takes the sections of a config by name: write PeakSumProcessor(**sections)",
    ),
    "sections_of_a_whole_job": (
        lambda: ps.PeakSumProcessor(grids={}, clusters={}, output={}, run={}),
        "PeakSumProcessor has no 'output', 'run': leave out what is not one; there are grids, clusters, ",
    ),
    "a_misspelt_section": (
        lambda: ps.PeakSumProcessor(grids={}, cluster={}),
        "PeakSumProcessor has no 'cluster' (did you mean 'clusters'?); there are grids, clusters, ",
    ),
    "another_grid": (
        lambda: find_clusters(CELLS, {}, "cms-l1-towers"),
        "grids have shape (2, 6, 8), the grid has 80 x 72 cells: give the grid of these cells",
    ),
    "the_grid_before_the_settings": (
        lambda: find_clusters(CELLS, GRID, PeakSumSettings()),
        f"settings is a Grid, {LIKE_SETTINGS}: settings come before the grid",
    ),
    "both_of_a_preset": (
        lambda: find_clusters(CELLS, ps.preset("keras-3x3")),
        f"settings is a tuple, {LIKE_SETTINGS}: preset() returns two, write settings, grid = preset(...)",
    ),
    "a_shape_for_a_grid": (
        lambda: find_clusters(CELLS, {}, (6, 8)),
        "grid is (6, 8), expected a Grid, a map of its keys, or the name of a geometry, as in ",
    ),
    "a_misspelt_key": (
        lambda: find_clusters(CELLS, {"seed_treshold": 3}),
        "PeakSumSettings has no 'seed_treshold' (did you mean 'seed_threshold'?)",
    ),
    "a_misspelt_preset": (
        lambda: find_clusters(CELLS, "keras-3x"),
        "no preset is called 'keras-3x' (did you mean 'keras-3x3'?): there are keras-3x3, ",
    ),
    "a_misspelt_geometry": (
        lambda: find_clusters(CELLS, {}, "cms-towers"),
        "no geometry is called 'cms-towers' (did you mean 'cms-l1-towers'?): there are cms-l1-towers",
    ),
    "ragged_events": (
        lambda: find_clusters(ak.Array([[[1, 2], [3]]])),
        "grids: the events differ in their numbers of cells, expected (event, row, col): make grids ",
    ),
    "ragged_lists": (
        lambda: find_clusters([[[1, 2], [3]]]),
        "grids: the events differ in their numbers of cells, expected (event, row, col): make grids ",
    ),
    "text_for_cells": (
        lambda: find_clusters(np.full((1, 2, 2), "a")),
        "cells must be real numbers, these are of type <U1: convert them first",
    ),
    "a_mask_of_numbers": (
        lambda: find_clusters(CELLS, mask=np.zeros((6, 8), int)),
        "mask is int64 of shape (6, 8), expected bool of shape (6, 8) or (2, 6, 8): convert it to bool, true",
    ),
    "noise_of_another_shape": (
        lambda: find_clusters(CELLS, noise=np.zeros((8, 6))),
        "noise is float64 of shape (8, 6), expected numbers of shape (6, 8) or (2, 6, 8)",
    ),
    "sigma_without_noise": (
        lambda: find_clusters(CELLS, {"seed_threshold": "3 sigma"}),
        "seed_threshold '3 sigma' needs the noise of the cells: give noise, in counts",
    ),
    "a_word_for_layers": (
        lambda: find_clusters(CELLS, layers="all"),
        "layers is 'all', expected 'sum' or 'each'",
    ),
    "a_field": (
        lambda: find_clusters(CELLS, fields=["peaksum"]),
        "no field is called 'peaksum' (did you mean 'peak_sum'?); there are peak_sum, ",
    ),
    "a_field_without_positions": (
        lambda: find_clusters(CELLS, {}, GRID, fields="pt"),
        "field 'pt' needs positions on an axis named eta and one named phi: add name and edges",
    ),
    "a_number_for_a_field": (
        lambda: find_clusters(CELLS, {}, GRID, fields=["seed", 3]),
        "fields: 3 is not the name of a field: name one or more of peak_sum, seed",
    ),
    "a_number_for_the_fields": (
        lambda: find_clusters(CELLS, {}, GRID, fields=3),
        "fields: 3 is not the name of a field: name one or more of peak_sum, seed",
    ),
    "hits_on_a_shape": (
        lambda: ps.from_hits([[1]], [[2]], [[3]], (6, 8)),
        "grid is (6, 8), expected a Grid: write Grid(rows=Axis(n=6), cols=Axis(n=8))",
    ),
    "sparse_hits_on_a_name": (
        lambda: ps.sparse([[1]], [[2]], [[3]], "cms-l1-towers"),
        "grid is 'cms-l1-towers', expected a Grid: write named_grid('cms-l1-towers')",
    ),
    "hits_on_a_map": (
        lambda: ps.from_hits([[1]], [[2]], [[3]], {"rows": {"n": 6}, "cols": {"n": 8}}),
        "grid is {'rows': {'n': 6}, 'cols': {'n': 8}}, expected a Grid: write Grid(**keys)",
    ),
    "hits_on_no_grid": (
        lambda: ps.sparse([[1]], [[2]], [[3]], None),
        "grid is None, expected a Grid: write Grid(rows=Axis(n=24), cols=Axis(n=16))",
    ),
    "a_number_for_the_cells_of_an_event": (
        lambda: ps.from_dense(np.zeros(3), GRID),
        "the array has one number an event, the grid needs (6, 8) (row, col): name the branch of all cells, ",
    ),
    "dense_cells_on_a_shape": (
        lambda: ps.from_dense(CELLS, (6, 8)),
        "grid is (6, 8), expected a Grid: write Grid(rows=Axis(n=6), cols=Axis(n=8))",
    ),
    "a_setting_by_itself": (
        lambda: find_clusters(CELLS, seed_threshold=0.5),
        "seed_threshold is a key of the settings, not an argument: give settings={'seed_threshold': 0.5}",
    ),
    "a_setting_of_a_map": (
        lambda: ps.peak_sum_map(CELLS, tie_rule="all"),
        "tie_rule is a key of the settings, not an argument: give settings={'tie_rule': 'all'}",
    ),
    "no_argument_at_all": (
        lambda: find_clusters(CELLS, colour=1),
        "find_clusters() got an unexpected keyword argument 'colour'",
    ),
    "one_of_two_settings": (
        lambda: ps.compare(CELLS, PeakSumSettings(), GRID),
        f"settings is a Grid, {LIKE_SETTINGS}: settings come before the grid",
    ),
    "a_cell_outside": (
        lambda: ps.explain(CELLS[0], {}, GRID, row=9, col=2),
        "there is no cell (row 9, col 2) in a grid of 6 x 8 cells",
    ),
    "an_unknown_function": (
        lambda: ps.find_cluster,
        "module 'hep_peaksum' has no attribute 'find_cluster' (did you mean 'find_clusters'?)",
    ),
    # settings
    "a_window_by_place": (
        lambda: PeakSumSettings((3, 3)),
        "PeakSumSettings takes its arguments by name: PeakSumSettings(search_window=..., sum_window=...",
    ),
    "an_even_window": (
        lambda: PeakSumSettings(search_window=(4, 4)),
        "search_window: [4, 4] is not a window: give two odd numbers from 1; an even window has to be drawn",
    ),
    "a_window_of_text": (
        lambda: PeakSumSettings(search_window="(5, 5)"),
        "search_window: '(5, 5)' is not a window: write the list [5, 5], or draw the window",
    ),
    "a_zero_for_the_seed": (
        lambda: PeakSumSettings(sum_window="x0x"),
        "a window is drawn with 'o', 'x', 'g', '.', '>' and '=', not with '0': the seed is a small 'o'",
    ),
    "a_tie_rule": (
        lambda: PeakSumSettings(tie_rule="frist"),
        "tie_rule: 'frist' is not one of 'all', 'none', ",
    ),
    "a_number_in_quotes": (
        lambda: PeakSumSettings(seed_threshold="4"),
        "seed_threshold: '4' is not an energy: leave out the quotes, or add a unit, as in '4 GeV'",
    ),
    "no_threshold": (
        lambda: PeakSumSettings(seed_threshold=None),
        "seed_threshold: has no value, expected a number: give it one, or leave the key out",
    ),
    "true_for_a_threshold": (
        lambda: PeakSumSettings(seed_threshold=True),
        "seed_threshold: True is not a number",
    ),
    "a_copy_with_another_rule": (
        lambda: PeakSumSettings().model_copy(update={"tie_rule": "diagonl"}),
        "tie_rule: 'diagonl' is not one of 'all', 'none', ",
    ),
    "a_copy_with_a_rule_beside_a_drawing": (
        lambda: PeakSumSettings(search_window="=o>").model_copy(update={"tie_rule": "first"}),
        "tie_rule 'first' together with a search window drawn with '>' and '=': leave tie_rule out, or ",
    ),
    "a_copy_with_another_key": (
        lambda: PeakSumSettings().model_copy(update={"ties": "all"}),
        "PeakSumSettings has no 'ties'",
    ),
    # axes and grids
    "an_axis_by_place": (lambda: Axis(6), "Axis takes its arguments by name: Axis(name=..., n=..., "),
    "an_axis_of_a_float": (lambda: Axis(n=6.0), "n: 6.0 is not a whole number: write 6"),
    "an_axis_of_nothing": (
        lambda: Axis(name="x"),
        "an axis is given by one of n, bins/start/stop, edges",
    ),
    "an_axis_backwards": (
        lambda: Axis(bins=3, start=1, stop=0),
        "start 1 is not below stop 0: cells run from start to stop",
    ),
    "labels_that_repeat": (lambda: Axis(labels=[1, 2, 2]), "labels: the label 2 occurs twice in '1, 2, 2'"),
    "fields_of_clusters": (
        lambda: find_clusters(CELLS)[["seed", "n_masked"]],
        "the clusters have no field 'n_masked': name it in fields=[..., 'n_masked']; there are ",
    ),
    "numbers_for_axes": (
        lambda: Grid(rows=6, cols=Axis(n=8)),
        "rows: 6 is not Axis(...) or a map of its keys: write Axis(n=6)",
    ),
    "one_axis": (lambda: Grid(rows=Axis(n=6)), "cols: missing: give it"),
    "a_shape": (
        lambda: Grid(shape=(6, 8)),
        "Grid has no 'shape'; there are rows, cols, quantity, ",
    ),
    "a_unit_alone": (
        lambda: Grid(rows=Axis(n=6), cols=Axis(n=8), unit="GeV"),
        "unit: 'GeV' is not an energy: write a number and one of eV, keV, MeV, GeV, TeV, as in '4 GeV'",
    ),
    "a_quantity": (
        lambda: Grid(rows=Axis(n=6), cols=Axis(n=8), quantity="ET"),
        "quantity: 'ET' is not one of 'energy' or 'et' (did you mean 'et'?)",
    ),
    # hits and branches
    "hits_of_one_event": (
        lambda: ps.from_hits([1, 2], [1, 2], [3.0, 4.0], GRID),
        "expected a list with a number for every hit: for a single event pass [row], [col] and [energy]",
    ),
    "one_column_of_another_number_of_events": (
        lambda: ps.from_hits([[1], [2]], [[1]], [[3.0]], GRID),
        "row, col and energy have 2 events, 1 events and 1 events: give those of the same events",
    ),
    "hits_of_text": (
        lambda: ps.from_hits([["a"]], [[1]], [[3.0]], GRID),
        "row holds string, expected a number for every hit",
    ),
    "hits_that_lack_a_column": (
        lambda: ps.from_hits([[1, 2]], [[1]], [[3.0, 4.0]], GRID),
        "event 0: col has 1, energy has 2 values: give those of the same hits",
    ),
    "axes_as_text": (
        lambda: ps.from_dense(CELLS, GRID, axes="row,col"),
        "axes is 'row,col', expected a list of row and col, and layer if there is one, in the order of the ",
    ),
    "complex_cells": (
        lambda: find_clusters(CELLS.astype(complex)),
        "cells must be real numbers, these are of type complex128: convert them first",
    ),
    "a_transposed_noise": (
        lambda: find_clusters(CELLS, {}, GRID, noise=np.ones((8, 6))),
        "noise is float64 of shape (8, 6), expected numbers of shape (6, 8) or (2, 6, 8): transpose it",
    ),
    "a_negative_noise_of_a_layer": (
        lambda: find_clusters(np.ones((1, 2, 6, 8)), {}, GRID, noise=np.full((1, 2, 6, 8), -1.0)),
        "the noise of cell (row 0, col 0) is nan, expected a number 0 or above",
    ),
    "a_misspelt_key_of_an_axis": (
        lambda: Grid(rows={"bin": 4, "start": 0, "stop": 1}, cols=Axis(n=8)),
        "rows.bin: unknown key (did you mean 'bins'?)",
    ),
    "a_noise_in_words": (
        lambda: find_clusters(CELLS, {}, GRID, noise="50 MeV"),
        "noise must be numbers, in counts of the grid, these are of type <U6: give an array",
    ),
    "cells_after_the_settings": (
        lambda: ps.compare({}, CELLS, {}),
        "or the name of a preset: cells come before settings",
    ),
    "a_cell_beyond": (
        lambda: ps.explain(CELLS[0], {}, GRID, row=6, col=0),
        "there is no cell (row 6, col 0) in a grid of 6 x 8 cells: they count from 0",
    ),
    "edges_as_bins": (
        lambda: Axis(bins=[0, 1, 2]),
        "bins: [0, 1, 2] is not a whole number: write edges: [0, 1, 2]",
    ),
    "a_range": (
        lambda: Axis(bins=24, range=(-3, 3)),
        "Axis has no 'range' (did you mean 'start' and 'stop'?)",
    ),
    "a_branch_of_another_shape": (
        lambda: ps.from_dense(np.zeros((3, 8, 6)), GRID),
        "cells an event, the grid needs (6, 8) (row, col): swap rows and cols, or axes: [col, row]",
    ),
    "an_empty_window": (
        lambda: PeakSumSettings(sum_window=""),
        "sum_window: the window is empty: give [rows, cols], or draw it, as in 'xox'",
    ),
    "another_word_for_a_setting": (
        lambda: PeakSumSettings(threshold="1 GeV"),
        "PeakSumSettings has no 'threshold' (did you mean 'seed_threshold'?)",
    ),
    "a_number_for_labels": (
        lambda: Axis(labels=3),
        "labels: 3 is not a list of labels: write '1..3', or n: 3 for cells without labels",
    ),
    "a_size_for_regions": (
        lambda: Grid(rows=Axis(n=6), cols=Axis(n=8), regions=(4, 8)),
        "regions: (4, 8) is not a map of names: write {NAME: [4, 8]}",
    ),
    "a_changed_setting": (
        lambda: setattr(PeakSumSettings(), "seed_threshold", 3),
        "seed_threshold: PeakSumSettings is frozen: make a copy with .model_copy(update={'seed_threshold': 3})",
    ),
    "a_misspelt_setting": (
        lambda: setattr(PeakSumSettings(), "seed_treshold", 3),
        "PeakSumSettings has no 'seed_treshold' (did you mean 'seed_threshold'?), and is frozen",
    ),
    "a_deleted_setting": (
        lambda: delattr(GRID, "rows"),
        "rows: Grid is frozen: make a copy with .model_copy(update={'rows': ...})",
    ),
    "a_processor_without_its_grid": (
        lambda: ps.PeakSumProcessor(
            grids={"calo": {"dense": {"branch": "e", "shape": [2, 2]}}}, clusters={"Jet": {"grid": "cal"}}
        ),
        "clusters.Jet.grid: no grid 'cal' (did you mean 'calo'?); there are calo",
    ),
}


@pytest.mark.parametrize(("call", "answer"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_answered_in_one_line(call, answer):
    with pytest.raises((ValueError, TypeError, AttributeError, LookupError)) as caught:
        call()
    said = str(caught.value)
    assert answer in said
    assert "\n" not in said
    assert "pydantic" not in said


def test_settings_and_grids_may_be_given_by_their_keys_or_names():
    settings = PeakSumSettings(tie_rule="all", seed_threshold=3)
    expected = find_clusters(CELLS, settings, GRID)
    given = find_clusters(CELLS, {"tie_rule": "all", "seed_threshold": 3}, {"rows": {"n": 6}, "cols": {"n": 8}})
    assert ak.almost_equal(given, expected)
    towers = np.zeros((1, 80, 72), int)
    towers[0, 40, 30] = 20
    by_name = find_clusters(towers, "cms-l1-jet", "cms-l1-towers")
    assert ak.almost_equal(by_name, find_clusters(towers, *ps.preset("cms-l1-jet")))
    assert len(by_name[0]) == 1


def test_numbers_of_numpy_are_numbers_of_cells():
    assert Axis(n=np.int64(6)).size == 6
    with pytest.raises(ValueError, match="n: True is not a whole number"):
        Axis(n=np.bool_(True))


def test_one_field_may_stand_alone():
    assert find_clusters(CELLS, fields="seed").fields == ["seed"]


def test_a_copy_without_changes_is_the_same_settings():
    settings = PeakSumSettings(search_window="=o>", pileup=["ring_median"])
    assert settings.model_copy() == settings
    assert settings.model_copy(update={"w0": 3}).model_dump() == {**settings.model_dump(), "w0": 3}


@pytest.mark.parametrize(
    ("call", "name", "where"),
    [
        (lambda **key: ps.explain(CELLS[0], row=1, col=1, **key), "explain", "settings"),
        (lambda **key: ps.audit_ties(CELLS, **key), "audit_ties", "settings"),
        (lambda **key: ps.compare(CELLS, {}, {}, **key), "compare", "settings_a"),
        (lambda **key: ps.draw_event(CELLS[0], **key), "draw_event", "settings"),
    ],
    ids=["explain", "audit_ties", "compare", "draw_event"],
)
def test_a_key_of_the_settings_is_no_argument_of_a_diagnostic_either(call, name, where):
    with pytest.raises(TypeError) as error:
        call(seed_threshold=3)
    remedy = f"give {where}={{'seed_threshold': 3}}"
    assert str(error.value) == f"{name}: seed_threshold is a key of the settings, not an argument: {remedy}"


def test_a_division_of_the_wrong_size_is_named():
    with pytest.raises(SettingsError) as error:
        Grid(rows=Axis(n=4), cols=Axis(n=4), regions={"half": [2, 4], "card": [4]})
    remedy = "give [rows, cols], two whole numbers from 1 to 1000000"
    assert str(error.value) == f"regions.card: [4] is not a number of cells: {remedy}"


@pytest.mark.parametrize(
    ("array", "axes", "rows", "remedy"),
    [
        ((1, 4, 5), ("row", "col"), {"edges": (0, 1, 2, 3)}, "rows needs 5 edges for 4 cells, and has 4"),
        ((1, 4, 5), ("row", "col"), {"labels": "1..3"}, "rows needs 4 labels, and has 3"),
        ((1, 4, 5), ("row", "col"), {"n": 3}, "rows needs n: 4, and has 3"),
        (
            (1, 4, 5),
            ("layer", "row", "col"),
            {"n": 4},
            "these are 2 axes, name as many, as in axes: [row, col]",
        ),
        (
            (1, 2, 4, 5),
            ("row", "col"),
            {"n": 4},
            "these are 3 axes, name as many, as in axes: [layer, row, col]",
        ),
        ((1, 24), ("row", "col"), {"n": 4}, "these are 24 values, rows and cols make 20"),
    ],
    ids=["edges", "labels", "n", "no_layers", "layers", "flat"],
)
def test_a_wrong_number_of_cells_names_the_axis_and_what_it_needs(array, axes, rows, remedy):
    with pytest.raises(ValueError, match="cells an event, the grid needs") as error:
        ps.from_dense(np.zeros(array), Grid(rows=Axis(**rows), cols=Axis(n=5)), axes=axes)
    assert str(error.value).endswith(f": {remedy}")


def test_clusters_that_answer_are_arrays_like_any_other():
    clusters = find_clusters(CELLS, {}, ETA_PHI)
    assert not hasattr(clusters, "layer")
    assert repr(clusters).startswith("<MomentumArray4D [[{")
    copied = pickle.loads(pickle.dumps(clusters))
    assert ak.array_equal(copied, clusters)
    assert type(copied) is type(ak.copy(clusters))
    assert ak.almost_equal(clusters.mass, 0 * clusters.energy, atol=1e-3)  # properties of vector are there
    assert clusters[0, 0].mass == clusters.mass[0, 0]
    assert type(clusters.pt) is ak.Array


def test_the_sections_of_a_loaded_config_make_a_processor(tmp_path):
    text = "datasets: {a: {files: {a.root: Events}}}\noutput: {directory: results}\n"
    text += "grids: {calo: {dense: {branch: cells, shape: [6, 8]}}}\nclusters: {Jet: {grid: calo}}\n"
    (tmp_path / "job.yaml").write_text(text)
    config = load_config(tmp_path / "job.yaml")
    events = ak.zip({"cells": CELLS}, depth_limit=1)
    (found,) = [ps.PeakSumProcessor(**config.job()).find(events).n_clusters]
    assert found == {"Jet": 2}  # the last cell of each of two events, which rise from the first
