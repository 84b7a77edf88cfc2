"""The fields in which settings are changed, and their content for given settings.

Number fields, text areas and selects only: sliders and the buttons of spinners cannot be used without a mouse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from bokeh.models import NumericInput, Select, TextAreaInput, UIElement

from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.search import Overlap
from hep_peaksum.settings.tie_rules import TIE_RULES
from hep_peaksum.settings.units import ENERGY_UNITS, NUMBER
from hep_peaksum.settings.windows import draw

WIDTH = 130
COUNTS = "counts"
MONOSPACE = "textarea {font-family: monospace; line-height: 1.1}"
Change = Callable[..., None]  # takes keys of the settings with their new values


class ThresholdField:
    """A number and its unit; an optional threshold without a number is none."""

    def __init__(self, key: str, change: Change) -> None:
        self.key, self._change = key, change
        self.number = NumericInput(title=key.replace("_", " "), mode="float", width=WIDTH)
        self.unit = Select(title="in", options=[COUNTS], width=WIDTH)
        for widget in (self.number, self.unit):
            widget.on_change("value", self._on_change)

    def _on_change(self, _attribute: str, _old: Any, _new: Any) -> None:
        number, unit = self.number.value, self.unit.value
        value = None if number is None else number if unit == COUNTS else f"{number:.12g} {unit}"
        self._change(**{self.key: value})

    def show(self, settings: PeakSumSettings, grid: Grid, *, has_noise: bool) -> None:
        """Show the threshold of the settings."""
        threshold = getattr(settings, self.key)
        units = [COUNTS, *["MeV", "GeV"] * (grid.unit is not None), *["sigma"] * has_noise]
        number, unit = threshold, self.unit.value if threshold is None else COUNTS
        if isinstance(threshold, str):
            text, unit = re.findall(rf"({NUMBER})\s*([A-Za-z]+)", threshold)[0]
            number, unit = float(text), "sigma" if unit == "sigmas" else unit
        known = (*ENERGY_UNITS, COUNTS, "sigma")
        self.unit.options = [each for each in known if each in units or each == unit]
        self.unit.value = unit if unit in self.unit.options else COUNTS
        self.number.value = number

    @property
    def widgets(self) -> list[UIElement]:
        """The two fields."""
        return [self.number, self.unit]


class WindowField:
    """Rows and columns of a window, or its drawing."""

    def __init__(self, key: str, change: Change) -> None:
        self.key, self._change = key, change
        name = key.replace("_", " ")
        self.rows = NumericInput(title=f"{name}: rows", mode="int", width=WIDTH)
        self.cols = NumericInput(title="columns", mode="int", width=WIDTH)
        self.drawing = TextAreaInput(title="or drawn", rows=5, width=WIDTH, stylesheets=[MONOSPACE])
        for widget in (self.rows, self.cols):
            widget.on_change("value", self._on_size)
        self.drawing.on_change("value", self._on_drawing)

    def _on_size(self, _attribute: str, _old: Any, _new: Any) -> None:
        if self.rows.value is not None and self.cols.value is not None:
            self._change(**{self.key: (self.rows.value, self.cols.value)})

    def _on_drawing(self, _attribute: str, _old: Any, _new: Any) -> None:
        self._change(**{self.key: self.drawing.value})

    def show(self, settings: PeakSumSettings) -> None:
        """Show the window of the settings."""
        window = getattr(settings, self.key)
        self.rows.value, self.cols.value = (None, None) if isinstance(window, str) else window
        self.drawing.value = draw(window)

    @property
    def widgets(self) -> list[UIElement]:
        """The three fields."""
        return [self.rows, self.cols, self.drawing]


class SettingsFields:
    """All fields for settings; `change` is called with the keys that were changed."""

    def __init__(self, change: Change) -> None:
        self.thresholds = [
            ThresholdField(key, change) for key in ("seed_threshold", "cell_threshold", "sum_threshold")
        ]
        self.windows = [WindowField(key, change) for key in ("search_window", "sum_window", "seed_window")]
        words: Mapping[str, list[str]] = {
            "tie_rule": [*TIE_RULES],
            "seed_comparison": [">", ">="],
            "overlap": [*get_args(Overlap)],
            "position": [*get_args(PeakSumSettings.model_fields["position"].annotation)],
        }
        self.words = {
            key: Select(title=key.replace("_", " "), options=options, width=WIDTH)
            for key, options in words.items()
        }
        for key, select in self.words.items():
            select.on_change("value", lambda _attribute, _old, new, key=key: change(**{key: new}))

    def show(self, settings: PeakSumSettings, grid: Grid, *, has_noise: bool) -> None:
        """Show settings."""
        for threshold in self.thresholds:
            threshold.show(settings, grid, has_noise=has_noise)
        for window in self.windows:
            window.show(settings)
        for key, select in self.words.items():
            select.value = getattr(settings, key)

    @property
    def rows(self) -> list[list[UIElement]]:
        """The fields, row by row."""
        words = list(self.words.values())
        return [
            words[:3],
            *(each.widgets for each in self.windows),
            *(each.widgets for each in self.thresholds),
            words[3:],
        ]
