"""The original question: a 24 x 16 image in, an image with the 3x3 sum at every local maximum out.

The preset `keras-3x3` keeps every tied cell, as `max_pool(x) == x` does; the tie rule `first` keeps one.
"""

import numpy as np

import hep_peaksum as ps
from hep_peaksum import toy
from hep_peaksum.plotting import canvas, events

image = np.round(toy.make_events(1, seed=7, showers_per_event=12).grids[0] / 2)  # coarse, to have ties
settings, _ = ps.preset("keras-3x3")
sums = ps.peak_sum_map(image[None], settings)[0]  # shape (event, row, col), as the input
once = ps.peak_sum_map(image[None], ps.PeakSumSettings(tie_rule="first"))[0]

print(f"{np.count_nonzero(sums)} local maxima, {np.count_nonzero(once)} if one of equal neighbours is kept")
print(f"the sums add up to {sums.sum():.0f} and {once.sum():.0f} counts, the image to {image.sum():.0f}")
canvas.save(events.draw_peak_sum(image, once, title="3x3 sums at local maxima"), "original_question.png")
