"""Which events a report shows, and their displays: cells from the input file, clusters from the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from hep_peaksum.config.model import Config
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.kernels import Array
from hep_peaksum.plotting.events import draw_event
from hep_peaksum.preview.event import clusters_of, drawn_plane
from hep_peaksum.reading.blocks import grid_cells, read_blocks
from hep_peaksum.reading.columns import event_identity
from hep_peaksum.report.accounts import Table
from hep_peaksum.report.figures import Figure, vector_graphics
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.chunk_files import part_paths
from hep_peaksum.results.manifest import Content
from hep_peaksum.results.parquet import count_events, read_columns, read_event

SEED = 1  # of the random events
MOST_EVENTS = 1_000_000  # of a dataset that are looked through for its leading events
SIZES = ("peak_sum", "energy", "pt", "seed")  # what makes a cluster the leading one: the first that is written
DRAWN = {"row", "col", "peak_sum"}  # fields that a display needs


class Choice(NamedTuple):
    """An event to show: why, the chunk that holds it, and its place among the events written by the chunk."""

    dataset: str
    collection: str
    why: str
    chunk: Chunk
    place: int

    @property
    def name(self) -> str:
        """The words above its display."""
        return f"{self.dataset}, {self.collection}: {self.why}"


def choose(directory: Path, config: Config, dataset: str) -> dict[str, list[Choice]]:
    """Return the events of a dataset to show: leading, most clusters, random; each for every collection."""
    chunks = [chunk for path in part_paths(directory, dataset) if (chunk := Chunk.of_name(dataset, path.stem))]
    chosen: dict[str, list[Choice]] = {"leading": [], "most": [], "random": []}
    places = [*_places(directory, chunks)]
    for collection in config.clusters:
        size = next((name for name in SIZES if name in config.written_fields(collection)), None)
        best: dict[str, tuple[float, Chunk, int]] = {}
        for chunk, _ in places:
            columns = [f"n{collection}"] + ([f"{collection}_{size}"] if size else [])
            events = read_columns(chunk.part(directory), columns)
            numbers = {"most": np.asarray(events[columns[0]])}
            if size:
                largest = ak.fill_none(ak.max(events[columns[1]], axis=1), -np.inf)
                numbers["leading"] = np.asarray(largest, np.float64)
            for key, values in numbers.items():
                if values.max() > best.get(key, (-np.inf,))[0]:
                    best[key] = (float(values.max()), chunk, int(values.argmax()))
        words = {"leading": f"the event with the largest {size}", "most": "the event with the most clusters"}
        for key, (number, chunk, place) in best.items():
            if key == "leading" or number:
                chosen[key].append(Choice(dataset, collection, words[key], chunk, place))
        chosen["random"] += _random(dataset, collection, places)
    return chosen


def _places(directory: Path, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, int]]:
    """Yield the chunks that are looked through, with the number of events in them."""
    n_seen = 0
    for chunk in chunks:
        if n_seen < MOST_EVENTS:
            n_events = count_events(chunk.part(directory))
            n_seen += n_events
            if n_events:
                yield chunk, n_events


def _random(dataset: str, collection: str, places: Sequence[tuple[Chunk, int]]) -> list[Choice]:
    """Return one event, drawn with a seed."""
    total = sum(n_events for _, n_events in places)
    if not total:
        return []
    place = int(np.random.default_rng(SEED).integers(total))
    for chunk, n_events in places:
        if place < n_events:
            return [Choice(dataset, collection, f"a random event (seed {SEED})", chunk, place)]
        place -= n_events
    return []


class Seen(NamedTuple):
    """What an input file holds of an event: cells and mask (row, col) of every grid, clusters if searched."""

    planes: Mapping[str, tuple[Array, Array | None]]
    clusters: ak.Array | None


class Events:
    """The events of a results folder: what it holds of them, and their cells if the inputs can be read."""

    def __init__(self, directory: Path, config: Config, content: Content, unreadable: dict[str, str]) -> None:
        self.directory, self.config, self.content = directory, config, content
        self.unreadable = unreadable  # gets a line for every dataset whose cells cannot be read

    def display(self, choice: Choice) -> list[Figure]:
        """Return the displays of an event, one for each grid of its collection; none if nothing is known of it.

        If the results do not say where the clusters are, they are searched again, as the job did.
        """
        event = read_event(choice.chunk.part(self.directory), choice.place)
        clusters = _collection(event, choice.collection)
        is_placed = set(clusters.fields) >= DRAWN
        seen = self._seen(choice, event, search=not is_placed)
        settings, where = self.config.clusters[choice.collection].settings, self._where(choice, event)
        if seen is None:
            if not is_placed or settings.coarsen != (1, 1):
                return []
            where += "; only the seeds are drawn"
        elif seen.clusters is not None:
            clusters = seen.clusters
        grids = self.config.clusters[choice.collection].grid
        figures = []
        for number, grid in enumerate(grids):
            several = len(grids) > 1
            on_grid = clusters[clusters.grid == number] if several else clusters
            name = choice.name + f", on {grid}" * several
            plane = self.config.grids[grid].grid
            cells, mask = (_seeds_alone(on_grid, plane.shape), None) if seen is None else seen.planes[grid]
            drawing = draw_event(cells, settings, plane, clusters=on_grid, mask=mask, title=name)
            alt = f"Event display, {name}: {where}. {len(on_grid)} clusters, listed below it."
            table = Table.of(f"Clusters of {choice.collection}", on_grid.fields, _rows(on_grid))
            figures.append(Figure(name, f"{name}; {where}", alt, {"": vector_graphics(drawing)}, [table]))
        return figures

    def _where(self, choice: Choice, event: ak.Record) -> str:
        path, *_ = self.content.datasets[choice.dataset].by_number.get(choice.chunk.file_number, ("",))
        numbers = ", ".join(f"{name} {event[name]}" for name in IDENTITY if name in event.fields)
        return f"{numbers}, of {path}"

    def _seen(self, choice: Choice, event: ak.Record, *, search: bool) -> Seen | None:
        """Return what the input file holds of an event; None if it cannot be read any more."""
        if choice.dataset in self.unreadable:
            return None
        try:
            config = of_its_file(self.config, self.content, choice.chunk)
            return _read(config, choice, self._entry(config, choice, event), search=search)
        except (OSError, ValueError, RuntimeError) as error:
            self.unreadable[choice.dataset] = str(error).splitlines()[0]
            return None

    def _entry(self, config: Config, choice: Choice, event: ak.Record) -> int:
        """Return the entry of an event in its file; where a job selects events, they are looked for by name."""
        chunk = choice.chunk
        if not self.config.events.where:
            return chunk.start + choice.place
        wanted = {name: event[name] for name in IDENTITY}
        numbers = (self.content.datasets[choice.dataset].number, chunk.file_number)
        first = chunk.start
        for events in read_blocks(config, config.grids, max_events=chunk.n_entries, first=chunk.start):
            identity = event_identity(events, config.events.identify, config.friends, numbers)
            is_it = np.logical_and.reduce([identity[name] == wanted[name] for name in IDENTITY])
            if is_it.any():
                return first + int(is_it.argmax())
            first += len(events)
        msg = f"the file no longer holds the event {', '.join(map(str, wanted.values()))}"
        raise ValueError(msg)


def of_its_file(config: Config, content: Content, chunk: Chunk) -> Config:
    """Return a config whose only dataset is that of a chunk, and its only file that of the chunk.

    Raises
    ------
    ValueError
        If the file is not what it was when the job ran.
    """
    known = content.datasets[chunk.dataset].by_number.get(chunk.file_number)
    if known is None:
        msg = f"the manifest knows no file of the part {chunk.full_name}"
        raise ValueError(msg)
    path, tree, entry = known
    if not entry.is_of(path, check_uuid=False):
        msg = f"{path} is not there, or has changed since the job ran"
        raise ValueError(msg)
    dataset = config.datasets[chunk.dataset].model_copy(update={"files": {path: tree}})
    return config.model_copy(update={"datasets": {chunk.dataset: dataset}})


def _read(config: Config, choice: Choice, entry: int, *, search: bool) -> Seen:
    """Return the planes of one event for every grid of a collection, and its clusters if they are searched."""
    names = config.clusters[choice.collection].grid
    for events in read_blocks(config, names, choice.dataset, max_events=1, first=entry):  # open until the end
        cells = grid_cells(config, names, events)
        clusters = clusters_of(config, choice.collection, cells)[0] if search else None
        return Seen({name: drawn_plane(config.grids[name], each) for name, each in cells.items()}, clusters)
    msg = f"the file has no entry {entry}"
    raise ValueError(msg)


def _collection(event: ak.Record, name: str) -> ak.Array:
    """Return the clusters of one collection, with their fields."""
    fields = [field for field in event.fields if field.startswith(f"{name}_")]
    return ak.zip({field.partition("_")[2]: event[field] for field in fields if event[field].ndim == 1})


def _rows(clusters: ak.Array) -> list[tuple[Any, ...]]:
    """Return the fields of every cluster."""
    return [*zip(*(clusters[field].tolist() for field in clusters.fields), strict=True)]


def _seeds_alone(clusters: ak.Array, shape: tuple[int, int]) -> Array:
    """Return a plane that is empty but for the seeds: all that results hold of the cells."""
    plane: Array = np.zeros(shape)
    values = clusters["seed" if "seed" in clusters.fields else "peak_sum"]
    plane[np.asarray(clusters.row), np.asarray(clusters.col)] = np.asarray(values)
    return plane
