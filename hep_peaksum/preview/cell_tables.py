"""What the cell table of a grid says, in words, so that a wrong one is seen before a job runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hep_peaksum.calibration.cell_table import CellTable, range_in_words
from hep_peaksum.calibration.table_files import COLUMNS, CellTableError
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.kernels import Array

STATUS = {1: "dead", 2: "noisy"}  # by convention; every status but 0 masks
MANY = 8  # channels that are listed by name
ASSUMED = {"pedestal": 0, "gain": 1}  # of tables without these columns
SUSPICIOUS = 5  # times the median noise


def describe_table(source: GridInput) -> list[tuple[str, str]]:
    """Return what the cell table of a grid says: each a word, and what there is to say of it."""
    table = source.table()
    rows = [("cells", _cells(table, source)), ("columns", ", ".join(table.columns))]
    for number, (first, last) in enumerate(table.periods()):
        runs = range_in_words(first, last) if table.depends_on_run else "all"
        rows.append(("" if number else "runs", f"{runs}: {_period(table, first)}"))
    group = source.common_mode.by if source.common_mode is not None else ""
    used = {*COLUMNS, group} - {"z"} - (set() if source.has_times else {"t0"})
    unused = [name for name in table.columns if name not in used]
    if unused:
        rows.append(("not used", ", ".join(unused)))
    if assumed := [f"{name} {value}" for name, value in ASSUMED.items() if name not in table]:
        rows.append(("assumed", ", ".join(assumed)))
    return rows


def _cells(table: CellTable, source: GridInput) -> str:
    what = "layers" if table.key_names == ("layer",) else "channels" if "channel" in table else "cells"
    text = f"{table.n_cells} {what}"
    n_cells = source.grid.n_cells * source.n_layers
    return text if what == "layers" else f"{text} on {n_cells} cells"


def _period(table: CellTable, run: int) -> str:
    """Return how many channels are good in a run, and which are not."""
    try:
        rows = table.rows_of(run)
    except CellTableError as error:
        return str(error).removeprefix(f"{table.name}: ")
    good = table.good[rows]
    parts = [f"{int(good.sum())} good"]
    for status in np.unique(table["status"][rows][~good]) if not good.all() else ():
        of_status = rows[table["status"][rows] == status]
        word = STATUS.get(int(status), f"of status {status}")
        parts.append(f"{len(of_status)} {word} ({_names(table, of_status)})")
    noisy = _suspicious(table, rows[good])
    if len(noisy):
        parts.append(
            f"{len(noisy)} good with over {SUSPICIOUS} times the median noise ({_names(table, noisy)})"
        )
    return ", ".join(parts)


def _suspicious(table: CellTable, rows: Array) -> Array:
    name = next((name for name in ("noise", "noise_raw") if name in table), None)
    if name is None or not len(rows):
        return rows[:0]
    noise = table[name][rows]
    return np.asarray(rows[noise > SUSPICIOUS * np.median(noise)])


def _names(table: CellTable, rows: Sequence[Any] | Array) -> str:
    names = [table.in_words(int(row)) for row in rows[:MANY]]
    if table.key_names == ("channel",):
        numbers = ", ".join(name.removeprefix("channel ") for name in names)
        names = [f"channel{'s' * (len(rows) > 1)} {numbers}"]
    return "; ".join(names) + (f" and {len(rows) - MANY} more" if len(rows) > MANY else "")
