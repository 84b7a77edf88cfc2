"""Which cells are masked in a run, their noise, and what dead ones are filled from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hep_peaksum.calibration.run_calibrations import Calibration
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array

AROUND = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))


class CellMaps(NamedTuple):
    """What is the same in all events of a run, in the shape of the cells of one event.

    `sources` are, for every cell that is filled, the flat indices of its good neighbours.
    """

    mask: Array | None
    noise: Array | None
    sources: Mapping[int, Array]


def cell_maps(
    of_run: Calibration, shape: tuple[int, ...], grid: Grid, *, layers: str, fill_dead: bool
) -> CellMaps:
    """Return mask and noise of the cells of one run, and of what dead ones are filled."""
    placed = of_run.cell >= 0
    mask, noise = np.ones(math.prod(shape), bool), np.zeros(math.prod(shape))
    mask[of_run.cell[placed & of_run.good]] = False
    if of_run.noise is not None:
        noise[of_run.cell[placed]] = of_run.noise[placed]
    dead = of_run.cell[placed & ~of_run.good] if fill_dead else np.zeros(0, np.int64)
    sources = {int(cell): near for cell in dead if len(near := _good_neighbours(int(cell), mask, grid))}
    for cell, near in sources.items():
        noise[cell] = math.sqrt(np.square(noise[near]).sum()) / len(near)
    mask[list(sources)] = False
    masks, noises = np.asarray(mask.reshape(shape)), np.asarray(noise.reshape(shape))
    if len(shape) == 3 and layers == "sum":
        masks, noises = np.asarray(masks.all(axis=0)), np.sqrt(np.square(noises).sum(axis=0))
    return CellMaps(masks if masks.any() else None, noises if of_run.noise is not None else None, sources)


def _good_neighbours(cell: int, mask: Array, grid: Grid) -> Array:
    """Return the flat indices of the good ones among the eight cells around one, in its layer."""
    layer, place = divmod(cell, math.prod(grid.shape))
    steps = np.array(AROUND)
    row, col = grid.wrap(place // grid.cols.size + steps[:, 0], place % grid.cols.size + steps[:, 1])
    near = np.unique(((layer * grid.rows.size + row) * grid.cols.size + col)[row >= 0])
    return np.asarray(near[(~mask[near]) & (near != cell)])
