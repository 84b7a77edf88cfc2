"""The tables that commands print, from plain values written by hand: what is shown, and what is left out."""

import io
from pathlib import Path
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
from rich.console import Console

from hep_peaksum import Grid, PeakSumSettings
from hep_peaksum.diagnostics.compare import Comparison
from hep_peaksum.diagnostics.explain import Explanation, Neighbour
from hep_peaksum.diagnostics.ties import Ring, TieAudit
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.grouping.group import Grouped
from hep_peaksum.grouping.join import Joined
from hep_peaksum.inspection.candidates import Candidate, Rejected
from hep_peaksum.inspection.files import Inspection
from hep_peaksum.preview.closure import Closure
from hep_peaksum.results.manifest import Loss
from hep_peaksum.terminal import diagnostic_tables, job_tables, streams, tables
from hep_peaksum.toy import Score


def printed(function, *arguments):
    """Return the lines that a function prints, each as its words."""
    console = Console(file=io.StringIO(), width=200)
    function(console, *arguments)
    return [line.split() for line in console.file.getvalue().splitlines()]


def rows_of(lines, first):
    """Return the rows whose first word is one of some words."""
    return [line for line in lines if line and line[0] in first]


FILES = {"a.root": {"expected": 12, "processed": 12}, "b.root": {"expected": 8, "processed": 0}}


def summary_of(n_clusters=30, n_outside=0, losses=(), identify="event", n_reused=0):
    return {
        "datasets": {
            "ttbar": {
                "files": FILES,
                "n_events": 12,
                "n_clusters": {"Jet": n_clusters},
                "n_outside": {"calo": n_outside},
            }
        },
        "losses": losses,
        "config": {"events": {"identify": identify}},
        "identity": "by file and entry",
        "thresholds": {"Jet": {"seed": "> 4 GeV"}},
        "n_chunks": {"total": 5, "reused": n_reused},
    }


def loss(file, n_entries, start=0):
    return {
        "dataset": "ttbar",
        "file": file,
        "start": start,
        "n_entries": n_entries,
        "reason": f"{file}: damaged",
    }


def text_of(lines):
    return "\n".join(" ".join(line) for line in lines)


@pytest.mark.parametrize(("written", "per_event"), [({}, "2.50"), ({"n_written": 6}, "5.00")])
def test_clusters_are_counted_per_event_that_was_written(written, per_event):
    summary = summary_of(losses=[loss("b.root", 8)])
    summary["datasets"]["ttbar"] |= written
    lines = printed(job_tables.print_summary, summary)
    assert rows_of(lines, ["ttbar"]) == [["ttbar", "2", "20", "8", "Jet", "30", per_event]]
    assert "lost 8 entries of ttbar: b.root: damaged" in text_of(lines)


def test_cut_flows_of_many_datasets_are_limited():
    summary = summary_of()
    flow = {"nominal": [{"step": "all entries", "entries": 12, "sum_of_weights": None}]}
    (dataset,) = summary["datasets"].values()
    summary["datasets"] = {f"d{k}": {**dataset, "cut_flow": flow} for k in range(30)}
    told = text_of(printed(job_tables.print_summary, summary))
    assert told.count("left after") == job_tables.MAX_CUT_FLOWS
    assert f"and the cut flows of {30 - job_tables.MAX_CUT_FLOWS} more datasets, in summary.json" in told


def test_remarks_name_what_a_user_should_know():
    assert job_tables.remarks(summary_of(n_clusters=1200)) == []
    assert job_tables.remarks(summary_of(n_clusters=1201, n_outside=3, identify=None, n_reused=2)) == [
        "Jet: more than 100 clusters per event; is seed_threshold (> 4 GeV) above the noise?",
        (
            "ttbar: 3 hits lie outside grid 'calo' and were not added: "
            "`hep-peaksum check` says of the first ones why"
        ),
        "Event identity: by file and entry",
        "2 of 5 chunks were already finished and were not repeated",
    ]


def test_losses_are_added_up_per_file():
    chunks = [loss("a.root", 5), loss("b.root", None), loss("a.root", 7, 5)]
    told = text_of(printed(job_tables.print_summary, summary_of(losses=chunks)))
    assert "lost 12 entries of ttbar: a.root: damaged (and 1 more chunk of this file)\n" in told + "\n"
    assert "lost all entries of ttbar: b.root: damaged\n" in told + "\n"


@pytest.mark.parametrize(("n_files", "rest"), [(20, None), (22, "lost entries of 2 more files, listed in")])
def test_losses_of_many_files_are_counted(n_files, rest):
    told = text_of(
        printed(job_tables.print_summary, summary_of(losses=[loss(f"{n}.root", 1) for n in range(n_files)]))
    )
    assert told.count("entries of ttbar") == 20
    assert ("more files" in told, rest is None or rest in told) == (rest is not None, True)


@pytest.mark.parametrize(("n", "rest"), [(8, []), (10, ["and 2 less likely candidates"])])
def test_the_likeliest_candidates_are_numbered_from_one(n, rest):
    found = [Candidate("Events", 6, (f"cells{k}",), "dense", {}, 9) for k in range(n)]
    lines = printed(tables.print_candidates, Inspection({}, found, [], {}, {"T": [f"b{k}" for k in range(n)]}))
    numbers = [str(k) for k in range(1, 11)]
    assert [line[:4] for line in rows_of(lines, numbers)] == [
        [str(k + 1), "Events", "6", f"cells{k}"] for k in range(8)
    ]
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest
    unreadable = "T: uproot cannot read b0, b1, b2, b3, b4, b5, b6, b7" + ", ..." * bool(rest)
    assert unreadable in map(" ".join, lines)


@pytest.mark.parametrize(("n", "rest"), [(8, []), (10, ["and 2 more"])])
def test_what_fills_no_grid_is_listed_with_its_reason(n, rest):
    rejected = [Rejected("T", tuple(f"b{k}" for k in range(9)), f"reason {k}") for k in range(n)]
    lines = printed(tables.print_nothing_found, "a.root", Inspection({"T": 3}, [], rejected, {}, {}))
    assert " ".join(lines[0]) == "a.root: no branch looks like a grid or hits (trees: T (3 entries))"
    names = ", ".join(f"b{k}" for k in range(8))
    assert [" ".join(line) for line in lines[1:]] == [f"T: {names}: reason {k}" for k in range(8)] + rest


@pytest.mark.parametrize(("n", "rest"), [(10, []), (12, ["and 2 more"])])
def test_the_leading_clusters_of_an_event_are_numbered(n, rest):
    clusters = ak.zip({"row": np.arange(n), "sum": np.arange(n) / 3})
    lines = printed(tables.print_clusters, SimpleNamespace(clusters={"Jet": clusters}))
    assert ["Jet", "row", "sum"] in lines
    assert [line for line in lines if line and line[0].isdecimal()] == [
        [str(k), str(k), f"{k / 3:.5g}"] for k in range(10)
    ]
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest


def test_a_toy_sample_is_compared_with_its_showers():
    score = Score(
        n_events=8, n_showers=40, n_found=30, n_clusters=36, n_fakes=6, response=0.9876, resolution=0.1234
    )
    assert [" ".join(line) for line in printed(tables.print_score, score)][3:-1] == [
        "true showers 40",
        "found within one cell 30 (75.0%)",
        "fake clusters 6 of 36 (0.750 per event)",
        "energy response 0.988 (median of E cluster / E shower)",
        "energy resolution 12.3% (half width of the central 68 %)",
    ]


def test_a_plan_and_an_unfinished_job_have_a_row_for_every_dataset():
    lost = [Loss("b", "b.root", 0, None, "b.root: no such file")]
    plan = SimpleNamespace(counts=lambda: {"a": (2, 30, 4, 1), "b": (1, 9, 1, 0)}, lost=lost)
    lines = printed(job_tables.print_plan, plan)
    assert rows_of(lines, ["a", "b"]) == [["a", "2", "30", "4", "1"], ["b", "1", "9", "1", "0"]]
    assert "lost all entries of b: b.root: no such file" in text_of(lines)
    lines = printed(job_tables.print_unfinished, {"a": (2, 3, 17), "b": (1, 0, 0)})
    assert rows_of(lines, ["a", "b"]) == [["a", "2", "3", "17"], ["b", "1", "0", "0"]]


@pytest.mark.parametrize(("most", "is_told"), [(1, True), (2, False)])
def test_rows_that_are_events_already_are_told(capsys, most, is_told):
    columns = {f"c{k}": f"hit_c{k}" for k in range(14)}
    grouped = Grouped(n_rows=9, n_events=5, fewest=1, most=most, columns=columns, left_out=["names"])
    lines = [" ".join(line) for line in printed(tables.print_grouped, "a.root", "b.root", grouped)]
    names = ", ".join(f"c{k}" for k in range(12))
    assert lines == [
        f"a.root: 9 rows are 5 events of 1 to {most} rows",
        "left out, because a row holds no single number: names",
        f"b.root: tree Events with {names} and 2 more",
        "Next: hep-peaksum inspect b.root",
    ]
    assert ("every event is a single row" in capsys.readouterr().err) == is_told


@pytest.mark.parametrize(
    ("n_joined", "n_several", "told"), [(9, 0, []), (7, 2, ["2 elements have no", "2 elements have several"])]
)
def test_elements_without_a_link_or_with_several_are_told(capsys, n_joined, n_several, told):
    joined = Joined(n_events=5, n_elements=9, n_joined=n_joined, n_several=n_several, columns={"e": "hit.e"})
    lines = [" ".join(line) for line in printed(tables.print_joined, "a.root", "b.root", joined)]
    assert lines[0] == f"a.root: {n_joined} of 9 elements joined in 5 events"
    assert lines[1:] == ["b.root: tree Events with e", "Next: hep-peaksum inspect b.root"]
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == len(told)
    assert all(words in line for line, words in zip(warnings, told, strict=True))


def test_a_cut_flow_has_a_column_for_every_variation():
    steps = {"nominal": [(12, 6.5), (3, 1.25)], "nominal2": [(12, 7.0), (4, 2.0)]}
    for is_weighted in (True, False):
        flows = {
            name: [
                {"step": f"step {k}", "entries": n, "sum_of_weights": w if is_weighted else None}
                for k, (n, w) in enumerate(flow)
            ]
            for name, flow in steps.items()
        }
        summary = summary_of()
        summary["datasets"]["ttbar"]["cut_flow"] = flows
        lines = printed(job_tables.print_summary, summary)
        found = [line[2:] for line in rows_of(lines, ["step"])]
        wanted = [["12", "6.5", "12", "7"], ["3", "1.25", "4", "2"]]
        assert found == (wanted if is_weighted else [row[::2] for row in wanted])
        titles = "entries entries, weighted nominal2 nominal2, weighted" if is_weighted else "entries nominal2"
        assert f"ttbar: left after {titles}" in text_of(lines)


def test_paths_and_names_in_square_brackets_are_printed_as_they_are(tmp_path, capsys):
    """Rich takes them for markup, such as [red], unless it is told."""
    folder = tmp_path / "jets [red] [v2]"
    folder.mkdir()
    (folder / "report.html").touch()
    found = [Candidate("Events [a]", 6, ("cells[n]",), "[dense]", {}, 9, command="group [x]")]
    console = streams.open_console()
    job_tables.print_result(console, SimpleNamespace(summary=summary_of(), directory=folder))
    tables.print_candidates(console, Inspection({}, found, [], {}, {}))
    tables.print_command(console, found[0])
    told = capsys.readouterr().out
    assert f"Results: {folder}\nReport: {folder}/report.html\n" in told
    assert all(words in told for words in ("Events [a]", "cells[n]", "[dense]", "group [x]"))


# ------------------------------------------------------------------------------------------------ diagnostics

PLANE = Grid(rows=Axis(n=4), cols=Axis(n=20), unit=0.5)


def explanation(beaten_by, neighbours, value=5.0):
    return Explanation(1, 2, value, "> 4", True, tuple(beaten_by), neighbours=tuple(neighbours))


@pytest.mark.parametrize(("n", "rest"), [(10, []), (12, ["and 2 more"])])
def test_the_highest_of_the_cells_that_beat_a_seed_decides(n, rest):
    cells = [Neighbour(0, k, 6.0 + k, ">=") for k in range(n)]
    lines = printed(diagnostic_tables.print_neighbours, explanation(cells, cells), PeakSumSettings(), PLANE)
    first = next(line for line in lines if line[:1] == ["row"] and ">=" in line)
    assert first[4:] == [f"{5 + n}", ">=", f"{5 + n}", "decides"]
    assert sum(line[-3:] == ["also", "beats", "it"] for line in lines) == 9
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest


@pytest.mark.parametrize(("n", "rest"), [(5, []), (7, ["and 2 more"])])
def test_a_cell_that_nothing_beats_is_shown_with_its_highest_neighbours(n, rest):
    cells = [Neighbour(0, k, 5.0 - k, ">") for k in range(n)]
    lines = printed(diagnostic_tables.print_neighbours, explanation([], cells), PeakSumSettings(), PLANE)
    shown = [line[4:] for line in lines if line[:1] == ["row"] and ">" in line]
    assert shown == [
        ["5", ">", "5", "equal,", "loses", "the", "tie"],
        *([f"{5 - k}", ">", f"{5 - k}"] for k in range(1, 5)),
    ]
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest


@pytest.mark.parametrize(("n", "rest"), [(5, []), (7, ["and 2 more closed rings"])])
def test_closed_rings_are_counted_for_the_rules_that_lose_them(n, rest):
    rings = tuple(Ring(k, 1, 0, 4, 5.0, "cols", ("low-edge",)) for k in range(n))
    audit = TieAudit(
        8, 2, 9, {"none": 1, "low-edge": 2, "first": 3}, {"none": 9, "low-edge": 8, "first": 0}, 1, rings
    )
    lines = printed(diagnostic_tables.print_audit, "Jet", audit)
    assert rows_of(lines, ["none", "low-edge", "first"]) == [
        ["none", "1", "9", str(n)],
        ["low-edge", "2", "8", str(n)],
        ["first", "3", "0", "0"],
    ]
    told = text_of(lines)
    assert told.count("closed ring in entry") == 5
    assert (
        "closed ring in entry 4: 4 cells of 5 along cols from (row 1, col 0) on; no seed with low-edge" in told
    )
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest
    assert "Jet: the seeds of 2 of 8 events (25.0%) depend on the tie rule" in told


@pytest.mark.parametrize("has_layers", [False, True])
@pytest.mark.parametrize(("n", "rest"), [(5, []), (7, ["and 2 more"])])
def test_a_comparison_lists_the_first_clusters_of_one_side(n, rest, has_layers):
    """One cluster in both, with sums of 8 and 10 counts of 0.5 GeV; `n` others, in turns of each side."""
    in_a = np.array([True, *(k % 2 == 0 for k in range(n))])
    in_b = np.array([True, *(k % 2 == 1 for k in range(n))])
    both = Comparison(
        event=np.arange(n + 1), row=np.full(n + 1, 2), col=np.full(n + 1, 3), in_a=in_a, in_b=in_b,
        sum_a=np.where(in_a, 8, 0), sum_b=np.where(in_b, 10, 0), layer=np.full(n + 1, 6 * has_layers), unit=0.5,
        n_events=9,
    )  # fmt: skip
    lines = printed(diagnostic_tables.print_comparison, ("One", "Two"), both, PLANE)
    place = ["6"] * has_layers + ["2", "3"]
    assert [line for line in lines if line and line[0] in ("One", "Two") and "and" not in line] == [
        ["One" if k % 2 == 0 else "Two", str(k + 1), *place, "4" if k % 2 == 0 else "5"] for k in range(5)
    ]
    told = text_of(lines)
    assert f"only in One {(n + 1) // 2}\n" in told
    assert f"only in Two {n // 2}\n" in told
    for words in (
        "same seed in both 1",
        "of these, different sum 1",
        "mean 1 GeV",
        "root mean square 1 GeV",
        "largest 1 GeV",
    ):
        assert words in told
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest
    assert ("layer" in told) == has_layers


@pytest.mark.parametrize(("n", "rest"), [(5, []), (7, ["and 2 more"])])
def test_a_closure_lists_what_is_missed(n, rest):
    true, false = np.ones(n, bool), np.zeros(n, bool)
    places = {word: np.arange(n) + first for word, first in (("event", 10), ("row", 20), ("col", 30))}
    missed = Closure(
        n_events=99, **places, has_reference=true, has_cluster=false, sum_expected=true,
        reference_sum=np.arange(n) + 40, cluster_sum=np.zeros(n, int),
    )  # fmt: skip
    lines = printed(diagnostic_tables.print_closure, {"Jet": missed})
    assert ["Jet", str(n), "0", "0", "of", str(n), "0"] in lines
    assert rows_of(lines, [str(k) for k in range(1, 9)]) == [
        [str(k + 1), str(k + 10), str(k + 20), str(k + 30), str(k + 40)] for k in range(5)
    ]
    assert [line for line in map(" ".join, lines) if line.startswith("and")] == rest
    assert "different sum" not in text_of(lines)


def test_the_path_of_a_report_is_one_line_however_long(capsys):
    path = Path("/very" * 100) / "report.html"
    job_tables.print_report(streams.open_console(), path)
    assert capsys.readouterr().out == f"Report: {path}\n"
