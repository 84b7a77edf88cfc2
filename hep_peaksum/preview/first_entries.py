"""What the first entries say that is probably not meant: of energies, conditions, cuts and histograms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import awkward as ak
import numpy as np

from hep_peaksum.analysis.histograms import HistogramInput
from hep_peaksum.config.model import Job
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.geometry.jagged import counts_of, flat_parts
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hits import passing
from hep_peaksum.kernels import Array
from hep_peaksum.preview.likely_mistakes import is_open_turn
from hep_peaksum.preview.thresholds import amount, thresholds
from hep_peaksum.settings.model import PeakSumSettings

BEAM = 7000  # GeV: of the LHC, the highest there is
# Cuts that may leave no cluster, and the field that each is on.
CUTS = {
    "sum_threshold": "peak_sum",
    "min_seed_gap": "",
    "min_prominence": "",
    "min_neighbours": "",
    "seed_threshold": "seed",
}
ENOUGH = 10  # entries of a histogram that all lie outside by chance in no sensible one


def implausible_energy(values: Array, grid: Grid) -> str:
    """Return what is odd about the highest of some cells; nothing if it may be an energy of GeV.

    >>> implausible_energy(np.array([3.0, 52_000.0]), Grid(rows={"n": 1}, cols={"n": 2}, unit=1))
    'the highest cell is 52000 GeV, more than any beam has: is the unit another, as 1 MeV?'
    """
    are_energies = np.isfinite(values) & ~np.isin(values, grid.saturated or ())
    highest = float(np.max(values, initial=0, where=are_energies)) * (grid.unit or 0)
    if highest <= BEAM:
        return ""
    return f"the highest cell is {highest:g} GeV, more than any beam has: is the unit another, as 1 MeV?"


def span(values: Any) -> str:
    """Return the least and the greatest of some numbers, as in ``0 to 19``; nothing of what is no number.

    >>> span(np.array([3, 1, 2])), span(ak.Array([[2.5], []])), span(ak.Array(["a"]))
    ('1 to 3', '2.5', '')
    """
    flat = ak.to_numpy(ak.flatten(ak.drop_none(ak.Array(values)), axis=None))
    if flat.dtype.kind not in "biuf" or "string" in str(ak.type(values)):
        return ""
    known = flat[np.isfinite(flat)]
    if not len(known):
        return ""
    least, most = known.min(), known.max()
    return f"{least:.6g}" if least == most else f"{least:.6g} to {most:.6g}"


def impassable(source: GridInput, columns: Mapping[str, ak.Array]) -> tuple[int, str] | None:
    """Return the condition on hits that the last of them fail, and what is wrong; None if some pass all.

    `columns` are the branches by name.
    """
    for number, condition in enumerate(source.where):
        values = columns[condition.branch]
        left = passing({"value": values}, source.where[: number + 1], columns)
        n_hits = int(counts_of(values).sum())
        if n_hits and not counts_of(left["value"]).sum():
            label = f"{condition.branch} {condition.in_words()}"
            return number, none_passes(label, f"{n_hits} hits", condition.branch, values)
    return None


def none_passes(label: str, what: str, branch: str | None, values: Any) -> str:
    """Return that nothing meets a condition, with the values that its branch has, if it is on one.

    >>> none_passes("event max -1", "first 20 entries", "event", np.arange(20))
    'event max -1 leaves none of the first 20 entries, as event is 0 to 19: is it as meant?'
    """
    where = f", as {branch} is {found}" if (found := span(values)) else ""
    return f"{label} leaves none of the {what}{where}: is it as meant?"


def not_radians(values: Array) -> str:
    """Return what is odd about azimuths that are to be in radian; nothing if they may be.

    >>> not_radians(np.array([-170.0, 90.0]))
    '-170 to 90 is more than a turn in radian: is the branch in degrees? give one in radian'
    """
    known = values[np.isfinite(values)]
    if not len(known) or np.abs(known).max() <= 2 * math.pi + 1e-3:
        return ""
    return f"{span(known)} is more than a turn in radian: is the branch in degrees? give one in radian"


def repeated_hits(hits: Mapping[str, ak.Array]) -> str:
    """Return how many hits have the place and the value of another one of their event, if most have.

    >>> hit = ak.Array([[1, 2, 1, 2], [3]])
    >>> repeated_hits({"row": hit, "col": hit, "value": hit})
    '4 of 5 hits repeat place and value of another one of their event: is every hit there twice?'
    """
    n_hits, columns = flat_parts(hits.items())
    event = np.repeat(np.arange(len(n_hits)), n_hits)
    _, counts = np.unique(np.stack([event, *columns], axis=1), axis=0, return_counts=True)
    n_repeated = int(counts[counts > 1].sum())
    if n_repeated <= len(event) / 2:
        return ""
    again = "repeat place and value of another one of their event"
    return f"{n_repeated} of {len(event)} hits {again}: is every hit there twice?"


def nothing_added(job: Job, collection: str, clusters: ak.Array) -> str:
    """Return that no cell of the clusters passes the cell threshold; nothing if one does, or there is none.

    The clusters have the fields `seed` and `n_cells`.
    """
    if not ak.any(ak.num(clusters)) or ak.any(clusters.n_cells):
        return ""
    highest = float(ak.max(clusters.seed))
    passes = f"no cell passes {_in_words(job, collection, 'cell_threshold')}"
    return f"{passes}, the highest seed is {highest:g}: is a lower one meant?"


def cut_that_leaves_none(
    job: Job,
    collection: str,
    find: Callable[[PeakSumSettings], ak.Array],
    n_entries: int,
    kernel: Literal["numba", "scipy"] = "numba",
) -> str:
    """Return which cut leaves no cluster in some entries; nothing if there are none without the cuts, either.

    `find` returns the clusters for other settings, with the fields `seed` and `peak_sum`.
    """
    settings = job.clusters[collection].settings.model_copy(update={"kernel": kernel})
    defaults = {key: PeakSumSettings.model_fields[key].default for key in CUTS}
    given = [key for key in CUTS if getattr(settings, key) != defaults[key]]
    for keys in (*([key] for key in given), given):
        clusters = find(settings.model_copy(update={key: defaults[key] for key in keys}))
        if n_clusters := int(ak.count(clusters.seed)):
            words = " and ".join(_in_words(job, collection, key) for key in keys)
            found = f"the first {n_entries} entries have {n_clusters} without {words}"
            return f"{found}{_highest(job, collection, keys, clusters)}: is a lower one meant?"
    return ""


def _in_words(job: Job, collection: str, key: str) -> str:
    """Return a cut with its value, in both units where it has them."""
    known = thresholds(job)[collection].get(key.removesuffix("_threshold"))
    return f"{key} ({known or getattr(job.clusters[collection].settings, key)})"


def _highest(job: Job, collection: str, keys: Sequence[str], clusters: ak.Array) -> str:
    """Return how high the clusters are in the field of a cut."""
    section, unit = job.clusters[collection], job.grids[job.clusters[collection].grid[0]].grid.unit
    if len(keys) > 1 or not (field := CUTS[keys[0]]):
        return ""
    highest = float(ak.max(clusters[field]))
    is_energy = field == "peak_sum" or section.settings.quantity == "energy"
    return f", the highest {field} is {amount([highest], unit) if is_energy else f'{highest:g} sigma'}"


def outside_axes(booked: Mapping[str, HistogramInput], filled: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the histograms that have entries, and none between the ends of an axis, with what is odd."""
    for name, histogram in booked.items():
        for number, axis in enumerate(histogram.axes):
            counts = np.asarray(filled[name].values(flow=True))
            place = counts.ndim - len(histogram.axes) + number  # an axis of variations stands before them
            of_axis = counts.sum(axis=tuple(k for k in range(counts.ndim) if k != place))
            edges = filled[name].axes[place].edges
            if len(of_axis) != len(edges) + 1 or abs(of_axis.sum()) < ENOUGH or of_axis[1:-1].any():
                continue
            side = "above" if not of_axis[0] else "below" if not of_axis[-1] else "outside"
            ends = f"its axis {axis.field}, {edges[0]:g} to {edges[-1]:g}"
            meant = "is another range meant, or another unit?"
            yield f"histograms.{name}", f"all that it holds is {side} {ends}: {meant}"
            break


def missed(key: str, word: str, axis: Axis, values: Array) -> str:
    """Return how many hits lie on no cell of an axis, where they are, and a question; nothing if none does.

    `key` is that of the axis in the grid, `word` that of the branch in hits.

    >>> missed("rows", "row", Axis(n=4), np.array([1, 4, 2]))
    'row is 4 for 1 of them, rows has index (0 to 3): does row count from 1? then write labels: 1..4 for n'
    """
    outside = values[axis.find(values) < 0]
    if not len(outside):
        return ""
    known = outside[np.isfinite(outside)]
    where = "not finite"
    if len(known):
        least, most = known.min(), known.max()
        where = f"{least:.6g}" if least == most else f"{least:.6g} to {most:.6g}"
    said = f"{word} is {where} for {len(outside)} of them, {key} has {axis.found_by}"
    return f"{said}: {_question(key, word, axis, values)}"


def _question(key: str, word: str, axis: Axis, values: Array) -> str:
    """Return what may have been meant, as a question: hits may be outside on purpose."""
    known = values[np.isfinite(values)]
    least, most = (known.min(), known.max()) if len(known) else (math.nan, math.nan)
    if (labels := axis.label_values) is not None:
        low, high = labels.min(), labels.max()
        if len(labels) == 2 and high - low > 1 and low <= least and most <= high:
            return f"are all from {low} to {high} meant? then write labels: {low}..{high}"
        return f"are other labels meant in {key}?"
    if axis.edge_positions is None:
        if least == 1 and most == axis.size:
            return f"does {word} count from 1? then write labels: 1..{axis.size} for n"
        return f"does {key} need more cells, or labels?"
    numbered = axis.numbered(known) if len(known) else ""
    if not numbered and is_open_turn(axis):
        return f"is {key} a full turn? then add periodic: true"
    return numbered or f"is another start or stop meant in {key}, or another unit?"
