"""The toy calorimeter: the properties of its events, and the comparison of clusters with the truth."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum.clustering.find import find_clusters
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.toy import (
    CORE_FRACTION,
    CORE_RADIUS,
    REACH,
    TAIL_RADIUS,
    TOY_GRID,
    make_events,
    score,
    shower_fractions,
    write_events,
)

FLAT = Grid(rows=Axis(n=8), cols=Axis(n=8))


@pytest.fixture(scope="module")
def events():
    return make_events(2000, seed=1)


@pytest.fixture(scope="module")
def single():
    """Return events of exactly one shower, without noise."""
    all_events = make_events(20_000, seed=2, showers_per_event=0.5, noise=0)
    one = ak.to_numpy(ak.num(all_events.truth) == 1)
    return all_events.grids[one], all_events.truth[one, 0]


def test_equal_seeds_give_equal_events(events):
    again = make_events(2000, seed=1)
    assert np.array_equal(events.grids, again.grids)
    assert ak.array_equal(events.truth, again.truth)


def test_different_seeds_give_different_events(events):
    assert not np.array_equal(events.grids, make_events(2000, seed=3).grids)


def test_events_are_as_documented(events):
    assert events.grids.shape == (2000, 24, 16)
    assert events.grids.dtype == np.float32
    assert ak.mean(ak.num(events.truth)) == pytest.approx(4, abs=0.2)
    assert 5 <= ak.min(events.truth.energy) < ak.max(events.truth.energy) <= 100
    assert -3 <= ak.min(events.truth.eta) < -2.95 < 2.95 < ak.max(events.truth.eta) <= 3
    assert 0.05 < np.mean(events.grids > 0) < 0.2
    assert events.grids[events.grids > 0].min() > 0.1  # twice the noise


def test_no_events_and_events_without_showers():
    assert make_events(0, seed=1).grids.shape == (0, 24, 16)
    quiet = make_events(3, seed=1, showers_per_event=0, noise=0)
    assert not quiet.grids.any()
    assert ak.to_list(quiet.truth) == [[], [], []]


def test_positions_lie_in_the_cell_of_the_shower(events):
    for word, name, axis in (("row", "eta", TOY_GRID.rows), ("col", "phi", TOY_GRID.cols)):
        index = axis.find(ak.to_numpy(ak.flatten(events.truth[name])).astype(float))
        is_equal = index == ak.to_numpy(ak.flatten(events.truth[word]))
        assert np.mean(is_equal) > 0.9999  # float32 coordinates can fall on an edge


def test_the_profile_is_that_of_grindhammer_and_peters():
    """Points drawn by the inverse of F(r) = r^2 / (r^2 + R^2) fall into the cells as the integrals say."""
    random = np.random.default_rng(5)
    n = 400_000
    radius = np.where(random.random(n) < CORE_FRACTION, CORE_RADIUS, TAIL_RADIUS)
    u, angle = random.random(n), random.uniform(0, 2 * np.pi, n)
    r = radius * np.sqrt(u / (1 - u))
    impact = np.array([0.3, 0.8])
    edges = np.arange(-REACH, REACH + 2)
    counts, *_ = np.histogram2d(impact[0] + r * np.cos(angle), impact[1] + r * np.sin(angle), [edges, edges])
    expected = shower_fractions(impact[:1], impact[1:])[0]
    assert counts / counts.sum() == pytest.approx(expected, abs=5 / np.sqrt(n))


def test_the_profile_is_normalised_and_symmetric():
    parts = shower_fractions(np.array([0.2, 0.8]), np.array([0.5, 0.5]))
    assert parts.sum(axis=(1, 2)) == pytest.approx(1)
    assert parts[0] == pytest.approx(parts[1, ::-1])
    assert parts[0] == pytest.approx(parts[0, :, ::-1])
    assert (parts > 0).all()


def test_cells_add_up_to_the_energy_within_the_resolution(single):
    grids, shower = single
    contained = ak.to_numpy((shower.row >= REACH) & (shower.row < 24 - REACH))
    energy = ak.to_numpy(shower.energy)[contained].astype(float)
    pull = (grids[contained].sum(axis=(1, 2)) / energy - 1) / np.sqrt(0.10**2 / energy + 0.01**2)
    assert pull.mean() == pytest.approx(0, abs=5 / np.sqrt(len(pull)))
    assert pull.std() == pytest.approx(1, abs=0.05)


def test_showers_cross_the_seam_in_phi_and_leak_out_in_eta(single):
    grids, shower = single
    at_seam = ak.to_numpy((shower.col == 15) & (shower.row > 5) & (shower.row < 18))
    assert (grids[at_seam][:, :, 0].sum(axis=1) > 0).mean() > 0.9
    at_end = ak.to_numpy(shower.row == 23)
    assert not grids[at_end][:, :20].any()
    assert grids[at_end].sum() < 0.97 * ak.sum(shower.energy[at_end])


@pytest.mark.parametrize("row", [0, 23])
def test_the_rows_at_the_ends_hold_most_of_a_shower_that_hits_them(single, row):
    grids, shower = single
    hits = ak.to_numpy(shower.row == row)
    energy = ak.sum(shower.energy[hits])
    assert 0.5 * energy < grids[hits][:, row].sum() < energy


def test_clusters_find_the_showers(events):
    clusters = find_clusters(events.grids, PeakSumSettings(seed_threshold="0.5 GeV"), TOY_GRID)
    result = score(clusters, events.truth)
    assert result.efficiency > 0.9
    assert result.fakes_per_event < 0.01
    assert result.response == pytest.approx(0.97, abs=0.02)
    assert result.resolution < 0.06


def test_written_events_are_read_back_unchanged(events, tmp_path):
    path = tmp_path / "toy.root"
    write_events(path, events, first_event=999, run=7)
    with uproot.open(path) as file:
        tree = file["Events"]
        read = tree.arrays()
        assert tree["calo_e"].typename == "float[24][16]"
        assert file.file.compression.name == "ZSTD"
    assert np.array_equal(ak.to_numpy(read.calo_e), events.grids)
    assert ak.to_list(read.nShower) == ak.to_list(ak.num(events.truth))
    for name in ("row", "col", "eta", "phi", "energy"):
        assert ak.to_list(read[f"Shower_{name}"]) == ak.to_list(events.truth[name])
    assert {name: str(read[name].type.content) for name in ("run", "luminosityBlock", "event")} == {
        "run": "uint32",
        "luminosityBlock": "uint32",
        "event": "uint64",
    }
    assert read.event.to_list() == list(range(999, 2999))
    assert read.luminosityBlock.to_list()[:2] == [1, 2]
    assert set(read.run.to_list()) == {7}
    assert [p.name for p in tmp_path.iterdir()] == ["toy.root"]


def test_events_are_numbered_from_0_in_run_1(tmp_path):
    write_events(tmp_path / "toy.root", make_events(3, seed=1))
    read = uproot.open(tmp_path / "toy.root")["Events"].arrays(["run", "event"])
    assert (read.run.to_list(), read.event.to_list()) == ([1, 1, 1], [0, 1, 2])


def test_a_file_without_events_is_written(tmp_path):
    write_events(tmp_path / "none.root", make_events(0, seed=1))
    assert uproot.open(tmp_path / "none.root")["Events"].num_entries == 0


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(events, tmp_path):
    path = tmp_path / "toy.root"
    path.write_text("old")
    broken = events._replace(grids=events.grids[:, :3])
    with pytest.raises(ValueError, match=r"shape|dtype|size"):
        write_events(path, broken)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["toy.root"]


def records(*events):
    """Return jagged records of events of (row, col, energy)."""
    columns = {"row": 0, "col": 1, "energy": 2}
    n = np.array([len(event) for event in events], np.int64)
    flat = np.array([record for event in events for record in event], float).reshape(-1, 3)
    types = {"row": np.int32, "col": np.int32, "energy": float}
    flat_records = ak.zip({name: flat[:, k].astype(types[name]) for name, k in columns.items()})
    return ak.unflatten(flat_records, n)


@pytest.mark.parametrize(
    ("clusters", "showers", "grid", "n_found", "response"),
    [
        pytest.param([(3, 3, 9)], [(3, 3, 10)], FLAT, 1, 0.9, id="the-same-cell"),
        pytest.param([(4, 2, 9)], [(3, 3, 10)], FLAT, 1, 0.9, id="a-diagonal-neighbour"),
        pytest.param([(5, 3, 9)], [(3, 3, 10)], FLAT, 0, None, id="two-cells-away"),
        pytest.param([(3, 0, 9)], [(3, 15, 10)], TOY_GRID, 1, 0.9, id="across-the-seam"),
        pytest.param([(3, 0, 9)], [(3, 7, 10)], FLAT, 0, None, id="not-periodic"),
        pytest.param([(0, 3, 9)], [(23, 3, 10)], TOY_GRID, 0, None, id="rows-are-not-periodic"),
        pytest.param([(3, 2, 5), (3, 4, 9)], [(3, 3, 10)], FLAT, 1, 0.9, id="tie-the-higher-cluster"),
        pytest.param([(3, 3, 5), (3, 4, 9)], [(3, 3, 10)], FLAT, 1, 0.5, id="the-nearer-before-the-higher"),
        pytest.param([(3, 3, 9)], [(3, 3, 10), (3, 4, 18)], FLAT, 1, 0.9, id="a-cluster-only-once"),
        # The middle pair is nearest; the outer ones are then left to each other, too far apart.
        pytest.param([(3, 3, 9), (3, 5, 7)], [(3, 3, 10), (3, 2, 4)], FLAT, 1, 0.9, id="greedy-not-optimal"),
        pytest.param([(3, 4, 8), (3, 3, 10)], [(3, 3, 10), (3, 5, 8)], FLAT, 2, 1.0, id="a-chain"),
        pytest.param([], [(3, 3, 10)], FLAT, 0, None, id="no-cluster"),
        pytest.param([(3, 3, 9)], [], FLAT, 0, None, id="no-shower"),
        pytest.param([], [], FLAT, 0, None, id="nothing"),
    ],
)
def test_score_of_a_picture(clusters, showers, grid, n_found, response):
    result = score(records([], clusters), records([], showers), grid)
    assert result.n_events == 2
    assert result.n_showers == len(showers)
    assert result.n_clusters == len(clusters)
    assert result.n_found == n_found
    assert result.n_fakes == len(clusters) - n_found
    if response is None:
        assert np.isnan(result.response)
        assert np.isnan(result.resolution)
    else:
        assert result.response == response


def test_events_are_not_mixed():
    here, there = [(3, 3, 10)], [(6, 6, 10)]
    assert score(records(here, there), records(there, here), FLAT).n_found == 0
    assert score(records(here, there), records(here, there), FLAT).n_found == 2


def test_the_distance_is_an_option():
    assert score(records([(3, 4, 9)]), records([(3, 3, 10)]), FLAT, max_distance=0).n_found == 0
    assert score(records([(3, 6, 9)]), records([(3, 3, 10)]), FLAT, max_distance=3).n_found == 1


def test_score_agrees_with_plain_loops():
    random = np.random.default_rng(8)

    def random_events():
        return [
            [(*random.integers(0, 8, 2), random.integers(1, 4)) for _ in range(random.integers(0, 12))]
            for _ in range(50)
        ]

    clusters, showers = random_events(), random_events()
    n_found = 0
    for event_clusters, event_showers in zip(clusters, showers, strict=True):
        pairs = sorted(
            ((f[0] - t[0]) ** 2 + (f[1] - t[1]) ** 2, -f[2], i, j)
            for i, f in enumerate(event_clusters)
            for j, t in enumerate(event_showers)
            if max(abs(f[0] - t[0]), abs(f[1] - t[1])) <= 1
        )
        used_clusters, used_showers = set(), set()
        for _, _, i, j in pairs:
            if i not in used_clusters and j not in used_showers:
                used_clusters.add(i)
                used_showers.add(j)
        n_found += len(used_clusters)
    assert score(records(*clusters), records(*showers), FLAT).n_found == n_found > 20


def test_different_numbers_of_events_are_an_error():
    with pytest.raises(ValueError, match="2 events with clusters but 1 with showers"):
        score(records([], []), records([]))


def test_rates_of_nothing_are_nan():
    result = score(records(), records())
    assert np.isnan(result.efficiency)
    assert np.isnan(result.fakes_per_event)


def test_a_file_has_the_uuid_of_its_events_and_of_their_numbers(tmp_path):
    events, others = make_events(3, seed=1), make_events(3, seed=2)
    written = {"a": (events, 0), "again": (events, 0), "numbers": (events, 3), "events": (others, 0)}
    uuids = {}
    for name, (sample, first) in written.items():
        write_events(tmp_path / f"{name}.root", sample, first_event=first)
        with uproot.open(tmp_path / f"{name}.root") as file:
            uuids[name] = file.file.uuid
    assert uuids["a"] == uuids["again"]
    assert len(set(uuids.values())) == 3
