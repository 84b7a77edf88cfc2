"""The paragraph on how clusters were made names the windows, the thresholds and the published source."""

import pytest

from hep_peaksum.config.load import parse_config
from hep_peaksum.library.presets import read_preset
from hep_peaksum.report.methods import methods

VERSIONS = {"hep_peaksum": "1", "coffea": "2", "awkward": "3", "uproot": "4"}


@pytest.fixture
def made(job):
    def make(**clusters):
        return methods(parse_config(job("a.root", clusters=clusters)), VERSIONS)

    return make


def test_a_preset_is_cited_with_its_source(made):
    result = made(Jet={"grid": "calo", "preset": "crystal-3x3", "search_window": [5, 5]})
    _, text = result.paragraphs
    source = read_preset("crystal-3x3").source
    assert any(source in reference for reference in result.references)
    number = next(k for k, each in enumerate(result.references, 1) if source in each)
    assert f"{read_preset('crystal-3x3').title} [{number}], except for search_window." in text


def test_windows_thresholds_and_tie_rule_are_in_the_words(made):
    result = made(
        Cluster={"grid": "calo", "search_window": [3, 5], "sum_window": [1, 3], "seed_threshold": "4 GeV"}
    )
    _, text = result.paragraphs
    for words in (
        "calo (6 x 8 cells)",
        "3 x 5 cells",
        "1 x 3 cells",
        "> 4 GeV",
        "> 4 GeV; tie rule first (of equal cells",
    ):
        assert words in text


def test_every_collection_has_its_windows_and_the_number_of_its_source(job):
    """Of two grids of other sizes; what is not published cites nothing, and what is not changed says so."""
    content = job("a.root")
    content["grids"]["had"] = {"dense": {"branch": "had", "shape": [2, 8]}, "unit": "1 GeV"}
    content["clusters"] = {
        "Own": {"grid": ["calo", "had"], "search_window": [3, 5], "sum_window": "ox", "seed_threshold": 4},
        "Box": {"grid": "calo", "preset": "crystal-3x3"},
        "Other": {"grid": "calo", "preset": "lhcb-calo", "seed_threshold": 9},
    }
    result = methods(parse_config(content), VERSIONS)
    first, own, box, other = result.paragraphs
    assert first == "Clusters were found with hep_peaksum 1 [1] in a coffea job [2, 3, 4]."
    grids = "the grid calo (6 x 8 cells) and had (2 x 8 cells)"
    windows = "a window of 3 x 5 cells; the energies of the cells in a drawn sum window around each maximum"
    compared = "each compared with the other cells of"
    assert own.startswith(f"Own: local maxima were sought in {grids}, {compared} {windows} were added. ")
    assert "The settings are those of" not in own
    published = [read_preset(name) for name in ("crystal-3x3", "lhcb-calo")]
    for text, of, words in zip(
        (box, other), published, ("[5]. ", "[6], except for seed_threshold. "), strict=True
    ):
        assert f"around each maximum were added. The settings are those of {of.title} {words}" in text
    assert result.references[0] == "The hep_peaksum developers, hep_peaksum 1."
    assert [each.split(":")[0] for each in result.references[1:4]] == [
        f"{name}, doi" for name in ("coffea 2", "awkward 3", "uproot 4")
    ]
    assert result.references[4:] == [f"{of.title}: {of.source}." for of in published]


def test_a_preset_used_twice_is_cited_once(made):
    both = {"grid": "calo", "preset": "crystal-3x3", "search_window": [5, 5]}
    result = made(A=both, B={**both, "tie_rule": "all"})
    assert len(result.references) == len(set(result.references)) == 5


def test_the_page_has_every_paragraph_and_reference(good):
    _, page = good
    assert "Clusters were found with hep_peaksum" in page.visible
    assert "[1] The hep_peaksum developers" in page.visible
