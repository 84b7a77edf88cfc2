"""From peaks to clusters: cuts, order within an event, and the jagged records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from hep_peaksum.clustering import shapes
from hep_peaksum.clustering.fields import FIELDS, FOUR_VECTOR, energy_of_sum, field_meant, fields_of, net_sum
from hep_peaksum.clustering.seeding import falling_order
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.kernels import Array, event_offsets, get_kernel, offsets_after_mask
from hep_peaksum.loops.seeds import leading
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import PileupKind
from hep_peaksum.settings.thresholds import passes
from hep_peaksum.settings.units import in_sigmas
from hep_peaksum.suggestions import listed

if TYPE_CHECKING:
    import awkward as ak


def cuts(context: PeakContext) -> dict[str, Array]:
    """Return which clusters pass each cut of the settings: on the sum, the heights and the neighbours."""
    settings, unit = context.settings, context.grid.unit
    passed = {}
    if settings.sum_threshold is not None:
        value = context.peaks.sum if settings.sum_threshold_on == "sum" else net_sum(context)
        noise = context.sum_noise if in_sigmas(settings.sum_threshold) is not None else None
        name = (
            f"sum_threshold {settings.sum_comparison} {settings.sum_threshold} on {settings.sum_threshold_on}"
        )
        passed[name] = passes(value, settings.sum_threshold, settings.sum_comparison, unit, noise=noise)
    for key, height in (("min_seed_gap", shapes.seed_gap), ("min_prominence", shapes.prominence)):
        threshold = getattr(settings, key)
        if threshold is not None:
            passed[f"{key} {threshold}"] = passes(height(context), threshold, ">=", unit)
    if settings.min_neighbours:
        name = f"min_neighbours {settings.min_neighbours} above {settings.neighbour_threshold}"
        passed[name] = shapes.n_neighbours(context) >= settings.min_neighbours
    return passed


def passes_cuts(context: PeakContext) -> Array | slice:
    """Return which clusters pass every cut (see `cuts`), as a mask; without cuts a slice of all."""
    passed = list(cuts(context).values())
    return np.asarray(np.logical_and.reduce(passed)) if passed else slice(None)


def selected(context: PeakContext) -> Array:
    """Return the indices of the peaks that become clusters, in the order of the output."""
    passing = passes_cuts(context)
    numbers = np.arange(len(context.peaks))[passing]
    offsets, key = _offsets_of(passing, context.event_offsets), context.peaks.sum[passing]
    table = ClusterTable(offsets, key, {"number": numbers})
    table = table.leading(*_choice_and_region([context], [passing]), context.settings)
    return np.asarray(table.columns["number"][table.order(context.settings)])


def _choice_and_region(
    contexts: Sequence[PeakContext], passing: Sequence[Array | slice]
) -> tuple[Array | None, Array | None]:
    """Return by what `max_clusters` chooses, and the region of every seed; None where it needs none of them.

    It chooses by the sum, or by the seed, that of several grids by its energy (a significance as it is). A seed
    outside all regions has region -1.
    """
    settings = contexts[0].settings
    choice = region = None
    if settings.max_clusters is not None and settings.max_clusters_by == "seed":
        has_scale = len(contexts) > 1 and settings.quantity == "energy"
        seeds = [c.peaks.seed * c.grid.scale if has_scale else c.peaks.seed for c in contexts]
        choice = _join(seeds, passing)
    if settings.max_clusters_per != "event":
        n_cols = max(context.grid.shape[1] * settings.coarsen[1] for context in contexts)
        region = _join([_region(context, n_cols) for context in contexts], passing)
    return choice, region


def _region(context: PeakContext, n_cols: int) -> Array:
    """Return the number of the region of every seed, given the columns of the widest grid."""
    n, m = context.settings.coarsen  # a tower lies where its first cell lies
    division = context.grid.division(context.settings.max_clusters_per)
    return division.numbers(context.peaks.row * n, context.peaks.col * m, n_cols)


def _offsets_of(is_passing: Array | slice, offsets: Array) -> Array:
    """Return where each event begins among the clusters that pass the cuts."""
    return offsets if isinstance(is_passing, slice) else offsets_after_mask(offsets, is_passing)


@dataclass(frozen=True, eq=False)
class ClusterTable:
    """The clusters of some events that pass every cut: a column per field, in the order of position.

    Those of event i lie at ``event_offsets[i]`` to ``event_offsets[i + 1]``. `key` is what they are ordered by
    later: the sum of clusters of one grid, energy or transverse momentum of clusters of several.
    """

    event_offsets: Array
    key: Array
    columns: dict[str, Array]

    def order(self, settings: PeakSumSettings) -> Array:
        """Return the order of the clusters, event by event; equal ones by position."""
        if settings.order == "position":
            return np.arange(len(self.key))
        return get_kernel(settings.kernel).argsort_descending(self.event_offsets, self.key)

    def leading(self, choice: Array | None, region: Array | None, settings: PeakSumSettings) -> ClusterTable:
        """Return the table without the clusters that `max_clusters` leaves out.

        `choice` are the seeds, if it chooses by them and not by the key; `region` are the regions in which it
        counts, the events by default.
        """
        if settings.max_clusters is None:
            return self
        offsets, most = self.event_offsets, settings.max_clusters
        if choice is None:
            order = get_kernel(settings.kernel).argsort_descending(offsets, self.key)
        else:
            order = falling_order(offsets, choice, settings)
        region = np.zeros(len(order), np.int64) if region is None else region
        is_kept = leading(order, offsets, region, most, settings.kernel)
        kept = np.flatnonzero(is_kept)
        return self._changed(offsets_after_mask(offsets, is_kept), lambda column: column[kept])

    def without_spare_room(self) -> ClusterTable:
        """Return the table with columns of its own, so that the larger buffers of the search can be freed."""

        def compact(column: Array) -> Array:
            base = column.base
            return column.copy() if isinstance(base, np.ndarray) and base.nbytes > 2 * column.nbytes else column

        return self._changed(self.event_offsets, compact)

    def _changed(self, event_offsets: Array, change: Callable[[Array], Array]) -> ClusterTable:
        """Return a table with what a function makes of every column; one array for two columns stays one."""
        arrays = {id(each): each for each in (self.key, *self.columns.values())}
        changed = {number: change(each) for number, each in arrays.items()}
        columns = {name: changed[id(column)] for name, column in self.columns.items()}
        return ClusterTable(event_offsets, changed[id(self.key)], columns)


def cluster_table(contexts: Sequence[PeakContext], names: Sequence[str]) -> ClusterTable:
    """Return the fields of the clusters of some events; of several grids in one table, with a column `grid`."""
    passing = [passes_cuts(context) for context in contexts]
    fields = [fields_of(context.grid, context.settings) for context in contexts]
    columns = {
        name: _join(
            [own[name].compute(context) for context, own in zip(contexts, fields, strict=True)], passing
        )
        for name in names
    }
    choice, region = _choice_and_region(contexts, passing)
    if len(contexts) == 1:
        offsets = _offsets_of(passing[0], contexts[0].event_offsets)
        table = ClusterTable(offsets, _join([contexts[0].peaks.sum], passing), columns)
        return table.leading(choice, region, contexts[0].settings)
    event = _join([context.event for context in contexts], passing)
    numbers = [np.full(len(context.peaks), k, np.int32) for k, context in enumerate(contexts)]
    columns["grid"] = _join(numbers, passing)
    key = _join([energy_of_sum(context) for context in contexts], passing)
    order = np.argsort(event, kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    choice, region = (None if each is None else each[order] for each in (choice, region))
    table = ClusterTable(event_offsets(event, contexts[0].n_events), key[order], columns)
    return table.leading(choice, region, contexts[0].settings)


def _join(columns: Sequence[Array], passing: Sequence[Array | slice]) -> Array:
    """Return the columns of all grids as one, without the clusters that fail a cut."""
    return _concatenate(
        [
            column if isinstance(is_passing, slice) else column[is_passing]
            for column, is_passing in zip(columns, passing, strict=True)
        ]
    )


def _concatenate(columns: Sequence[Array]) -> Array:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _offsets_of_all(parts: Sequence[Array]) -> Array:
    """Return where each event begins in lists, one after the other, given where they begin in each list.

    >>> _offsets_of_all([np.array([0, 1]), np.array([0, 2, 5])]).tolist()
    [0, 1, 3, 6]
    """
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part) for part in parts]))])


def jagged_clusters(tables: list[ClusterTable], settings: PeakSumSettings) -> ak.Array:
    """Return the clusters of every event as ordered records, from tables of consecutive events.

    The list is emptied: a column is freed once it is ordered, so that the next one reuses its memory.
    """
    import awkward as ak

    offsets = _offsets_of_all([table.event_offsets for table in tables])
    whole = ClusterTable(offsets, _concatenate([table.key for table in tables]), {})
    order = whole.order(settings)
    columns = [table.columns for table in tables]
    names = [*columns[0]]
    tables.clear()
    contents, ordered = [], {}
    for name in names:
        parts = [part.pop(name) for part in columns]
        identity = tuple(map(id, parts))  # sum and energy are one array where a count is 1 GeV, or has no unit
        if identity not in ordered:
            column = _concatenate(parts).take(order, axis=0, mode="clip")  # valid indices: skips numpy's check
            ordered[identity] = _layout(column)
        contents.append(ordered[identity])
    parameters = _record_name(names)
    if not hasattr(ak, "contents"):  # awkward 1, which PocketCoffea needs
        records = ak.layout.RecordArray(contents, names, parameters=parameters)
        return ak.Array(ak.layout.ListOffsetArray64(ak.layout.Index64(offsets), records))
    records = ak.contents.RecordArray(contents, names, parameters=parameters)
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), records))


def _layout(column: Array) -> Any:
    """Return a column as awkward holds it, from version 2 on without checks that take as long as a search."""
    import awkward as ak

    if not hasattr(ak, "contents"):
        return ak.from_numpy(column, regulararray=True, highlevel=False)
    content = ak.contents.NumpyArray(column)
    # to_RegularArray leaves one dimension as it is, and takes as long as a third of a call with one event
    return content if column.ndim == 1 else content.to_RegularArray()


def without_values(clusters: ak.Array) -> ak.Array:
    """Return the type of clusters, as an array of an unknown number of events."""
    import awkward as ak

    return ak.Array(clusters.layout.to_typetracer(forget_length=True))


def select_fields(clusters: ak.contents.ListOffsetArray, names: Sequence[str]) -> ak.contents.ListOffsetArray:
    """Return the clusters with some of their fields; they remain four-vectors if they can."""
    import awkward as ak

    contents = [clusters.content[name] for name in names]
    length = len(clusters.content)
    records = ak.contents.RecordArray(contents, names, length, parameters=_record_name(names))
    return ak.contents.ListOffsetArray(clusters.offsets, records)


def _record_name(names: Iterable[str]) -> dict[str, str] | None:
    """Return the parameters of records with these fields: those of a four-vector have its name."""
    if not set(names) >= set(FOUR_VECTOR):
        return None
    _register_vectors()
    return {"__record__": "Momentum4D"}


@cache
def _register_vectors() -> None:
    """Tell awkward, once, what records of that name can do."""
    import vector

    vector.register_awkward()


# What must be there for a field besides its name.
FOUR_VECTORS = "it needs a grid with axes named eta and phi"
CONDITIONS = {
    **dict.fromkeys(("pt", "eta", "phi", "mass", "px", "py", "pz"), FOUR_VECTORS),
    **dict.fromkeys(("net", "net_pt", "net_energy"), "it needs pileup in the settings"),
    **dict.fromkeys(get_args(PileupKind), "name it in pileup of the settings"),
    "layer": "it needs layers='each'",
}


class _Answering:
    """Added to the class of an array or a record: the answer to an attribute that is no field."""

    fields: list[str]

    def __getitem__(self, where: Any) -> Any:
        for name in where if isinstance(where, list) else [where]:
            if isinstance(name, str) and name not in self.fields:
                raise _no_such_field()(missing_field(name, self.fields))
        return answering(super().__getitem__(where))  # type: ignore[misc]  # of the class that this one is added to

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)  # type: ignore[misc]  # of the class that this one is added to
        except AttributeError:
            if name.startswith("_") or hasattr(type(self), name):
                raise
            raise AttributeError(missing_field(name, self.fields)) from None


def missing_field(name: str, fields: list[str]) -> str:
    """Return what to do about a field that clusters do not have.

    >>> missing_field("layer", ["peak_sum", "row"])
    "the clusters have no field 'layer': it needs layers='each'; there are peak_sum, row"
    """
    remedy = f": {CONDITIONS[name]}" if name in CONDITIONS else field_meant(name, fields)
    if name not in CONDITIONS and (name in FIELDS or name.startswith(("barycentre_", "width_"))):
        remedy = f": name it in fields=[..., {name!r}]"
    return f"the clusters have no field {name!r}{remedy}; there are {listed(fields, near=name)}"


def answering(clusters: Any) -> Any:
    """Return clusters, themselves, with an answer for fields that they do not have; other values as they are.

    As awkward does itself, this changes the class of the array or the record. Slices answer, too; what else is
    made of them, by functions or by pickle, has the class that awkward gives it.
    """
    if getattr(clusters, "fields", ()) and not isinstance(clusters, _Answering):
        kind: Any = type(clusters)
        clusters.__class__ = _with_answers(kind)
    return clusters


def _no_such_field() -> type[Exception]:
    """Return what awkward raises for a field that is not there, by its version."""
    import awkward as ak

    return ak.errors.FieldNotFoundError if hasattr(ak, "errors") else ValueError


@cache
def _with_answers(kind: Any) -> Any:
    """Return a class of arrays with answers, which is called as before."""
    return type(kind.__name__, (_Answering, kind), {"__module__": kind.__module__})
