"""The algorithm on arrays: cells in, clusters out.

cells -> normalise_input -> discriminant -> search -> context -> fields -> jagged clusters
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt

from hep_peaksum import block_sizes
from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.clustering import records
from hep_peaksum.clustering.discriminant import (
    Cells,
    discriminant,
    exists,
    grouped,
    pool,
    search_grid,
    window_map,
)
from hep_peaksum.clustering.fields import OF_LAYERS, check_fields, default_fields, needs_cells
from hep_peaksum.clustering.seeding import SearchPlan, accepted_seeds, find_seeds
from hep_peaksum.clustering.sharing import PeakContext, window_sums
from hep_peaksum.clustering.validation import (
    apply_mask,
    can_search_hits,
    check_energies,
    check_shape,
    normalise_input,
    on_plane,
    unmask,
)
from hep_peaksum.geometry.grid import EventError, Grid, bare_grid, is_traced, split_mask
from hep_peaksum.geometry.hits import Hits, Room
from hep_peaksum.kernels import Array, Peaks, Search
from hep_peaksum.library.geometries import GridLike, as_grid
from hep_peaksum.library.presets import SettingsLike, as_settings
from hep_peaksum.settings.model import PeakSumSettings

if TYPE_CHECKING:
    import awkward as ak


P = ParamSpec("P")
R = TypeVar("R")


def settings_apart(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, with an error for a key of the settings that is passed as an argument of its own."""
    names = signature(function).parameters
    settings = next(name for name in names if name.startswith("settings"))

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            if name not in names and name in PeakSumSettings.model_fields:
                remedy = f"give {settings}={ {name: value}!r:.80}"
                msg = f"{function.__name__}: {name} is a key of the settings, not an argument: {remedy}"
                raise TypeError(msg)
        return function(*args, **kwargs)

    return checked


@settings_apart
def find_clusters(
    grids: npt.ArrayLike | ak.Array | Hits | CalibratedCells,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
    fields: Sequence[str] | None = None,
) -> ak.Array:
    """Return the clusters of every event: the local maxima with the sum of the cells around them.

    Parameters
    ----------
    grids
        Cells in counts of `grid`, shape (event, row, col) or (event, layer, row, col), or flat (event, cell)
        where a grid is given; or `sparse` hits, with layers or without; or `CalibratedCells`. Not modified.
        Cells without a value, masked or None, are masked.
    settings
        Which cells are seeds and which are summed; by default 3x3 windows for both. Also a map of the same
        keys, or the name of a preset.
    grid
        The plane of the cells; by default rows and columns are bare indices and no axis is periodic. Also a map
        of its keys, or the name of a geometry.
    mask
        True where a cell must not be used, shape (row, col) or that of the searched cells. Joined with the
        masks of `grids` and `noise`.
    noise
        Standard deviation of the noise of every cell, in counts, shaped like `mask`; needed for thresholds in
        sigma and for significances.
    layers
        Whether the sum of the layers is searched, or each layer separately; then clusters have a field `layer`.
    fields
        Names of the cluster fields (see `hep_peaksum.clustering.fields.fields_of`); by default those that the
        search gives without further work.

    Returns
    -------
    ak.Array
        One list of records per event, the largest sum first; an empty list for an event without clusters. On a
        plane of eta and phi the records are `Momentum4D` of the package vector. A typetracer of cells gives one
        of clusters.

    Raises
    ------
    EventError
        If a cell is NaN or infinite; names the event and the cell.
    ValueError
        If shapes, types, fields or windows do not fit together.

    >>> clusters = find_clusters([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]])
    >>> clusters.peak_sum.to_list(), clusters.row.to_list(), clusters.col.to_list()
    ([[11]], [[1]], [[1]])
    """
    settings, grid = as_settings(settings), as_grid(grid)
    no_values = grids.is_traced if isinstance(grids, Hits) else is_traced(grids)
    given = SearchInput.of(grids, grid, mask=mask, noise=noise, layers=layers)
    searched = search_grid(settings, given.grid)
    if fields is None:
        names = default_fields(settings, searched, separate_layers=layers == "each")
    else:
        names = check_fields(fields, settings, searched)
    tables = list(cluster_tables([given], settings, names))
    clusters = records.jagged_clusters(tables, settings)
    return records.without_values(clusters) if no_values else records.answering(clusters)


@settings_apart
def peak_sum_map(
    grids: npt.ArrayLike | ak.Array | Hits,
    settings: SettingsLike | None = None,
    grid: GridLike | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
) -> Array:
    """Return grids that hold the window sum at every local maximum, and 0 elsewhere.

    Parameters and errors are those of `find_clusters`.

    Returns
    -------
    numpy.ndarray
        Shape (event, row, col), of towers where cells are pooled. int64 for integer grids, otherwise float64;
        float64 also where cells are divided between clusters.

    >>> peak_sum_map([[[0, 0, 0], [1, 5, 2], [0, 0, 3]]]).tolist()
    [[[0, 0, 0], [0, 11, 0], [0, 0, 0]]]
    """
    settings, given = as_settings(settings), SearchInput.of(grids, as_grid(grid), mask=mask, noise=noise)
    sums = None
    for first, (context,) in _searched([given], settings, ()):
        peaks, selected = context.peaks, records.selected(context)
        if sums is None:
            sums = np.zeros((len(given.cells), *context.grid.shape), peaks.sum.dtype)
        sums[first + peaks.event[selected], peaks.row[selected], peaks.col[selected]] = peaks.sum[selected]
    return np.asarray(sums)


def find_peaks(
    grids: npt.ArrayLike | ak.Array | Hits | CalibratedCells,
    settings: PeakSumSettings,
    grid: Grid | None = None,
    *,
    mask: npt.ArrayLike | None = None,
    noise: npt.ArrayLike | None = None,
    layers: Literal["sum", "each"] = "sum",
) -> PeakContext:
    """Return the peaks of every event, sorted by position, with all that their fields are computed from.

    The cuts on finished clusters (`hep_peaksum.clustering.records.passes_cuts`) are not applied yet.
    """
    given = SearchInput.of(grids, grid, mask=mask, noise=noise, layers=layers)
    return _find_peaks(given.with_noise(), settings, keep_layers=True)


@dataclass(frozen=True, eq=False)
class SearchInput:
    """The cells of some events on a grid, or their hits, with masks and noise, as plain arrays.

    `missing` are the masks that cells and noise bring along. Masks and noise are either one plane for all
    events or one for each event. `n_given` is the number of events of the whole input, even where this is a
    part of it. `flags` and `holds_absent` are those of `CalibratedCells`; `table_noise` is their noise, used
    only where it is needed (see `with_noise`).
    """

    cells: Array | Hits
    grid: Grid
    mask: Array | None
    noise: Array | None
    missing: Sequence[Array]
    layers: Literal["sum", "each"]
    n_given: int
    flags: Mapping[str, Array] = field(default_factory=dict)
    holds_absent: bool = False
    table_noise: Array | None = None

    @classmethod
    def of(
        cls,
        grids: npt.ArrayLike | ak.Array | Hits | CalibratedCells,
        grid: Grid | None,
        *,
        mask: npt.ArrayLike | None = None,
        noise: npt.ArrayLike | None = None,
        layers: Literal["sum", "each"] = "sum",
    ) -> SearchInput:
        """Return what was given to `find_clusters`; parameters and errors are the same."""
        calibrated = grids if isinstance(grids, CalibratedCells) else CalibratedCells(cast("Array", grids))
        cells, noise, missing = unmask(calibrated.cells, noise, grid, layers)
        check_shape(cells.shape, grid, layers)
        grid = grid or bare_grid(cells.shape)
        mask = None if mask is np.ma.nomask else mask
        if mask is not None:
            mask, unknown = split_mask(mask)
            missing = missing if unknown is None else [*missing, unknown]
        is_absent = calibrated.holds_absent and mask is None and not missing
        missing = missing if calibrated.mask is None else [*missing, calibrated.mask]
        mask, noise = (
            None if each is None else _map_of(np.asarray(each), cells.shape, grid, layers)
            for each in (mask, noise)
        )
        missing = [_map_of(each, cells.shape, grid, layers) for each in missing]
        of_table = calibrated.flags, is_absent, calibrated.noise
        return cls(cells, grid, mask, noise, missing, layers, len(cells), *of_table)

    def with_noise(self) -> SearchInput:
        """Return the same with the noise of the cell table, if no other is given."""
        return self if self.noise is not None else replace(self, noise=self.table_noise, table_noise=None)

    @property
    def has_maps_of_other_shapes(self) -> bool:
        """Whether a mask, or noise, is neither one plane for all events nor one for each event."""
        planes = {self.cells.shape[-2:]} | ({self.cells.shape[1:]} if self.layers == "each" else set())
        maps = [each for each in (self.mask, self.noise, *self.missing) if each is not None]
        return any(each.shape not in planes and not self._has_events(each) for each in maps)

    def _has_events(self, array: Array) -> bool:
        is_of_layers = self.layers == "each" and array.shape == self.cells.shape[1:]
        is_on_plane = array.ndim > 2 and array.shape[-2:] == self.cells.shape[-2:]
        return is_on_plane and len(array) == len(self.cells) and not is_of_layers

    def events(self, first: int, last: int, room: Room) -> SearchInput:
        """Return a part of the events; their hits are made dense, where they are, in the room."""

        def part(array: Array) -> Array:
            return array[first:last] if self._has_events(array) else array

        cells = self.cells
        cells = cells.events(first, last, room) if isinstance(cells, Hits) else cells[first:last]
        mask, noise = (None if each is None else part(each) for each in (self.mask, self.noise))
        missing = [part(each) for each in self.missing]
        flags = {name: flag[first:last] for name, flag in self.flags.items()}
        return replace(self, cells=cells, mask=mask, noise=noise, missing=missing, flags=flags)

    def plan(self, settings: PeakSumSettings) -> SearchPlan:
        """Return what the kernel does besides finding seeds."""
        return SearchPlan.of(settings, has_mask=self.mask is not None or len(self.missing) > 0)

    def is_plain(self, settings: PeakSumSettings) -> bool:
        """Return whether the kernel does all that is to be done, in the cells or hits as they are."""
        plan = self.plan(settings)
        if isinstance(self.cells, Hits):
            is_searched = self.stays_hits(settings) and _has_finite_total(self.cells.value)
        else:
            is_searched = self.noise is None and (self.cells.ndim == 3 or self.layers == "each")
        is_checked = (plan.checks_cells and self._needs_no_mask(settings)) or (
            self.is_masked_already(settings) and SearchPlan.of(settings, has_mask=False).checks_cells
        )
        return is_searched and plan.adds_windows and is_checked

    def _needs_no_mask(self, settings: PeakSumSettings) -> bool:
        """Return whether no cell that is not finite is masked: with their mask the cells are copied."""
        return settings.nonfinite == "error" or isinstance(self.cells, Hits) or self.cells.dtype.kind != "f"

    def is_masked_already(self, settings: PeakSumSettings) -> bool:
        """Return whether masked cells hold what they are to hold, and all others are finite."""
        return self.holds_absent and settings.masked == "absent"

    def stays_hits(self, settings: PeakSumSettings) -> bool:
        """Return whether hits are searched as hits."""
        has_maps = self.mask is not None or self.noise is not None or len(self.missing) > 0
        return (
            not has_maps
            and isinstance(self.cells, Hits)
            and can_search_hits(
                self.cells, settings, self.grid, self.plan(settings), self.layers, keep_layers=False
            )
        )

    def events_at_once(self, settings: PeakSumSettings) -> int:
        """Return how many events to search at a time if all would need too much memory."""
        n_cells = max(1, math.prod(self.cells.shape[1:]))  # there may be no layers
        if not isinstance(self.cells, Hits) or not self.stays_hits(settings):
            return block_sizes.DENSE_CELLS // n_cells
        hits_per_event = max(1, len(self.cells.value) // max(1, len(self.cells)))
        return min(block_sizes.ROOM_CELLS // n_cells, block_sizes.ROOM_HITS // hits_per_event)


def _has_finite_total(values: Array) -> bool:
    """Return whether the sum of numbers is finite, so that all of them are; it may overflow though they are."""
    if values.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


def _map_of(array: Array, shape: tuple[int, ...], grid: Grid, layers: str) -> Array:
    """Return a mask, or noise, with rows and columns, and with events and layers if it has both."""
    if array.shape != shape[-2:]:
        array = on_plane(array, grid)
    if layers == "each" and array.ndim == 3 and len(array) == shape[0] * shape[1] != shape[1]:
        array = array.reshape(*shape[:2], *array.shape[1:])
    return array


def cluster_tables(
    given: Sequence[SearchInput], settings: PeakSumSettings, names: Sequence[str]
) -> Iterator[records.ClusterTable]:
    """Yield the clusters of all grids together, in tables of consecutive events.

    Where fields need more than the kernel finds, each table holds few events, so that memory does not grow with
    the number of events.

    Parameters
    ----------
    given
        The same events on one or more grids.
    settings
        Which cells are seeds and which are summed.
    names
        The fields, as `hep_peaksum.clustering.fields.check_fields` returns them.

    Raises
    ------
    EventError
        If an event cannot be searched; its number counts from the first event given.
    ValueError
        As for `find_clusters`.
    """
    for _, contexts in _searched(given, settings, names):
        table = records.cluster_table(contexts, names)  # whatever is wrong with an event is found before
        contexts.clear()  # so that each column is freed once it is used
        is_whole = len(table.event_offsets) > len(given[0].cells)
        yield table if is_whole else table.without_spare_room()


def _searched(
    given: Sequence[SearchInput], settings: PeakSumSettings, names: Sequence[str]
) -> Iterator[tuple[int, list[PeakContext]]]:
    """Yield the first of some consecutive events, and their peaks on every grid, valid until the next."""
    if settings.needs_noise or "noise" in names:
        given = [each.with_noise() for each in given]
    n_events, step = len(given[0].cells), _events_at_once(given, settings, names)
    keep_layers, rooms = not OF_LAYERS.isdisjoint(names), [Room() for _ in given]
    for first in range(0, max(1, n_events), step):
        parts = given
        if step < n_events:
            parts = [each.events(first, first + step, room) for each, room in zip(given, rooms, strict=True)]
        try:
            contexts = [_find_peaks(part, settings, keep_layers=keep_layers) for part in parts]
        except EventError as error:
            raise EventError(first + error.event, error.problem) from None
        yield first, contexts


def _events_at_once(given: Sequence[SearchInput], settings: PeakSumSettings, names: Sequence[str]) -> int:
    """Return how many events are searched at a time: all where the kernel does everything, otherwise few."""
    n_events = max(1, len(given[0].cells))
    if n_events == 1:
        return 1
    for each in given:
        check_energies(settings, each.grid)
    is_plain = all(
        not needs_cells(names, settings, search_grid(settings, each.grid)) and each.is_plain(settings)
        for each in given
    )
    if is_plain or any(each.has_maps_of_other_shapes for each in given):
        return n_events
    return max(1, min(n_events, *(each.events_at_once(settings) for each in given)))


def _find_peaks(given: SearchInput, settings: PeakSumSettings, *, keep_layers: bool) -> PeakContext:
    """Return the peaks of all events; the layers of hits are added at once unless they are of use later."""
    plan = given.plan(settings)
    cells = normalise_input(
        given.cells,
        settings,
        given.grid,
        plan,
        mask=given.mask,
        noise=given.noise,
        layers=given.layers,
        missing=given.missing,
        keep_layers=keep_layers,
        holds_absent=given.is_masked_already(settings),
    )
    if given.flags:
        shape = cells.source.shape
        cells = replace(cells, flags={name: flag.reshape(shape) for name, flag in given.flags.items()})
    searched, compared, search = _search(cells, settings, plan)
    if plan.checks_cells and not search.is_finite:
        cells = apply_mask(cells, settings)  # an error that names the first cell, unless `nonfinite` is "mask"
        searched, compared, search = _search(cells, settings, plan)
    return _context(search.peaks, cells, searched, compared, settings, plan, given.n_given)


def _search(cells: Cells, settings: PeakSumSettings, plan: SearchPlan) -> tuple[Cells, Cells, Search]:
    """Return the cells or towers that are searched, those with the values that are compared, and the result."""
    searched = grouped(pool(cells, settings), settings)
    compared = discriminant(searched, settings)
    return searched, compared, find_seeds(searched, compared, settings, plan)


def _context(
    peaks: Peaks,
    cells: Cells,
    searched: Cells,
    compared: Cells,
    settings: PeakSumSettings,
    plan: SearchPlan,
    n_given: int,
) -> PeakContext:
    """Return the accepted seeds with the sums of their windows, and what fields are computed from."""
    context = PeakContext(
        peaks=accepted_seeds(peaks, searched, compared, settings),
        searched=searched,
        compared=compared,
        summed=searched if settings.sum_over == "towers" else cells,
        settings=settings,
        n_given=n_given,
    )
    if plan.adds_windows:
        return context
    is_summed = plan.compares_sums(settings)
    return replace(context, peaks=_seeds_as_sums(context) if is_summed else window_sums(context))


def _seeds_as_sums(context: PeakContext) -> Peaks:
    """Return peaks whose sums are the values that were compared: of the same cells, in the same order."""
    peaks, searched, settings = context.peaks, context.searched, context.settings
    cells = np.ones((1, *context.shape[1:]), np.int64)
    if searched.mask is not None:
        cells = exists(searched.values).astype(np.int64)
    counts = window_map(cells, settings.sum_cells(), context.grid.periodic, settings.kernel)
    event = 0 if len(counts) == 1 else peaks.event
    n_cells = counts[event, peaks.row, peaks.col].astype(np.int32)
    return replace(peaks, sum=peaks.seed, n_cells=n_cells)
