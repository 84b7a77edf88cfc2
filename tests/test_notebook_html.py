"""What notebooks show: windows as they are drawn, counts as they are, nothing that a page would run."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from places import DOCS

from hep_peaksum import Axis, Grid, PeakSumSettings, compare, named_grid, named_grids, preset, presets
from hep_peaksum.config.load import parse_config
from hep_peaksum.job.run import RunResult, run


def page(shown):
    """Return the representation of an object, which has to be well-formed."""
    return ET.fromstring(shown._repr_html_())


def window(shown, name):
    """Return a drawn window as lines of text."""
    for table in page(shown).iter("table"):
        if table.get("aria-label", "").startswith(name):
            rows = ["".join(cell.text for cell in row.iter("td")) for row in table.iter("tr")]
            return [row.replace("\N{NO-BREAK SPACE}", ".") for row in rows]
    raise AssertionError(name)


def cells(shown):
    """Return the texts of all rows of all tables."""
    return [[cell.text or "" for cell in row] for row in page(shown).iter("tr")]


def test_windows_are_drawn_as_they_are():
    settings = PeakSumSettings(
        search_window="===\n=o>\n>>>", sum_window=".x.\nxox\n...", seed_threshold="4 GeV"
    )
    assert window(settings, "search window") == ["===", "=o>", ">>>"]
    assert window(settings, "sum window") == [".x.", "xox"]
    assert ["seed threshold", "> 4 GeV"] in cells(settings)


def test_a_tie_rule_is_drawn_as_the_comparisons_it_makes():
    assert window(PeakSumSettings(), "search window") == [">>>", ">o=", "==="]
    assert window(PeakSumSettings(tie_rule="all"), "search window") == ["===", "=o=", "==="]
    assert window(PeakSumSettings(tie_rule="greedy-residual"), "search window") == ["xxx", "xox", "xxx"]


def test_a_seed_window_is_drawn_only_where_it_is_more_than_the_cell():
    assert window(PeakSumSettings(seed_window="xo"), "seed window") == ["xo"]
    with pytest.raises(AssertionError):
        window(PeakSumSettings(), "seed window")


def test_keys_that_were_set_stand_in_sight_and_the_others_behind_a_click():
    details = page(PeakSumSettings(max_clusters=12)).find(".//details")
    hidden = {row[0].text for row in details.iter("tr")}
    assert "max_clusters" not in hidden
    assert {"w0", "masked", "pileup"} < hidden
    assert ["max_clusters", "12"] in cells(PeakSumSettings(max_clusters=12))


def test_keys_that_are_true_or_false_are_shown_as_such():
    rows = cells(PeakSumSettings(cell_threshold_abs=True))
    assert ["cell_threshold_abs", "True"] in rows
    assert ["allow_partial_towers", "False"] in rows


def test_a_window_is_named_above_it_without_widening_its_cells():
    assert page(PeakSumSettings()).find(".//caption") is None
    names = [each.text for each in page(PeakSumSettings()).iter("div")]
    assert "search window, 3 × 3" in names


def test_numbers_and_their_headings_are_on_one_side():
    table = next(page(named_grid("cms-l1-towers")).iter("table"))
    sides = [[each.get("style").rpartition("text-align:")[2] for each in row] for row in table.iter("tr")]
    assert sides[0] == sides[1] == ["left", "left", "right", "left", "left", "left", "left"]


def test_a_large_window_is_a_number_of_cells():
    assert "search window, 23 × 1: 23 cells" in PeakSumSettings(search_window=(23, 1))._repr_html_()


def test_a_grid_shows_its_axes_and_what_a_count_is():
    grid = Grid(
        rows=Axis(name="eta", bins=24, start=-3, stop=3),
        cols=Axis(n=16, periodic=True),
        quantity="et",
        unit="0.5 GeV",
        saturated=(509, 511),
    )
    rows = cells(grid)
    assert ["rows", "eta", "24", "-3", "3", "no", ""] in rows
    assert ["columns", "", "16", "0", "15", "yes", ""] in rows
    assert ["cells hold", "a transverse energy"] in rows
    assert ["one count", "0.5 GeV"] in rows
    assert ["saturated codes", "509, 511"] in rows


def test_a_comparison_shows_counts_and_what_only_one_finds():
    both = compare([[[0, 2, 2, 0]]], {"tie_rule": "all"}, {"tie_rule": "first"})
    rows = cells(both)
    assert ["found by both", "1"] in rows
    assert ["only by the first", "1"] in rows
    assert ["only by the second", "0"] in rows
    assert ["0", "0", "2", "first", "4"] in rows


def test_a_long_comparison_shows_the_first_ten():
    grids = np.zeros((1, 60, 3), int)
    grids[0, ::3, 1] = 7
    html = compare(grids, {"seed_threshold": 9}, {})._repr_html_()
    assert html.count(">second<") == 10
    assert "and 10 more" in html
    assert "more" not in compare(grids, {}, {})._repr_html_()


def test_the_results_of_a_job_are_shown_with_their_counts(write_events, job):
    path = write_events("some.root", 30)
    result = run(parse_config(job(path, run={"chunksize": 10})))
    n_clusters = result.summary["datasets"]["toy"]["n_clusters"]["Jet"]
    assert n_clusters > 0
    assert ["toy", "1", "30", "0", str(n_clusters)] in cells(result)
    assert ["chunks", "3, of which 0 were finished before"] in cells(result)


def test_losses_are_counted_and_named(tmp_path):
    files = {"a.root": {"expected": 10, "processed": 4, "lost": ["<b>gone</b>"]}}
    summary = {
        "datasets": {"toy": {"n_events": 4, "n_clusters": {"Jet": 1234}, "files": files}},
        "losses": [{"dataset": "toy", "file": "a.root", "reason": "<b>gone</b>"}],
        "n_chunks": {"total": 2, "reused": 0},
        "seconds": {"total": 1.0},
        "identity": "as in the files",
        "hints": ["toy: a hint"],
    }
    result = RunResult(tmp_path / "<i>", summary, {})
    assert ["toy", "1", "4", "6", "1,234"] in cells(result)
    lines = [each.text for each in page(result).iter("div")]
    assert "lost: toy, a.root: <b>gone</b>" in lines
    assert "toy: a hint" in lines
    assert not list(page(result).iter("i"))


def test_what_the_page_shows_runs():
    section = (DOCS / "use-it-from.md").read_text(encoding="utf-8").partition("## Notebooks")[2]
    block = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)[1]
    names = {"grids": np.random.default_rng(1).integers(0, 40, (8, 80, 72))}
    exec(block, names)
    assert len(names["settings"].sum_cells()) == 81


def everything_shown():
    """Return a representation of every preset and geometry, and of a grid with a hostile name."""
    hostile = Grid(rows=Axis(n=2), cols=Axis(n=2), regions={"<script>alert(1)</script>": [1, 1]})
    shown = [hostile, *map(named_grid, named_grids())]
    for name in presets():
        shown += [each for each in preset(getattr(name, "name", name)) if each is not None]
    return [each._repr_html_() for each in shown]


def test_everything_is_escaped_and_nothing_runs():
    for html in everything_shown():
        tags = {each.tag for each in ET.fromstring(html).iter()}
        assert tags <= {"div", "b", "small", "table", "caption", "tr", "th", "td", "details", "summary"}
        assert not re.search(r"\son\w+=|javascript:|https?://|url\(", html)


def test_colours_are_those_of_the_page_or_translucent():
    """On a dark page text is white, on a light one black: neither may be set here."""
    for html in everything_shown():
        assert set(re.findall(r"(?<![-\w])color:([^;\"]+)", html)) <= {"inherit"}
        for shade in re.findall(r"background:([^;\"]+)", html):
            assert shade == "transparent" or float(re.fullmatch(r"rgba\(.*,(\.\d+)\)", shade)[1]) < 0.5
