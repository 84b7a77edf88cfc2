"""What is drawn of the cells of an event: its layers added, and what is masked of them."""

from types import SimpleNamespace

import numpy as np

from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.preview.event import drawn_plane

PLANE = np.array([[[1.0, 2.0], [3.0, 4.0]]])
LAYERS = np.stack([PLANE, 10 * PLANE], axis=1)
CORNER = np.array([[True, False], [False, False]])


def drawn(cells, mask):
    plane, masked = drawn_plane(SimpleNamespace(mask_map=lambda: mask), cells)
    return plane.tolist(), None if masked is None else masked.tolist()


def test_a_plane_is_drawn_as_it_is():
    assert drawn(PLANE, None) == ([[1, 2], [3, 4]], None)
    assert drawn(PLANE, CORNER) == ([[1, 2], [3, 4]], CORNER.tolist())


def test_layers_are_added():
    assert drawn(LAYERS, None) == ([[11, 22], [33, 44]], None)
    assert drawn(LAYERS, CORNER) == ([[0, 22], [33, 44]], CORNER.tolist())


def test_a_cell_masked_in_one_layer_adds_nothing_and_is_masked_only_if_it_is_in_all():
    mask = np.stack([CORNER, CORNER | CORNER[::-1]])
    assert drawn(LAYERS, mask) == ([[0, 22], [3, 44]], CORNER.tolist())


def test_cells_that_a_table_masks_are_masked_too():
    cells = np.where(CORNER[::-1], -np.inf, PLANE)
    own = CalibratedCells(cells, mask=CORNER[::-1])
    assert drawn(own, CORNER) == ([[1, 2], [0, 4]], [[True, False], [True, False]])
    of_events = CalibratedCells(cells, mask=CORNER[None, ::-1], by_event=True)
    assert drawn(of_events, None) == ([[1, 2], [0, 4]], CORNER[::-1].tolist())
