"""The summary of a job: entries expected, processed and lost, and thresholds in both units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import hist
import numpy as np

from hep_peaksum.config.formats import MANIFEST
from hep_peaksum.config.inputs import GridInput
from hep_peaksum.config.model import Config
from hep_peaksum.job.planning import Plan
from hep_peaksum.results.checkpoints import Chunk, Record
from hep_peaksum.results.manifest import Loss
from hep_peaksum.settings.thresholds import in_sigmas, inclusive_bound


@dataclass(frozen=True)
class Merged:
    """The records of one dataset, in event order, and the sums of their histograms."""

    records: dict[Chunk, Record] = field(default_factory=dict)
    histograms: dict[str, hist.Hist[Any]] = field(default_factory=dict)


def thresholds(config: Config) -> dict[str, dict[str, str]]:
    """Return every threshold of every collection in counts of its grid and in GeV."""
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
        return f"{comparison} {count:g} counts = {count * unit:g} GeV"
    noise = np.unique(np.asarray(source.noise_map()))
    low, high = n_sigmas * noise[[0, -1]]
    if low == high:
        return f"{comparison} {n_sigmas:g} sigma = {low:g} counts = {low * unit:g} GeV"
    span = f"{low:g} to {high:g} counts = {low * unit:g} to {high * unit:g} GeV"
    return f"{comparison} {n_sigmas:g} sigma, cell by cell {span}"


VERSIONED = ("hep_peaksum", "awkward", "coffea", "numba", "numpy", "scipy", "uproot")
NO_IDENTITY = f"run = dataset number, luminosityBlock = file number, event = entry (see {MANIFEST})"


def account(
    dataset: str, paths: Iterable[str], merged: Merged, plan: Plan, losses: Sequence[Loss]
) -> dict[str, Any]:
    """Return the entries of a dataset: expected, processed and lost per file, and the counts of all files."""
    records = merged.records.values()
    files: dict[str, dict[str, Any]] = {path: {"expected": 0, "processed": 0, "lost": []} for path in paths}
    for item in plan.items:
        if item.dataset == dataset:
            files[item.filename]["expected"] += len(item)
    for record in records:
        files[record.file]["processed"] += record.n_events
    for loss in losses:
        if loss.dataset == dataset:
            files[loss.file]["lost"].append(loss.reason)
    return {
        "n_events": sum(record.n_events for record in records),
        "n_clusters": _total(record.n_clusters for record in records),
        "n_outside": _total(record.n_outside for record in records),
        "files": files,
    }


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums by key; unlike a Counter's, with those that are 0."""
    total: dict[str, int] = {}
    for count in counts:
        for key, n in count.items():
            total[key] = total.get(key, 0) + n
    return total
