"""The tables of the report say what the summary says."""

import pytest

from hep_peaksum.report import accounts

FILES = {"a.root": {"expected": 12, "processed": 12}, "b.root": {"expected": 9, "processed": 4}}


def test_every_file_has_the_entries_that_it_holds_and_those_that_were_processed():
    table = accounts.files({"datasets": {"ttbar": {"files": FILES}, "data": {"files": {}}}})
    assert table.columns == ("dataset", "file", "entries", "processed")
    assert table.rows == [("ttbar", "a.root", "12", "12"), ("ttbar", "b.root", "9", "4")]


def loss(dataset, file, n_entries):
    return {
        "dataset": dataset,
        "file": file,
        "start": 0,
        "n_entries": n_entries,
        "reason": f"{file} is damaged",
    }


def summary(*losses, reused=0, seconds=4.0, n_events=16):
    """Two files of 21 entries, 16 processed and 10 of these written; and one without cuts."""
    return {
        "datasets": {
            "ttbar": {
                "files": FILES,
                "n_events": n_events,
                "n_written": 10,
                "n_clusters": {"Jet": 40, "Tau": 4},
                "n_outside": {"calo": 3, "hcal": 0},
            },
            "data": {
                "files": {"c.root": {"expected": 7, "processed": 7}},
                "n_events": 7,
                "n_clusters": {"Jet": 7},
                "n_outside": {},
            },
        },
        "losses": losses,
        "n_chunks": {"total": 5, "reused": reused},
        "seconds": {"processing": seconds, "total": 9.26},
        "versions": {"numpy": "2.0"},
        "identity": "by file and entry",
    }


BOTH = "Done with losses: 5 of 28 entries and all entries"
DAMAGED, GONE = loss("ttbar", "b.root", 5), loss("data", "gone.root", None)


def test_every_entry_is_written_cut_or_lost():
    found = summary(DAMAGED, GONE)
    assert accounts.Account.of(found, ["ttbar"]) == (21, 10, 6, 5, 0)
    assert accounts.Account.of(found, ["data"]) == (7, 7, 0, 0, 1)
    assert accounts.Account.of(found, ["ttbar", "data"]) == (28, 17, 6, 5, 1)
    assert accounts.overview(found).rows == [
        ("ttbar", "Jet", "21", "10", "6", "5", "40", "4.00"),
        ("ttbar", "Tau", "21", "10", "6", "5", "4", "0.40"),
        ("data", "Jet", "7", "7", "0", "0 + 1 file", "7", "1.00"),
    ]
    assert accounts.losses(found).rows == [
        ("ttbar", "b.root", "5", "b.root is damaged"),
        ("data", "gone.root", "all", "gone.root is damaged"),
    ]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([], "Done"),
        ([DAMAGED], "Done with losses: 5 of 28 entries, in b.root (ttbar)"),
        (
            [DAMAGED, GONE],
            f"{BOTH} of 1 unreadable file, in b.root (ttbar), gone.root (data)",
        ),
        (
            [DAMAGED, DAMAGED, GONE, loss("data", "d.root", None)],
            f"{BOTH} of 2 unreadable files, in b.root (ttbar), gone.root (data) and 1 more file",
        ),
    ],
    ids=["none", "one", "two", "three"],
)
def test_the_verdict_counts_what_is_lost_and_names_two_files(losses, words):
    assert accounts.headline(summary(*losses)) == words


def test_the_verdict_counts_no_entries_where_only_files_are_lost():
    words = "Done with losses: all entries of 1 unreadable file, in gone.root (data)"
    assert accounts.headline(summary(GONE, n_events=21)) == words


def test_a_cut_flow_has_columns_for_every_variation():
    def steps(*numbers):
        return [{"step": f"s{k}", "entries": n, "sum_of_weights": w} for k, (n, w) in enumerate(numbers)]

    found = summary()
    found["datasets"]["ttbar"]["cut_flow"] = {
        "nominal": steps((9, 4.5), (2, 1)),
        "Up": steps((9, None), (3, None)),
    }
    (table,), n_left_out = accounts.cut_flows(found)
    assert n_left_out == 0
    assert table.caption == "ttbar: left after"
    assert table.columns == ["condition", "nominal: entries", "nominal: sum of weights", "Up: entries"]
    assert table.rows == [("s0", "9", "4.5", "9"), ("s1", "2", "1", "3")]


def test_cut_flows_of_many_datasets_are_limited():
    flow = {"nominal": [{"step": "all entries", "entries": 9, "sum_of_weights": None}]}
    found = {"datasets": {f"d{k}": {"cut_flow": flow} for k in range(30)} | {"uncut": {}}}
    tables, n_left_out = accounts.cut_flows(found)
    assert [table.caption for table in tables] == [f"d{k}: left after" for k in range(accounts.MOST_CUT_FLOWS)]
    assert n_left_out == 30 - accounts.MOST_CUT_FLOWS


@pytest.mark.parametrize(
    ("more", "rate"),
    [({}, [("events per second", "6")]), ({"reused": 1}, []), ({"seconds": 0.0}, []), ({"n_events": -7}, [])],
    ids=["as-it-is", "resumed", "no-time", "no-events"],
)
def test_a_rate_is_told_where_all_of_the_job_was_timed(more, rate):
    rows = accounts.timing(summary(**more)).rows
    assert rows[1:2] == [("whole job, including the files of results", "9.3 s")]
    assert rows[2] == ("chunks", f"5, of which {more.get('reused', 0)} were finished before")
    assert rows[3:] == rate  # 23 events in 4 s


@pytest.mark.parametrize(("n", "rest"), [(49, []), (51, ["and 2 more remarks, in summary.json"])])
def test_remarks_are_limited_and_end_with_the_identity(n, rest):
    lines = accounts.remarks({**summary(), "hints": [f"hint {k}" for k in range(n)]})
    first = (
        "ttbar: 3 hits lie outside grid 'calo' and were not added: "
        "`hep-peaksum check` says of the first ones why"
    )
    assert lines == [first, *(f"hint {k}" for k in range(49)), *rest, "Event identity: by file and entry."]


@pytest.mark.parametrize(("n", "n_left_out"), [(50, 0), (53, 3)])
def test_a_long_table_says_how_many_rows_are_left_out(n, n_left_out):
    table = accounts.Table.of("many", ("n",), [(k,) for k in range(n)])
    assert (len(table.rows), table.rows[-1], table.n_left_out) == (50, ("49",), n_left_out)
    assert accounts.text({"a": 0.5, "b": None}) == "a 0.5, b "
