"""The columns of a cell table: their names and types, and how they are read from CSV and parquet."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.plain_files import is_endless, no_file

CELL_KEYS = ("row", "col", "layer")
KEYS = ("channel", *CELL_KEYS)
POSITIONS = ("x", "y", "z", "eta", "phi")
CALIBRATIONS = ("pedestal", "noise_raw", "gain", "noise", "t0")
RUNS = ("first_run", "last_run")
COLUMNS = (*KEYS, *POSITIONS, *CALIBRATIONS, "status", *RUNS)
WHOLE = (*KEYS, "status", *RUNS)  # whole numbers
EMPTY = np.iinfo(np.int64).min  # a whole number that is not given


class CellTableError(ValueError):
    """A table that does not say what is asked of it; it stops a job, whatever is done with bad files."""


def read_content(path: Path) -> bytes:
    """Return what is in a file; one that cannot be read is a CellTableError."""
    if is_endless(path):
        raise CellTableError(no_file(path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def parse_columns(content: bytes, path: Path) -> tuple[dict[str, Array], str]:
    """Return the columns in the content of a file, and a digest of it.

    Raises
    ------
    CellTableError
        If it is not a table.
    """
    try:
        columns = _read_parquet(content) if path.suffix == ".parquet" else _read_csv(content)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return columns, hashlib.sha256(content).hexdigest()[:16]


def _unreadable(path: Path, error: Exception) -> CellTableError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return CellTableError(f"{str(path)!r} cannot be read as a table in CSV or parquet ({reason})")


def _read_csv(content: bytes) -> dict[str, Any]:
    from pyarrow import csv

    lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    text = b"\n".join(line for line in lines if not line.lstrip().startswith(b"#"))
    if not text:
        msg = "it is empty"
        raise ValueError(msg)
    head = text.partition(b"\n")[0]
    if other := next((mark for mark in (b";", b"\t") if mark in head and b"," not in head), None):
        msg = f"its columns are separated by {other.decode()!r}: separate them by commas"
        raise ValueError(msg)
    table = csv.read_csv(io.BytesIO(text + b"\n"))
    return _as_arrays(table)


def _read_parquet(content: bytes) -> dict[str, Any]:
    from pyarrow import parquet

    return _as_arrays(parquet.read_table(io.BytesIO(content)))


def _as_arrays(table: Any) -> dict[str, Any]:
    """Return the columns of an Arrow table; a number that is not given is NaN, a whole one `EMPTY`."""
    names = [name.strip() for name in table.column_names]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"column {twice!r} occurs twice"
        raise ValueError(msg)
    arrays = {}
    for name, column in zip(names, table.columns, strict=True):
        if str(column.type) == "null":
            arrays[name] = np.full(len(column), np.nan)
        elif column.null_count and str(column.type).startswith(("int", "uint")):
            arrays[name] = np.where(column.is_null(), EMPTY, column.fill_null(0).to_numpy())
        else:
            arrays[name] = column.to_numpy()
    return arrays


def as_column(key: str, column: Array, name: str) -> Array:
    """Return a column in the type that it should have: int64, float64 or text.

    Raises
    ------
    CellTableError
        If it holds something else; `name` is what the message calls the table.
    """
    if column.ndim != 1:
        msg = f"{name}: column {key!r} has shape {column.shape}, expected one value for every row"
        raise CellTableError(msg)
    if key not in COLUMNS:
        return np.char.strip(column.astype(str))
    if column.dtype.kind == "O" and all(value is None or isinstance(value, (int, float)) for value in column):
        column = np.array([np.nan if value is None else value for value in column], np.float64)
    if column.dtype.kind not in "iuf":
        row = next((row for row, value in enumerate(column) if not _is_number(value)), 0)
        wrong = str(column[row]) if len(column) else ""
        msg = f"{name}: column {key!r} holds {wrong!r} in row {row + 1}, expected a number in every row"
        raise CellTableError(msg + _number_meant(key, wrong))
    if key not in WHOLE:
        return np.where(column == EMPTY, np.nan, column.astype(np.float64))
    if column.dtype.kind in "iu":
        return column.astype(np.int64)
    whole = np.round(np.where(np.isfinite(column), column, 0))
    if (is_wrong := np.isinf(column) | (np.isfinite(column) & (whole != column))).any():
        wrong = column[int(np.argmax(is_wrong))]
        msg = f"{name}: column {key!r} holds {wrong:g}, expected a whole number in every row"
        raise CellTableError(msg)
    return np.where(np.isnan(column), EMPTY, whole.astype(np.int64))


def _number_meant(key: str, text: str) -> str:
    """Return what to write in place of a text that is not a number."""
    if re.fullmatch(r"-?\d+,\d+", text):
        return f": write {text.replace(',', '.')}"
    return ": write 0 for good channels, and another number for others" if key == "status" else ""


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
