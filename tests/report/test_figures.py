"""The numbers beside a picture of the report are those of its histogram."""

from functools import partial

import hist
import numpy as np

from hep_peaksum.plotting.histograms import draw_overlay
from hep_peaksum.plotting.job_plots import Picture
from hep_peaksum.report.figures import of_picture


def test_bins_have_the_error_of_weighted_entries_where_it_is_not_that_of_counts():
    axis = hist.axis.Regular(4, 0, 4, name="seed", label="seed [counts]")
    weighted, plain = hist.Hist(axis, storage=hist.storage.Weight()), hist.Hist(axis)
    weighted.fill(np.array([0.5, 0.5, 2.5, 9]), weight=[3, 4, -2, 1])
    plain.fill(np.array([0.5, 1.5, 1.5]))
    parts = {"ttbar": weighted, "data": plain}
    (table,) = of_picture(Picture("seed", partial(draw_overlay, parts), parts)).tables
    assert table.columns == ["from", "to", "ttbar: entries", "ttbar: error", "data: entries"]
    rows = [["0", "1", "7", "5", "1"], ["1", "2", "0", "0", "2"], ["2", "3", "-2", "2", "0"]]
    assert [[*row] for row in table.rows] == rows
    assert table.caption == "Bins that are not empty; beyond the axis: 1 of ttbar"
