"""The CMS closure of taus and e/gammas: the objects of the emulator, reproduced to the last count.

Both are 3x9 maxima with the sum of their neighbours from 1 GeV up, on the stronger η side. What else the
emulator does (second clusters of taus, trimmed shapes and hadronic energy of e/gammas) is accounted for object
by object. The jets are in `test_cms`.
"""

import awkward as ak
import numpy as np
import pytest
import uproot
from places import CONFIGS
from trigger_loops import cluster_map, cluster_sum, is_maximum, jet_map, maxima, planes

from hep_peaksum import find_clusters, from_hits, preset
from hep_peaksum.cli.main import main
from hep_peaksum.config.load import load_config
from hep_peaksum.preview.closure import closure

pytestmark = pytest.mark.slow  # together they take many seconds

FILE = "cms_L1Ntuple.root"
CONFIG = CONFIGS / "cms-l1-closure.yaml"
TOWERS, UPGRADE = "l1CaloTowerEmuTree/L1CaloTowerTree", "l1UpgradeEmuTree/L1UpgradeTree"
# Of the file: how many objects it has, and how many of the taus have a second cluster added to their own.
N_EVENTS, N_JETS, N_TAUS, N_MERGED, N_EGAMMAS = 200, 429, 1572, 31, 306
PRESETS = {"tau": "cms-l1-tau", "eg": "cms-l1-egamma"}
KERNELS = pytest.mark.parametrize("kernel", ["numba", "scipy"])


@pytest.fixture(scope="module")
def towers(data):
    """Return the cells of the towers, by the branch that fills them."""
    grid = preset("cms-l1-tau")[1]
    with uproot.open(data(FILE)) as file:
        read = {
            word: file[TOWERS][f"L1CaloTower/{word}"].array()
            for word in ("ieta", "iphi", "iet", "iem", "iqual")
        }
    return {word: from_hits(read["ieta"], read["iphi"], read[word], grid) for word in ("iet", "iem", "iqual")}


@pytest.fixture(scope="module")
def emulated(data):
    """Return the objects of the emulator as flat columns: event, row, col, raw and those of each kind."""
    objects = {}
    with uproot.open(data(FILE)) as file:
        for kind, more in (("tau", ["IsMerged", "IEt"]), ("eg", ["Shape"])):
            branches = file[UPGRADE]["L1Upgrade"].arrays(filter_name=f"{kind}*")
            words = {"ieta": "TowerIEta", "iphi": "TowerIPhi", "raw": "RawEt", **{word: word for word in more}}
            flat = {
                key: ak.to_numpy(ak.flatten(branches[kind + word])).astype(int) for key, word in words.items()
            }
            number = ak.num(branches[f"{kind}RawEt"])
            flat["event"] = np.repeat(np.arange(len(number)), ak.to_numpy(number))
            flat["row"] = np.where(flat["ieta"] > 0, 39, 40) + flat["ieta"]  # |ieta| 28 at most
            flat["col"] = flat["iphi"] - 1
            objects[kind] = flat
    return objects


@pytest.fixture(scope="module")
def by_loops(towers):
    """Return the sums that plain loops over the cells give, by the branch that fills them."""
    return {word: cluster_map(towers[word]) for word in ("iet", "iem")}


def sums(cells, kind, **more):
    """Return the sums that the preset finds by cell, 0 where there is no cluster."""
    settings, grid = preset(PRESETS[kind])
    clusters = find_clusters(cells, settings.model_copy(update=more), grid, fields=["row", "col", "peak_sum"])
    event = np.repeat(np.arange(len(clusters)), ak.to_numpy(ak.num(clusters)))
    sum_map = np.zeros(cells.shape, int)
    sum_map[event, ak.to_numpy(ak.flatten(clusters.row)), ak.to_numpy(ak.flatten(clusters.col))] = ak.to_numpy(
        ak.flatten(clusters["peak_sum"])
    )
    return sum_map


def at(cells, objects):
    """Return the values in the cells of objects."""
    return cells[objects["event"], objects["row"], objects["col"]]


def test_the_file_has_the_expected_objects(emulated):
    assert [len(emulated[kind]["raw"]) for kind in ("tau", "eg")] == [N_TAUS, N_EGAMMAS]
    assert np.count_nonzero(emulated["tau"]["IsMerged"]) == N_MERGED
    assert abs(emulated["tau"]["ieta"]).max() == 25
    assert abs(emulated["eg"]["ieta"]).max() == 26


# ----------------------------------------------------------------------------------------------- on arrays


@KERNELS
@pytest.mark.parametrize(("kind", "cells"), [("tau", "iet"), ("eg", "iet"), ("eg", "iem")])
def test_every_cluster_of_the_file_is_that_of_plain_loops(towers, by_loops, kernel, kind, cells):
    assert np.array_equal(sums(towers[cells], kind, kernel=kernel), by_loops[cells])


@KERNELS
def test_every_tau_is_found_with_its_sum(towers, emulated, kernel):
    taus = emulated["tau"]
    our_sums = at(sums(towers["iet"], "tau", kernel=kernel), taus)
    assert np.count_nonzero(our_sums) == N_TAUS
    is_equal, is_merged = our_sums == taus["raw"], taus["IsMerged"] == 1
    assert np.array_equal(is_equal, ~is_merged)
    assert (our_sums < taus["raw"])[is_merged].all()  # a second cluster is added


@KERNELS
def test_every_tau_is_a_3x3_maximum_too(towers, emulated, kernel):
    """Nine cells wide or three: where both windows reach, the same neighbour wins a tie (lexicographic)."""
    narrow = {"search_window": (3, 3), "tie_rule": "lexicographic", "kernel": kernel}
    wide, narrow = sums(towers["iet"], "tau", kernel=kernel), sums(towers["iet"], "tau", **narrow)
    assert np.count_nonzero(at(narrow, emulated["tau"])) == N_TAUS
    assert np.array_equal(narrow[wide > 0], wide[wide > 0])
    expected = {
        (n, *place)
        for n, plane in enumerate(planes(towers["iet"]))
        for place in maxima(plane, 1, "lexicographic", threshold=4)
    }
    assert {tuple(place) for place in np.argwhere(narrow).tolist()} == expected
    assert np.count_nonzero(wide) < len(expected)


@pytest.mark.parametrize("tie_rule", ["first", "none", "all", "last"])
def test_the_tie_rule_matters_for_taus(towers, emulated, tie_rule):
    taus, events = emulated["tau"], planes(towers["iet"])
    found = at(sums(towers["iet"], "tau", search_window=(3, 3), tie_rule=tie_rule), taus) > 0
    places = zip(*(taus[word].tolist() for word in ("event", "row", "col")), strict=True)
    expected = [is_maximum(events[n], row, col, 1, tie_rule) for n, row, col in places]

    assert found.tolist() == expected
    assert (sum(expected) == N_TAUS) == (tie_rule in ("all", "last"))


@pytest.mark.parametrize(
    ("change", "loops"),
    [
        ({}, {}),
        ({"cell_threshold": "0.5 GeV"}, {"at_least": 1}),
        ({"cell_threshold": "1.5 GeV"}, {"at_least": 3}),
        ({"keep_stronger_side": None}, {"one_side": False}),
        ({"sum_window": ".xxx.\nxxoxx\n.xxx."}, {"gated": False}),
    ],
)
def test_each_part_of_the_sum_matters_for_taus(towers, emulated, change, loops):
    taus, events = emulated["tau"], planes(towers["iet"])
    places = zip(*(taus[word].tolist() for word in ("event", "row", "col")), strict=True)
    expected = np.array([cluster_sum(events[n], row, col, **loops) for n, row, col in places])
    alone = taus["IsMerged"] == 0

    assert at(sums(towers["iet"], "tau", **change), taus).tolist() == expected.tolist()
    assert (np.count_nonzero((expected == taus["raw"])[alone]) == N_TAUS - N_MERGED) == (not change)


def test_extra_taus_lie_beyond_its_limit_or_behind_its_six(emulated, by_loops):
    """The numbers of docs/closure.md: |ieta| 25 is the last of rows 15 to 64."""
    n_clusters, n_within = (np.count_nonzero(each) for each in (by_loops["iet"], by_loops["iet"][:, 15:65]))
    assert (n_clusters - n_within, n_within - N_TAUS) == (317, 197)


def test_extra_egammas_are_dropped_by_their_identification(towers, emulated, by_loops):
    """All lie where the emulator looks, and 32 of them have other quality bits than 305 of the 306 it keeps."""
    egammas, rest = emulated["eg"], by_loops["iem"].copy()
    assert (rest[:, 14:66] > 0).sum() == (rest > 0).sum()  # |ieta| 26 at most
    rest[egammas["event"], egammas["row"], egammas["col"]] = 0
    assert np.count_nonzero(rest) == 50
    assert np.count_nonzero(at(towers["iqual"], egammas) == 3) == 305
    assert np.count_nonzero(towers["iqual"][rest > 0] != 3) == 32


def test_extra_taus_are_not_among_the_leading_six(towers, emulated):
    """The emulator keeps six on each side in eta, |ieta| 25 at most; no extra one is larger than those."""
    taus, sum_map = emulated["tau"], sums(towers["iet"], "tau")[:, 15:65]
    rest = sum_map.copy()
    rest[taus["event"], taus["row"] - 15, taus["col"]] = 0
    assert np.count_nonzero(rest) == np.count_nonzero(sum_map) - N_TAUS > 0
    for event, row, col in np.argwhere(rest):
        side = (taus["event"] == event) & ((taus["row"] >= 40) == (row >= 25))
        assert np.count_nonzero(side) == 6
        assert rest[event, row, col] <= taus["raw"][side].min()


@KERNELS
@pytest.mark.parametrize("cells", ["iem", "iet"])
def test_every_egamma_is_found_and_286_have_their_sum(towers, emulated, kernel, cells):
    egammas = emulated["eg"]
    our_sums = at(sums(towers[cells], "eg", kernel=kernel), egammas)
    assert np.count_nonzero(our_sums) == N_EGAMMAS
    assert np.count_nonzero(our_sums == egammas["raw"]) == 286


def test_the_other_20_egammas_are_explained(towers, emulated, by_loops):
    """The emulator also adds hadronic energy, and leaves out corner cells according to a table of shapes.

    The sums are those of plain loops, so that the numbers are of the file and the source, not of this package.
    """
    egammas = emulated["eg"]
    raw, em, both = egammas["raw"], at(by_loops["iem"], egammas), at(by_loops["iet"], egammas)
    hadronic, trimmed = both == raw, both > raw
    assert (np.count_nonzero(hadronic), np.count_nonzero(trimmed)) == (286, 20)
    different = em != raw
    assert np.count_nonzero(different & hadronic) == 11
    assert np.count_nonzero(different & trimmed & (em > raw)) == 6
    assert np.count_nonzero(different & trimmed & (em < raw)) == 3
    # Bits 3 and 4 of a shape are its corners; in cms-sw/cmssw L1Trigger/L1TCalorimeter/data,
    # egTrimmingLUT_10_v16.01.19.txt, three of these shapes keep theirs.
    has_corner = egammas["Shape"] & 0b11000 > 0
    assert not (trimmed & ~has_corner).any()
    stay = has_corner & ~trimmed
    assert sorted(zip(abs(egammas["ieta"][stay]).tolist(), egammas["Shape"][stay].tolist(), strict=True)) == [
        (23, 0b10000),
        (26, 0b01000),
        (26, 0b10100),
    ]
    without_corners = at(sums(towers["iet"], "eg", sum_window="..x..\ngxoxg\n..x.."), egammas)
    assert np.array_equal(without_corners == raw, ~stay)


# ------------------------------------------------------------------------------- through config and command


@pytest.fixture
def config(data, monkeypatch):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data(FILE).parent))
    return lambda *overrides: load_config(CONFIG, overrides)


@KERNELS
def test_closure_counts_what_is_in_the_file(config, towers, by_loops, kernel):
    """The clusters without an object are those that plain loops find and the emulator does not keep."""
    n_clusters = {word: np.count_nonzero(each) for word, each in by_loops.items()}
    n_extra = (
        np.count_nonzero(jet_map(towers["iet"])) - N_JETS,
        n_clusters["iet"] - N_TAUS,
        n_clusters["iem"] - N_EGAMMAS,
    )
    assert n_extra == (1, 514, 50)  # as README and docs/closure.md say
    results = closure(config(*(f"clusters.{name}.kernel={kernel}" for name in ("Jet", "Tau", "EGamma"))))
    counts = {
        name: (each.n_references, each.n_matched, each.n_sum_expected, each.n_equal_sums, each.n_extra)
        for name, each in results.items()
    }
    assert counts == {
        "Jet": (N_JETS, N_JETS, N_JETS, N_JETS, 1),
        "Tau": (N_TAUS, N_TAUS, N_TAUS - N_MERGED, N_TAUS - N_MERGED, 514),
        "EGamma": (N_EGAMMAS, N_EGAMMAS, N_EGAMMAS, 286, 50),
    }
    assert {each.n_events for each in results.values()} == {N_EVENTS}
    assert not any(each.missed for each in results.values())
    assert [len(results[name].different_sums) for name in ("Jet", "Tau", "EGamma")] == [0, 0, 20]
    (jet,) = results["Jet"].extra
    assert (jet.reference_sum, jet.cluster_sum) == (None, 17)


def test_closure_lists_the_egammas_with_different_sums(config, towers, emulated):
    egammas = emulated["eg"]
    our_sums = at(sums(towers["iem"], "eg"), egammas)
    expected = zip(
        *(egammas[word].tolist() for word in ("event", "row", "col", "raw")), our_sums.tolist(), strict=True
    )
    assert sorted(closure(config())["EGamma"].different_sums) == sorted(
        each for each in expected if each[3] != each[4]
    )


def test_the_command_prints_the_closure(data, monkeypatch, capsys):
    monkeypatch.setenv("HEP_PEAKSUM_DATA", str(data(FILE).parent))
    with pytest.raises(SystemExit) as end:
        main(["closure", str(CONFIG)])
    text = " ".join(capsys.readouterr().out.split())
    assert not end.value.code
    assert "Jet 429 429 429 of 429 1" in text
    assert "Tau 1572 1572 1541 of 1541 514" in text
    assert "EGamma 306 306 286 of 306 50" in text
    assert "EGamma: different sum" in text
    assert "and 15 more" in text
