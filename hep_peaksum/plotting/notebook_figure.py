"""A figure that notebooks show, apart because the class needs matplotlib when it is defined."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot and without ``%matplotlib inline``."""

    def _repr_png_(self) -> bytes:
        """Return the picture as PNG."""
        # the style decides on the fonts, and these are looked up while drawing
        from hep_peaksum.plotting.canvas import style

        png = BytesIO()
        with style():
            self.savefig(png, format="png", dpi=80)
        return png.getvalue()
