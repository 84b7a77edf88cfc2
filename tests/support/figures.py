"""What tests read off a picture: its texts, frames and legend, and whether it can be drawn."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.notebook_figure import NotebookFigure


def assert_drawable(figure, path):
    """Save a figure that notebooks show; the file must be a PNG, not empty, and alone in its folder."""
    assert isinstance(figure, NotebookFigure)
    canvas.save(figure, path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 5000
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def texts_by_place(axes):
    """Return the texts of a panel, {(x, y): text}, places rounded to whole numbers."""
    return {tuple(np.round(text.get_position()).astype(int).tolist()): text.get_text() for text in axes.texts}


def framed_cells(axes, colour):
    """Return the cells with a frame of a colour, as (x, y), the thickest frame last."""
    frames = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_edgecolor() == to_rgba(colour)]
    frames.sort(key=lambda patch: patch.get_linewidth())
    return [
        tuple(np.round(np.add(p.get_xy(), (p.get_width() / 2, p.get_height() / 2))).astype(int)) for p in frames
    ]


def legend_labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def overlapping_texts(figure):
    """Return the pairs of texts that overlap when the figure is drawn."""
    FigureCanvasAgg(figure)
    with canvas.style():
        figure.draw_without_rendering()
    texts = {id(t): t for t in figure.findobj(Text) if t.get_text() and t.get_visible()}.values()
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    return [
        (a, b)
        for k, (a, box) in enumerate(boxes)
        for b, other in boxes[:k]
        if box.width > 1 and other.width > 1 and box.padded(-2).overlaps(other.padded(-2))
    ]
