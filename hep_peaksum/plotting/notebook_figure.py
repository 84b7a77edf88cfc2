"""A figure that notebooks show; in a module of its own, because defining the class needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot and without ``%matplotlib inline``."""

    def __init__(self, style: Callable[[], AbstractContextManager[None]], **options: Any) -> None:
        super().__init__(**options)
        self.style = style  # of the fonts, too, which are looked up while drawing

    def _repr_png_(self) -> bytes:
        """Return the picture as PNG."""
        png = BytesIO()
        with self.style():
            self.savefig(png, format="png", dpi=80)
        return png.getvalue()
