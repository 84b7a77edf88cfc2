"""The report of a job says what its summary says, in one file that needs nothing else."""

import json
import re
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from finished_jobs import clusters_of
from report_pages import Page, tags_of, texts_of

from hep_peaksum.config.load import parse_config
from hep_peaksum.report import accounts, displays
from hep_peaksum.report import page as page_
from hep_peaksum.report.page import write_report
from hep_peaksum.results.manifest import read_manifest

SCALES = re.compile("The vertical scale is (linear|logarithmic)")
MEGABYTE = 1_000_000


def cells_of(table):
    head, *rows = table
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_first_screen_has_verdict_account_and_a_row_for_every_collection(good):
    result, page = good
    assert {"class": "verdict done"} in page.all("p")
    start = page.visible[: page.visible.index("Plots and measurements")]
    assert "Done 21 entries in = 21 written + 0 cut + 0 lost" in start
    n_clusters = json.loads((result.directory / "summary.json").read_text())["datasets"]["toy"]["n_clusters"]
    (row,) = cells_of(page.tables["Datasets and collections"])
    assert row == {
        "dataset": "toy",
        "collection": "Jet",
        "entries": "21",
        "written": "21",
        "cut": "0",
        "lost": "0",
        "clusters": str(n_clusters["Jet"]),
        "per event": f"{n_clusters['Jet'] / 21:.2f}",
    }
    first = page.elements.index(("h2", {}))
    assert [tag for tag, _ in page.elements[:first]].count("img") == 1, "one event display"


def test_the_displayed_events_are_the_leading_ones_of_the_results(good):
    result, page = good
    events = clusters_of(result.directory)
    leading = int(ak.argmax(ak.max(events.Jet_peak_sum, axis=1), axis=0))
    crowded = int(ak.argmax(events.nJet, axis=0))
    captions = [alt for alt, _ in page.pictures if alt.startswith("Event display")]
    for caption, words, k in (
        (captions[0], "the event with the largest peak_sum", leading),
        (captions[1], "the event with the most clusters", crowded),
    ):
        assert words in caption
        assert f"event {events.event[k]}, of " in caption
        assert f"{events.nJet[k]} clusters" in caption
    assert "a random event (seed 1)" in captions[2]
    assert len(captions) == 3
    sums = np.sort(np.asarray(events.Jet_peak_sum[leading]))[::-1]
    assert f"{sums[0]:.3g} GeV" in texts_of(page.pictures[0][1])


@pytest.mark.parametrize("entry", [1, 2], ids=["first-chunk", "second-chunk"])
def test_the_cells_of_a_display_are_those_of_the_file(finished, write_root, entry):
    """All cells are 0 but one: only its colour is in the picture, and the bar ends at its energy."""
    cells = np.zeros((3, 6, 8), np.float32)
    cells[entry, 2, 3] = 40
    names = {name: np.arange(3, dtype=np.uint32) for name in ("run", "luminosityBlock", "event")}
    result = finished(write_root("one.root", {"Events": {"cells": cells, **names}}), run={"chunksize": 2})
    page = Page(result.directory / "report.html")
    _, picture = page.pictures[0]
    assert {"40 GeV", "40"} <= {*texts_of(picture)}  # of the cluster, and at the end of the bar
    assert "1 seed" in texts_of(picture)
    assert "could not be read" not in page.visible


def test_the_events_of_a_selection_are_found_again(finished, write_root):
    """Entries that are cut are not written: the place in the results is not the entry in the file."""
    cells = np.zeros((5, 6, 8), np.float32)
    cells[:, 2, 3] = [90, 10, 20, 70, 30]
    names = {name: np.arange(5, dtype=np.uint32) for name in ("run", "luminosityBlock", "event")}
    content = {"where": [{"branch": "event", "min": 1}], "identify": {name: name for name in names}}
    result = finished(write_root("five.root", {"Events": {"cells": cells, **names}}), events=content)
    page = Page(result.directory / "report.html")
    alt, picture = page.pictures[0]
    assert "event 3, of " in alt
    assert "70 GeV" in texts_of(picture)
    assert "only the seeds" not in alt
    assert "could not be read" not in page.visible


def test_cut_flow_and_account_count_what_is_cut(finished):
    result = finished(plots=False, events={"where": [{"branch": "event", "max": 1009}]})
    page = Page(result.directory / "report.html")
    assert "21 entries in = 10 written + 11 cut + 0 lost" in page.visible
    assert page.tables["toy: left after"][1:] == [["all entries", "21"], ["1: event max 1009", "10"]]


def test_losses_are_in_the_verdict_and_listed(finished, write_events, tmp_path):
    good, bad = write_events("a.root", 13, 1), tmp_path / "bad.root"
    bad.write_bytes(b"no ROOT file")
    result = finished(good, str(bad), plots=False, run={"on_bad_file": "skip"})
    page = Page(result.directory / "report.html")
    assert {"class": "verdict lossy"} in page.all("p")
    assert f"Done with losses: all entries of 1 unreadable file, in {bad} (toy)" in page.visible
    assert (
        "13 entries in = 13 written + 0 cut + 0 lost, and those of 1 file that cannot be read" in page.visible
    )
    (row,) = cells_of(page.tables["Lost entries"])
    (loss,) = result.losses
    assert row == {"dataset": "toy", "file": str(bad), "entries": "all", "reason": loss["reason"]}
    assert {"id": "losses"} in page.all("section")


def test_lost_entries_of_a_known_number_are_counted(finished, write_root, random_cells):
    """The second of two files has an event that does not fit its grid."""
    names = {name: np.arange(4, dtype=np.uint32) for name in ("run", "luminosityBlock", "event")}
    cells = random_cells(4)
    cells[2, 0, 0] = np.nan
    broken = write_root("nan.root", {"Events": {"cells": cells, **names}})
    whole = write_root("whole.root", {"Events": {"cells": random_cells(4, 2), **names}})
    result = finished(whole, broken, plots=False, run={"on_bad_file": "skip"})
    page = Page(result.directory / "report.html")
    assert f"Done with losses: 4 of 8 entries, in {broken} (toy)" in page.visible
    assert "8 entries in = 4 written + 0 cut + 4 lost" in page.visible


def test_every_picture_has_words_and_numbers(good):
    result, page = good
    assert len(page.all("figure")) == len(page.all("details")) == len(page.all("figcaption"))
    assert all(len(alt) > 40 for alt, _ in page.pictures)
    h = result.histograms["toy"]["Jet_energy"]
    filled = [int(n) for n in h.values() if n]
    tables = [rows for caption, rows in page.every_table if caption.startswith("Bins that are not empty")]
    assert any([int(row[-1]) for row in rows[1:]] == filled for rows in tables)


def test_one_axis_is_vectors_and_a_plane_is_one_image(good):
    _, page = good
    histograms = [(alt, svg) for alt, svg in page.pictures if alt.startswith("Histogram")]
    planes = [svg for alt, svg in histograms if "in colours" in alt]
    lines = [svg for alt, svg in histograms if "in colours" not in alt]
    assert planes
    assert lines
    assert all("image" not in tags_of(svg) for svg in lines)
    assert all(1 <= tags_of(svg).count("image") <= 2 for svg in planes), "the cells, and the bar of colours"
    assert all("text" in tags_of(svg) for _, svg in page.pictures), "text is text"


def test_both_scales_are_there_and_need_no_script(good):
    _, page = good
    scales = [SCALES.search(alt)[1] for alt, _ in page.pictures if SCALES.search(alt)]
    assert scales.count("linear") == scales.count("logarithmic") > 0
    radios = [each for each in page.all("input") if each["type"] == "radio"]
    assert len(radios) == len(scales)
    assert ["checked" in radio for radio in radios] == [True, False] * (len(radios) // 2)
    shown = [image for image in page.all("img") if "class" in image]
    assert [image["class"] for image in shown] == ["first", "second"] * (len(radios) // 2)
    words = {"log": "logarithmic", "linear": "linear"}
    chosen = [words[radio["id"].rpartition("-")[2]] for radio in radios]
    assert chosen == [SCALES.search(image["alt"])[1] for image in shown]
    labels = {label["for"] for label in page.all("label")}
    assert {radio["id"] for radio in radios} == labels
    assert page.all("script") == []


def test_nothing_comes_from_elsewhere(good):
    _, page = good
    addresses = [
        attributes[key] for _, attributes in page.elements for key in ("src", "href") if key in attributes
    ]
    assert addresses
    assert all(address.startswith(("#", "data:image/svg+xml;base64,")) for address in addresses)
    assert "@import" not in page.text
    assert "url(" not in page.text
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'")
    inside = {link["href"][1:] for link in page.all("a")}
    assert inside <= {attributes.get("id") for _, attributes in page.elements}


def test_identifiers_are_used_once(good):
    _, page = good
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_the_same_results_give_the_same_page(copied):
    directory, page = copied
    assert Page(write_report(directory)).text == page.text


def test_results_whose_inputs_are_gone_still_have_a_page(finished, tmp_path):
    result = finished()
    before = Page(result.directory / "report.html")
    for path in tmp_path.glob("*.root"):
        path.unlink()
    page = Page(write_report(result.directory))
    assert "Inputs that could not be read for this page" in page.visible
    assert "is not there, or has changed since the job ran" in page.visible
    assert "only the seeds are drawn" in page.pictures[0][0]
    assert len(page.pictures) == len(before.pictures)
    assert page.tables["Datasets and collections"] == before.tables["Datasets and collections"]


def test_without_plots_there_are_tables_only_until_they_are_asked_for(finished):
    result = finished(plots=False)
    page = Page(result.directory / "report.html")
    assert page.pictures == []
    assert "21 entries in = 21 written" in page.visible
    assert len(Page(write_report(result.directory)).pictures) > 3


def test_a_job_may_go_without(finished, write_events, tmp_path):
    inputs = [write_events("a.root", 5)]
    output = {"directory": str(tmp_path / "results"), "plots": False}
    result = finished(*inputs, output=output)
    assert (result.directory / "report.html").is_file()
    finished(*inputs, output={**output, "report": False})
    assert not (result.directory / "report.html").exists(), "that of an earlier run would be of that"


def test_what_does_not_fit_is_a_file_in_a_list(copied, monkeypatch):
    directory, before = copied
    size = sum(len(image["src"]) for image in before.all("img")[:1])
    monkeypatch.setattr(page_, "MOST_BYTES", size + 50_000)
    page = Page(write_report(directory))
    assert 1 <= len(page.pictures) < len(before.pictures)
    assert page.pictures[0][0].startswith("Event display"), "leading events come first"
    links = [link["href"] for link in page.all("a") if not link["href"].startswith("#")]
    assert all((directory / link).is_file() for link in links)
    assert "plots/toy-Jet_position.png" in links
    assert len(links) + len(page.all("figure")) == len(before.all("figure"))


@pytest.mark.slow
def test_the_page_stays_small_however_much_there_is(finished, write_events):
    axis = {"field": "Jet.energy", "bins": 200, "start": 0, "stop": 40}
    plane = {"axes": [{**axis, "bins": 100}, {"field": "Jet.eta", "bins": 100, "start": -3, "stop": 3}]}
    histograms = {f"h{k}": {"axes": [axis]} for k in range(12)} | {f"p{k}": plane for k in range(3)}
    result = finished(write_events("big.root", 5000), histograms=histograms)
    path = result.directory / "report.html"
    assert path.stat().st_size < 5 * MEGABYTE
    page = Page(path)
    assert max(len(rows) for _, rows in page.every_table) == 51, "and the heads of the columns"
    assert "more rows are left out here" in page.visible


def test_a_page_of_many_datasets_names_the_rest(finished, write_events, monkeypatch):
    monkeypatch.setattr(accounts, "MAX_ROWS", 3)
    file = write_events("a.root", 3)
    datasets = {f"d{k}": {"files": {file: "Events"}} for k in range(5)}
    page = Page(finished(file, plots=False, datasets=datasets).directory / "report.html")
    assert len(page.tables["Datasets and collections"]) == 4, "and the heads of the columns"
    assert "2 more rows are left out here." in page.visible
    assert "15 entries in = 15 written + 0 cut + 0 lost" in page.visible


def test_config_and_versions_can_be_copied(good):
    result, page = good
    assert dict(page.tables["Versions"][1:]) == result.summary["versions"]
    start = page.text.index("<pre")
    assert str(Path(result.directory)) in page.text[start:]
    assert "seed_threshold: 3" in page.text[start:]


def is_hatched(picture):
    """Return whether anything in a picture is."""
    return "pattern" in tags_of(picture)


@pytest.fixture
def masked(tmp_path):
    """Return a map with one masked cell, in the corner."""
    mask = np.zeros((6, 8), bool)
    mask[0, 0] = True
    np.save(tmp_path / "mask.npy", mask)
    return str(tmp_path / "mask.npy")


def test_masked_cells_are_hatched_in_event_displays(finished, job, masked, good):
    grids = job()["grids"]
    grids["calo"]["mask"] = masked
    page = Page(finished(grids=grids, histograms={}).directory / "report.html")
    assert [is_hatched(each.pictures[0][1]) for each in (good[1], page)] == [False, True]


def test_clusters_without_a_place_are_searched_again_with_mask_and_noise(finished, job, masked, write_events):
    """The threshold is 3 sigma, 3 GeV: seeds are 70 and 9, since the cell of 90 is masked and 2 is below."""
    cells = np.zeros((2, 6, 8), np.float32)
    cells[0, 0, 0], cells[0, 3, 3], cells[0, 4, 6], cells[0, 1, 5] = 90, 70, 9, 2
    grids = job()["grids"]
    grids["calo"] |= {"mask": masked, "noise": "1 GeV"}
    clusters = {"Jet": {"grid": "calo", "seed_threshold": "3 sigma", "fields": ["seed"]}}
    result = finished(write_events("c.root", 2, cells=cells), grids=grids, clusters=clusters, histograms={})
    page = Page(result.directory / "report.html")
    alt, picture = page.pictures[0]
    assert "2 clusters, listed below it" in alt
    assert "70 GeV" in texts_of(picture)
    assert "90 GeV" not in texts_of(picture)
    assert is_hatched(picture)


def test_layers_that_are_searched_each_are_searched_again_layer_by_layer(finished, job, write_root):
    """One cell in each of two layers is two clusters; in their sum it would be one."""
    cells = np.zeros((1, 2, 6, 8), np.float32)
    cells[0, :, 3, 3] = 5
    names = {word: np.array([1]) for word in ("run", "luminosityBlock", "event")}
    file = write_root("d.root", {"Events": {"cells": cells, **names}})
    dense = {"branch": "cells", "shape": [2, 6, 8], "axes": ["layer", "row", "col"]}
    grids = job()["grids"]
    grids["calo"] |= {"dense": dense, "layers": "each"}
    clusters = {"Jet": {"grid": "calo", "seed_threshold": 3, "fields": ["seed"]}}
    result = finished(file, grids=grids, clusters=clusters, histograms={})
    alt, _ = Page(result.directory / "report.html").pictures[0]
    assert "2 clusters, listed below it" in alt


def test_displays_that_cannot_be_drawn_are_in_the_list_of_what_is_left_out(finished, tmp_path):
    clusters = {"Jet": {"grid": "calo", "seed_threshold": 3, "fields": ["seed"]}}
    result = finished(clusters=clusters, histograms={})
    for path in tmp_path.glob("*.root"):
        path.unlink()
    page = Page(write_report(result.directory))
    assert not any(alt.startswith("Event display") for alt, _ in page.pictures)
    line = r"Jet: a random event \(seed 1\): toy/clusters\.parquet/part-\S+\.parquet \(its cells cannot be read"
    assert re.search(line, page.visible)


def test_displays_beyond_the_twelfth_are_in_the_list_of_what_is_left_out(finished, write_events, monkeypatch):
    monkeypatch.setattr(page_, "MOST_DISPLAYS", 1)
    result = finished(write_events("a.root", 5), histograms={})
    page = Page(result.directory / "report.html")
    assert sum(alt.startswith("Event display") for alt, _ in page.pictures) == 1
    left_out = page.visible[page.visible.index("Figures that are left out") :]
    assert left_out.count("toy, Jet: ") == 2
    assert "the event with the most clusters: toy/clusters.parquet/part-" in left_out
    assert "more are left out." not in left_out
    monkeypatch.setattr(page_.accounts, "MAX_ROWS", 1)
    assert "1 more are left out." in Page(write_report(result.directory)).visible


def test_an_event_that_its_file_no_longer_holds_is_told(finished, write_events, monkeypatch, job):
    """A job that selects events looks for them by name."""
    events = {**job()["events"], "where": [{"branch": "event", "min": 1002}]}
    result = finished(write_events("a.root", 5), events=events, histograms={})
    config = parse_config(result.summary["config"])
    (choice, *_) = displays.choose(result.directory, config, "toy")["leading"]
    known = displays.Events(result.directory, config, read_manifest(result.directory), {})
    (figure,) = known.display(choice)
    assert "only the seeds are drawn" not in figure.caption
    nothing = {name: np.zeros(5) for name in displays.IDENTITY}
    monkeypatch.setattr(displays, "event_identity", lambda *_: nothing)
    (figure,) = known.display(choice)
    assert figure.caption.endswith("; only the seeds are drawn")
    assert known.unreadable["toy"].startswith("the file no longer holds the event 7, 1, 100")
