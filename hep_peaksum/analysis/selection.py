"""Which events are kept, and the cut flow: how many, and with which weight, are left after every condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hep_peaksum.events.conditions import EventCondition
from hep_peaksum.kernels import Array

if TYPE_CHECKING:
    import hist

CUT_FLOW, CUT_FLOW_ENTRIES = "cutflow", "cutflow_entries"  # names of their histograms
ALL_ENTRIES = "all entries"
VARIATION = "variation"  # the name of the axis of variations, which is the first
NOMINAL = "nominal"  # what is not varied, on that axis


def step_labels(conditions: Sequence[EventCondition]) -> list[str]:
    """Return the steps of a cut flow, numbered so that no two are alike.

    >>> step_labels([EventCondition(branch="hodo_x", min=-5)])
    ['all entries', '1: hodo_x min -5']
    """
    return [ALL_ENTRIES, *(f"{number}: {each.label}" for number, each in enumerate(conditions, 1))]


def variation_axes(variations: Sequence[str]) -> list[Any]:
    """Return the axis of variations, whose first bin is not varied; none where nothing is varied."""
    import hist

    return [hist.axis.StrCategory([NOMINAL, *variations], name=VARIATION)] if variations else []


def book_cut_flow(
    conditions: Sequence[EventCondition], variations: Sequence[str], *, weighted: bool
) -> dict[str, hist.Hist[Any]]:
    """Return the empty histograms of a cut flow: weighted sums, and numbers of entries where these differ."""
    import hist

    axes = variation_axes(variations)
    axes.append(hist.axis.StrCategory(step_labels(conditions), name="step", label="condition"))
    counts = hist.Hist(*axes, storage=hist.storage.Double(), label="entries")
    if not weighted:
        return {CUT_FLOW: counts}
    sums = hist.Hist(*axes, storage=hist.storage.Weight(), label="sum of weights")
    return {CUT_FLOW: sums, CUT_FLOW_ENTRIES: counts}


class CutFlowStep(NamedTuple):
    """What is left after a condition: how many entries, and the sum of their weights (None without weights)."""

    step: str
    entries: int
    sum_of_weights: float | None


def read_cut_flow(histograms: Mapping[str, hist.Hist[Any]], variation: str = NOMINAL) -> list[CutFlowStep]:
    """Return a filled cut flow, step by step; an empty list if there is none."""
    if CUT_FLOW not in histograms:
        return []
    sums: Any = histograms[CUT_FLOW]
    counts: Any = histograms.get(CUT_FLOW_ENTRIES, sums)
    if VARIATION in sums.axes.name:
        sums, counts = sums[{VARIATION: variation}], counts[{VARIATION: variation}]
    is_weighted = CUT_FLOW_ENTRIES in histograms
    return [
        CutFlowStep(step, int(n), float(total) if is_weighted else None)
        for step, n, total in zip(counts.axes[0], counts.values(), sums.values(), strict=True)
    ]


def fill_cut_flow(
    histograms: Mapping[str, hist.Hist[Any]],
    variation: int,
    steps: Iterable[tuple[int, Array | None]],
    weights: Array | None,
    n_events: int,
) -> None:
    """Add events to a cut flow.

    Parameters
    ----------
    histograms
        As from `book_cut_flow`.
    variation
        Its place on the axis of variations.
    steps
        The number of each step, with which events are left after it; None where all are.
    weights
        Of every event; None without weights.
    n_events
        The number of events.
    """
    counts, sums = histograms.get(CUT_FLOW_ENTRIES, histograms[CUT_FLOW]), histograms[CUT_FLOW]
    has_axis = counts.ndim > 1
    for step, passed in steps:
        place = (variation, step) if has_axis else step
        counts.view()[place] += n_events if passed is None else np.count_nonzero(passed)
        if weights is not None:
            left = weights if passed is None else weights[passed]
            view: Any = sums.view()
            view["value"][place] += left.sum()
            view["variance"][place] += (left**2).sum()
