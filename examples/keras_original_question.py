"""The original question as a Keras layer: (None, 1, 24, 16) in, the 3x3 sum at every local maximum out.

It runs on tensorflow, torch, jax or numpy: the environment variable KERAS_BACKEND selects the backend.
"""

import keras
import numpy as np

from hep_peaksum import toy
from hep_peaksum.keras import PeakSum2D
from hep_peaksum.plotting import canvas, events

image = np.round(toy.make_events(1, seed=7, showers_per_event=12).grids[0] / 2)  # counts of 2 GeV: ties
inputs = keras.Input((1, 24, 16))
model = keras.Model(inputs, PeakSum2D(data_format="channels_first")(inputs))
sums = model.predict(image[None, None].astype("float32"), verbose=0)[0, 0]

print(f"{np.count_nonzero(sums)} local maxima hold {sums.sum():.0f} of {image.sum():.0f} counts")
canvas.save(events.draw_peak_sum(image, sums, title="a Keras layer"), "keras_original_question.png")
