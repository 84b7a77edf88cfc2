"""Which pictures a results folder gets: datasets and collections side by side, measurements once."""

import hist
import pytest

from hep_peaksum.config.load import parse_config
from hep_peaksum.plotting.histograms import draw_overlay, draw_stack
from hep_peaksum.plotting.job_plots import Kind, axis_title, kinds_of, pictures, save_plots


def of(name, *values, bins=4):
    return hist.Hist(hist.axis.Regular(bins, 0, 4, name=name, label="pt [GeV]")).fill(list(values))


def test_every_histogram_has_a_picture_and_what_is_alike_one_together(tmp_path):
    formats = ("png", "pdf", "svg")
    histograms = {
        "a": {"Jet_pt": of("Jet_pt", 1, 2), "All_pt": of("All_pt", 1, 2, 3)},
        "b": {"Jet_pt": of("Jet_pt", 3), "All_pt": of("All_pt", 3, bins=8)},
    }
    save_plots(tmp_path, histograms, formats=formats)
    names = ["a-All_pt", "a-Jet_pt", "a-collections-pt", "b-All_pt", "b-Jet_pt", "datasets-Jet_pt"]
    expected = {f"{name}.{suffix}" for name in names for suffix in formats}
    assert {path.name for path in tmp_path.iterdir()} >= expected
    assert not (tmp_path / f"b-collections-pt.{formats[0]}").exists()  # other bins


def test_pictures_show_what_can_be_drawn_and_measurements_once():
    plain, kinds = (
        of("Jet_pt", 1, 2),
        {
            "found": Kind("efficiency", "Jet pt", "Jet seed"),
            "beam": Kind("response", ""),
            "mean": Kind("response", ""),
        },
    )
    axes = plain.axes[0], hist.axis.Regular(2, 0, 2, name="y"), hist.axis.Regular(2, 0, 2, name="z")
    own = {
        "Jet_pt": plain,
        "plane": hist.Hist(*axes[:2]),
        "cube": hist.Hist(*axes),
        "words": hist.Hist(hist.axis.StrCategory(["a"], name="words")),
        "found": plain,
        "found_negative": plain,
        "beam": plain,
    }
    place = {"measurement": "beam", "columns": {"fit": [None]}, "numbers": {}}
    tables = [
        {**place, "dataset": "a", "variation": "nominal"},
        {**place, "dataset": "a", "variation": "Up"},
        {"measurement": "found", "dataset": "a", "variation": "nominal", "columns": {}},
        {"measurement": "mean", "dataset": "a", "variation": "nominal", "columns": {"low_edge": []}},
    ]
    made = {each.name: each for each in pictures({"a": own, "b": {"Jet_pt": plain}}, tables, kinds)}
    assert [*made] == ["a-Jet_pt", "a-plane", "b-Jet_pt", "datasets-Jet_pt", "found", "a-beam", "mean"]
    assert [each.n_axes for each in made.values()] == [1, 2, 1, 1, 1, 1, 1]
    assert [each.rank for each in made.values()] == [2, 2, 2, 1, 0, 0, 0]
    assert (made["found"].tables, made["a-beam"].tables, made["mean"].tables) == (
        [tables[2]],
        [tables[0]],
        [tables[3]],
    )
    assert made["found"].draw.args == ([tables[2]], "efficiency")
    assert made["found"].draw.keywords == {"title": "found", "axis": "Jet pt", "passing": "Jet seed"}
    assert made["a-beam"].draw.keywords == {"title": "beam, a"}
    assert made["a-plane"].draw.keywords == {"title": "a"}
    assert made["datasets-Jet_pt"].histograms == {"a": plain, "b": plain}


@pytest.mark.parametrize(
    ("stack", "drawn"), [([], draw_overlay), (["b"], draw_stack), (["gone"], draw_overlay)]
)
def test_datasets_are_stacked_if_one_of_them_is_to_be(stack, drawn):
    histograms = {"a": {"Jet_pt": of("Jet_pt", 1)}, "b": {"Jet_pt": of("Jet_pt", 2)}}
    *_, together = pictures(histograms, [], {}, stack)
    assert (together.name, together.draw.func) == ("datasets-Jet_pt", drawn)
    assert together.draw.args[0] == {name: own["Jet_pt"] for name, own in histograms.items()}


def test_axes_are_titled_with_the_unit_of_their_field():
    axis, ratio = {"bins": 4, "start": 0, "stop": 8}, {"bins": 4, "start": 0, "stop": 2}
    fields = {"e": {"branch": "e", "unit": 1}, "q": "q"}
    found = {"efficiency": "JetGen", "pass": {"field": "Jet.peak_sum", "thresholds": [1, 2]}}
    content = {
        "datasets": {"a": {"files": {"a.root": "Events"}, "metadata": {"beam": 10}}},
        "grids": {"calo": {"dense": {"branch": "e", "shape": [6, 8]}, "unit": 1}},
        "references": {"Gen": {"row": "r", "col": "c", "grid": "calo", "fields": fields}},
        "clusters": {"Jet": {"grid": "calo", "fields": ["row", "col", "peak_sum", "seed"]}},
        "matches": {"JetGen": {"clusters": "Jet", "reference": "Gen", "by": "cell"}},
        "measurements": {
            "found": {**found, "axis": {"field": "Gen.e", **axis}},
            "charged": {**found, "axis": {"field": "Gen.q", **axis}},
            "beam": {"response": "leading", "of": "Jet.peak_sum", "to": "dataset.beam", "ratio_axis": ratio},
            "sigma": {"resolution": "beam"},
            "trigger": {"rate": "Jet.peak_sum", "axis": axis, "crossing_rate": "40 MHz"},
            "scales": {"scaling": "found"},
        },
        "output": {"directory": "results"},
    }
    config = parse_config(content)
    assert kinds_of(config) == {
        "found": Kind("efficiency", "Gen e [GeV]", "Jet window sum [counts]"),
        "charged": Kind("efficiency", "Gen q", "Jet window sum [counts]"),
        "beam": Kind("response", ""),
        "sigma": Kind("resolution", "energy [GeV]"),
        "trigger": Kind("rate", "Jet window sum [counts]"),
        "scales": Kind("scaling", "online threshold"),
        "scales_rate": Kind("offline_rate", "offline threshold"),
    }
    assert axis_title(config, "nJet") == "number of clusters (Jet)"
    assert axis_title(config, "Jet.other") == "Jet other"
    assert axis_title(config, "nothing.known") == "nothing.known"
