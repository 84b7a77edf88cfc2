"""The compiled loop that makes energies of raw values, against its readable twin: the same bits."""

import numpy as np
import pytest

from hep_peaksum.calibration.energies import CellConstants, calibrate, readable


def bits(array):
    return array.view(np.int64)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", ">i2", ">f4"])
@pytest.mark.parametrize("in_order", [True, False], ids=["in_order", "by_channel"])
def test_the_twins_agree_to_the_last_bit(dtype, in_order):
    random = np.random.default_rng(3)
    n_events, n_channels, n_cells = 40, 30, 30 if in_order else 34
    raw = random.uniform(0, 250, (n_events, n_channels)).astype(dtype)
    shape = (3, n_cells)
    source = np.tile(np.arange(n_cells), (3, 1)) if in_order else random.integers(0, n_channels, shape)
    gain = random.normal(0, 1, shape)
    is_masked = random.uniform(size=shape) < 0.1
    constants = CellConstants(
        source,
        np.where(is_masked, 0, random.uniform(90, 110, shape)),
        np.where(is_masked, 0, gain),
        np.where(is_masked, -np.inf, 0.0),
    )
    period = random.integers(0, 3, n_events)
    assert constants.is_in_order == in_order
    found = calibrate(raw, period, constants)
    assert (bits(found) == bits(readable(raw, period, constants))).all()
    for event in range(n_events):
        for cell in range(n_cells):
            p = period[event]
            value = float(raw[event, source[p, cell]])
            expected = (value - constants.pedestal[p, cell]) * constants.gain[p, cell]
            assert found[event, cell] == (-np.inf if is_masked[p, cell] else expected)


def test_no_events_are_no_energies():
    ones = np.ones((1, 4))
    constants = CellConstants(np.arange(4)[None], ones, ones, 0 * ones)
    assert calibrate(np.zeros((0, 4), np.int16), np.zeros(0, int), constants).shape == (0, 4)
