"""Colours that everybody tells apart, and the styles and labels of experiments."""

from itertools import combinations

import hist
import numpy as np
import pytest
from colour_vision import VISIONS, difference, seen
from figures import overlapping_texts
from matplotlib import rcParams

from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.canvas import COLOURS, INK, MARK, MASKED, NEGATIVE, ORANGE
from hep_peaksum.plotting.job_plots import save_plots

CLEARLY = 10  # just noticeable is 2.3


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_that_mean_different_things_look_different(vision):
    cells = [canvas.colours()(k) for k in (0, 64, 128, 192, 255)]
    pairs = [
        *combinations(COLOURS, 2),
        *((NEGATIVE, other) for other in ("white", MASKED, cells[0])),
        (MARK, ORANGE), (MARK, INK), (ORANGE, INK), (MARK, "white"),
    ]  # fmt: skip
    too_close = {pair: difference(*pair, vision) for pair in pairs if difference(*pair, vision) < CLEARLY}
    assert not too_close


def test_the_simulation_knows_what_red_and_green_do():
    """Without the cones for long waves this red and this green are one colour, otherwise they are not."""
    assert difference("#a05000", "#6b6b00", "protanopia") < 0.5 * difference("#a05000", "#6b6b00", "normal")
    assert difference("#0000ff", "#ffff00", "protanopia") > 100
    assert seen("white", "deuteranopia") == pytest.approx([100, 0, 0], abs=0.5)


@pytest.mark.parametrize("vision", VISIONS)
def test_cells_with_more_energy_are_darker(vision):
    lightness = np.array([seen(canvas.colours()(k), vision)[0] for k in range(0, 256, 5)])
    assert (np.diff(lightness) < 0).all()
    assert lightness[0] < seen("white", vision)[0] - 5


@pytest.mark.parametrize("style", ["plain", "CMS", "ATLAS", "LHCb", "ALICE"])
def test_pictures_carry_the_name_of_the_experiment_and_the_label(monkeypatch, tmp_path, style):
    figures = {}
    monkeypatch.setattr(canvas, "save", lambda figure, path: figures.update({path.stem: figure}))
    pt = hist.Hist(hist.axis.Regular(50, 0, 100, name="pt", label=r"Jet $p_T$ [GeV]"))
    pt.fill(np.random.default_rng(1).exponential(20, 1000))
    plane = hist.Hist(hist.axis.Regular(5, 0, 1, label="x [mm]"), hist.axis.Regular(5, 0, 1, label="y [mm]"))
    plane.fill([0.1, 0.5], [0.3, 0.5])
    filled = {"zerobias": {"pt": pt, "plane": plane}, "ttbar": {"pt": pt}}
    save_plots(tmp_path, filled, style=style, label="Preliminary")
    assert set(figures) == {"zerobias-pt", "zerobias-plane", "ttbar-pt", "datasets-pt"}
    for figure in figures.values():
        words = [text.get_text() for text in figure.axes[0].texts]
        assert words[-2:] == ([style, "Preliminary"] if style != "plain" else ["Preliminary"])
        with canvas.style_of(style):
            assert overlapping_texts(figure) == []


def test_the_style_of_an_experiment_does_not_stay():
    with canvas.style_of("LHCb"), canvas.style():
        assert rcParams["font.family"] == ["serif"]
    with canvas.style():
        assert rcParams["font.family"] == ["sans-serif"]
