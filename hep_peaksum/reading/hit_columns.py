"""The columns that fill a grid, and the cells or hits that they become.

Beside them are read: the encodings of ids in a file, and the run of every event for a cell table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.events.section import Identifier
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.hits import Hits, sparse
from hep_peaksum.inputs.functions import result_of
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hits import HitFunction
from hep_peaksum.kernels import Array
from hep_peaksum.reading.columns import cast_values, column, identifier, lazy_column
from hep_peaksum.reading.files import open_tree
from hep_peaksum.reading.provenance import metadata_of, open_file_of
from hep_peaksum.suggestions import did_you_mean, listed


class GridColumns(NamedTuple):
    """The columns that fill one grid, of a whole chunk (perhaps not read yet) or of some of its events."""

    source: GridInput
    columns: Mapping[str, Any]  # by branch; of a function of the user by row, col, value and layer
    value_type: str | None = None  # of the values, where the files of a dataset differ
    encodings: Mapping[str, str] = MappingProxyType({})  # of ids, by collection: those that the file holds
    runs: Array | None = None  # of every event, where there is a cell table

    def read(self, start: int, stop: int) -> GridColumns:
        """Read the columns of some events of the chunk."""
        runs = None if self.runs is None else self.runs[start:stop]
        return self._replace(columns=self._part(start, stop), runs=runs)

    def _part(self, start: int, stop: int) -> dict[str, Any]:
        return {name: column[start:stop] for name, column in self.columns.items()}

    def take(self, events: Array) -> GridColumns:
        """Return the columns of some of the events, given by their indices."""
        columns = {name: column[events] for name, column in self.columns.items()}
        return self._replace(columns=columns, runs=None if self.runs is None else self.runs[events])

    def cells(self, start: int, stop: int) -> Array | CalibratedCells:
        """Return the cells of some events, (event, row, col) or with layers; errors as for `sparse_cells`."""
        cells = self.sparse_cells(start, stop)
        return cells.dense() if isinstance(cells, (Hits, CalibratedCells)) else cells

    def sparse_cells(self, start: int, stop: int) -> Array | Hits | CalibratedCells:
        """Return the cells of some events, or the hits that fill them; calibrated if there is a cell table.

        Raises
        ------
        EventError
            If an event does not fit the grid; it counts from the first event of the columns.
        """
        source, part = self.source, self._part(start, stop)
        try:
            if self.runs is not None:
                return source.calibrated(part, self.encodings, self.runs[start:stop])
            if source.dense is None:
                return self._hits(part)
            cells = source.dense.cells([part[name] for name in source.dense.branches], source.grid)
            return cells.astype(self.value_type or cells.dtype, copy=False)
        except EventError as error:
            raise EventError(start + error.event, f"{self._origin}: {error.problem}") from None
        except CellTableError:  # it is not the fault of the file
            raise
        except ValueError as error:
            msg = f"{self._origin}: {error}"
            raise ValueError(msg) from None

    def _hits(self, part: Mapping[str, Any]) -> Hits:
        """Return the hits of some events."""
        hits = self.source.hit_columns(part, self.encodings)
        value = cast_values(hits["value"], self.value_type)
        depth = self.source.depth if "layer" in hits else None
        more = {word: hits[word] for word in ("layer", "time") if word in hits}
        return sparse(hits["row"], hits["col"], value, self.source.grid, depth=depth, **more)

    @property
    def _origin(self) -> str:
        """The branches, or the function, that a grid is made of."""
        return ", ".join(self.source.branches) or getattr(self.source.hits, "function", "")


def grid_columns(
    events: ak.Array, source: GridInput, friends: Mapping[str, str], run: Identifier = "run"
) -> GridColumns:
    """Return the columns of a grid; only those of friends, and the run for a cell table, are read at once.

    `run` is what identifies the run of an event: a branch, a number, or where in the name of the file it is.
    """
    columns = {name: lazy_column(events, name, friends) for name in source.branches}
    if isinstance(source.hits, HitFunction):
        columns |= user_hits(source.hits.function, events, has_layers=source.depth is not None)
    casts = metadata_of(events).get("casts", {})
    value_type = next((casts[name] for name in source.value_branches if name in casts), None)
    encodings = _encodings_of(events, source.collections)
    return GridColumns(source, columns, value_type, encodings, _runs(events, source, friends, run))


def _runs(events: ak.Array, source: GridInput, friends: Mapping[str, str], run: Identifier) -> Array | None:
    """Return the run of every event, where the grid has a cell table; 0 if that does not ask for it."""
    if source.cells is None:
        return None
    if not source.table().depends_on_run:
        return np.zeros(len(events), np.int64)
    try:
        if isinstance(run, str):
            column(events, run, friends)
    except ValueError as error:
        msg = f"{source.cells} has rows for runs, and nothing says the run of an event: name its branch, or a "
        msg += f"number, in events.identify.run ({error})"
        raise ValueError(msg) from None
    return identifier(events, "run", run, friends).astype(np.int64)


def user_hits(name: str, events: ak.Array, *, has_layers: bool) -> dict[str, ak.Array]:
    """Return what a function ``module:function`` of the user makes of events: row, col, value, perhaps layer.

    Raises
    ------
    ValueError
        If it cannot be imported, fails, or returns something else.
    """
    words = ("row", "col", "value", "layer") if has_layers else ("row", "col", "value")
    result = result_of(name, events)
    if not isinstance(result, (tuple, list)) or len(result) != len(words):
        given = f"{len(result)} values" if isinstance(result, (tuple, list)) else type(result).__name__
        msg = f"{name} returns {given}, expected {', '.join(words)}, each a jagged array: return these"
        raise ValueError(msg)
    hits = {word: ak.Array(values) for word, values in zip(words, result, strict=True)}
    for word, values in hits.items():
        if len(values) != len(events):
            msg = f"{name} returns {len(values)} lists of {word} for {len(events)} events: return one each"
            raise ValueError(msg)
    return hits


# The tree in which podio keeps the encodings of ids, and the key of a collection in it.
PODIO_TREE, PODIO_KEY = "metadata", "__CellIDEncoding"


def known_encodings(tree: Any) -> dict[str, str]:
    """Return the encodings of ids in podio's tree, by collection; none if it is another tree of that name."""
    if not {"GPStringKeys", "GPStringValues"} <= {*tree.keys()}:
        return {}
    keys, values = (tree[name].array(entry_stop=1) for name in ("GPStringKeys", "GPStringValues"))
    pairs = zip(ak.flatten(keys).to_list(), ak.flatten(values).to_list(), strict=True)
    return {key.removesuffix(PODIO_KEY): texts[0] for key, texts in pairs if key.endswith(PODIO_KEY) and texts}


def read_encodings(file: Any, path: str, collections: Collection[str]) -> dict[str, str]:
    """Return the encodings of the ids of collections, as podio stores them in a file.

    Raises
    ------
    ValueError
        If the file has none for a collection; the message lists those that there are.
    """
    if not collections:
        return {}
    known = known_encodings(open_tree(file, path, PODIO_TREE))
    for name in collections:
        if name not in known:
            near = f"{did_you_mean(name, known)}; there are {listed(known, near=name)}"
            msg = f"the tree {PODIO_TREE!r} has no encoding of {name!r}{near}"
            raise ValueError(msg)
    return {name: known[name] for name in collections}


def _encodings_of(events: ak.Array, collections: Collection[str]) -> dict[str, str]:
    """Return the encodings of ids in the file behind events."""
    if not collections:
        return {}
    if (file := open_file_of(events)) is None:
        msg = "the encoding is in the file of the events: pass a chunk as coffea made it, or write it out"
        raise ValueError(msg)
    return read_encodings(file, metadata_of(events)["filename"], collections)
