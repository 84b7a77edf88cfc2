"""The thresholds of a config in words, in counts and in GeV, as `check` and the summary of a job have them.

Apart from the job, so that `check` does not wait for coffea's executors to be imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hep_peaksum.config.model import Config, Job
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.settings.thresholds import inclusive_bound
from hep_peaksum.settings.units import in_sigmas


def varied_thresholds(config: Config) -> Iterator[str]:
    """Yield what a variation does to the thresholds of a collection, where it changes them.

    An energy stays and the counts move with the unit and `scale` of a grid; a bare count stays.
    """
    nominal = thresholds(config)
    for variation in config.variations:
        for name, words in thresholds(config.varied(variation)).items():
            for key, text in words.items():
                if text != nominal[name].get(key):
                    yield f"{variation}: {name} {key} threshold {text} ({nominal[name].get(key)} without)"


def thresholds(config: Job) -> dict[str, dict[str, str]]:
    """Return every threshold of every collection in counts of its grid, and in GeV if it has a unit."""
    texts: dict[str, dict[str, str]] = {}
    for name, collection in config.clusters.items():
        settings, source = collection.settings, config.grids[collection.grid[0]]
        given = {
            "seed": (settings.seed_threshold, settings.seed_comparison),
            "cell": (settings.cell_threshold, settings.cell_comparison),
            "sum": (settings.sum_threshold, settings.sum_comparison),
        }
        texts[name] = {
            key: _both_units(threshold, comparison, source)
            for key, (threshold, comparison) in given.items()
            if threshold is not None
        }
        if settings.quantity == "significance":
            number = str(settings.seed_threshold).split()[0]
            texts[name]["seed"] = f"{settings.seed_comparison} {number} sigma"
    return texts


def _both_units(threshold: Any, comparison: str, source: GridInput) -> str:
    n_sigmas, unit = in_sigmas(threshold), source.grid.unit
    if n_sigmas is None:
        count = inclusive_bound(threshold, ">=", unit, integer=False)
        return f"{comparison} {amount([count], unit)}"
    noise = np.unique(np.asarray(source.noises()))
    low, high = n_sigmas * noise[[0, -1]]
    if low == high:
        return f"{comparison} {n_sigmas:g} sigma = {amount([low], unit)}"
    return f"{comparison} {n_sigmas:g} sigma, cell by cell {amount([low, high], unit)}"


def amount(counts: Sequence[float], unit: float | None) -> str:
    """Return a number of counts, or a range of it, with what it is in GeV if the grid has a unit."""
    text = f"{' to '.join(f'{count:g}' for count in counts)} counts"
    if unit is None:
        return text
    return f"{text} = {' to '.join(f'{count * unit:g}' for count in counts)} GeV"
