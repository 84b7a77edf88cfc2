"""The CMS closure: the jets that the Level-1 trigger emulator wrote into the file, found to the last count.

The file carries the towers and, in another tree, the emulator's jets with the tower of their seed, the seed's
energy, the sum of the 9x9 window and the pile-up estimate. All are integers, and all must be equal.
"""

import awkward as ak
import numpy as np
import pytest
import uproot
from places import CONFIGS
from published_cms import chunky_donut, cms_l1_jet
from trigger_loops import maxima, planes

from hep_peaksum import find_clusters, from_hits, preset
from hep_peaksum.config.load import load_config
from hep_peaksum.job.run import run

FILE = "cms_L1Ntuple.root"
CONFIG = CONFIGS / "cms-l1-jets.yaml"
N_EVENTS, N_JETS, N_MAXIMA = 200, 429, 430
DROPPED = 17, 28  # sum and pile-up estimate of the one maximum that is not a jet


@pytest.fixture(scope="module")
def emulator(data):
    """Return the jets of the emulator, as records: row, col, seed, sum, chunky_donut, eta, phi."""
    with uproot.open(data(FILE)) as file:
        jets = file["l1UpgradeEmuTree/L1UpgradeTree/L1Upgrade"].arrays(filter_name="jet*")
    words = {"seed": "SeedEt", "peak_sum": "RawEt", "chunky_donut": "PUEt", "eta": "Eta", "phi": "Phi"}
    ieta, iphi = jets.jetTowerIEta, jets.jetTowerIPhi
    ring = abs(ieta) - (abs(ieta) >= 30)  # there is no ring 29
    row = ak.where(ieta > 0, 39 + ring, 40 - ring)
    columns = {name: jets[f"jet{word}"] for name, word in words.items()}
    return ak.zip({"row": row, "col": iphi - 1, **columns})


def as_set(jets):
    """Return (event, row, col, seed, sum, chunky_donut) of every jet: whole numbers."""
    event = ak.local_index(jets.row, axis=0)
    event = ak.flatten(ak.broadcast_arrays(event, jets.row)[0])
    words = ("row", "col", "seed", "peak_sum", "chunky_donut")
    columns = [ak.to_numpy(ak.flatten(jets[word])) for word in words]
    assert all((column == column.astype(int)).all() for column in columns)
    found = list(zip(*(column.astype(int).tolist() for column in (ak.to_numpy(event), *columns)), strict=True))
    assert len(set(found)) == len(found)
    return set(found)


def jets_of(events):
    """Return the collection Jet of flat columns."""
    return ak.zip({name[4:]: events[name] for name in events.fields if name.startswith("Jet_")})


def assert_closure(jets, emulator):
    """Compare the jets with positive energy after pile-up, of which there are as many as of the emulator."""
    assert len(jets) == len(emulator) == N_EVENTS
    assert ak.count(jets.row) == N_MAXIMA
    kept = jets[jets.net > 0]
    assert ak.count(kept.row) == N_JETS
    assert as_set(kept) == as_set(emulator)
    dropped = jets[jets.net <= 0]
    assert [(jet["peak_sum"], jet["chunky_donut"]) for event in dropped.to_list() for jet in event] == [DROPPED]


def test_the_file_has_the_jets_that_it_is_known_for(emulator):
    assert len(emulator) == N_EVENTS
    assert ak.count(emulator.row) == N_JETS


# ----------------------------------------------------------------------------------------------- on arrays


@pytest.fixture(scope="module")
def towers(data):
    """Return the towers of all events on the grid, by the array functions alone."""
    _, grid = preset("cms-l1-jet")
    with uproot.open(data(FILE)) as file:
        tree = file["l1CaloTowerEmuTree/L1CaloTowerTree"]
        hits = [tree[f"L1CaloTower/{word}"].array() for word in ("ieta", "iphi", "iet")]
    return from_hits(*hits, grid)


@pytest.mark.parametrize("kernel", ["numba", "scipy"])
def test_arrays_give_the_jets_of_the_emulator(towers, emulator, kernel):
    settings, grid = preset("cms-l1-jet")
    fields = ["seed", "peak_sum", "row", "col", "chunky_donut", "net"]
    jets = find_clusters(towers, settings.model_copy(update={"kernel": kernel}), grid, fields=fields)
    assert_closure(jets, emulator)


@pytest.mark.parametrize("tie_rule", ["first", "all", "none", "last", "diagonal"])
def test_the_tie_rule_matters_on_real_towers(towers, emulator, tie_rule):
    """README names the numbers; the maxima are those of plain loops."""
    settings, grid = preset("cms-l1-jet")
    settings = settings.model_copy(update={"tie_rule": tie_rule})
    jets = find_clusters(towers, settings, grid, fields=["seed", "peak_sum", "row", "col", "chunky_donut"])
    expected = {
        (n, *place)
        for n, plane in enumerate(planes(towers))
        for place in maxima(plane, 4, tie_rule, threshold=8)  # 4 GeV
    }
    emulated, found = ({jet[:3] for jet in as_set(each)} for each in (emulator, jets))

    assert found == expected
    assert len(found) == {"all": 452, "none": 407, "first": 429, "last": 430, "diagonal": 430}[tie_rule]
    assert (emulated <= found) == (tie_rule in ("all", "last", "diagonal"))


def test_the_maximum_that_is_no_jet_of_the_emulator_has_less_energy_than_its_pileup(towers, emulator):
    jets = {
        (n, *place): (total, chunky_donut(plane, *place))
        for n, plane in enumerate(planes(towers))
        for place, total in cms_l1_jet(plane).items()
    }
    for n, row, col, _, total, estimate in as_set(emulator):
        assert jets.pop((n, row, col)) == (total, estimate)
    assert list(jets.values()) == [DROPPED]


def test_the_towers_are_those_of_the_file(towers):
    assert towers.shape == (N_EVENTS, 80, 72)
    assert towers.dtype == np.int64
    assert (towers.max(), np.count_nonzero(towers) / towers.size) == (40, pytest.approx(0.0515, abs=5e-5))


# ------------------------------------------------------------------------------------------- through the job


@pytest.fixture(scope="module")
def run_config(data, tmp_path_factory):
    """Run the example config, once for every set of options, and return the folder of its dataset."""
    done = {}

    def run_once(chunksize, executor):
        if (chunksize, executor) not in done:
            directory = tmp_path_factory.mktemp("cms")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HEP_PEAKSUM_DATA", str(data(FILE).parent))
                options = [f"run.chunksize={chunksize}", f"run.executor={executor}", "run.workers=2"]
                run(load_config(CONFIG, [*options, f"output.directory={directory}", "output.plots=false"]))
            done[chunksize, executor] = directory / "zerobias"
        return done[chunksize, executor]

    return run_once


def read(folder, form):
    """Return the events of one form of the results."""
    if form == "parquet":
        return ak.concatenate(
            [ak.from_parquet(part) for part in sorted(folder.glob("clusters.parquet/*.parquet"))]
        )
    name = {"ttree": "clusters.root", "rntuple": "clusters.rntuple.root"}[form]
    with uproot.open(folder / name) as file:
        return file["Events"].arrays()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "ttree", "rntuple"])
@pytest.mark.parametrize(
    ("chunksize", "executor"),
    [(100_000, "iterative"), (70, "iterative"), (7, "iterative"), (7, "futures")],
)
def test_every_form_holds_the_jets_of_the_emulator(run_config, emulator, chunksize, executor, form):
    assert_closure(jets_of(read(run_config(chunksize, executor), form)), emulator)


def test_events_are_those_of_the_friend_tree(run_config, data):
    events = read(run_config(70, "iterative"), "parquet")
    with uproot.open(data(FILE)) as file:
        friend = file["l1EventTree/L1EventTree"].arrays(["Event/run", "Event/lumi", "Event/event", "Event/nPV"])
    for name, branch in (("run", "run"), ("luminosityBlock", "lumi"), ("event", "event"), ("nPV", "nPV")):
        assert events[name].to_list() == friend[f"Event/{branch}"].to_list()


def test_positions_are_near_those_of_the_emulator(run_config, emulator):
    """The emulator rounds: eta to a table of tower centres, phi to 2.5 degrees."""
    jets = jets_of(read(run_config(100_000, "iterative"), "parquet"))
    jets = jets[jets.net > 0]
    jets, theirs = (x[ak.argsort(x.row * 72 + x.col, axis=1)] for x in (jets, emulator))
    assert jets.row.to_list() == theirs.row.to_list()
    apart = np.abs(ak.to_numpy(ak.flatten(jets.phi - theirs.phi)))
    assert np.minimum(apart, 2 * np.pi - apart).max() < 2 * np.pi / 72
    assert np.abs(ak.to_numpy(ak.flatten(jets.eta - theirs.eta))).max() < 0.1
    assert ak.all((jets.phi > -np.pi) & (jets.phi <= np.pi))


def test_energies_are_half_a_gev_a_count(run_config):
    jets = jets_of(read(run_config(100_000, "iterative"), "parquet"))
    assert jets.pt.to_list() == (jets["peak_sum"] * 0.5).to_list()
    energy = ak.flatten(jets.pt * np.cosh(jets.eta))
    assert ak.flatten(jets.energy).to_list() == pytest.approx(energy.to_list(), rel=1e-12)
