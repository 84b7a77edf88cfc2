"""How hits that are binned by coordinates fill their grid: what a wrong bin width does is seen before a job.

Bins finer than the cells of the detector stay empty between filled ones, and fake maxima; in coarser ones cells
add that are not one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.config.model import Config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.jagged import flat_parts
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hits import HitBranches
from hep_peaksum.kernels import Array
from hep_peaksum.reading.blocks import read_blocks
from hep_peaksum.reading.files import find_files, one_line_errors
from hep_peaksum.reading.hit_columns import grid_columns

N_ENTRIES = 100


class BinFilling(NamedTuple):
    """How the first hits of a grid fill its bins.

    `n_positions` counts the different positions of hits, `most` those in the fullest bin; `empty_rows` and
    `empty_cols` are how many rows and columns between filled ones hold no hit, each with how many there are.
    """

    n_entries: int
    n_hits: int
    n_positions: int
    n_bins: int
    most: int
    empty_rows: tuple[int, int]
    empty_cols: tuple[int, int]

    def in_words(self) -> tuple[str, str]:
        """Return two lines: what lies in a bin, and what is empty."""
        mean = self.n_positions / max(self.n_bins, 1)
        counts = f"{self.n_hits} hits of {self.n_entries} entries, {self.n_positions} positions"
        axes = (("rows", self.empty_rows), ("columns", self.empty_cols))
        empty = " and ".join(f"{n} of {total} {word}" for word, (n, total) in axes)
        return (
            f"{counts} in {self.n_bins} bins: {mean:.1f} in a bin, up to {self.most}",
            f"{empty} between the first and the last filled one are empty",
        )


def bin_fillings(config: Config) -> Iterator[tuple[str, BinFilling]]:
    """Yield the grids that are filled by coordinates, with how the first entries fill them.

    Nothing where files do not exist: they may come before the job.

    Raises
    ------
    ValueError, OSError
        If entries cannot be read.
    """
    by_place = [
        (name, source, source.hits)
        for name, source in config.grids.items()
        if isinstance(source.hits, HitBranches) and _is_by_coordinates(source, source.hits)
    ]
    if not by_place:
        return
    try:
        find_files(config)
    except ConfigError:
        return
    for name, source, hits in by_place:
        blocks = [
            (len(events), _positions(config, source, hits, events))
            for events in read_blocks(config, [name], max_events=N_ENTRIES)
        ]
        yield name, _filling(source, blocks)


def _is_by_coordinates(source: GridInput, hits: HitBranches) -> bool:
    places = ((source.grid.rows, hits.row), (source.grid.cols, hits.col))
    return hits.hexagon is not None or any(
        column is not None and axis.edge_positions is not None and axis.labels is None and column.way != "bits"
        for axis, column in places
    )


def _filling(source: GridInput, blocks: Sequence[tuple[int, Array]]) -> BinFilling:
    """Return how hits fill a grid, from the number of entries and the positions of every block."""
    positions = np.concatenate([block for _, block in blocks], axis=1) if blocks else np.empty((3, 0))
    _, row, col = positions[:3].astype(np.int64)
    different = np.unique(positions, axis=1)
    _, n_in_bin = np.unique(different[:3], axis=1, return_counts=True)
    return BinFilling(
        n_entries=sum(n for n, _ in blocks),
        n_hits=len(row),
        n_positions=different.shape[1],
        n_bins=len(n_in_bin),
        most=int(n_in_bin.max(initial=0)),
        empty_rows=_empty(row, source.grid.rows),
        empty_cols=_empty(col, source.grid.cols),
    )


def _positions(config: Config, source: GridInput, hits: HitBranches, events: ak.Array) -> Array:
    """Return layer, row and column of every hit on the grid, and what these are made of, shape (number, hit).

    The layer counts where each is searched by itself; else it is 0.
    """
    with one_line_errors(events.metadata["filename"]):
        given = grid_columns(events, source, config.friends, config.run_source).read(0, len(events))
    columns = [column for column in (hits.row, hits.col) if column is not None]  # else they are by channel
    branches = dict.fromkeys(hits.position or (branch for column in columns for branch in column.branches))
    raw = {f"from {branch}": given.columns[branch] for branch in branches}
    filling = source.hit_columns(given.columns, given.encodings, beside=raw)
    word = "layer" if source.depth is not None else "row"
    _, (layer, row, col, *parts) = flat_parts((word, filling[word]) for word in (word, "row", "col", *raw))
    layer = source.depth.find(layer) if source.depth is not None else np.zeros_like(row)
    row, col = source.grid.rows.find(row), source.grid.cols.find(col)
    is_inside = (layer >= 0) & (row >= 0) & (col >= 0)
    layer = layer if source.layers == "each" else np.zeros_like(row)
    return np.stack([layer, row, col, *parts]).astype(np.float64)[:, is_inside]


def _empty(filled: Array, axis: Axis) -> tuple[int, int]:
    """Return how many bins between filled ones hold nothing, and how many bins that is of.

    On an axis that closes on itself the widest gap is the outside.

    >>> _empty(np.array([1, 3, 6]), Axis(n=8)), _empty(np.array([0, 7]), Axis(n=8, periodic=True))
    ((3, 6), (0, 2))
    """
    bins = np.unique(filled)
    if not len(bins):
        return 0, 0
    gaps = np.diff(bins) - 1
    total = int(bins[-1] - bins[0]) + 1
    around = axis.size - total
    if axis.periodic and len(gaps) and gaps.max() > around:
        total = axis.size - int(gaps.max())
    return total - len(bins), total
