"""Clusters as coffea's four-vectors: found in memory, and read from all files that a job writes."""

import awkward as ak
import cloudpickle
import numpy as np
import pytest
import uproot
from coffea import processor
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory
from coffea.nanoevents.methods import nanoaod
from finished_jobs import run_job

import hep_peaksum as ps

PLANE = ps.Grid(
    rows=ps.Axis(name="eta", bins=6, start=-3, stop=3),
    cols=ps.Axis(name="phi", bins=8, start="-pi", stop="pi", periodic=True),
    unit="1 GeV",
)
# delta phi across the seam: 3.0 and -3.0 are 2 pi - 6 apart
TWO = ak.Array([[{"pt": 30.0, "eta": 0.5, "phi": 3.0}, {"pt": 40.0, "eta": 0.5, "phi": -3.0}], []])


def jets_of(random_cells, **options):
    return ps.find_clusters(random_cells(13), {"seed_threshold": 3}, PLANE, **options)


def massless(pt, eta, phi):
    """Return (E, px, py, pz) of massless objects."""
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])


# -------------------------------------------------------------------------------------------------- in memory


def test_clusters_are_vectors_of_coffea_with_their_other_fields(random_cells):
    clusters = jets_of(random_cells)
    vectors = ps.to_coffea(clusters)
    assert ak.parameters(vectors.layout.content)["__record__"] == "PeakSumClusterE"
    assert vectors.fields == clusters.fields
    for field in clusters.fields:
        assert vectors[field].to_list() == clusters[field].to_list()
    columns = [ak.to_numpy(ak.flatten(clusters[name])) for name in ("pt", "eta", "phi")]
    for name, expected in zip(("energy", "px", "py", "pz"), massless(*columns), strict=True):
        assert ak.flatten(getattr(vectors, name)).to_list() == pytest.approx(expected.tolist())
    assert ak.max(abs(vectors.mass)) < 1e-5
    direction = ["pt", "eta", "phi"]
    assert set(ak.flatten(ps.to_coffea(clusters[direction]).mass).to_list()) == {0}


def test_distances_go_the_short_way_and_the_nearest_is_found():
    vectors = ps.to_coffea(TWO)
    assert vectors[0, 0].delta_r(vectors[0, 1]) == pytest.approx(2 * np.pi - 6)
    others = ps.to_coffea(ak.Array([[{"pt": 1.0, "eta": 0.5, "phi": -3.1}], []]))
    assert others.nearest(vectors).pt.to_list() == [[40.0], []]
    assert vectors.nearest(others, threshold=0.11).pt.to_list() == [[None, 1.0], []]
    assert ak.num(vectors.metric_table(others), axis=2).to_list() == [[1, 1], []]


@pytest.mark.parametrize("name", ["PtEtaPhiMLorentzVector", "PtEtaPhiMCandidate", "Jet", "Muon", "GenParticle"])
@pytest.mark.parametrize(
    "fields", [["pt", "eta", "phi"], ["pt", "eta", "phi", "energy"]], ids=["mass", "energy"]
)
def test_clusters_and_particles_of_coffea_are_added(name, fields):
    particle = {"pt": 20.0, "eta": -0.5, "phi": 1.0, "mass": 0.0, "charge": 1}
    particles = ak.Array([[particle, particle], []], with_name=name, behavior=nanoaod.behavior)
    clusters = ps.to_coffea(ak.with_field(TWO, TWO.pt * np.cosh(TWO.eta), "energy")[fields])
    total = clusters + particles
    expected = massless(np.array([30.0, 40]), 0.5, np.array([3.0, -3])) + massless(20.0, -0.5, 1.0)[:, None]
    assert total.energy[0].to_list() == pytest.approx(expected[0].tolist())
    assert total.px[0].to_list() == pytest.approx(expected[1].tolist())
    assert (particles + clusters).energy.to_list() == total.energy.to_list()
    difference = massless(np.array([30.0, 40]), 0.5, np.array([3.0, -3])) - massless(20.0, -0.5, 1.0)[:, None]
    assert (clusters - particles).px[0].to_list() == pytest.approx(difference[1].tolist())
    assert (clusters + clusters).pt[0].to_list() == pytest.approx([60, 80])
    assert ps.to_coffea(TWO).sum().pz.to_list() == pytest.approx([70 * np.sinh(0.5), 0])


def test_vectors_can_be_sent_to_other_processes(random_cells):
    vectors = ps.to_coffea(jets_of(random_cells))
    assert cloudpickle.loads(cloudpickle.dumps(vectors)).px.to_list() == vectors.px.to_list()


def test_a_mass_is_kept_and_layers_stay_with_their_clusters(random_cells):
    heavy = ak.with_field(TWO, 5.0, "mass")
    assert ps.to_coffea(heavy).energy[0, 0] ** 2 == pytest.approx((30 * np.cosh(0.5)) ** 2 + 25)
    layered = ps.find_clusters(
        random_cells(4, shape=(3, 6, 8)),
        {"seed_threshold": 3},
        PLANE,
        fields=["pt", "eta", "phi", "layer_sums"],
    )
    assert ps.to_coffea(layered).layer_sums.to_list() == layered.layer_sums.to_list()


def test_clusters_without_a_direction_are_an_error_of_one_line(random_cells):
    with pytest.raises(ValueError, match=r"^clusters have no pt, eta, phi: four-vectors need pt, eta and phi"):
        ps.to_coffea(ps.find_clusters(random_cells(2)))


# ------------------------------------------------------------------------------------------------- from files


@pytest.fixture
def results(write_events, job, tmp_path):
    """Return the files of one job in every format."""
    output = {
        "directory": str(tmp_path / "results"),
        "clusters": ["parquet", "ttree", "rntuple"],
        "plots": False,
    }
    clusters = {
        "Jet": {"grid": "calo", "seed_threshold": 3},
        "Slim": {"grid": "calo", "seed_threshold": 3, "fields": ["pt", "eta", "phi"]},
        "Bare": {"grid": "calo", "seed_threshold": 3, "fields": ["peak_sum", "row", "col"]},
    }
    folder = run_job(job(write_events("a.root", 13), output=output, clusters=clusters)).directory / "toy"
    [parquet] = folder.rglob("part-*.parquet")
    return {"parquet": parquet, "ttree": folder / "clusters.root", "rntuple": folder / "clusters.rntuple.root"}


def kind_of(collection):
    return ak.parameters(ak.flatten(collection))["__record__"]


def read(path, form, schema=ps.PeakSumSchema):
    if form == "parquet":
        return NanoEventsFactory.from_parquet(str(path), schemaclass=schema).events()
    return NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=schema).events()


@pytest.mark.parametrize("form", ["parquet", "ttree", "rntuple"])
def test_every_collection_with_a_direction_has_four_vectors(results, random_cells, form):
    events, expected = read(results[form], form), ps.to_coffea(jets_of(random_cells))
    for collection in (events.Jet, events.Slim):
        assert kind_of(collection) == "PeakSumClusterE"
        assert collection.pt.to_list() == expected.pt.to_list()
        assert ak.flatten(collection.px).to_list() == pytest.approx(ak.flatten(expected.px).to_list())
        assert ak.flatten(collection.energy).to_list() == pytest.approx(ak.flatten(expected.energy).to_list())
        assert ak.max(abs(collection.mass)) < 1e-5
        distance = collection.metric_table(collection)
        assert ak.flatten(distance, axis=None).to_list() == pytest.approx(
            ak.flatten(expected.metric_table(expected), axis=None).to_list()
        )
    assert events.Jet.sum().px.to_list() == pytest.approx(expected.sum().px.to_list())
    assert events.Bare.peak_sum.to_list() == expected.peak_sum.to_list()
    assert (events.Jet + events.Slim).pt.to_list() == [
        pytest.approx(each) for each in (2 * expected.pt).to_list()
    ]


@pytest.mark.parametrize("form", ["parquet", "ttree", "rntuple"])
def test_a_runner_reads_results_with_the_schema(results, random_cells, form):
    kind = {"format": "parquet"} if form == "parquet" else {}
    runner = processor.Runner(
        executor=processor.IterativeExecutor(status=False, retries=0), schema=ps.PeakSumSchema, **kind
    )
    files = {"toy": {"files": {str(results[form]): "Events"}}}
    total = runner(files, lambda events: {"px": float(ak.sum(events.Jet.px)), "n": len(events)})
    assert total == {"px": pytest.approx(float(ak.sum(ps.to_coffea(jets_of(random_cells)).px))), "n": 13}


@pytest.fixture
def matched(tmp_path):
    """Write two events: the first jet refers to the second particle jet, the second jet to none."""
    direction = {"eta": 0.5, "phi": 0.1}
    jets = ak.Array([[{"pt": 30.0, **direction, "genJetIdx": 1}, {"pt": 20.0, **direction, "genJetIdx": -1}],
                     [{"pt": 10.0, **direction, "genJetIdx": 0}]])  # fmt: skip
    generated = ak.Array([[{"pt": 5.0, **direction, "mass": 1.0}, {"pt": 31.0, **direction, "mass": 2.0},
                           {"pt": 4.0, **direction, "mass": 4.0}],
                          [{"pt": 11.0, **direction, "mass": 3.0}]])  # fmt: skip
    generated["energy"] = ak.full_like(generated.pt, 99.0)  # of two fourth components the mass is taken
    with uproot.recreate(tmp_path / "matched.root") as file:
        words = {word: np.arange(2, dtype="u4") for word in ("run", "luminosityBlock", "event")}
        file.mktree("Events", {**words, "Jet": jets, "GenJet": generated})
    return read(tmp_path / "matched.root", "ttree")


def test_an_index_of_another_collection_refers_to_its_objects(matched):
    assert kind_of(matched.Jet) == kind_of(matched.GenJet) == "PeakSumClusterM"  # the jets have no mass column
    partners = matched.Jet.matched("GenJet")
    assert partners.pt.to_list() == [[31.0, None], [11.0]]
    assert partners.mass.to_list() == [[2.0, None], [3.0]]
    assert matched.GenJet.energy[1, 0] == pytest.approx(np.hypot(11 * np.cosh(0.5), 3))
    assert matched.Jet.delta_r(partners).to_list() == [[pytest.approx(0), None], [pytest.approx(0)]]
    assert matched[1:].Jet[:, :1].matched("GenJet").pt.to_list() == [[11.0]]


def test_an_index_that_is_not_there_is_an_error_of_one_line(matched):
    with pytest.raises(
        ValueError, match=r"^there is no column Jet_particleIdx in a file, or no collection Particle$"
    ):
        matched.Jet.matched("Particle")


def test_the_schema_of_nanoaod_is_left_as_it_was():
    assert NanoAODSchema.mixins["Jet"] == "Jet"
    assert "PeakSumClusterM" not in NanoAODSchema.behavior()
