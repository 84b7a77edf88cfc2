"""A small plane of pseudorapidity and azimuth, and events with one shower in it."""

import numpy as np

from hep_peaksum import Axis

ETA = Axis(name="eta", bins=4, start=-2, stop=2)
PHI = Axis(name="phi", bins=6, start=0, stop="2pi", periodic=True)
ETA_PHI, PHI_ETA = {"rows": ETA, "cols": PHI}, {"rows": PHI, "cols": ETA}
VECTOR = ["pt", "eta", "phi", "energy"]


def shower(shape, row, col, value=4.0):
    """Return one event with one cell that is not empty."""
    cells = np.zeros((1, *shape))
    cells[0, row, col] = value
    return cells
