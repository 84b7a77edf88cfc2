"""Tables on a terminal of 80 columns: text may be folded, numbers are never broken."""

import re
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from hep_peaksum import Axis, Grid, find_clusters
from hep_peaksum.terminal import job_tables, tables

WIDTH = 80
PLANE = Grid(
    rows=Axis(name="eta", bins=6, start=-3, stop=3),
    cols=Axis(name="phi", bins=8, start=0, stop="2pi", periodic=True),
)


@pytest.fixture
def console():
    return Console(width=WIDTH, file=StringIO(), highlight=False)


def lines_of(console):
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= WIDTH
    return lines


@pytest.mark.parametrize("fields", [None, ["row", "col", "barycentre_eta", "barycentre_phi", "width_eta"]])
def test_every_number_of_a_cluster_stands_in_one_piece(console, fields):
    cells = np.random.default_rng(1).exponential(100, (6, 8))
    clusters = find_clusters(cells[None], {}, PLANE, fields=fields)[0]
    tables.print_clusters(console, SimpleNamespace(clusters={"Jet": clusters}))
    printed = set(re.split(r"\s+", " ".join(lines_of(console))))
    numbers = {f"{value:.5g}" for field in clusters.fields for value in clusters[field].tolist()}
    assert numbers <= printed
    assert set(clusters.fields) <= printed


def test_every_number_of_a_summary_stands_in_one_piece(console):
    n_events, n_clusters = 1_234_567_890, 98_765_432_109
    name, collection = "zerobias-run-2018-with-a-long-name", "JetWithALongName"
    dataset = {
        "files": {"a.root": {"expected": n_events + 7}},
        "n_events": n_events,
        "n_clusters": {collection: n_clusters},
        "n_outside": {},
    }
    summary = {
        "datasets": {name: dataset},
        "config": {"events": {"identify": {"run": "run"}}},
        "n_chunks": {"reused": 0, "total": 1},
        "losses": [],
    }
    job_tables.print_summary(console, summary)
    printed = re.split(r"\s+", " ".join(lines_of(console)))
    for number in ("1", "1234567897", "7", "98765432109", "80.00"):
        assert number in printed


def test_names_that_are_numbers_are_not_broken_either(console):
    rows = tables.table("dataset", *(f"a long title of column {n}" for n in range(5)))
    rows.add_row("2018", *(str(123_456 * 10**n) for n in range(5)))
    console.print(rows)
    printed = re.split(r"\s+", " ".join(lines_of(console)))
    assert {"2018", *(str(123_456 * 10**n) for n in range(5))} <= set(printed)


@pytest.mark.parametrize(("n", "is_list"), [(4, False), (5, True)])
def test_a_table_whose_texts_would_be_cut_into_pieces_is_a_list_of_its_rows(console, n, is_list):
    """On 80 columns four texts of at least 14 characters fit beside one another, with their margins."""
    rows = tables.table(*(f"t{k}" for k in range(n)))
    rows.add_row(*("x" * 30 for _ in range(n)))
    console.print(rows)
    lines = [line.strip() for line in lines_of(console) if line.strip()]
    assert (lines == [f"t{k}: {'x' * 30}" for k in range(n)]) == is_list
    if not is_list:
        assert all(len(word) >= 14 for word in lines[2].split())


@pytest.mark.parametrize(("n_digits", "is_list"), [(16, False), (17, True)])
def test_numbers_that_fill_the_screen_to_the_last_column_are_a_table(console, n_digits, is_list):
    """Of 80 columns the box takes 5, beside and between, and the margins 4 x 2: 67 are left, 16 + 3 x 17."""
    rows = tables.table("n", "a", "b", "c")
    rows.add_row("1" * n_digits, "2" * 17, "3" * 17, "4" * 17)
    console.print(rows)
    words = [line.split() for line in lines_of(console) if line.strip()]
    assert (words[0] == ["n:", "1" * n_digits]) == is_list
    assert is_list or words[-1] == ["1" * 16, "2" * 17, "3" * 17, "4" * 17]


def test_texts_share_what_numbers_leave(console):
    """Of 80 columns the number takes 12, the box 1 at each side, and margins 2 beside each cell."""
    rows = tables.table("n", "short", "long")
    rows.add_row("123456789012", "word " * 4, "x" * 100)
    console.print(rows)
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines_of(console) if line.strip()]
    assert cells[2][0] == "123456789012"
    widest = max(len(line.rstrip()) for line in lines_of(console))
    assert 78 <= widest <= 80


@pytest.mark.parametrize(("n_digits", "is_list"), [(37, False), (38, True)])
def test_numbers_that_fill_the_screen_are_a_table_and_longer_ones_a_list(console, n_digits, is_list):
    """36 and 37 digits take 80 columns with the 3 lines of the box, and margins of 2 beside each cell."""
    rows = tables.table("a", "b")
    rows.add_row("1" * 36, "2" * n_digits)
    console.print(rows)
    lines = [line.strip() for line in lines_of(console) if line.strip()]
    assert lines[-1] == (f"b: {'2' * n_digits}" if is_list else f"{'1' * 36}   {'2' * n_digits}")
