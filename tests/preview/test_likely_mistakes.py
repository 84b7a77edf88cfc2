"""What is allowed and probably not meant is remarked on, and what is meant is not."""

import numpy as np
import pytest
from small_config import problems, small

from hep_peaksum.config.load import parse_config
from hep_peaksum.preview.likely_mistakes import likely_mistakes
from hep_peaksum.processing.normalisation import normalised_in_words

PLANE = {
    "rows": {"name": "eta", "bins": 24, "start": -3, "stop": 3},
    "cols": {"name": "phi", "bins": 16, "start": "-pi", "stop": "pi", "periodic": True},
    "unit": 1,
}


def remarks(**sections):
    content = small()
    content["clusters"]["Jet"]["seed_threshold"] = 1
    return [*likely_mistakes(parse_config({**content, **sections}))]


def hits(row, col, **keys):
    return {"grids": {"calo": {**PLANE, **keys, "hits": {"row": row, "col": col, "value": "e"}}}}


@pytest.mark.parametrize(
    ("row", "col", "is_odd"),
    [
        ("hit_eta", "hit_phi", False),
        ("hit_phi", "hit_eta", True),
        ("Tower.Phi", "Tower.Eta", True),
        ("L1CaloTower/iphi", "L1CaloTower/ieta", True),
        ({"phi": "pos"}, {"eta": "pos"}, True),
        ("theta", "phi", False),  # no word of theta is eta
        ("hit_phi", "hit_x", False),
        ("etaphi_0", "etaphi_1", False),
    ],
)
def test_branches_with_the_name_of_the_other_axis_are_remarked_on(row, col, is_odd):
    found = remarks(**hits(row, col))
    assert [each.partition(": ")[0] for each in found] == ["grids.calo.hits"] * is_odd
    assert all(each.endswith("are row and col exchanged?") for each in found)


@pytest.mark.parametrize(("eta", "is_odd"), [("Jet_eta", False), ("Jet_phi", True)])
def test_objects_with_exchanged_places_are_remarked_on(eta, is_odd):
    phi = "Jet_eta" if is_odd else "Jet_phi"
    said = "references.R: eta is Jet_phi, phi is Jet_eta: are they exchanged?"
    assert remarks(references={"R": {"eta": eta, "phi": phi}}) == [said] * is_odd


@pytest.mark.parametrize(
    ("axis", "is_odd"),
    [
        ({"start": "-pi", "stop": "pi", "periodic": True}, False),
        ({"start": "-pi", "stop": "pi"}, True),
        ({"start": 0, "stop": 360, "unit": "deg"}, True),
        ({"start": 0, "stop": "pi"}, False),
        ({"name": "u", "start": "-pi", "stop": "pi"}, False),
    ],
)
def test_a_turn_that_does_not_close_is_remarked_on(axis, is_odd):
    found = remarks(**hits("a", "b", cols={"name": "phi", "bins": 16, **axis}))
    assert [each.partition(": ")[0] for each in found] == ["grids.calo.cols"] * is_odd


@pytest.mark.parametrize(("n_masked", "is_odd"), [(2, False), (192, False), (382, True)])
def test_a_map_that_masks_most_cells_is_remarked_on(tmp_path, n_masked, is_odd):
    path = str(tmp_path / "good.npy")
    np.save(path, (np.arange(384) < n_masked).reshape(24, 16))
    found = remarks(**hits("a", "b", mask=path))
    said = f"grids.calo.mask: {path} masks 382 of 384 cells (true masks): "
    assert found == [f"{said}if true are the good ones, save the map with ~"] * is_odd


def test_a_map_that_is_gone_since_is_not_remarked_on(tmp_path):
    path = tmp_path / "mask.npy"
    np.save(path, np.ones((24, 16), bool))
    content = {**small("clusters.Jet.seed_threshold=1"), **hits("a", "b", mask=str(path))}
    config = parse_config({**content, "variations": {"Up": {"grids.calo.scale": 1.0}}})
    path.unlink()
    assert [*likely_mistakes(config)] == []


@pytest.mark.parametrize(
    ("variations", "said"),
    [
        ({"Up": {"grids.calo.scale": 1.03}, "Down": {"grids.calo.scale": 0.97}}, []),
        ({"Up": {"grids.calo.scale": 1.0}}, ["variations.Up: is the same as the job without variations"]),
        (
            {"Up": {"grids.calo.scale": 1.03}, "Down": {"grids.calo.scale": 1.03}},
            ["variations.Down: is the same as variations.Up"],
        ),
        ({"Seed": {"clusters.Jet.seed_threshold": 2}}, []),
    ],
)
def test_variations_that_are_the_same_are_remarked_on(variations, said):
    assert remarks(variations=variations) == [f"{each}: give other values, or drop it" for each in said]


@pytest.mark.parametrize(("other", "is_odd"), [("a.root:Other", False), ("a.root:Events", True)])
def test_a_file_of_two_datasets_is_remarked_on(other, is_odd):
    said = "datasets.b.files: a.root is also in a: is another file meant?"
    assert remarks(datasets={"a": {"files": "a.root:Events"}, "b": {"files": other}}) == [said] * is_odd


@pytest.mark.parametrize(("within", "is_odd"), [(0.4, False), (6.2, False), (6.3, True)])
def test_a_match_that_reaches_through_the_grid_is_remarked_on(within, is_odd):
    found = remarks(
        **hits("a", "b"),
        references={"Gen": {"eta": "x", "phi": "y"}},
        matches={"T": {"clusters": "Jet", "reference": "Gen", "by": "delta_r", "within": within}},
    )
    said = "matches.T.within: 6.3 reaches as far as the grid, 6 x 6.283: is a smaller one meant?"
    assert found == [said] * is_odd


def test_a_grid_that_is_named_twice_is_an_error():
    said = "'calo' is named 2 times, and so often would every cluster count: name it once"
    assert problems(small("clusters.Jet.grid=[calo, calo]")) == [f"clusters.Jet.grid: {said}"]


SAMPLE = {"files": "a.root:Events", "cross_section": 3, "sum_of_weights": "w"}


@pytest.mark.parametrize(
    ("sections", "stack", "said"),
    [
        ({"datasets": {"a": SAMPLE}, "luminosity": "2 /fb"}, [], ["Normalised to 2000 /pb: a"]),
        (
            {"datasets": {"a": SAMPLE, "b": {"files": "b.root"}}, "luminosity": 2},
            ["a", "b"],
            ["Normalised to 2 /pb: a; as counted: b"],
        ),
        ({}, [], []),
    ],
)
def test_what_is_normalised_is_told_and_a_stack_of_both_is_remarked_on(sections, stack, said):
    output = {"directory": "results", "stack": stack}
    config = parse_config({**small(), **sections, "output": output})
    assert [*normalised_in_words(config)] == said
    odd = "datasets.b: is stacked with normalised datasets and has no cross_section: its events are as counted"
    found = [each for each in likely_mistakes(config) if each.startswith("datasets")]
    assert found == [f"{odd}: is one missing?"] * ("b" in stack)
