"""The searches of a job in a block of events: its collections, and those that a variation changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import awkward as ak

from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.calibration.calibrated_cells import CalibratedCells
from hep_peaksum.clustering.find import SearchInput, cluster_tables
from hep_peaksum.clustering.records import ClusterTable, jagged_clusters
from hep_peaksum.config.model import Job
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.inputs.functions import key_named
from hep_peaksum.inputs.hits import HitFunction
from hep_peaksum.kernels import Array
from hep_peaksum.processing.tally import Tally
from hep_peaksum.reading.hit_columns import GridColumns, grid_columns

Place = tuple[str, str]  # a variation, and a grid or a collection in it


class Searches:
    """What is searched: the collections of a job, and of every variation those that it changes.

    Attributes
    ----------
    jobs
        The job, by the name ``nominal``, and that of every variation.
    """

    def __init__(self, job: Job) -> None:
        self.jobs = {NOMINAL: job, **job.varied_jobs}
        self._sources = {
            (variation, name): source
            for variation, varied in self.jobs.items()
            for name, source in varied.grids.items()
            if variation == NOMINAL or source != job.grids[name]
        }
        self._maps = {place: (source.noise_map(), source.mask_map()) for place, source in self._sources.items()}
        self._places = [
            (variation, name)
            for variation, varied in self.jobs.items()
            for name, clusters in varied.clusters.items()
            if variation == NOMINAL
            or clusters.settings != job.clusters[name].settings
            or any((variation, grid) in self._sources for grid in clusters.grid)
        ]
        self._computed = {place: self._fields(*place) for place in self._places}

    def _fields(self, variation: str, name: str) -> tuple[str, ...]:
        """Return the fields of a collection that are computed: what all need that share its clusters."""
        sharing = [other for other in self.jobs if (other, name) not in self._places]
        written = {NOMINAL, *self.jobs[NOMINAL].events.write_variations}
        needed = [
            field
            for each in [variation, *(sharing if variation == NOMINAL else [])]
            for field in self.jobs[each].computed_fields(name, is_written=each in written)
        ]
        return tuple(dict.fromkeys(needed)) or ("peak_sum",)  # a cluster without any field is none

    @property
    def varied(self) -> dict[str, Job]:
        """The job of every variation."""
        return {name: job for name, job in self.jobs.items() if name != NOMINAL}

    def columns(self, events: ak.Array) -> dict[Place, GridColumns]:
        """Return what fills the grids, once for all variations that read the same branches."""
        job, found = self.jobs[NOMINAL], dict[Place, GridColumns]()
        for (variation, name), source in self._sources.items():
            if variation == NOMINAL or source.is_read != job.grids[name].is_read:
                # what a function of the user does wrong is named by its key, a branch by its own name
                is_function = isinstance(source.hits, HitFunction)
                with key_named(f"grids.{name}.hits") if is_function else nullcontext():
                    found[variation, name] = grid_columns(events, source, job.friends, job.run_source)
        return found

    def tables(
        self, grids: Mapping[Place, GridColumns], bounds: tuple[int, int], tally: Tally
    ) -> dict[Place, list[ClusterTable]]:
        """Return the clusters of every collection, and of every variation that changes it, in some events.

        Parameters
        ----------
        grids
            As from `columns`, read.
        bounds
            The first of the events of these columns, and the one after the last.
        tally
            To which hits outside are added.

        Raises
        ------
        EventError
            If an event does not fit; it counts from the first event of the columns.
        """
        cells: dict[Place, Array | Hits | CalibratedCells] = {}
        for (variation, name), source in self._sources.items():
            grid = grids.get((variation, name))
            grid = grids[NOMINAL, name]._replace(source=source) if grid is None else grid
            cells[variation, name] = grid.sparse_cells(*bounds)
            if variation == NOMINAL:
                tally.n_outside[name] += getattr(cells[variation, name], "n_outside", 0)
        try:
            return {place: self._collection(*place, cells) for place in self._places}
        except EventError as error:
            raise EventError(bounds[0] + error.event, error.problem) from None

    def _key(self, variation: str, name: str) -> str:
        """Return the key of a collection, behind that of the variation in which it is searched."""
        return f"clusters.{name}" if variation == NOMINAL else f"variations.{variation}: clusters.{name}"

    def _collection(
        self, variation: str, name: str, cells: Mapping[Place, Array | Hits | CalibratedCells]
    ) -> list[ClusterTable]:
        """Return the clusters of one collection in a block of events."""
        job, parts = self.jobs[variation], []
        for grid in job.clusters[name].grid:
            place = (variation, grid) if (variation, grid) in cells else (NOMINAL, grid)
            source, (noise, mask) = job.grids[grid], self._maps[place]
            parts.append(
                SearchInput.of(cells[place], source.grid, mask=mask, noise=noise, layers=source.layers)
            )
        try:
            return list(cluster_tables(parts, job.clusters[name].settings, self._computed[variation, name]))
        except EventError as error:
            raise EventError(error.event, f"{self._key(variation, name)}: {error.problem}") from None

    def collections(self, tables: Mapping[Place, list[ClusterTable]]) -> dict[str, dict[str, ak.Array]]:
        """Return the clusters of every variation and collection, jagged, from tables of consecutive events."""
        clusters = {
            (variation, name): jagged_clusters(parts, self.jobs[variation].clusters[name].settings)
            for (variation, name), parts in tables.items()
        }
        return {
            variation: {name: clusters.get((variation, name), clusters[NOMINAL, name]) for name in job.clusters}
            for variation, job in self.jobs.items()
        }
