"""A picture of each kind is what it was; `HEP_PEAKSUM_BASELINES=write` draws those to compare with anew.

Without texts, whose fonts differ between machines; the baselines are looked at when they are written.
"""

import os
from io import BytesIO
from pathlib import Path

import hist
import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from hep_peaksum.diagnostics.compare import compare
from hep_peaksum.diagnostics.explain import explain
from hep_peaksum.diagnostics.ties import audit_ties
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.comparisons import draw_comparison, draw_ties
from hep_peaksum.plotting.events import draw_event, draw_peak_sum
from hep_peaksum.plotting.explanations import draw_explanation
from hep_peaksum.plotting.histograms import draw_histogram, draw_overlay
from hep_peaksum.plotting.measurements import draw_measurement
from hep_peaksum.plotting.rules import draw_windows
from hep_peaksum.settings.model import PeakSumSettings

FOLDER = Path(__file__).parent / "baseline"
DOTS_PER_INCH = 40
# Root mean square over all pixels, of 1; a window that is one cell elsewhere gives 0.065.
TOLERANCE = 0.02
GRID = Grid(
    rows=Axis(name="eta", bins=12, start=-3, stop=3),
    cols=Axis(name="phi", bins=16, start=0, stop="2pi", periodic=True),
    unit=1.0,
)
SETTINGS = PeakSumSettings(seed_threshold=4, sum_window=(3, 3))


def cells(shift=0):
    """Return an event with three clusters, two equal cells, a negative and an empty row."""
    event = np.zeros(GRID.shape)
    event[3, 4], event[3, 5], event[4, 4] = 20, 8, 5
    event[8, 10], event[8, 11] = 9, 9
    event[10, 15 - shift], event[10, 0], event[6, 2] = 30, 6, -3
    return event


def event(shift=0):
    mask = np.zeros(GRID.shape, bool)
    mask[1, 7:10] = True
    return draw_event(cells(shift), SETTINGS, GRID, mask=mask, references={"jets": [(3, 4), (7, 10)]})


def spectrum(scale=1.0):
    values = 100 * np.exp(-np.arange(20) / 5) * scale
    h = hist.Hist(hist.axis.Regular(20, 0, 100, name="pt", label="pt [GeV]"))
    h[...] = np.round(values)
    return h


def turn_on():
    low = np.arange(0.0, 50, 5)
    value = 1 / (1 + np.exp(-(low - 20) / 4))
    columns = {"low_edge": low, "high_edge": low + 5, "value": value, "low": value - 0.05, "high": value + 0.04}
    table = {"dataset": "toy", "variation": "nominal", "numbers": {"threshold": 20.0}}
    return [{**table, "columns": {name: each.tolist() for name, each in columns.items()}}]


def plane():
    h = hist.Hist(hist.axis.Regular(6, 0, 6, label="x [mm]"), hist.axis.Regular(5, 0, 5, label="y [mm]"))
    h[...] = np.outer(np.arange(6), np.arange(5))
    return h


PICTURES = {
    "event": event,
    "peak-sum": lambda: draw_peak_sum(cells(), np.where(cells() == 30, 36, 0)),
    "explanation": lambda: draw_explanation(
        cells(), explain(cells(), SETTINGS, GRID, row=8, col=11), SETTINGS, GRID
    ),
    "ties": lambda: draw_ties(audit_ties(cells()[None], SETTINGS, GRID)),
    "comparison": lambda: draw_comparison(
        compare(cells()[None], SETTINGS, SETTINGS.model_copy(update={"tie_rule": "all"}), GRID), GRID
    ),
    "windows": lambda: draw_windows(PeakSumSettings(search_window="===\n=o>\n>>>", sum_window=(5, 3))),
    "histogram": lambda: draw_histogram(spectrum()),
    "plane": lambda: draw_histogram(plane()),
    "overlay": lambda: draw_overlay({"nominal": spectrum(), "up": spectrum(1.2)}),
    "turn-on": lambda: draw_measurement(turn_on(), "efficiency"),
}


def pixels(figure):
    """Return a figure without its texts as numbers, shape (row, column, 3)."""
    FigureCanvasAgg(figure)
    with canvas.style():
        figure.draw_without_rendering()
        for text in figure.findobj(Text):
            text.set_alpha(0)
            text.set_bbox(None)
        file = BytesIO()
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
    file.seek(0)
    return matplotlib.image.imread(file)[..., :3]


def distance(name, drawn):
    wanted = matplotlib.image.imread(FOLDER / f"{name}.png")[..., :3]
    assert drawn.shape == wanted.shape
    return float(np.sqrt(np.square(drawn - wanted).mean()))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_it_was(name):
    drawn = pixels(PICTURES[name]())
    if os.environ.get("HEP_PEAKSUM_BASELINES") == "write":
        matplotlib.image.imsave(FOLDER / f"{name}.png", drawn)
    assert distance(name, drawn) < TOLERANCE


def test_a_window_that_is_shifted_by_a_cell_is_another_picture():
    assert distance("event", pixels(event(shift=1))) > 1.5 * TOLERANCE


def test_every_baseline_is_compared():
    assert {path.stem for path in FOLDER.glob("*.png")} == set(PICTURES)
