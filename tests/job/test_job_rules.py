"""Every rule in a YAML job gives what the array functions give, in every output format."""

import re

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from hep_peaksum import find_clusters
from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.run import run
from hep_peaksum.preview.thresholds import thresholds

LAYERS, ROWS, COLS = 3, 6, 8
N_EVENTS = 40
COLLECTIONS = {
    "Towers": {
        "grid": "calo",
        "coarsen": [2, 2],
        "sum_window": [1, 3],
        "sum_over": "cells",
        "position": "linear",
    },
    "Shared": {
        "grid": "calo",
        "overlap": "proportional",
        "seed_threshold": 2,
        "fields": ["peak_sum", "shared_sum", "row"],
    },
    "Noisy": {
        "grid": "calo",
        "seed_threshold": "3 sigma",
        "cell_threshold": "1 sigma",
        "fields": ["peak_sum", "noise"],
    },
    "Pile": {
        "grid": "calo",
        "pileup": ["phi_ring", {"kind": "ring_median", "name": "median2", "depth": 2}],
        "search_window": [3, 3],
        "sum_window": [3, 3],
        "subtract": "median2",
    },
    "Depth": {"grid": "depth", "seed_threshold": 4},
}


@pytest.fixture
def cells(random_cells):
    return random_cells(N_EVENTS, shape=(LAYERS, ROWS, COLS))


@pytest.fixture
def noise():
    return np.linspace(0.5, 2.5, ROWS * COLS).reshape(ROWS, COLS)


@pytest.fixture
def mask():
    dead = np.zeros((ROWS, COLS), bool)
    dead[2, 3] = True
    return dead


@pytest.fixture
def config_file(tmp_path, write_root, cells, noise, mask):
    """Write a ROOT file, two maps and a config, and return the path of the config."""
    path = write_root("events.root", {"Events": {"cells": cells}})
    np.save(tmp_path / "noise.npy", noise)
    np.save(tmp_path / "dead.npy", mask)
    plane = {
        "dense": {"branch": "cells", "shape": [LAYERS, ROWS, COLS], "axes": ["layer", "row", "col"]},
        "unit": "1 GeV",
        "rows": {"name": "eta", "bins": ROWS, "start": -3, "stop": 3},
        "cols": {"name": "phi", "bins": COLS, "start": "-pi", "stop": "pi", "periodic": True},
    }
    content = {
        "datasets": {"toy": {"files": {path: "Events"}}},
        "grids": {
            "calo": {**plane, "noise": str(tmp_path / "noise.npy"), "mask": str(tmp_path / "dead.npy")},
            "depth": {**plane, "layers": "each"},
        },
        "clusters": COLLECTIONS,
        "output": {
            "directory": str(tmp_path / "results"),
            "clusters": ["parquet", "ttree", "rntuple"],
            "plots": False,
        },
        "run": {"chunksize": 15},
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "job.yaml"


def read(folder, form):
    if form == "parquet":
        return ak.concatenate([ak.from_parquet(p) for p in sorted(folder.glob("clusters.parquet/*.parquet"))])
    with uproot.open(folder / {"ttree": "clusters.root", "rntuple": "clusters.rntuple.root"}[form]) as file:
        return file["Events"].arrays()


def test_a_job_gives_what_the_array_functions_give_in_every_format(config_file, cells, noise, mask):
    config = load_config(config_file)
    directory = run(config).directory / "toy"
    for name, wanted in config.clusters.items():
        source = config.grids[wanted.grid[0]]
        maps = {} if name == "Depth" else {"noise": noise, "mask": mask}
        expected = find_clusters(
            cells,
            wanted.settings,
            source.grid,
            layers=source.layers,
            fields=config.written_fields(name),
            **maps,
        )
        assert ak.num(expected).tolist() != [0] * N_EVENTS
        for form in ("parquet", "ttree", "rntuple"):
            events = read(directory, form)
            assert events[f"n{name}"].to_list() == ak.num(expected).to_list()
            for field in expected.fields:
                assert events[f"{name}_{field}"].to_list() == expected[field].to_list(), (name, field, form)


def test_clusters_of_single_layers_have_their_layer(config_file, cells):
    config = load_config(config_file)
    assert "layer" in config.written_fields("Depth")
    clusters = find_clusters(
        cells, config.clusters["Depth"].settings, config.grids["depth"].grid, layers="each"
    )
    one_by_one = [
        find_clusters(cells[:, k], config.clusters["Depth"].settings, config.grids["depth"].grid)
        for k in range(LAYERS)
    ]
    for k, layer in enumerate(one_by_one):
        of_layer = clusters[clusters.layer == k]
        assert of_layer["peak_sum"].to_list() == layer["peak_sum"].to_list()
        assert of_layer.row.to_list() == layer.row.to_list()


def test_a_histogram_of_towers_has_the_bins_of_towers(config_file):
    config = load_config(config_file)
    eta, phi = config.booked["Towers_position"].axes
    assert len(eta.edges) - 1 == ROWS // 2
    assert len(phi.edges) - 1 == COLS // 2


def test_thresholds_in_sigma_are_given_in_counts_and_gev(config_file):
    message = thresholds(load_config(config_file))["Noisy"]
    assert message["seed"] == "> 3 sigma, cell by cell 1.5 to 7.5 counts = 1.5 to 7.5 GeV"
    uniform = load_config(config_file, ["grids.calo.noise=0.5 GeV"])
    assert thresholds(uniform)["Noisy"]["cell"] == ">= 1 sigma = 0.5 counts = 0.5 GeV"


def test_thresholds_are_given_in_both_units_where_a_count_is_not_a_gev(config_file):
    """At half a GeV a count, 4 GeV are 8 counts and 3 counts are 1.5 GeV; the noise is 0.5 to 2.5 counts."""
    rules = ['clusters.Shared.seed_threshold="4 GeV"', "clusters.Shared.cell_threshold=3"]
    half = load_config(config_file, ['grids.calo.unit="0.5 GeV"', *rules])
    assert thresholds(half)["Shared"] == {"seed": "> 8 counts = 4 GeV", "cell": ">= 3 counts = 1.5 GeV"}
    assert thresholds(half)["Noisy"] == {
        "seed": "> 3 sigma, cell by cell 1.5 to 7.5 counts = 0.75 to 3.75 GeV",
        "cell": ">= 1 sigma, cell by cell 0.5 to 2.5 counts = 0.25 to 1.25 GeV",
    }
    fractions = load_config(
        config_file, ['grids.calo.unit="0.5 GeV"', 'clusters.Shared.seed_threshold="1.7 GeV"']
    )
    assert thresholds(fractions)["Shared"]["seed"] == "> 3.4 counts = 1.7 GeV"
    uniform = load_config(config_file, ['grids.calo.unit="0.5 GeV"', "grids.calo.noise=2"])
    assert thresholds(uniform)["Noisy"]["seed"] == "> 3 sigma = 6 counts = 3 GeV"


def test_another_map_of_dead_cells_is_another_job(config_file, mask, tmp_path):
    first = run(load_config(config_file))
    assert first.summary["n_chunks"]["reused"] == 0
    mask[0, 0] = True
    np.save(tmp_path / "dead.npy", mask)
    with pytest.raises(
        (ValueError, RuntimeError, OSError),
        match=r"\(the content of a map or a cell table of grids\.calo differs\)",
    ):
        run(load_config(config_file))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "grids.calo.noise=null",
            "clusters.Noisy.seed_threshold: '3 sigma' needs the noise of grid 'calo'",
        ),
        ("grids.calo.noise=gone.npy", "grids.calo.noise: 'gone.npy' cannot be read as a .npy file"),
        ("grids.calo.noise=3 sigma", "grids.calo.noise: '3 sigma' is not a noise"),
        ("grids.depth.noise={a: 1}", "grids.depth.noise: "),
        (
            "clusters.Towers.coarsen=[4, 2]",
            "clusters.Towers: coarsen [4, 2]: 6 cells of eta cannot be pooled 4 by 4: set allow_par",
        ),
        (
            "clusters.Towers.coarsen=[2, 3]",
            "clusters.Towers: coarsen [2, 3]: 8 cells of phi cannot be pooled 3 by 3: a periodic",
        ),
        ("clusters.Towers.coarsen=[2, 0]", "clusters.Towers.coarsen: [2, 0] is not a number of cells"),
        (
            "clusters.Pile.pileup=[phi_ring, phi_ring]",
            "clusters.Pile: two pile-up estimates are named 'phi_ring'",
        ),
        (
            "clusters.Pile.pileup=[{kind: phi_ring, depth: 2}]",
            "clusters.Pile.pileup.0.depth: phi_ring has no depth, it takes axis, includes_cluster: leave depth",
        ),
        (
            "clusters.Pile.pileup=[{kind: donut, edge: existing}]",
            "clusters.Pile.pileup.0.edge: 'existing' is not an edge of donut: write zero or strip",
        ),
        ("clusters.Pile.subtract=donut", "clusters.Pile.subtract: no pile-up estimate is named 'donut'"),
        (
            "clusters.Pile.fields=[donut]",
            "field 'donut' is a pile-up estimate: ask for it with pileup: [donut]",
        ),
        ("clusters.Shared.tie_rule=greedy-residual", "overlap 'proportional' together with greedy-residual"),
        ("clusters.Shared.sum_window='g.o'", "clusters.Shared.sum_window: the cell 'g' at (0, -2) is let in"),
        ("clusters.Shared.sum_threshold_on=net", "sum_threshold_on 'net' needs a pile-up estimate"),
        (
            "clusters.Depth.fields=[layer_sums]",
            "'layer_sums' is of layers that are summed, and grid 'depth' has",
        ),
        (
            "clusters.Noisy.quantity=significance|clusters.Noisy.seed_threshold=4 GeV",
            "is an energy, but quantity",
        ),
    ],
)
def test_contradicting_keys_are_one_line_with_the_key(config_file, override, problem):
    with pytest.raises(ConfigError) as error:
        load_config(config_file, override.split("|"))
    assert any(problem in line for line in str(error.value).splitlines()), str(error.value)


def test_a_map_of_another_shape_is_refused(config_file, tmp_path):
    np.save(tmp_path / "dead.npy", np.zeros((ROWS, COLS + 1), bool))
    with pytest.raises(
        ConfigError, match=rf"mask: .* holds bool of shape \(6, 9\), expected bool of shape \({ROWS}, 8\)"
    ):
        load_config(config_file)


MAPS = {
    "a_mask_of_integers": ("dead", np.zeros((6, 8), int), r"bool of shape \(6, 8\): convert it to bool, true"),
    "a_mask_on_its_side": ("dead", np.zeros((8, 6), bool), "transpose it, rows come first$"),
    "a_noise_of_truths": ("noise", np.zeros((6, 8), bool), "convert it to numbers$"),
    "a_negative_noise": ("noise", np.full((6, 8), -1.5), r"grids.calo.noise: .* holds -1.5 for cell \(row 0"),
    "a_negative_noise_of_a_layer": ("noise", np.full((LAYERS, 6, 8), -1.0), "expected 0 or above: mend the"),
    "a_noise_that_is_no_number": ("noise", np.full((6, 8), np.nan), r"holds nan for .*expected 0 or above"),
}


@pytest.mark.parametrize(("name", "content", "problem"), MAPS.values(), ids=MAPS)
def test_a_map_that_is_wrong_is_told_at_its_key_with_what_to_do(config_file, tmp_path, name, content, problem):
    np.save(tmp_path / f"{name}.npy", content)
    with pytest.raises(ConfigError) as error:
        load_config(config_file)
    assert any(re.search(problem, line) for line in error.value.problems), error.value.problems


def test_the_noise_of_a_masked_cell_may_be_anything(config_file, tmp_path, noise, mask):
    np.save(tmp_path / "noise.npy", np.where(mask, np.nan, noise))
    assert np.isnan(load_config(config_file).grids["calo"].noise_map()[mask]).all()


def test_an_archive_of_arrays_is_no_map(config_file, tmp_path, mask):
    with (tmp_path / "dead.npy").open("wb") as file:
        np.savez(file, dead=mask, hot=mask)
    with pytest.raises(ConfigError, match=r"\.npy file \(it holds several arrays, dead, hot: write one of"):
        load_config(config_file)


def test_a_pickle_is_no_map(config_file, tmp_path):
    np.save(tmp_path / "dead.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"mask: .* cannot be read as a \.npy file"):
        load_config(config_file)


def test_the_noise_of_layers_that_are_summed_adds_in_quadrature(config_file, tmp_path, noise):
    np.save(tmp_path / "noise.npy", np.stack([3 * noise, 4 * noise, 0 * noise]))
    np.testing.assert_allclose(load_config(config_file).grids["calo"].noise_map(), 5 * noise, rtol=1e-15)


def test_a_mask_of_single_layers_is_for_layers_that_are_searched_each(config_file, tmp_path, cells, mask):
    layered = np.zeros((LAYERS, ROWS, COLS), bool)
    layered[1] = mask
    np.save(tmp_path / "dead.npy", layered)
    with pytest.raises(ConfigError, match=r"holds bool of shape \(3, 6, 8\), expected bool of shape \(6, 8\)$"):
        load_config(config_file)
    config = load_config(config_file, ["grids.calo.mask=null", f"grids.depth.mask={tmp_path / 'dead.npy'}"])
    events = read(run(config).directory / "toy", "parquet")
    expected = find_clusters(
        cells, config.clusters["Depth"].settings, config.grids["depth"].grid, mask=layered, layers="each"
    )
    assert events["Depth_peak_sum"].to_list() == expected["peak_sum"].to_list()


@pytest.mark.slow
def test_show_draws_towers_where_a_collection_pools_cells(config_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["show", str(config_file), "--entry", "3"])
    assert end.value.code == 0
    assert "Towers on calo: " in capsys.readouterr().out


def test_check_prints_every_rule_that_is_not_the_default(config_file, capsys):
    with pytest.raises(SystemExit) as end:
        main(["check", str(config_file)])
    assert end.value.code == 0
    message = capsys.readouterr().out
    for words in ("the sum of 2 x 2 cells", "proportional", "3 sigma, cell by cell", "median2", "phi_ring"):
        assert words in message, words
