"""Names from outside are words on the page, whatever they look like."""

import copy
import json

import numpy as np
from finished_jobs import write_summary
from report_pages import Page

from hep_peaksum.report.page import write_report

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\" ' & {{ 7*7 }} {% raw %}"


def test_a_branch_that_looks_like_markup_is_words(finished, write_root, random_cells):
    names = {name: np.arange(4, dtype=np.uint32) for name in ("run", "luminosityBlock", "event")}
    branch = "b<script>alert(1)<&"
    arrays = {"cells": random_cells(4), branch: np.arange(4), **names}
    events = {"where": [{"branch": branch, "min": 1}], "identify": {name: name for name in names}}
    result = finished(write_root("a.root", {"Events": arrays}), plots=False, events=events)
    page = Page(result.directory / "report.html")
    assert page.tables["toy: left after"][2] == [f"1: {branch} min 1", "3"]
    assert page.all("script") == []


def test_a_dataset_with_every_sign_that_is_allowed_has_figures(finished, write_events):
    file, dataset = write_events("a.root", 5), "A-1_.+b"
    page = Page(finished(file, datasets={dataset: {"files": {file: "Events"}}}).directory / "report.html")
    assert page.tables["Datasets and collections"][1][0] == dataset
    assert any(dataset in alt for alt, _ in page.pictures)


def test_a_summary_full_of_markup_is_words(finished):
    """Whatever a summary holds, of whoever sent the folder, makes no element of the page."""
    result = finished(plots=False)
    clean = Page(result.directory / "report.html")
    summary = json.loads((result.directory / "summary.json").read_text())
    account = copy.deepcopy(summary["datasets"].pop("toy"))
    account["files"] = {MARKUP: {"expected": 21, "processed": 13, "lost": [MARKUP]}}
    account["n_clusters"], account["n_outside"] = {MARKUP: 5}, {MARKUP: 3}
    step = {"entries": 3, "sum_of_weights": None}
    account["cut_flow"] = {MARKUP: [{"step": MARKUP, **step}]}
    summary["datasets"][MARKUP] = {**account, "n_events": 13, "n_written": 13}
    summary["losses"] = [{"dataset": MARKUP, "file": MARKUP, "start": 13, "n_entries": 8, "reason": MARKUP}]
    summary["hints"], summary["identity"] = [MARKUP], MARKUP
    summary["versions"]["numpy"] = MARKUP
    summary["config"]["datasets"] = {MARKUP: {"files": MARKUP}}
    write_summary(result.directory, summary)
    page = Page(write_report(result.directory))
    assert page.tables["Datasets and collections"][1][:2] == [MARKUP, MARKUP]
    assert page.visible.count(" ".join(MARKUP.split())) > 8
    assert page.all("script") == page.all("img") == []
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in clean.elements}
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
