"""Proposals for ROOT files: every kind of calorimeter that is common, and nothing for other files."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum.config.load import parse_config
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.reading.inspect import _axis, inspect_file, proposed_config

RANDOM = np.random.default_rng(11)
N = 30


def jagged(values, counts):
    return ak.unflatten(np.asarray(values), counts)


def hits(n_hits=None):
    """Return integer labels and energies, three to seven hits an event."""
    counts = RANDOM.integers(3, 8, N) if n_hits is None else np.full(N, n_hits)
    total = int(counts.sum())
    ieta = RANDOM.choice([n for n in range(-3, 4) if n], total)
    iphi = RANDOM.integers(1, 9, total)
    if total:
        ieta[:6], iphi[:8] = [-3, -2, -1, 1, 2, 3], range(1, 9)
    return {
        "hit_ieta": jagged(ieta.astype("int16"), counts),
        "hit_iphi": jagged(iphi.astype("int16"), counts),
        "hit_iet": jagged(RANDOM.integers(0, 99, total).astype("int16"), counts),
    }


def towers():
    counts = RANDOM.integers(3, 8, N)
    total = int(counts.sum())
    eta = RANDOM.uniform(-2.4, 2.4, total)
    eta[0] = 2.4
    return {
        "tower_eta": jagged(eta.astype("float32"), counts),
        "tower_phi": jagged(RANDOM.uniform(-3.1, 3.1, total).astype("float32"), counts),
        "tower_energy": jagged(RANDOM.exponential(5, total).astype("float32"), counts),
    }


FIXED = {"calo_e": RANDOM.normal(size=(N, 6, 4)).astype("float32"), "event": np.arange(N)}
FLAT = {"ECEnergyVector": jagged(RANDOM.normal(size=N * 80), np.full(N, 80)), "event": np.arange(N)}
LAYERS = {"Eabs": RANDOM.normal(size=(N, 3, 6, 4))}


@pytest.fixture
def write(tmp_path):
    def write_trees(**trees):
        path = tmp_path / "some.root"
        with uproot.recreate(path) as file:
            for name, branches in trees.items():
                file.mktree(name, {key: types(value) for key, value in branches.items()})
                file[name].extend(branches)
        return str(path)

    return write_trees


def types(value):
    return value.type.content if isinstance(value, ak.Array) else np.dtype((value.dtype, value.shape[1:]))


def inspected(path):
    trees, candidates = inspect_file(path)
    for candidate in candidates:
        parse_config(proposed_config(path, candidate))
    return trees, candidates


def test_a_branch_of_fixed_shape_is_a_grid(write):
    trees, (candidate,) = inspected(write(Events=FIXED))
    assert trees == {"Events": N}
    assert candidate == (
        *("Events", N, ("calo_e",), "6 x 4 cells per entry"),
        {"dense": {"branch": "calo_e", "shape": [6, 4], "axes": ["row", "col"]}},
        N * 6 * 4,
    )


def test_a_branch_of_fixed_shape_may_have_layers(write):
    _, (candidate,) = inspected(write(B4=LAYERS))
    assert candidate.looks_like == "3 x 6 x 4 cells per entry"
    assert candidate.grid == {"dense": {"branch": "Eabs", "shape": [3, 6, 4], "axes": ["layer", "row", "col"]}}


def test_flat_cells_are_folded_as_nearly_square_as_possible(write):
    _, (candidate,) = inspected(write(B5=FLAT))
    assert candidate.looks_like == "80 values per entry"
    assert candidate.grid == {"dense": {"branch": "ECEnergyVector", "shape": [10, 8], "axes": ["row", "col"]}}


def test_hits_with_integer_labels_have_those_labels(write):
    _, (candidate,) = inspected(write(Events=hits()))
    assert set(candidate.branches) == {"hit_ieta", "hit_iphi", "hit_iet"}
    assert candidate.looks_like == "hits"
    assert candidate.grid == {
        "hits": {"row": "hit_ieta", "col": "hit_iphi", "value": "hit_iet"},
        "rows": {"name": "eta", "labels": "-3..-1, 1..3"},
        "cols": {"name": "phi", "labels": "1..8", "bins": 8, "start": 0, "stop": "2pi", "periodic": True},
        "quantity": "et",
    }


def test_hits_are_found_after_leading_empty_events(write):
    branches = hits()
    quiet = {key: ak.concatenate([value[:0], [[]] * 25, value]) for key, value in branches.items()}
    quiet = {key: ak.values_astype(value, "int16") for key, value in quiet.items()}
    _, candidates = inspected(write(Events=quiet))
    assert [candidate.looks_like for candidate in candidates] == ["hits"]


def test_hits_with_coordinates_have_bins(write):
    _, (candidate,) = inspected(write(Delphes=towers()))
    assert candidate.grid == {
        "hits": {"row": "tower_eta", "col": "tower_phi", "value": "tower_energy"},
        "rows": {"name": "eta", "bins": 60, "start": -3.0, "stop": 3.0},
        "cols": {"name": "phi", "bins": 72, "start": "-pi", "stop": "pi", "periodic": True},
    }


def test_every_hit_lies_on_the_proposed_axis(write):
    branches = towers()
    path = write(Delphes=branches)
    _, (candidate,) = inspected(path)
    config = parse_config(proposed_config(path, candidate))
    rows = config.grids["calo"].grid.rows
    assert (rows.find(ak.to_numpy(ak.flatten(branches["tower_eta"]))) >= 0).all()


def test_hits_in_a_line_have_an_axis(write):
    """All at coordinate zero: there is still an axis to put them on."""
    branches = towers()
    branches["tower_eta"] = branches["tower_eta"] * np.float32(0)
    _, (candidate,) = inspected(write(Delphes=branches))
    assert candidate.grid["rows"] == {"name": "eta", "bins": 60, "start": -1.0, "stop": 1.0}


@pytest.mark.parametrize(
    "branches",
    [
        pytest.param({"event": np.arange(N), "weight": np.ones(N)}, id="numbers_of_events"),
        pytest.param(
            {"tower_eta": hits()["hit_ieta"], "tower_iphi": hits()["hit_iphi"]}, id="hits_without_energy"
        ),
        pytest.param(hits(n_hits=0), id="no_hit_in_any_event"),
        pytest.param({"p4": RANDOM.normal(size=(N, 4))}, id="a_four_vector"),
        pytest.param({"jacobian": RANDOM.normal(size=(N, 2, 2))}, id="a_small_matrix"),
        pytest.param({"channels": RANDOM.normal(size=(N, 7))}, id="a_prime_number_of_values"),
    ],
)
def test_other_branches_are_not_proposed(write, branches):
    trees, candidates = inspected(write(Events=branches))
    assert trees == {"Events": N}
    assert candidates == []


def test_a_tree_without_entries_is_not_proposed(write):
    nothing = {"calo_e": FIXED["calo_e"][:0]}
    trees, candidates = inspected(write(Events=nothing, Hits={key: value[:0] for key, value in hits().items()}))
    assert trees == {"Events": 0, "Hits": 0}
    assert candidates == []


def test_every_candidate_of_every_tree_is_proposed(write):
    path = write(Events={**FIXED, **towers()}, Other=FLAT)
    trees, candidates = inspected(path)
    assert trees == {"Events": N, "Other": N}
    assert {(c.tree, c.branches[0]) for c in candidates} == {
        *(("Events", "calo_e"), ("Events", "tower_eta"), ("Other", "ECEnergyVector")),
    }


def test_names_of_calorimeters_come_first(write):
    _, candidates = inspected(write(Monitor={"matrix": FIXED["calo_e"]}, Events={"calo_e": FIXED["calo_e"]}))
    assert [candidate.branches for candidate in candidates] == [("calo_e",), ("matrix",)]


def test_a_file_without_trees_has_no_candidates(tmp_path):
    path = tmp_path / "histograms.root"
    with uproot.recreate(path) as file:
        file["h"] = np.histogram(RANDOM.normal(size=9))
    assert inspected(str(path)) == ({}, [])


def test_a_tree_in_a_directory_is_named_with_its_path(write):
    path = write(**{"emulator/CaloTowers": hits()})
    trees, (candidate,) = inspected(path)
    assert trees == {"emulator/CaloTowers": N}
    assert proposed_config(path, candidate)["datasets"]["data"]["files"] == {path: "emulator/CaloTowers"}


def test_a_file_of_another_format_is_an_error(tmp_path):
    path = tmp_path / "text.root"
    path.write_text("not a ROOT file")
    with pytest.raises(OSError, match=r"text\.root: cannot be read as a ROOT file"):
        inspect_file(str(path))
    with pytest.raises(OSError, match=r"no\.root: cannot be read as a ROOT file"):
        inspect_file(str(tmp_path / "no.root"))


def test_the_proposed_config_searches_3x3(write):
    path = write(Events=FIXED)
    _, (candidate,) = inspected(path)
    assert proposed_config(path, candidate) == {
        "datasets": {"data": {"files": {path: "Events"}}},
        "grids": {"calo": candidate.grid},
        "clusters": {
            "Cluster": {"grid": "calo", "search_window": [3, 3], "sum_window": [3, 3], "seed_threshold": 0}
        },
        "output": {"directory": "results", "clusters": ["parquet"]},
    }


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 359.0, {"start": 0, "stop": 360, "unit": "deg"}),
        (-179.0, 179.0, {"start": -180, "stop": 180, "unit": "deg"}),
        (-3.1, 3.1, {"start": "-pi", "stop": "pi"}),
    ],
)
def test_an_azimuth_in_degrees_is_proposed_as_such(low, high, expected):
    phi = np.append(np.linspace(low, high, 50), high).astype(np.float32)
    assert _axis("phi", phi) == {"name": "phi", "bins": 72, "periodic": True, **expected}
    assert (Axis(**_axis("phi", phi)).find(phi) >= 0).all()
