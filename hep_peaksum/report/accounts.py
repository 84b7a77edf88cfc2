"""What a summary says, as tables: what became of every entry, the cut flow, the losses, the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hep_peaksum.config.formats import SUMMARY

Summary = Mapping[str, Any]
MAX_ROWS = 50  # of a table; how many more there are is said below it
MOST_CUT_FLOWS = 12  # tables, one for each dataset
MOST_NAMED = 2  # files with losses that the verdict names; the table has them all


class Table(NamedTuple):
    """A table of texts, and how many of its rows are left out."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_left_out: int

    @classmethod
    def of(cls, caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        """Return a table of values, cut off after `MAX_ROWS`."""
        every = [*rows]
        shown = [tuple(map(text, row)) for row in every[:MAX_ROWS]]
        return cls(caption, columns, shown, len(every) - len(shown))


def text(value: object) -> str:
    """Return a value as text for a table.

    >>> text(0.1 + 0.2), text(None), text(12345678)
    ('0.3', '', '12345678')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(each)}" for key, each in value.items())
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


class Account(NamedTuple):
    """What became of the entries of some datasets: `expected` = `written` + `cut` + `lost`.

    `n_unread` files could not be opened, so the number of their entries is unknown.
    """

    expected: int
    written: int
    cut: int
    lost: int
    n_unread: int

    @classmethod
    def of(cls, summary: Summary, names: Iterable[str]) -> Account:
        """Return the account of the datasets of these names together."""
        chosen = {*names}
        datasets = [summary["datasets"][name] for name in chosen]
        expected = sum(file["expected"] for each in datasets for file in each["files"].values())
        processed = sum(each["n_events"] for each in datasets)
        written = sum(each.get("n_written", each["n_events"]) for each in datasets)
        unread = [loss for loss in summary["losses"] if loss["dataset"] in chosen and loss["n_entries"] is None]
        return cls(expected, written, processed - written, expected - processed, len(unread))


def headline(summary: Summary) -> str:
    """Return the verdict in one line: done, or done with losses, with their number and their files."""
    losses, total = summary["losses"], Account.of(summary, summary["datasets"])
    if not losses:
        return "Done"
    parts = [f"{total.lost} of {total.expected} entries"] if total.lost else []
    parts += [f"all entries of {_counted(total.n_unread, 'unreadable file')}"] if total.n_unread else []
    files = [*dict.fromkeys(f"{loss['file']} ({loss['dataset']})" for loss in losses)]
    more = f" and {_counted(len(files) - MOST_NAMED, 'more file')}" if len(files) > MOST_NAMED else ""
    return f"Done with losses: {' and '.join(parts)}, in {', '.join(files[:MOST_NAMED])}{more}"


def _counted(n: int, word: str) -> str:
    return f"{n} {word}{'s' * (n != 1)}"


def losses(summary: Summary) -> Table:
    """Return every loss with its reason."""
    rows = [
        (
            loss["dataset"],
            loss["file"],
            "all" if loss["n_entries"] is None else loss["n_entries"],
            loss["reason"],
        )
        for loss in summary["losses"]
    ]
    return Table.of("Lost entries", ("dataset", "file", "entries", "reason"), rows)


def overview(summary: Summary) -> Table:
    """Return a row for every dataset and collection."""
    columns = ("dataset", "collection", "entries", "written", "cut", "lost", "clusters", "per event")
    rows = []
    for name, dataset in summary["datasets"].items():
        account = Account.of(summary, [name])
        for collection, n_clusters in dataset["n_clusters"].items():
            per_event = f"{n_clusters / max(1, account.written):.2f}"
            lost = f"{account.lost}" + f" + {_counted(account.n_unread, 'file')}" * bool(account.n_unread)
            entries = (account.expected, account.written, account.cut, lost)
            rows.append((name, collection, *entries, n_clusters, per_event))
    return Table.of("Datasets and collections", columns, rows)


def cut_flows(summary: Summary) -> tuple[list[Table], int]:
    """Return what is left after every condition, a table for each dataset, and how many are left out."""
    tables = []
    cut = {name: each["cut_flow"] for name, each in summary["datasets"].items() if each.get("cut_flow")}
    for name, flows in [*cut.items()][:MOST_CUT_FLOWS]:
        columns = ["condition"]
        rows = [[step["step"]] for step in next(iter(flows.values()))]
        for variation, steps in flows.items():
            is_weighted = steps[0]["sum_of_weights"] is not None
            columns += [f"{variation}: entries"] + [f"{variation}: sum of weights"] * is_weighted
            for row, step in zip(rows, steps, strict=True):
                row.extend([step["entries"]] + [step["sum_of_weights"]] * is_weighted)
        tables.append(Table.of(f"{name}: left after", columns, rows))
    return tables, len(cut) - len(tables)


def files(summary: Summary) -> Table:
    """Return the input files with their entries."""
    rows = [
        (name, path, file["expected"], file["processed"])
        for name, dataset in summary["datasets"].items()
        for path, file in dataset["files"].items()
    ]
    return Table.of("Input files", ("dataset", "file", "entries", "processed"), rows)


def timing(summary: Summary) -> Table:
    """Return how long the job took."""
    seconds, chunks = summary["seconds"], summary["n_chunks"]
    n_events = sum(each["n_events"] for each in summary["datasets"].values())
    rows = [
        ("reading and clustering", f"{seconds['processing']:.1f} s"),
        ("whole job, including the files of results", f"{seconds['total']:.1f} s"),
        ("chunks", f"{chunks['total']}, of which {chunks['reused']} were finished before"),
    ]
    if not chunks["reused"] and n_events and seconds["processing"]:
        rows.append(("events per second", f"{n_events / seconds['processing']:.0f}"))
    return Table.of("Time", ("quantity", "value"), rows)


def versions(summary: Summary) -> Table:
    """Return the versions of the software."""
    return Table.of("Versions", ("software", "version"), [*summary["versions"].items()])


def hits_outside(n_hits: int, grid: str) -> str:
    """Return what to say of hits that lie on no cell of a grid.

    >>> hits_outside(1, "ecal")
    "1 hit lies outside grid 'ecal' and was not added: `hep-peaksum check` says of the first ones why"
    """
    outside = f"outside grid {grid!r}"
    lies = f"1 hit lies {outside} and was" if n_hits == 1 else f"{n_hits} hits lie {outside} and were"
    return f"{lies} not added: `hep-peaksum check` says of the first ones why"


def remarks(summary: Summary) -> list[str]:
    """Return what a reader should know about the numbers."""
    lines = [
        f"{name}: {hits_outside(n, grid)}"
        for name, dataset in summary["datasets"].items()
        for grid, n in dataset["n_outside"].items()
        if n
    ]
    lines += summary.get("hints", ())
    if len(lines) > MAX_ROWS:
        lines = [*lines[:MAX_ROWS], f"and {len(lines) - MAX_ROWS} more remarks, in {SUMMARY}"]
    return [*lines, f"Event identity: {summary['identity']}."]
