"""Histograms in a ROOT file: in ROOT's own form where it has one, and always without loss."""

import math

import hist
import numpy as np
import pytest
import uhi.io.uproot
import uproot

from hep_peaksum.results import root_files
from hep_peaksum.results.checkpoints import add_bins, filled_bins, flat_contents


def filled(*axes, storage="double", seed=1):
    random = np.random.default_rng(seed)
    histogram = hist.Hist(*axes, storage=storage, name="h", label="title")
    weight = {"weight": random.uniform(0, 2, 500)} if storage == "weight" else {}
    return histogram.fill(*random.integers(-1, 6, (len(axes), 500)), **weight)


PT = hist.axis.Regular(5, 0, 5, name="pt", label="$p_T$ [GeV]")
PHI = hist.axis.Regular(4, 0, 6, name="phi", circular=True)
N = hist.axis.Variable([0, 1, 4, 5], name="n")
HISTOGRAMS = {
    "data/pt": filled(PT),
    "data/weighted": filled(PT, storage="weight"),
    "data/two": filled(PT, PHI),
    "mc/three": filled(PT, PHI, N, storage="weight"),
    "index": filled(hist.axis.Integer(0, 4, name="row")),
}


def test_histograms_are_written_in_roots_form_and_lossless(tmp_path):
    root_files.write_histograms(HISTOGRAMS, tmp_path / "histograms.root")
    with uproot.open(tmp_path / "histograms.root") as root:
        for key, histogram in HISTOGRAMS.items():
            assert root[key].classname == f"TH{histogram.ndim}D"
            result = root[key].to_hist()
            assert np.array_equal(result.values(), histogram.values())
            assert np.array_equal(result.variances(), histogram.variances())
            assert result.axes[0].label == histogram.axes[0].label.replace("$p_T$", "p_{T}")
            assert hist.Hist(uhi.io.uproot.read(root, f"uhi/{key}")) == histogram
    assert [path.name for path in tmp_path.iterdir()] == ["histograms.root"]


def test_every_category_is_a_histogram_of_root(tmp_path):
    variation = hist.axis.StrCategory(["nominal", "Up"], name="variation")
    threshold = hist.axis.StrCategory(["total", "20"], name="threshold")
    histogram = hist.Hist(variation, threshold, PT, storage=hist.storage.Weight())
    histogram.fill(["nominal", "Up", "Up"], ["total", "20", "20"], [1.0, 2.0, 3.0], weight=[1, 2, 3])
    root_files.write_histograms({"d/h": histogram}, tmp_path / "histograms.root")
    with uproot.open(tmp_path / "histograms.root") as root:
        for key, place in (("h_total", ("nominal", "total")), ("h_Up_20", ("Up", "20"))):
            assert root[f"d/{key}"].values().tolist() == histogram[(*place, slice(None))].values().tolist()
            assert (
                root[f"d/{key}"].variances().tolist() == histogram[(*place, slice(None))].variances().tolist()
            )
        assert hist.Hist(uhi.io.uproot.read(root, "uhi/d/h")) == histogram


@pytest.mark.parametrize(
    "histogram",
    [
        hist.Hist(hist.axis.StrCategory(["a", "b"], name="c")).fill(["a"]),
        hist.Hist(PT, storage="int64").fill([1.0]),
        filled(PT, PHI, N, hist.axis.Integer(0, 4, name="row")),
    ],
    ids=["categories only", "integer storage", "four axes"],
)
def test_histograms_without_a_root_form_are_written_as_uhi(tmp_path, histogram):
    root_files.write_histograms({"h": histogram}, tmp_path / "histograms.root")
    with uproot.open(tmp_path / "histograms.root") as root:
        assert root.keys(recursive=False, cycle=False) == ["uhi"]
        assert hist.Hist(uhi.io.uproot.read(root, "uhi/h")) == histogram


@pytest.mark.parametrize("key", ["a:b", "a;1", "a//b", "/a", "uhi/a", ""])
def test_invalid_keys_are_errors(tmp_path, key):
    with pytest.raises(ValueError, match="histogram key"):
        root_files.write_histograms({key: HISTOGRAMS["index"]}, tmp_path / "histograms.root")


def test_histograms_that_cannot_be_written_leave_the_older_file(tmp_path):
    path = tmp_path / "histograms.root"
    path.write_bytes(b"as it was")
    with pytest.raises(TypeError, match="cannot make a directory named 'index'"):
        root_files.write_histograms({**HISTOGRAMS, "index/row": HISTOGRAMS["index"]}, path)
    assert path.read_bytes() == b"as it was"
    assert [path.name for path in tmp_path.iterdir()] == ["histograms.root"]


def test_a_histogram_with_numbers_beside_categories_is_lossless_as_uhi(tmp_path):
    category = hist.axis.StrCategory(["muon", "photon"], name="kind")
    both = hist.Hist(category, PT, storage="double").fill(["muon", "photon"], [0.5, 4.5])
    root_files.write_histograms({"both": both}, tmp_path / "h.root")
    with uproot.open(tmp_path / "h.root") as file:
        assert "both" not in file.keys(cycle=False)
        read = hist.Hist(uhi.io.uproot.read(file, "uhi/both"))
    assert np.array_equal(read.values(), [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]])


def test_titles_of_axes_are_those_of_root(tmp_path):
    h = hist.Hist(hist.axis.Regular(2, 0, 2, name="pt", label="$p_T$ [GeV]"))
    root_files.write_histograms({"pt": h}, tmp_path / "h.root")
    with uproot.open(tmp_path / "h.root") as file:
        assert file["pt"].member("fXaxis").member("fTitle") == "p_{T} [GeV]"
    assert (
        root_files.read_histograms(tmp_path / "h.root")["pt"].axes[0].label == "$p_T$ [GeV]" == h.axes[0].label
    )


def test_weighted_sums_do_not_depend_on_the_order_of_the_chunks():
    random = np.random.default_rng(2)
    chunks = [filled(PT, storage="weight", seed=seed) * random.normal() for seed in range(30)]
    exact = [math.fsum(each.view(flow=True)["value"][place] for each in chunks) for place in range(7)]
    for _ in range(5):
        total = flat_contents(hist.Hist(PT, storage="weight"))
        rests = np.zeros_like(total)
        for number in random.permutation(len(chunks)):
            add_bins(total, rests, filled_bins(chunks[number]))
        assert total["value"].tolist() == exact
