"""The tables that commands print, from a summary written by hand."""

import io

from rich.console import Console

from hep_peaksum.terminal.tables import print_summary


def test_clusters_are_counted_per_event_that_was_processed():
    files = {"a.root": {"expected": 12, "processed": 12}, "b.root": {"expected": 8, "processed": 0}}
    loss = {"dataset": "ttbar", "file": "b.root", "start": 0, "n_entries": 8, "reason": "b.root: damaged"}
    summary = {
        "datasets": {
            "ttbar": {"files": files, "n_events": 12, "n_clusters": {"Jet": 30}, "n_outside": {"calo": 0}}
        },
        "losses": [loss],
        "config": {"events": {"identify": {"event": "event"}}},
        "n_chunks": {"total": 2, "reused": 0},
    }
    console = Console(file=io.StringIO(), width=120)
    print_summary(console, summary)
    text = console.file.getvalue()
    row = next(line for line in text.splitlines() if "Jet" in line)
    words = [each for each in row.split() if each.isalnum() or "." in each]
    assert words == ["ttbar", "2", "20", "8", "Jet", "30", "2.50"]
    assert "lost 8 entries of ttbar: b.root: damaged" in text
