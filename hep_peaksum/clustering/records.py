"""From peaks to clusters: cuts, order within an event, and the jagged records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hep_peaksum.clustering import shapes
from hep_peaksum.clustering.fields import FOUR_VECTOR, fields_of, net_sum, sum_in_gev
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.kernels import Array, Kernel, event_offsets, get_kernel, offsets_after_mask
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import in_sigmas, passes

if TYPE_CHECKING:
    import awkward as ak


def cuts(found: PeakContext) -> dict[str, Array]:
    """Return which clusters pass each cut that the settings make: on sum, heights and neighbours."""
    settings, unit = found.settings, found.grid.unit
    passed = {}
    if settings.sum_threshold is not None:
        value = found.peaks.sum if settings.sum_threshold_on == "sum" else net_sum(found)
        noise = found.noise_of_sum if in_sigmas(settings.sum_threshold) is not None else None
        key = f"sum_threshold {settings.sum_comparison} {settings.sum_threshold} on {settings.sum_threshold_on}"
        passed[key] = passes(value, settings.sum_threshold, settings.sum_comparison, unit, noise=noise)
    for word, height in (("min_seed_gap", shapes.seed_gap), ("min_prominence", shapes.prominence)):
        threshold = getattr(settings, word)
        if threshold is not None:
            passed[f"{word} {threshold}"] = passes(height(found), threshold, ">=", unit)
    if settings.min_neighbours:
        key = f"min_neighbours {settings.min_neighbours} above {settings.neighbour_threshold}"
        passed[key] = shapes.n_neighbours(found) >= settings.min_neighbours
    return passed


def kept(found: PeakContext) -> Array | slice:
    """Return which clusters pass every cut (see `cuts`): a mask, or all of them."""
    passed = list(cuts(found).values())
    return np.asarray(np.logical_and.reduce(passed)) if passed else slice(None)


def chosen(found: PeakContext) -> Array:
    """Return the places of the peaks that become clusters, in the order of the output."""
    keep = kept(found)
    first, key = _without_others(found.event_offsets, keep), found.peaks.sum[keep]
    return np.arange(len(found.peaks))[keep][rank(first, key, found.settings, found.kernel)]


def rank(first: Array, key: Array, settings: PeakSumSettings, kernel: Kernel) -> Array:
    """Return the peaks to keep, in the order to keep them; equal keys stay in the order of position."""
    falling = kernel.argsort_descending(first, key)
    if settings.max_clusters is not None:
        place = np.arange(len(key)) - np.repeat(first[:-1], np.diff(first))
        falling = falling[place < settings.max_clusters]
    return falling if settings.order == "sum" else np.sort(falling)


def _without_others(first: Array, keep: Array | slice) -> Array:
    """Return where those of each event begin when only what is kept (see `kept`) is left."""
    return first if isinstance(keep, slice) else offsets_after_mask(first, keep)


@dataclass(frozen=True)
class Table:
    """The clusters of some events that pass every cut, by position: a column for every field, not ranked yet.

    Those of event i lie at ``event_offsets[i]`` to ``event_offsets[i + 1]``. `key` is what they are ranked by,
    of one grid the sum, of several the energy that the sum stands for.
    """

    event_offsets: Array
    key: Array
    columns: dict[str, Array]


def table(parts: Sequence[PeakContext], names: Sequence[str]) -> Table:
    """Return the clusters of some events; those of several grids are tagged with `grid`, and mixed."""
    passed = [kept(part) for part in parts]
    fields = [fields_of(part.grid, part.settings) for part in parts]
    columns = {
        name: _joined([own[name].compute(part) for part, own in zip(parts, fields, strict=True)], passed)
        for name in names
    }
    if len(parts) == 1:
        first = _without_others(parts[0].event_offsets, passed[0])
        return Table(first, _joined([parts[0].peaks.sum], passed), columns)
    event = _joined([part.event for part in parts], passed)
    numbers = [np.full(len(part.peaks), k, np.int32) for k, part in enumerate(parts)]
    columns["grid"] = _joined(numbers, passed)
    key = _joined([sum_in_gev(part) for part in parts], passed)
    order = np.argsort(event, kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    return Table(event_offsets(event, parts[0].n_events), key[order], columns)


def _joined(columns: Sequence[Array], passed: Sequence[Array | slice]) -> Array:
    """Return the columns of all grids in one, without the clusters that do not pass."""
    return _in_a_row(
        [
            column if isinstance(keep, slice) else column[keep]
            for column, keep in zip(columns, passed, strict=True)
        ]
    )


def _in_a_row(columns: Sequence[Array]) -> Array:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def jagged(tables: list[Table], settings: PeakSumSettings) -> ak.Array:
    """Return the clusters of every event as records, ranked, of tables whose events follow each other.

    The tables are used up: a column that is ranked is let go, and the next one has its memory.
    """
    import awkward as ak  # noqa: PLC0415 -- slow to import

    n_found = _in_a_row([np.diff(part.event_offsets) for part in tables])
    first = np.concatenate([[0], np.cumsum(n_found)])
    places = rank(first, _in_a_row([part.key for part in tables]), settings, get_kernel(settings.kernel))
    if settings.max_clusters is not None:
        first = np.concatenate([[0], np.cumsum(np.minimum(n_found, settings.max_clusters))])
    columns = [part.columns for part in tables]
    names = [*columns[0]]
    tables.clear()
    contents, ranked = [], {}
    for name in names:
        parts = [part.pop(name) for part in columns]
        which = tuple(map(id, parts))  # in GeV the sum is the energy, too
        if which not in ranked:
            column = _in_a_row(parts).take(places, axis=0, mode="clip")  # all are there: no look at each
            ranked[which] = ak.from_numpy(column, regulararray=True, highlevel=False)
        contents.append(ranked[which])
    parameters = None
    if set(names) >= set(FOUR_VECTOR):
        import vector  # noqa: PLC0415 -- slow to import

        vector.register_awkward()
        parameters = {"__record__": "Momentum4D"}
    records = ak.contents.RecordArray(contents, names, parameters=parameters)
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(first), records))
