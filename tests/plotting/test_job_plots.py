"""Which pictures a results folder gets: datasets and collections side by side, measurements once."""

import hist
import pytest

from hep_peaksum.plotting.job_plots import save_plots


def of(name, *values, bins=4):
    return hist.Hist(hist.axis.Regular(bins, 0, 4, name=name, label="pt [GeV]")).fill(list(values))


@pytest.mark.parametrize("formats", [("png",), ("pdf", "svg")])
def test_every_histogram_has_a_picture_and_what_is_alike_one_together(tmp_path, formats):
    histograms = {
        "a": {"Jet_pt": of("Jet_pt", 1, 2), "All_pt": of("All_pt", 1, 2, 3)},
        "b": {"Jet_pt": of("Jet_pt", 3), "All_pt": of("All_pt", 3, bins=8)},
    }
    save_plots(tmp_path, histograms, formats=formats)
    names = ["a-All_pt", "a-Jet_pt", "a-collections-pt", "b-All_pt", "b-Jet_pt", "datasets-Jet_pt"]
    expected = {f"{name}.{suffix}" for name in names for suffix in formats}
    assert {path.name for path in tmp_path.iterdir()} >= expected
    assert not (tmp_path / f"b-collections-pt.{formats[0]}").exists()  # other bins
