"""What a cell table says of the cells of one event, in their shape: constants, mask, noise, neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from hep_peaksum.calibration.energies import CellConstants
from hep_peaksum.calibration.run_calibrations import Calibration
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.kernels import Array, absent
from hep_peaksum.kernels.offset_tables import ADJACENT


class CellMaps(NamedTuple):
    """What is the same in all events of runs with the same rows.

    `constants` are those of one period. `mask` and `noise` have the shape of the cells that are searched, None
    where there is no masked cell, or no noise. `sources` are, for every cell that is filled, the flat indices
    of its good neighbours.
    """

    constants: CellConstants
    mask: Array | None
    noise: Array | None
    sources: Mapping[int, Array]


def cell_maps(
    of_run: Calibration,
    shape: tuple[int, ...],
    grid: Grid,
    *,
    layers: Literal["sum", "each"],
    fill_dead: bool,
) -> CellMaps:
    """Return the maps of one period, for cells of some shape.

    A masked cell holds `absent`; of layers that are summed it holds 0, since others may have an energy.
    """
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
    is_sum = len(shape) == 3 and layers == "sum"
    constants = _constants(of_run, np.where(mask, 0.0 if is_sum else absent(np.float64), 0.0))
    masks, noises = np.asarray(mask.reshape(shape)), np.asarray(noise.reshape(shape))
    if is_sum:
        masks, noises = np.asarray(masks.all(axis=0)), np.sqrt(np.square(noises).sum(axis=0))
    has_noise = of_run.noise is not None
    return CellMaps(constants, masks if masks.any() else None, noises if has_noise else None, sources)


def _constants(of_run: Calibration, shift: Array) -> CellConstants:
    """Return the constants of cells from those of channels; a cell without a channel has gain 0."""
    placed = np.flatnonzero(of_run.cell >= 0)
    source, pedestal, gain = np.zeros(len(shift), np.int64), np.zeros(len(shift)), np.zeros(len(shift))
    cell = of_run.cell[placed]
    source[cell], pedestal[cell], gain[cell] = placed, of_run.pedestal[placed], of_run.gain[placed]
    return CellConstants(source[None], pedestal[None], gain[None], shift[None])


def _good_neighbours(cell: int, mask: Array, grid: Grid) -> Array:
    """Return the flat indices of the good ones among the eight cells around one, in its layer."""
    layer, place = divmod(cell, math.prod(grid.shape))
    steps = np.array(ADJACENT)
    row, col = grid.wrap(place // grid.cols.size + steps[:, 0], place % grid.cols.size + steps[:, 1])
    near = np.unique(((layer * grid.rows.size + row) * grid.cols.size + col)[row >= 0])
    return np.asarray(near[(~mask[near]) & (near != cell)])
