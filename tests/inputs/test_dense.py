"""Branches of dense cells: what they may hold."""

import awkward as ak
import numpy as np
import pytest

from hep_peaksum.inputs.dense import DenseBranch


@pytest.mark.parametrize("form", [np.asarray, ak.from_numpy], ids=["numpy", "awkward"])
def test_channels_lie_along_one_axis(form):
    dense = DenseBranch(branch="adc", axes=["channel"])
    assert dense.n_values([form(np.zeros((3, 8)))], 5) == 8
    for shape in ((), (2, 4)):
        with pytest.raises(ValueError, match=rf"^the array has {len(shape)} axes below the event"):
            dense.n_values([form(np.zeros((3, *shape)))], 8)
