"""The cell table: for every channel or cell where it is, and its pedestal, gain, noise and status, run by run.

A table is read once, checked as a whole, and never changed. Which of its rows hold for a run is decided here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from hep_peaksum.calibration.table_files import (
    CELL_KEYS,
    COLUMNS,
    EMPTY,
    KEYS,
    RUNS,
    WHOLE,
    CellTableError,
    as_column,
    parse_columns,
    read_content,
)
from hep_peaksum.kernels import Array
from hep_peaksum.suggestions import did_you_mean

FIRST, LAST = 0, int(np.iinfo(np.int64).max)  # runs


@dataclass(frozen=True, eq=False)
class CellTable:
    """The rows of a cell table, checked; two tables are equal if the digests of their files are.

    `columns` holds read-only arrays by name: whole numbers are int64 (`EMPTY` where none is given), others
    float64 (NaN), and columns that are not among `COLUMNS` are texts, by which channels may be grouped.

    >>> table = CellTable.from_columns({"channel": [0, 1], "row": [0, 0], "col": [0, 1], "gain": [0.5, 2]})
    >>> table.n_cells, table.key_names
    (2, ('channel',))
    """

    columns: Mapping[str, Array]
    name: str
    digest: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellTable) and (self.digest, self.name) == (other.digest, other.name)

    def __hash__(self) -> int:
        return hash((self.digest, self.name))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    @classmethod
    def from_columns(cls, columns: Mapping[str, npt.ArrayLike], name: str = "cells") -> CellTable:
        """Return the table of some columns; `name` is what errors call it.

        Raises
        ------
        CellTableError
            If a column is not what it should be, or two rows hold for one channel in the same run.
        """
        arrays = {key: as_column(key, np.asarray(column), name) for key, column in columns.items()}
        digest = hashlib.sha256()
        for key, array in arrays.items():
            digest.update(key.encode() + array.tobytes())
        return cls._checked(arrays, name, digest.hexdigest()[:16])

    @classmethod
    def read(cls, path: str | Path) -> CellTable:
        """Return the table of a file, CSV (lines that begin with ``#`` are comments) or parquet.

        Raises
        ------
        CellTableError
            If the file cannot be read; otherwise as `from_columns`.
        """
        path = Path(path)
        return cls._parse(read_content(path), path)

    @classmethod
    @lru_cache(maxsize=4)  # loading a config asks for its tables three times
    def _parse(cls, content: bytes, path: Path) -> CellTable:
        """Return the table in the content of a file."""
        columns, digest = parse_columns(content, path)
        arrays = {key: as_column(key, column, path.name) for key, column in columns.items()}
        return cls._checked(arrays, path.name, digest)

    @classmethod
    def _checked(cls, arrays: dict[str, Array], name: str, digest: str) -> CellTable:
        for array in arrays.values():
            array.flags.writeable = False
        table = cls(MappingProxyType(arrays), name, digest)
        for problem in table._problems():
            msg = f"{name}: {problem}"
            raise CellTableError(msg)
        return table

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> Array:
        """Return a column."""
        return self.columns[column]

    @cached_property
    def key_names(self) -> tuple[str, ...]:
        """The columns that tell the rows of a run apart: channel, or else those of row, col and layer."""
        return ("channel",) if "channel" in self else tuple(key for key in CELL_KEYS if key in self)

    @cached_property
    def keys(self) -> Array:
        """The numbers in the columns of `key_names`, shape (row of the table, key)."""
        return np.stack([self[name] for name in self.key_names], axis=1)

    @cached_property
    def _unique(self) -> tuple[Array, Array]:
        """The different keys in increasing order, and which of them every row has."""
        unique, index = np.unique(self.keys, axis=0, return_inverse=True)
        return unique, index.reshape(-1)

    @property
    def n_cells(self) -> int:
        """Number of different channels or cells (or layers, if these alone are the key)."""
        return len(self._unique[0])

    @cached_property
    def good(self) -> Array:
        """Whether the status of a row is 0."""
        return self["status"] == 0 if "status" in self else np.ones(len(self), bool)

    @cached_property
    def runs(self) -> tuple[Array, Array]:
        """The first and the last run of every row, both included."""
        first, last = (self.columns.get(word) for word in RUNS)
        begin = np.full(len(self), FIRST) if first is None else np.where(first == EMPTY, FIRST, first)
        if last is not None:
            return begin, np.where(last == EMPTY, LAST, last)
        end = np.full(len(self), LAST)
        if first is None:
            return begin, end
        order = np.lexsort((begin, self._unique[1]))  # the next row of the same channel ends the one before
        same = np.diff(self._unique[1][order]) == 0
        end[order[:-1][same]] = np.maximum(begin[order[1:][same]] - 1, begin[order[:-1][same]])
        return begin, end

    def in_words(self, row: int) -> str:
        """Return how errors call what a row is about: ``channel 12``, or ``row 3, col 4``."""
        return ", ".join(
            f"{name} {number}" for name, number in zip(self.key_names, self.keys[row], strict=True)
        )

    @property
    def depends_on_run(self) -> bool:
        """Whether not all rows hold for every run."""
        first, last = self.runs
        return bool((first > FIRST).any() or (last < LAST).any())

    @cached_property
    def starts(self) -> Array:
        """The runs at which other rows begin to hold, or none."""
        first, last = self.runs
        return np.unique([*first, *(last[last < LAST] + 1)])

    def periods(self) -> list[tuple[int, int]]:
        """Return the ranges of runs in which the same rows hold, first and last run included.

        >>> CellTable.from_columns({"layer": [1, 1], "gain": [2, 3], "first_run": [5, 9]}).periods()
        [(5, 8), (9, 9223372036854775807)]
        """
        first, last = self.runs
        stops = [*(self.starts[1:] - 1), LAST]
        return [
            (int(start), int(stop))
            for start, stop in zip(self.starts, stops, strict=True)
            if ((first <= start) & (last >= start)).any()
        ]

    def rows_of(self, run: int) -> Array:
        """Return the rows that hold for a run, one for every key, in increasing order of the keys.

        Raises
        ------
        CellTableError
            If a channel or cell of the table has none; it names the run.
        """
        first, last = self.runs
        rows = np.flatnonzero((first <= run) & (last >= run))
        if not len(rows):
            msg = f"{self.name}: no row holds for run {run}, the rows are of runs {self.run_ranges()}: add rows"
            raise CellTableError(msg)
        number = self._unique[1]
        missing = np.setdiff1d(number, number[rows])
        if len(missing):
            more = f" and {len(missing) - 1} more have" if len(missing) > 1 else " has"
            what = self.in_words(int(np.argmax(number == missing[0])))
            msg = f"{self.name}: {what}{more} no row for run {run}: add one, of status 1 if it was not used"
            raise CellTableError(msg)
        return rows[np.argsort(number[rows], kind="stable")]

    def run_ranges(self) -> str:
        """Return the runs of the table in words, ranges that touch joined.

        >>> CellTable.from_columns({"layer": [1, 1], "first_run": [5, 9]}).run_ranges()
        '5 and later'
        """
        joined: list[list[int]] = []
        for start, stop in self.periods():
            if joined and start == joined[-1][1] + 1:
                joined[-1][1] = stop
            else:
                joined.append([start, stop])
        return ", ".join(range_in_words(start, stop) for start, stop in joined)

    def _problems(self) -> Iterator[str]:
        """Yield what is wrong with the table, whatever it is used for."""
        if not any(key in self for key in KEYS):
            has = ", ".join(self.columns) or "none"
            yield f"none of the columns {', '.join(KEYS)} (there are {has}): rename the one that a row is about"
        if not len(self):
            yield "no rows: give one for every channel or cell"
        for name in self.columns:
            if name not in COLUMNS and (near := did_you_mean(name, COLUMNS, likeness=0.75)):
                yield f"column {name!r} is unknown{near}"
        if {"noise", "noise_raw"} <= set(self.columns):
            yield "both noise_raw (counts before the gain) and noise (after it): leave out one of them"
        if "last_run" in self and "first_run" not in self:
            yield "last_run without first_run: add first_run, empty where a row holds from the beginning"
        yield from self._empty_values()
        yield from self._wrong_ranges()

    def _empty_values(self) -> Iterator[str]:
        """Yield what is not given where it is needed; of what is not good only the key is."""
        for name, column in self.columns.items():
            if name in RUNS or name not in COLUMNS:
                continue
            is_empty = column == EMPTY if name in WHOLE else ~np.isfinite(column)
            is_needed = name in self.key_names or name == "status"
            wrong = is_empty if is_needed else is_empty & self.good
            if wrong.any():
                row = int(np.argmax(wrong))
                place = f"row {row + 1} of the table"
                what = place if name in self.key_names else f"{self.in_words(row)} ({place})"
                given = "infinite" if name not in WHOLE and np.isinf(column[row]) else "empty or n/a"
                remedy = "give a finite number" + ", or a status other than 0" * (not is_needed)
                yield f"{what}: {name} is {given}, for {self.runs_of(row)}: {remedy}"
        for name in ("noise", "noise_raw"):
            if name in self and (wrong := self.good & (self[name] < 0)).any():
                row = int(np.argmax(wrong))
                what = f"{self.in_words(row)}: {name} is {self[name][row]:g}"
                yield f"{what}, for {self.runs_of(row)}: give 0 or above"

    def _wrong_ranges(self) -> Iterator[str]:
        """Yield ranges of runs that are backwards, or overlap."""
        (first, last), number = self.runs, self._unique[1]
        for row in np.flatnonzero(last < first)[:1]:
            yield f"{self.in_words(row)}: last_run {last[row]} is before first_run {first[row]}: swap them"
        order = np.lexsort((first, number))
        same = np.diff(number[order]) == 0
        overlaps = same & (first[order[1:]] <= last[order[:-1]])
        if overlaps.any():
            one, other = order[np.argmax(overlaps)], order[np.argmax(overlaps) + 1]
            runs = f"run {first[other]}" if self.depends_on_run else "every run"
            rows = f"rows {min(one, other) + 1} and {max(one, other) + 1}"
            yield f"{self.in_words(one)} has two rows for {runs} ({rows} of the table): leave out one of them"

    def runs_of(self, row: int) -> str:
        """Return in words for which runs a row holds."""
        first, last = (int(each[row]) for each in self.runs)
        return "every run" if (first, last) == (FIRST, LAST) else f"run {range_in_words(first, last)}"


def range_in_words(first: int, last: int) -> str:
    """Return a range of runs in words.

    >>> range_in_words(3, 9), range_in_words(3, LAST), range_in_words(3, 3)
    ('3 to 9', '3 and later', '3')
    """
    if last == LAST:
        return f"{first} and later"
    return str(first) if first == last else f"{first} to {last}"
