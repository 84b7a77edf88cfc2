"""What the page shows: an event, the settings of a collection, its clusters. Plain values, without a browser.

A state is frozen. Every change returns another one, whose clusters have been found, or raises the error that
the library has for it, so that the page never shows settings that are not those of its clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
from pydantic import BaseModel

from hep_peaksum.calibration.calibrated_cells import taken_apart
from hep_peaksum.clustering.discriminant import exists
from hep_peaksum.clustering.fields import check_fields, default_fields, fields_of
from hep_peaksum.clustering.find import find_clusters, find_peaks
from hep_peaksum.clustering.records import cluster_table, jagged_clusters
from hep_peaksum.clustering.sharing import PeakContext
from hep_peaksum.config.sections import ClusterInput
from hep_peaksum.diagnostics.explain import Explanation, explain
from hep_peaksum.geometry.grid import EventError, Grid
from hep_peaksum.kernels import Array
from hep_peaksum.library.presets import read_preset
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.thresholds import inclusive_bound
from hep_peaksum.settings.units import in_sigmas
from hep_peaksum.viewer.section_yaml import section_yaml
from hep_peaksum.viewer.sources import CellsOfEvents, EventData, Plane, Source

SAMPLE_EVENTS = 100
N_THRESHOLDS = 16  # of the curve of the number of clusters
MAX_SIGMAS = 10.0


class Count(NamedTuple):
    """The number of clusters in all events of the sample at a seed threshold, as the settings write it."""

    threshold: float | str
    position: float  # on the axis of the curve: an energy, counts, or a number of sigma
    n_clusters: int


@dataclass(frozen=True)
class ViewState:
    """What is shown of a source: one event, one collection on one grid (and layer), and its settings now.

    `section` is the collection with the settings as they have been changed; `n_sample` the number of events in
    which clusters are counted against the threshold.
    """

    source: Source
    dataset: str
    entry: int
    collection: str
    grid_name: str
    layer: int
    section: ClusterInput
    n_sample: int = SAMPLE_EVENTS

    @classmethod
    def first(
        cls, source: Source, *, entry: int = 0, n_sample: int = SAMPLE_EVENTS, **choice: str | None
    ) -> ViewState:
        """Return what is shown at the beginning: by default the first dataset and the first collection."""
        dataset = choice.get("dataset") or source.datasets[0]
        name = choice.get("collection") or next(iter(source.collections))
        for word, given, known in (
            ("dataset", dataset, source.datasets),
            ("collection", name, source.collections),
        ):
            if given not in known:
                msg = f"no {word} {given!r}; there are {', '.join(known)}"
                raise ValueError(msg)
        section = source.collections[name]
        return cls(source, dataset, entry, name, section.grid[0], 0, section, n_sample)._found()

    def at(self, entry: int, dataset: str | None = None) -> ViewState:
        """Return the same view for another event."""
        if entry < 0:
            msg = f"there is no event {entry}: they count from 0"
            raise ValueError(msg)
        return replace(self, entry=entry, dataset=dataset or self.dataset)._found()

    def of(self, collection: str) -> ViewState:
        """Return the view of another collection, with the settings that its config gives it."""
        section = self.source.collections[collection]
        return replace(
            self, collection=collection, section=section, grid_name=section.grid[0], layer=0
        )._found()

    def on(self, grid_name: str | None = None, layer: int = 0) -> ViewState:
        """Return the view of another grid of the collection, or of another layer."""
        return replace(self, grid_name=grid_name or self.grid_name, layer=layer)._found()

    def with_preset(self, name: str) -> ViewState:
        """Return the view with the settings of a published algorithm."""
        section = ClusterInput(
            grid=self.section.grid,
            preset=name,
            settings=read_preset(name).settings,
            reference=self.section.reference,
        )
        return replace(self, section=section)._found()

    def changed(self, **keys: Any) -> ViewState:
        """Return the view with other values of some keys of the settings."""
        settings = self.section.settings
        if "search_window" in keys and "tie_rule" not in keys:
            is_drawn = isinstance(keys["search_window"], str) and bool(set(keys["search_window"]) & set(">="))
            own = "first" if settings.tie_rule == "drawn" else settings.tie_rule
            keys["tie_rule"] = "drawn" if is_drawn else own
        # only the settings are validated: the preset would be read again
        section = BaseModel.model_copy(self.section, update={"settings": settings.model_copy(update=keys)})
        return replace(self, section=section)._found()

    def _found(self) -> ViewState:
        """Return the state itself after its clusters have been found; errors name the event."""
        try:
            _ = self.clusters
        except EventError as error:
            msg = f"entry {self.entry}: {error.problem}"
            raise ValueError(msg) from None
        return self

    @property
    def settings(self) -> PeakSumSettings:
        """The settings of what is shown."""
        return self.section.settings

    @property
    def source_plane(self) -> Plane:
        """The grid of the cells, before any pooling, with its mask and noise."""
        return self.source.planes[self.grid_name]

    @cached_property
    def event(self) -> EventData:
        """The event as it was read."""
        return self.source.read(self.dataset, self.entry)

    @cached_property
    def contexts(self) -> dict[str, PeakContext]:
        """The search on every grid of the collection."""
        return {
            name: find_peaks(
                self.event.cells[name],
                self.settings,
                plane.grid,
                mask=plane.mask,
                noise=plane.noise,
                layers=plane.layers,
            )
            for name, plane in self.source.planes.items()
            if name in self.section.grid
        }

    @property
    def has_noise(self) -> bool:
        """Whether the noise of the cells is known, so that thresholds may be in sigma."""
        plane = self.source_plane
        return taken_apart(self.event.cells[self.grid_name], plane.mask, plane.noise)[2] is not None

    @property
    def context(self) -> PeakContext:
        """The search on the grid that is drawn."""
        return self.contexts[self.grid_name]

    @property
    def grid(self) -> Grid:
        """The plane that is drawn: of cells, or of the towers that they are pooled into."""
        return self.context.grid

    @property
    def n_layers(self) -> int:
        """The number of layers that are searched separately."""
        return self.context.n_separate_layers

    @cached_property
    def clusters(self) -> ak.Array:
        """The clusters of the event, as a job writes them: of all grids and layers of the collection."""
        contexts = [self.contexts[name] for name in self.section.grid]
        table = cluster_table(contexts, self.computed_fields)
        return jagged_clusters([table], self.settings)[0]

    @cached_property
    def computed_fields(self) -> tuple[str, ...]:
        """The fields of the clusters: those of the config that the settings allow, and those needed here."""
        planes = [self.contexts[name].grid for name in self.section.grid]
        default = default_fields(self.settings, planes[0], separate_layers=self.n_layers > 1)
        asked = default if self.section.fields is None else self.section.fields
        tables = [fields_of(plane, self.settings) for plane in planes]
        names = [name for name in asked if all(name in table for table in tables)]
        needed = ("peak_sum", "row", "col", *["layer"] * (self.n_layers > 1))
        return check_fields([*names, *(name for name in needed if name not in names)], self.settings, planes[0])

    @cached_property
    def drawn(self) -> Array:
        """The numbers, from 0, of the clusters of the event that lie on the grid and layer that are drawn."""
        is_drawn = np.ones(len(self.clusters), bool)
        if len(self.section.grid) > 1:
            is_drawn &= np.asarray(self.clusters.grid) == self.section.grid.index(self.grid_name)
        if self.n_layers > 1:
            is_drawn &= np.asarray(self.clusters.layer) == self.layer
        return np.flatnonzero(is_drawn)

    @cached_property
    def cells(self) -> Array:
        """The cells or towers that are drawn, as energies, shape (row, col); NaN where there is none."""
        cells = self.context.searched_cells[self.layer]
        return np.where(exists(cells), cells * self.grid.scale, np.nan)

    @cached_property
    def holders(self) -> Array:
        """The clusters that hold each cell that is drawn, shape (row, col): their numbers from 1, as in `1, 3`.

        A cluster that a cut drops has no number and is last, as `dropped`; a cell without a cluster is empty.
        """
        numbers, (n_rows, n_cols) = self._numbers_of_peaks(), self.grid.shape
        n, m = self.context.settings.coarsen if self.context.sum_grid.shape != self.grid.shape else (1, 1)
        pairs = []  # of a cell and a number, as one integer
        for block in self.context.windows():
            is_held = block.shares.is_held & (block.event == self.layer)[:, None] & (block.place >= 0)
            peak, k = np.nonzero(is_held)
            row, col = np.divmod(block.cell()[peak, k], self.context.sum_grid.shape[1])
            place = (row // n) * n_cols + col // m
            pairs.append(place * (len(self.clusters) + 1) + numbers[block.peaks][peak])
        cell, number = np.divmod(np.unique(np.concatenate(pairs)), len(self.clusters) + 1)
        names = np.array([*(str(k + 1) for k in range(len(self.clusters))), "dropped"], object)[number]
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        held = np.full(n_rows * n_cols, "", object)
        held[cell[first]] = names[first]
        for k in np.setdiff1d(np.arange(len(cell)), first).tolist():
            held[cell[k]] += f", {names[k]}"
        return held.reshape(n_rows, n_cols)

    def _numbers_of_peaks(self) -> Array:
        """Return the number of the cluster of every peak that is drawn; that of no cluster is last."""
        drawn, peaks, n_cols = self.clusters[self.drawn], self.context.peaks, self.grid.shape[1]
        number_at = np.full(self.grid.n_cells, len(self.clusters))
        number_at[np.asarray(drawn.row, np.int64) * n_cols + np.asarray(drawn.col)] = self.drawn
        return np.asarray(number_at[peaks.row.astype(np.int64) * n_cols + peaks.col])

    def why(self, row: int, col: int) -> Explanation:
        """Return why a cell that is drawn is a seed or not (see `hep_peaksum.explain`)."""
        plane = self.source_plane
        cells, mask, noise = taken_apart(self.event.cells[self.grid_name], plane.mask, plane.noise, event=0)
        if self.n_layers > 1:
            cells = cells[self.layer]
            mask, noise = (
                each[self.layer] if each is not None and each.ndim == 3 else each for each in (mask, noise)
            )
        elif plane.layers == "each":
            cells = cells[0]
        return explain(cells, self.settings, plane.grid, row=row, col=col, mask=mask, noise=noise)

    def yaml(self) -> str:
        """Return the section `clusters` of a config that gives what is shown."""
        return section_yaml(self.collection, self.section)

    def thresholds(self) -> list[tuple[float | str, float]]:
        """Return seed thresholds, each as written in the settings and as a position on the axis of the curve.

        They are in the unit of the threshold that is set: sigma, or else the unit of energies.
        """
        if self.threshold_unit == "sigma":
            numbers = np.linspace(0, MAX_SIGMAS, N_THRESHOLDS).round(3).tolist()
            is_text = self.settings.quantity != "significance"
            return [(f"{each:g} sigma" if is_text else each, each) for each in numbers]
        blocks = (taken_apart(each, None, None)[0] for each in self._sample_cells()[self.grid_name])
        sample = [np.ma.filled(block, 0) for block in blocks]
        values = (*(np.where(np.isfinite(block), block, 0) for block in sample), self.context.discriminant)
        highest = max(float(np.max(each, initial=0)) for each in values) * self.grid.scale
        if highest <= 0:
            return []
        numbers = [float(f"{each:.3g}") for each in np.geomspace(highest / 300, highest, N_THRESHOLDS)]
        unit = "" if self.grid.unit is None else " GeV"
        return [(f"{each:g}{unit}" if unit else each, each) for each in numbers]

    @property
    def threshold_unit(self) -> str:
        """The unit of the axis of the curve: sigma where the seed threshold is in it, else that of energies."""
        is_sigma = (
            self.settings.quantity == "significance" or in_sigmas(self.settings.seed_threshold) is not None
        )
        return "sigma" if is_sigma else self.grid.energy_unit

    @property
    def threshold_position(self) -> float:
        """The seed threshold that is set, as a position on the axis of the curve."""
        threshold = self.settings.seed_threshold
        if self.threshold_unit == "sigma":
            sigmas = in_sigmas(threshold)
            return float(threshold if sigmas is None else sigmas)
        return inclusive_bound(threshold, ">=", self.grid.unit, integer=False) * self.grid.scale

    def counts(self) -> Iterator[Count]:
        """Yield the number of clusters in the sample for one threshold after the other.

        A number is that of `find_clusters` with this seed threshold and all other settings as they are, summed
        over the grids of the collection. Thresholds that the settings do not allow are left out.
        """
        for threshold, position in self.thresholds():
            settings = self.settings.model_copy(update={"seed_threshold": threshold})
            try:
                numbers = [
                    self._n_clusters(settings, name, cells) for name, cells in self._sample_cells().items()
                ]
            except ValueError:
                continue
            yield Count(threshold, position, sum(numbers))

    def _n_clusters(self, settings: PeakSumSettings, name: str, blocks: Sequence[CellsOfEvents]) -> int:
        plane = self.source.planes[name]
        maps: dict[str, Any] = {"mask": plane.mask, "noise": plane.noise, "layers": plane.layers}
        found = (find_clusters(cells, settings, plane.grid, fields=["row"], **maps) for cells in blocks)
        return sum(int(ak.count(clusters.row)) for clusters in found)

    @property
    def n_events_of_sample(self) -> int:
        """The number of events in which clusters are counted: fewer than asked for if there are fewer."""
        return sum(map(len, next(iter(self._sample_cells().values()))))

    def _sample_cells(self) -> Mapping[str, Sequence[CellsOfEvents]]:
        return {name: self.source.sample(self.dataset, name, self.n_sample) for name in self.section.grid}
