"""Hints of a job: datasets in which nothing was found, and why that may be."""

from collections import Counter
from types import SimpleNamespace

import hist
import pytest

from hep_peaksum.analysis.selection import CUT_FLOW
from hep_peaksum.config.load import parse_config
from hep_peaksum.job import summary

LOW = {"grid": ["calo"], "seed_threshold": 3}


def total(n_jets, n_low=1, *, n_written=9, n_read=9):
    counts = Counter({"Jet": n_jets, "Low": n_low})
    cut_flow = hist.Hist(hist.axis.StrCategory(["all entries", "1: x above 1"], name="step"))
    cut_flow.fill(step=["all entries"] * n_read + ["1: x above 1"] * n_written)
    counted = {"processed": Counter(a=n_read), "n_written": n_written, "histograms": {CUT_FLOW: cut_flow}}
    return SimpleNamespace(n_clusters=counts, **counted)


@pytest.fixture
def hints(job, monkeypatch):
    """Return the hints of a job of two collections, given totals and the grids that are empty in datasets."""

    def of(totals, empty, **sections):
        content = job("a.root", **sections)
        content["grids"]["had"] = {**content["grids"]["calo"]}
        content["histograms"] = {}
        content["clusters"] = {"Jet": {"grid": ["calo", "had"], "seed_threshold": 20}, "Low": LOW}

        def empty_grids(config, dataset, n_events):
            if empty[dataset] is None:
                raise OSError(dataset)
            return empty[dataset]

        monkeypatch.setattr(summary, "empty_grids", empty_grids)
        return summary.hints(parse_config(content), totals)

    return of


def test_every_dataset_without_a_cluster_has_a_hint(hints):
    found = hints(
        {
            "full": total(3),
            "unread": total(0, 0, n_read=0, n_written=0),
            "high": total(0),
            "half": total(0),
            "gone": total(0),
            "empty": total(0, 0),
        },
        {"high": [], "half": ["had"], "gone": None, "empty": ["calo", "had"]},
    )
    threshold = "not a single cluster in Jet; does any cell pass seed_threshold (> 20 counts = 20 GeV)?"
    assert found == [
        "unread: not a single entry; are its files and trees the right ones?",
        f"high: {threshold}",
        "half: not a single cluster in Jet; grid had seems to be empty: is its branch right?",
        f"gone: {threshold}",
        "empty: not a single cluster in Jet; grid calo and had seems to be empty: is its branch right?",
        "empty: not a single cluster in Low; grid calo seems to be empty: is its branch right?",
    ]


def test_where_no_event_is_left_the_grids_are_not_looked_at(hints):
    where = {"where": [{"branch": "x", "above": 1}]}
    cut = "not a single event passes events.where, from '1: x above 1' on"
    totals = {"first": total(0, 0, n_written=0), "other": total(0, 0, n_written=0), "kept": total(0)}
    found = hints(totals, {"kept": ["calo"]}, events=where)
    last = "kept: not a single cluster in Jet; grid calo seems to be empty: is its branch right?"
    assert found == [f"first: {cut}", f"other: {cut}", last]
