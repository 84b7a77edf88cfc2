"""The counts and histograms of a chunk so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hist

from hep_peaksum.analysis import histograms
from hep_peaksum.analysis.derived import origin_of
from hep_peaksum.analysis.selection import book_cut_flow
from hep_peaksum.config.model import Job
from hep_peaksum.measuring import filling
from hep_peaksum.measuring.measurements import FILLED


@dataclass
class Tally:
    """The counts of a chunk so far: of entries, of those that are written, of their clusters and hits outside.

    The cut flow is one of the histograms.
    """

    histograms: dict[str, hist.Hist[Any]]
    n_clusters: dict[str, int]
    n_outside: dict[str, int]
    n_events: int = 0
    n_written: int = 0


def empty_tally(job: Job) -> Tally:
    """Return the empty histograms of a job, and counts of 0."""
    names = {name: origin_of(job.select, name) for name in (*job.clusters, *job.select)}
    planes = {name: job.grids_of(origin)[0] for name, origin in names.items()}
    settings = {name: job.clusters[origin].settings for name, origin in names.items()}
    booked = {
        name: histograms.book(
            each,
            planes,
            settings,
            sums=job.sums,
            variations=[*job.variations],
            weighted=bool(job.events.weight),
        )
        for name, each in job.booked.items()
    }
    if job.events.where:
        booked |= book_cut_flow(job.events.where, [*job.variations], weighted=bool(job.events.weight))
    for name, each in job.measurements.items():
        if isinstance(each, FILLED):
            booked |= filling.book(name, each, [*job.variations], weighted=bool(job.events.weight))
    return Tally(booked, dict.fromkeys(job.clusters, 0), dict.fromkeys(job.grids, 0))
