"""The CMS closure where there is no CMS file: a small file of the same form, filled by the trigger's own rules.

Towers are drawn at random; jets, taus and e/gammas are found in them by plain loops over the emulator's source
(`published_oracle`) and selected as the emulator selects. What `test_cms_closure` tests on the data of CMS is
tested here on these events, which can be made anywhere.
"""

import awkward as ak
import numpy as np
import pytest
import uproot
from places import CONFIGS
from published_cms import chunky_donut, cms_l1_cluster, cms_l1_jet
from trigger_loops import planes

from hep_peaksum.config.load import load_config
from hep_peaksum.preview.closure import closure

N_EVENTS, N_KEPT = 12, 6  # the emulator keeps six taus and e/gammas on each side in eta


def labels(rows):
    """Return ieta of rows: -41..-30, -28..-1, 1..28, 30..41."""
    ring = [rows[n] - 39 if rows[n] >= 40 else 40 - rows[n] for n in range(len(rows))]
    return [(1 if row >= 40 else -1) * (n + (n >= 29)) for row, n in zip(rows, ring, strict=True)]


@pytest.fixture(scope="module")
def cells():
    """Return towers of (electromagnetic, all) energy: a soft background, and showers with equal cells."""
    random = np.random.default_rng(11)
    shape = (N_EVENTS, 80, 72)
    em = random.integers(1, 4, shape) * (random.random(shape) < 0.04)
    hadronic = random.integers(1, 4, shape) * (random.random(shape) < 0.04)
    for event in range(N_EVENTS):
        for row, col in zip(random.integers(15, 65, 30), random.integers(0, 72, 30), strict=True):
            for d, p in ((0, 0), (0, 1), (1, 0), (0, -1)):
                em[event, row + d, (col + p) % 72] += random.integers(2, 9)
                hadronic[event, row + d, (col + p) % 72] += random.integers(0, 6)
    return em, em + hadronic


def leading(found):
    """Return the six largest of each side in eta, as the emulator keeps them, |ieta| 25 at most."""
    kept = {}
    for is_high in (False, True):
        side = [place for place in found if (place[0] >= 40) == is_high and 15 <= place[0] < 65]
        for place in sorted(side, key=lambda place: (-found[place], place))[:N_KEPT]:
            kept[place] = found[place]
    return kept


@pytest.fixture(scope="module")
def emulated(cells):
    """Return per event what loops find of each kind, and what of it the emulator keeps: {place: sum}."""
    em, both = (planes(each) for each in cells)
    jets = [cms_l1_jet(plane) for plane in both]
    with_energy = [
        {place: total for place, total in found.items() if total > chunky_donut(plane, *place)}
        for plane, found in zip(both, jets, strict=True)
    ]
    taus, egammas = ([cms_l1_cluster(plane) for plane in each] for each in (both, em))
    return {
        "Jet": (jets, with_energy),
        "Tau": (taus, list(map(leading, taus))),
        "EGamma": (egammas, list(map(leading, egammas))),
    }


@pytest.fixture(scope="module")
def config(cells, emulated, tmp_path_factory):
    """Return the config of the closure for a file with these towers and objects."""
    em, both = cells
    path = tmp_path_factory.mktemp("cms") / "small.root"
    event, row, col = np.nonzero(both)
    counts = np.bincount(event, minlength=N_EVENTS)
    columns = {"ieta": labels(row.tolist()), "iphi": col + 1, "iet": both[both > 0], "iem": em[both > 0]}
    towers = {word: ak.unflatten(np.asarray(values, np.int16), counts) for word, values in columns.items()}
    objects = {}
    for kind, word in (("Jet", "jet"), ("Tau", "tau"), ("EGamma", "eg")):
        kept = [list(found.items()) for found in emulated[kind][1]]
        objects[f"{word}TowerIEta"] = [labels([row for (row, _), _ in found]) for found in kept]
        objects[f"{word}TowerIPhi"] = [[col + 1 for (_, col), _ in found] for found in kept]
        objects[f"{word}RawEt"] = [[total for _, total in found] for found in kept]
    # every third tau has a second cluster added to its sum
    merged = [[int(n % 3 == 0) for n in range(len(found))] for found in objects["tauRawEt"]]
    pairs = zip(objects["tauRawEt"], merged, strict=True)
    objects["tauRawEt"] = [[total + 7 * flag for total, flag in zip(*pair, strict=True)] for pair in pairs]
    objects["tauIsMerged"] = merged
    with uproot.recreate(path) as file:
        file.mktree("Towers", towers)
        file.mktree(
            "Upgrade", {name: ak.values_astype(ak.Array(each), np.int16) for name, each in objects.items()}
        )
    grids = [f"grids.{grid}.hits.{key}={word}" for grid, word in (("towers", "iet"), ("towers_em", "iem"))
             for key, word in (("row", "ieta"), ("col", "iphi"), ("value", word))]  # fmt: skip
    references = [
        f"clusters.{kind}.reference.{key}=up:{word}{branch}"
        for kind, word in (("Jet", "jet"), ("Tau", "tau"), ("EGamma", "eg"))
        for key, branch in (("row", "TowerIEta"), ("col", "TowerIPhi"), ("sum", "RawEt"))
    ]
    return lambda *more: load_config(
        CONFIGS / "cms-l1-closure.yaml",
        [
            f"datasets.zerobias.files={{{path}: Towers}}",
            "friends={up: Upgrade}",
            "events={}",
            'clusters.Tau.reference.sum_where={"up:tauIsMerged": 0}',
            *grids,
            *references,
            *more,
        ],
    )


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_all_objects_are_found_and_all_others_are_counted(config, emulated, kernel):
    results = closure(config(*(f"clusters.{kind}.kernel={kernel}" for kind in emulated)))
    assert list(results) == list(emulated)
    for kind, (found, kept) in emulated.items():
        result, n_found, n_kept = results[kind], sum(map(len, found)), sum(map(len, kept))
        n_merged = sum((len(each) + 2) // 3 for each in kept) if kind == "Tau" else 0
        assert (result.n_references, result.n_matched, result.n_extra) == (n_kept, n_kept, n_found - n_kept)
        assert (result.n_sum_expected, result.n_equal_sums) == (n_kept - n_merged, n_kept - n_merged)
        assert n_found > n_kept > N_EVENTS


def test_clusters_of_ours_alone_are_named_with_their_sum(config, emulated):
    for kind, result in closure(config()).items():
        expected = {
            (event, *place, None, found[place])
            for event, (found, kept) in enumerate(zip(*emulated[kind], strict=True))
            for place in found.keys() - kept
        }
        assert set(result.extra) == expected
