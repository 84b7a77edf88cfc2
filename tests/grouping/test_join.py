"""Collections joined by an index: against loops over events and elements, and podio's files as they are."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hep_peaksum import block_sizes
from hep_peaksum.grouping.join import join_collections
from hep_peaksum.inputs.paths import InputFile

PHOTONS = ["EFlowPhoton.hits_begin", "EFlowPhoton#1.index", "CalorimeterHits"]


@pytest.fixture
def linked(write_root):
    """Write events of jets that point to towers; -1 points to none."""

    def write(index, *, rntuple=False, **more):
        jets = {"index": ak.Array(index), "pt": ak.Array([[10.0 * i for i, _ in enumerate(e)] for e in index])}
        towers = [[100 * event + k for k in range(4)] for event in range(len(index))]
        branches = {"event": np.arange(len(index)), "Jet": ak.zip(jets), "Tower": ak.zip({"x": towers})}
        if rntuple:
            branches = {
                "event": branches["event"],
                "Tower_x": ak.Array(towers),
                **{f"Jet_{name}": values for name, values in jets.items()},
            }
        return InputFile(write_root("in.root", {"Events": {**branches, **more}}, rntuple=rntuple), "Events")

    return write


def written(path):
    return uproot.open(path)["Events"].arrays().to_list()


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("rntuple", [False, True])
def test_each_element_has_what_it_points_to_and_others_are_counted(linked, tmp_path, kind, rntuple):
    source = linked([[3, 0], [], [2, -1, 2]], rntuple=rntuple)
    chain, out = ["Jet_index", "Tower"], tmp_path / "out.root"
    joined = join_collections(source, out, chain, branches=["event", "Jet_pt", "Tower_x"], kind=kind)
    assert written(out) == [
        {"event": 0, "nJet": 2, "Jet_pt": [0.0, 10.0], "Jet_x": [3, 0]},
        {"event": 1, "nJet": 0, "Jet_pt": [], "Jet_x": []},
        {"event": 2, "nJet": 2, "Jet_pt": [0.0, 20.0], "Jet_x": [202, 202]},
    ]
    counts = (joined.n_events, joined.n_elements, joined.n_joined, joined.n_several)
    assert counts == (3, 5, 4, 0)


def test_by_default_everything_of_both_collections_is_written(linked, tmp_path):
    joined = join_collections(linked([[1]]), tmp_path / "o.root", ["Jet_index", "Tower"], collection="Seed")
    assert joined.columns == {"Seed_index": "Jet_index", "Seed_pt": "Jet_pt", "Seed_x": "Tower_x"}


def test_a_link_beyond_the_last_element_is_an_error_that_names_the_entry(linked, tmp_path, monkeypatch):
    monkeypatch.setattr(block_sizes, "GROUP_BYTES", 1)
    source = linked([[3], [1, 4]])
    with pytest.raises(ValueError, match="entry 1: a link points to element 4, but 'Tower_x' has 4 there"):
        join_collections(source, tmp_path / "o.root", ["Jet_index", "Tower"])
    assert [each.name for each in tmp_path.iterdir()] == ["in.root"]


@pytest.mark.parametrize(
    ("chain", "branches", "message"),
    [
        (["Jet_index"], [], "'Jet_index' joins nothing: write INDEX:NAME"),
        (["Jet_indx", "Tower"], [], r"no branch 'Jet_indx' \(did you mean 'Jet_index'\?\)"),
        (["Jet_pt", "Tower"], [], r"'Jet_pt' \(double\[\]\) holds no index"),
        (["event", "Tower"], [], r"'event' \(int64_t\) holds no index"),
        (["Jet_index", "Towers"], [], r"no branch Towers\.\* or Towers_\* holds numbers"),
        (["Jet_index", "Tower"], ["event"], "event names nothing of Jet or Tower"),
        (["Jet_index", "Tower"], ["Jet_pt", "name"], "'name' holds text, where a number is expected"),
        (
            ["Jet_index", "Tower"],
            ["Jet_pt", "tracks"],
            "'tracks' is neither a number of the event nor one of Jet",
        ),
        (["Jet_index", "Tower"], ["Tower_y"], r"no branch 'Tower_y' \(did you mean 'Tower_x'\?\)"),
    ],
)
def test_what_cannot_be_joined_is_one_line(linked, tmp_path, chain, branches, message):
    source = linked([[3], [1]], name=ak.Array(["a", "b"]), tracks=np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match=message) as error:
        join_collections(source, tmp_path / "o.root", chain, branches=branches)
    assert "\n" not in str(error.value)


def test_relations_to_several_take_the_first_and_empty_ones_none(write_root, tmp_path):
    relation = {"begin": [[0, 2, 2]], "end": [[2, 2, 3]]}
    clusters = {f"C.hits_{name}": ak.Array(values) for name, values in relation.items()}
    source = write_root(
        "podio.root",
        {"events": {**clusters, "C#1.index": ak.Array([[5, 6, 1]]), "H.x": ak.Array([[*range(10, 17)]])}},
    )
    joined = join_collections(
        InputFile(source, "events"), tmp_path / "o.root", ["C.hits_begin", "C#1.index", "H"], branches=["H.x"]
    )
    assert written(tmp_path / "o.root") == [{"nC": 2, "C_x": [15, 11]}]
    assert (joined.n_elements, joined.n_joined, joined.n_several) == (3, 2, 1)


def test_eic_hits_have_the_time_of_a_contribution_and_the_number_of_the_event(data, tmp_path):
    path, hits = str(data("eic_test_sim.edm4hep.root")), "EcalBarrelScFiHits"
    chain = [f"{hits}.contributions_begin", f"_{hits}_contributions.index", f"{hits}Contributions"]
    names = ["EventHeader.eventNumber", f"{hits}.energy", f"{hits}Contributions.time"]
    joined = join_collections(InputFile(path, "events"), tmp_path / "o.root", chain, branches=names)
    tree = uproot.open(path)["events"]
    numbers, energies, times, begins, ends, indices = (
        tree[name].array().to_list() for name in (*names, chain[0], f"{hits}.contributions_end", chain[1])
    )
    found = written(tmp_path / "o.root")
    for event, columns in enumerate(found):
        assert columns["EventHeader_eventNumber"] == numbers[event][0]
        assert columns[f"{hits}_energy"] == energies[event]
        assert columns[f"{hits}_time"] == [times[event][indices[event][begin]] for begin in begins[event]]
    n_linked = [end - begin for e, b in zip(ends, begins, strict=True) for end, begin in zip(e, b, strict=True)]
    assert joined.n_joined == len(n_linked) == 2091
    assert joined.n_several == sum(n > 1 for n in n_linked) > 0


@pytest.mark.parametrize("n_bytes", [1, 1 << 20], ids=["an_event_at_a_time", "at_once"])
@pytest.mark.parametrize(("numbers", "n"), [([2.0, 3.0], 2), ([], 0)], ids=["more", "none"])
def test_lists_that_hold_more_or_less_than_the_number_of_the_event_are_an_error(
    linked, tmp_path, monkeypatch, numbers, n, n_bytes
):
    monkeypatch.setattr(block_sizes, "GROUP_BYTES", n_bytes)
    source = linked([[0], [1], [2]], other=ak.Array([[1.0], numbers, [1.0]]))
    with pytest.raises(ValueError, match=f"'other' holds {n} numbers in entry 1, where one is expected"):
        join_collections(source, tmp_path / "o.root", ["Jet_index", "Tower"], branches=["Tower_x", "other"])


@pytest.mark.parametrize("ids", [[[7, 9], [9]], [[7, 7], [9]]], ids=["of one event", "of two events"])
def test_links_into_several_collections_are_an_error(write_root, tmp_path, ids):
    branches = {
        "C.hits_begin": [[0, 1], [0]],
        "C#1.index": [[0, 0], [0]],
        "C#1.collectionID": [[7, 7], [7]],
        "H.x": [[1.0], [2.0]],
    }
    path = write_root("one.root", {"events": {name: ak.Array(each) for name, each in branches.items()}})
    joined = join_collections(
        InputFile(path, "events"), tmp_path / "o.root", ["C.hits_begin", "C#1.index", "H"]
    )
    assert joined.n_joined == 3
    branches["C#1.collectionID"] = ids
    path = write_root("podio.root", {"events": {name: ak.Array(each) for name, each in branches.items()}})
    with pytest.raises(
        ValueError, match=r"'C#1.index' points into several collections \(7 and 9\), not only into H"
    ):
        join_collections(InputFile(path, "events"), tmp_path / "p.root", ["C.hits_begin", "C#1.index", "H"])


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("name", ["EFlowPhoton", "EFlowNeutralHadron"])
def test_fcc_energies_have_the_positions_of_their_hits(data, tmp_path, name, kind):
    path = str(data("coffea_test_FCC_Winter2023.root"))
    chain = [link.replace("EFlowPhoton", name) for link in PHOTONS]
    join_collections(
        InputFile(path, "events"),
        tmp_path / "o.root",
        chain,
        branches=[f"{name}.energy", "CalorimeterHits.position.*"],
        kind=kind,
    )
    tree = uproot.open(path)["events"]
    begins, indices, energies = (tree[b].array().to_list() for b in (*chain[:2], f"{name}.energy"))
    places = {axis: tree[f"CalorimeterHits.position.{axis}"].array().to_list() for axis in "xyz"}
    found = written(tmp_path / "o.root")
    assert len(found) == 100
    for event, columns in enumerate(found):
        assert columns[f"{name}_energy"] == energies[event]
        for axis in "xyz":
            expected = [places[axis][event][indices[event][begin]] for begin in begins[event]]
            assert columns[f"{name}_position_{axis}"] == expected
    assert max(abs(x) for columns in found for x in columns[f"{name}_position_x"]) > 100


def test_names_that_both_collections_have_must_be_chosen(data, tmp_path):
    source = InputFile(str(data("coffea_test_FCC_Winter2023.root")), "events")
    with pytest.raises(ValueError, match="would both be written as 'EFlowPhoton_energy': choose one of them"):
        join_collections(source, tmp_path / "o.root", PHOTONS)


@pytest.mark.parametrize("accident", ["vanishes", "is cut short"])
def test_a_file_that_changes_in_between_is_one_line_and_leaves_nothing(linked, tmp_path, accident):
    source = linked([[3, 0]])
    path = Path(source.path)
    path.unlink() if accident == "vanishes" else path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(OSError, match=r"in\.root: cannot be read as a ROOT file") as error:
        join_collections(source, tmp_path / "o.root", ["Jet_index", "Tower"])
    assert "\n" not in str(error.value)
    assert [each.name for each in tmp_path.iterdir()] == ["in.root"] * (accident == "is cut short")


def test_neither_the_input_nor_a_file_that_exists_is_replaced_unasked(linked, tmp_path):
    source, out = linked([[3, 0]]), tmp_path / "o.root"
    content = Path(source.path).read_bytes()
    out.write_text("mine")
    with pytest.raises(ValueError, match=r"o\.root exists already.*--force"):
        join_collections(source, out, ["Jet_index", "Tower"])
    assert out.read_text() == "mine"
    with pytest.raises(ValueError, match="is the file that is read"):
        join_collections(source, Path(source.path), ["Jet_index", "Tower"], overwrite=True)
    assert Path(source.path).read_bytes() == content
    assert join_collections(source, out, ["Jet_index", "Tower"], overwrite=True).n_joined == 2
