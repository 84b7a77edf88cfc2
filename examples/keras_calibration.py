"""Calibration factors of cells, learnt by gradient descent through the layer from cluster sums alone.

Each cell has its own gain, with a spread of 20%. The target is the true map of cluster sums; the gradient of a
sum reaches its nine cells. It runs on tensorflow, torch or jax: KERAS_BACKEND selects the backend.
"""

import keras
import numpy as np

from hep_peaksum import PeakSumSettings, peak_sum_map, toy
from hep_peaksum.keras import PeakSum2D

SETTINGS = PeakSumSettings(seed_threshold="1 GeV")


class Calibration(keras.layers.Layer):
    """A factor for every cell."""

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[1:], initializer="ones", name="factor")

    def call(self, cells):
        return cells * self.factor


true = toy.make_events(1000, seed=1, showers_per_event=12).grids
gain = np.random.default_rng(2).normal(1, 0.2, (24, 16)).clip(0.5, 1.5)
measured = (true * gain)[..., None].astype("float32")
target = peak_sum_map(true, SETTINGS, toy.TOY_GRID)[..., None].astype("float32")

calibration = Calibration()
layer = PeakSum2D(SETTINGS, unit=toy.TOY_GRID.unit, periodic=toy.TOY_GRID.periodic)
model = keras.Sequential([keras.Input((24, 16, 1)), calibration, layer])
for rate in (0.03, 0.005):
    model.compile(keras.optimizers.Adam(rate), "mae")
    model.fit(measured, target, batch_size=50, epochs=8, verbose=0)

remaining = keras.ops.convert_to_numpy(calibration.factor)[..., 0] * gain
print(f"spread of gains {np.std(gain):.1%}, calibrated {np.std(remaining):.1%} (mean {np.mean(remaining):.3f})")
