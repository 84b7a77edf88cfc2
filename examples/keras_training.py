"""The calibration of the cells, learnt from ROOT files through the layer: batches of images, and their truth.

As in keras_calibration.py each cell has its own gain, but the events are read while the model is trained, in random
order, so that a sample of any size needs the same memory. It runs on tensorflow, torch or jax (KERAS_BACKEND).
"""

import keras
import numpy as np
import uproot

import hep_peaksum as ps
from hep_peaksum import toy
from hep_peaksum.keras import PeakSum2D

CONFIG = {
    "datasets": {"toy": {"files": "training-*.root:Events"}},
    "grids": {"calo": {"dense": {"branch": "measured", "shape": [24, 16]}, **toy.TOY_GRID.model_dump()}},
    "clusters": {"Cluster": {"grid": "calo", "seed_threshold": "1 GeV"}},
    "output": {"directory": "results"},
}
SETTINGS = ps.PeakSumSettings(seed_threshold="1 GeV")

gain = np.random.default_rng(2).normal(1, 0.2, (24, 16)).clip(0.5, 1.5)
for k in range(2):
    true = toy.make_events(500, seed=k, showers_per_event=12).grids
    with uproot.recreate(f"training-{k}.root") as file:
        file.mktree("Events", {"measured": (true * gain).astype("float32"), "true": true})


def images_and_sums(batch):
    """Return what the model is trained on: the measured cells, and the true sum at every true local maximum."""
    sums = ps.peak_sum_map(batch.branches["true"], SETTINGS, toy.TOY_GRID)
    return batch.images[..., None], sums[..., None].astype("float32")


class Calibration(keras.layers.Layer):
    """A factor for every cell."""

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[1:], initializer="ones", name="factor")

    def call(self, cells):
        return cells * self.factor


batches = ps.batches(CONFIG, 50, branches=["true"], to=images_and_sums, seed=1)
calibration = Calibration()
layer = PeakSum2D(SETTINGS, unit=toy.TOY_GRID.unit, periodic=toy.TOY_GRID.periodic)
model = keras.Sequential([keras.Input((24, 16, 1)), calibration, layer])
for rate in (0.03, 0.005):
    model.compile(keras.optimizers.Adam(rate), "mae")
    model.fit(batches.endless(), steps_per_epoch=len(batches), epochs=8, verbose=0)

remaining = keras.ops.convert_to_numpy(calibration.factor)[..., 0] * gain
print(f"spread of gains {np.std(gain):.1%}, calibrated {np.std(remaining):.1%} (mean {np.mean(remaining):.3f})")
