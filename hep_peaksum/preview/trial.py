"""The first entries of one dataset on their way through the job, with all that goes wrong.

They go the whole way from branches to clusters, so that `check` accepts nothing that `run` refuses. The
readable kernel is used: it is ready at once, and its results are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import awkward as ak
import numpy as np

from hep_peaksum.analysis.derived import derive
from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.calibration.calibrated_cells import CalibratedCells, plain_cells
from hep_peaksum.config.model import Job
from hep_peaksum.events.conditions import split_element
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.events.weights import weights_of
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.geometry.hits import Hits
from hep_peaksum.geometry.jagged import flat_numbers
from hep_peaksum.inputs.branch_names import split_branch
from hep_peaksum.inputs.functions import brief_error
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hits import HitBranches, HitFunction
from hep_peaksum.kernels import Array
from hep_peaksum.preview.event import clusters_of
from hep_peaksum.preview.first_entries import (
    cut_that_leaves_none,
    impassable,
    implausible_energy,
    missed,
    none_passes,
    not_radians,
    nothing_added,
    outside_axes,
    repeated_hits,
)
from hep_peaksum.processing.selected_events import SelectedEvents
from hep_peaksum.processing.tally import empty_tally
from hep_peaksum.reading.blocks import block_size
from hep_peaksum.reading.columns import EQUAL_ENTRIES, column, event_identity, identifying_column
from hep_peaksum.reading.files import (
    DAMAGED,
    count_entries,
    error_message,
    nano_events,
    open_tree,
)
from hep_peaksum.reading.hit_columns import GridColumns, grid_columns
from hep_peaksum.results.parquet import flat_columns

N_ENTRIES = 20
# With such keys begins what is wrong with what is made of clusters.
DERIVED_KEY = re.compile(r"(derive|select|sums|matches|measurements|histograms)(\.\w+)+: ")


def _key_before(problem: str) -> str:
    """Return the key with which a problem begins, if it is of what is made of clusters."""
    return key[0] if (key := DERIVED_KEY.match(problem)) else ""


def _key_in_grid(name: str, source: GridInput, problem: str) -> str:
    """Return the key in a grid that says where the cells come from which could not be made.

    Of hits it is that of the column, or of the condition, which the problem names behind the branches.
    """
    grid = f"grids.{name}"
    if source.dense is not None:
        return f"{grid}.dense: "
    for number, condition in enumerate(source.where):
        if f": {condition.branch} " in problem:
            return f"{grid}.where.{number}: "
    words = (word for word in re.findall(r": (\w+)", problem) if word in HitBranches.model_fields)
    return f"{grid}.hits.{word}: " if (word := next(words, "")) else f"{grid}.hits: "


def _missed_axes(source: GridInput, places: Mapping[str, Any]) -> str:
    """Return what is to be said of the axes that hits miss; nothing if they miss none, or have no places."""
    axes = {"row": ("rows", source.grid.rows), "col": ("cols", source.grid.cols)}
    axes |= {} if source.depth is None else {"layer": ("depth", source.depth)}
    said = (
        missed(key, word, axis, flat_numbers(places[word]))
        for word, (key, axis) in axes.items()
        if word in places
    )
    return "; ".join(each for each in said if each)


def _read(columns: GridColumns, events: ak.Array, source: GridInput) -> GridColumns:
    """Return the columns of the first entries; of a file that is cut short, a ValueError says so."""
    try:
        return columns.read(0, len(events))
    except DAMAGED as error:
        if isinstance(source.hits, HitFunction):  # it may have read another file
            raise
        raise ValueError(error_message(events.metadata["filename"], error)) from None


class Trial:
    """The first entries of one dataset on their way through the job, with all that goes wrong."""

    def __init__(self, config: Job, dataset: str) -> None:
        self.config = config
        self.dataset = dataset
        self.problems: list[tuple[str, str]] = []
        self.problems_of_variations: list[tuple[str, str]] = []
        self.remarks: list[str] = []
        self.broken_friends: set[str] = set()
        self.n_entries = 0

    def run_first_entries(self, file: Any, path: str, tree: str) -> None:
        """Try the job, and each of its variations, on the first entries of an open file."""
        n_in_file = count_entries(open_tree(file, path, tree))
        self.n_entries = min(n_in_file, N_ENTRIES, block_size(self.config.grids.values()))
        schema = self.config.events.schema_name
        events = nano_events(file, path, tree, 0, self.n_entries, schema=schema, dataset=self.dataset)
        if not n_in_file:
            self.remarks.append(
                f"datasets.{self.dataset}: {path}: tree {tree!r} has no entries: is it the right one?"
            )
        self.look_at_friends(file, path, n_in_file)
        self.run(events)
        for variation in self.config.variations:
            self.run_varied(variation, events)

    def look_at_friends(self, file: Any, path: str, n_entries: int) -> None:
        """Note the friends of which no branch can be used; of those of which none is, remark on it."""
        used = {split_branch(branch)[0] for branch in self.config.branches()}
        for name, tree in self.config.friends.items():
            try:
                n_friend, problem = count_entries(open_tree(file, path, tree)), ""
            except ValueError as error:
                n_friend, problem = n_entries, str(error)
            if n_friend != n_entries:
                counts = f"{path}: {tree!r} has {n_friend} entries, the main tree {n_entries}"
                problem = f"{counts}: its branches cannot be used, {EQUAL_ENTRIES}"
            if problem and name in used:
                self.broken_friends.add(name)
                self.problems.append((f"friends.{name}: ", problem))
            elif problem:
                self.remarks.append(f"friends.{name}: {problem}")

    def look_up(self, events: ak.Array) -> None:
        """Note the branches that are missing."""
        config, friends = self.config, self.config.friends
        keys = {branch: key for key, branch in reversed(list(config.branch_keys(self.dataset)))}
        for branch in reversed(keys):
            key = keys[branch]
            if split_branch(branch)[0] in self.broken_friends:
                continue
            with self._noting(f"{key}: "):
                if key.startswith("events.identify."):
                    identifying_column(events, key.rpartition(".")[2], branch, friends)
                else:
                    column(events, branch, friends)

    def run(self, events: ak.Array) -> None:
        """Try every step that can be tried; after a missing branch only the other branches are looked up."""
        self.look_up(events)
        if self.problems:
            return
        config, friends = self.config, self.config.friends
        with self._noting("events.identify: " if config.events.identify else ""):
            event_identity(events, config.events.identify, friends, (1, 1))
        identity = {word: np.zeros(len(events), dtype) for word, dtype in IDENTITY.items()}
        for branch, name in config.events.kept_names().items():
            with self._noting("events.keep: "):
                values = ak.materialize(column(events, branch, friends))
                flat_columns(ak.zip({**identity, name: values}, depth_limit=1))
        chosen = SelectedEvents(config, {}, events, empty_tally(config), (1, 1))
        self._try_events(chosen)
        cells = self._try_grids(events)
        if len(cells) == len(config.grids):
            found = {}
            for name in config.clusters:
                with self._noting(f"clusters.{name}: "):
                    found[name] = self._find(name, cells)
            if len(found) == len(config.clusters):
                with self._noting(_key_before):
                    derive(found, config.derive, config.select, config.sums)
                    self._fill(chosen, found)

    def run_varied(self, variation: str, events: ak.Array) -> None:
        """Try what a variation changes, and note what goes wrong with it alone."""
        if self.problems:
            return
        varied = Trial(self.config.varied(variation), self.dataset)
        varied.run(events)
        self.problems_of_variations += [
            (f"variations.{variation}: {place}", problem) for place, problem in varied.problems
        ]

    def _fill(self, chosen: SelectedEvents, found: Mapping[str, ak.Array]) -> None:
        """Match, fill and write the clusters of the events that are kept, as a job does; nothing is written."""
        if not self.problems:
            kept = slice(None) if chosen.kept is None else chosen.kept
            chosen.columns({NOMINAL: {name: clusters[kept] for name, clusters in found.items()}}, 0)
            for key, odd in outside_axes(self.config.histograms or {}, chosen.tally.histograms):
                self._remark(key, f"of the first {len(chosen.events)} events, {odd}")

    def _try_events(self, chosen: SelectedEvents) -> None:
        """Try conditions, weights and references, each with the place where it stands."""
        job, events = self.config, chosen.events
        self._try_conditions(chosen)
        for name, term in job.events.weight.items():
            with self._noting(f"events.weight.{name}: "):
                weights = weights_of({name: term}, self.dataset, events, chosen.column, job.friends)
                if len(weights) and not weights.any():
                    zero = f"is 0 in each of the first {len(weights)} entries, and fills nothing"
                    self._remark(f"events.weight.{name}", f"{term.source or term.number} {zero}: is it right?")
        planes = {name: source.grid for name, source in job.grids.items()}
        for name, reference in job.references.items():
            with self._noting(f"references.{name}: "):
                if reference.is_for(self.dataset):
                    reference.read(chosen.column, planes)
        if not self.problems:
            for name, objects in chosen.references[NOMINAL].items():
                self._look_for_places(name, objects)

    def _try_conditions(self, chosen: SelectedEvents) -> None:
        """Try the conditions on events, and remark on the one that leaves none of them."""
        events = chosen.events
        left = np.ones(len(events), bool)
        for step, condition in chosen.early:
            with self._noting(f"events.where.{step - 1}: "):
                if not condition.is_for(self.dataset):
                    continue
                passes = condition.evaluate(events, chosen.column, chosen.number, None)
                if left.any() and not (left & passes).any():
                    branch = condition.branch
                    values = () if branch is None else chosen.column(split_element(branch)[0])
                    none = none_passes(condition.label, f"first {len(events)} entries", branch, values)
                    self._remark(f"events.where.{step - 1}", none)
                left &= passes

    def _try_grids(self, events: ak.Array) -> dict[str, Array | Hits | CalibratedCells]:
        """Return the cells of every grid that can be filled."""
        cells: dict[str, Array | Hits | CalibratedCells] = {}
        for name, source in self.config.grids.items():
            with self._noting(partial(_key_in_grid, name, source)):
                columns = grid_columns(events, source, self.config.friends, self.config.run_source)
                read = _read(columns, events, source)
                cells[name] = read.sparse_cells(0, len(events))
                places: Mapping[str, Any] = {}
                if isinstance(source.hits, HitBranches):
                    places = source.hit_columns(read.columns, read.encodings)
                    self._look_for_turns(name, source, places)
                    if source.hits.value.way != "number" and (odd := repeated_hits(places)):
                        self._remark(f"grids.{name}.hits", odd)
                if source.where and (failed := impassable(source, read.columns)):
                    self._remark(f"grids.{name}.where.{failed[0]}", failed[1])
                    continue
                self._look_for_energy(name, cells[name], places)
        return cells

    def _look_for_turns(self, name: str, source: GridInput, places: Mapping[str, Any]) -> None:
        """Remark on coordinates that go around an axis more than once, such as degrees for radians."""
        for word, axis in (("row", source.grid.rows), ("col", source.grid.cols)):
            if word in places and (odd := axis.turns(flat_numbers(places[word]))):
                self._remark(f"grids.{name}.hits.{word}", odd)

    def _look_for_places(self, name: str, objects: ak.Array) -> None:
        """Remark on objects that lie on no cell of their grid, or beyond a turn in phi."""
        if "phi" in objects.fields and (odd := not_radians(flat_numbers(objects.phi))):
            self._remark(f"references.{name}.phi", odd)
        grid = self.config.references[name].grid
        if grid is None:
            return
        n_outside = int(ak.sum((objects.row < 0) | (objects.col < 0)))
        if n_outside:
            remark = f"{n_outside} of {ak.count(objects.row)} objects are on no cell of grid {grid!r}"
            remedy = "are row and col as the grid has them?"
            self._remark(f"references.{name}", f"{remark}: {remedy}")

    def _remark(self, key: str, remark: str) -> None:
        """Note what is probably not meant, with its key and the dataset."""
        self.remarks.append(f"{key}: dataset {self.dataset}: {remark}")

    @contextmanager
    def _noting(self, place: str | Callable[[str], str] = "") -> Iterator[None]:
        """Note an error of a step with its place, which may depend on what it says, and go on with the next."""
        entry = ""
        try:
            yield
            return
        except EventError as error:
            entry, text = f"entry {error.event}: ", error.problem
        except (ValueError, TypeError) as error:
            text = " ".join(str(error).split())
        except Exception as error:  # noqa: BLE001 -- what a function of the user raises can be anything
            text = brief_error(error)
        key = place if isinstance(place, str) else place(entry + text)
        self.problems.append((key, entry + text.removeprefix(key)))

    def located(self, where: str) -> Iterator[tuple[str, str]]:
        """Yield the problems in a file, each with its key."""
        for place, problem in (*self.problems, *self.problems_of_variations):
            yield place, problem.removeprefix(f"{where}: ")

    def _find(self, name: str, cells: Mapping[str, Array | Hits | CalibratedCells]) -> ak.Array:
        """Return the clusters of a collection, with all fields."""
        job, collection = self.config, self.config.clusters[name]
        readable = collection.settings.model_copy(update={"kernel": "scipy"})
        found = clusters_of(job, name, cells, readable, job.computed_fields(name))
        find = partial(clusters_of, job, name, cells, fields=("seed", "peak_sum", "n_cells"))
        if collection.settings.cell_threshold is not None and (odd := nothing_added(job, name, find(readable))):
            self._remark(f"clusters.{name}.cell_threshold", odd)
        is_empty = len(found) and not ak.any(ak.num(found))
        if is_empty and (cut := cut_that_leaves_none(job, name, find, len(found), kernel="scipy")):
            self._remark(f"clusters.{name}", f"there is not a single cluster, and {cut}")
        return found

    def _look_for_energy(
        self, name: str, cells: Array | Hits | CalibratedCells, places: Mapping[str, Any]
    ) -> None:
        """Remark on hits outside a grid, and which axes they miss, and on a grid without any energy."""
        n_outside = getattr(cells, "n_outside", 0)
        if n_outside:
            hits = "1 hit of" if n_outside == 1 else f"{n_outside} hits of"
            lie = "lies" if n_outside == 1 else "lie"
            remark = f"{hits} the first {len(cells)} entries {lie} outside grid {name!r}"
            why = _missed_axes(self.config.grids[name], places) or "are rows, cols and depth as meant?"
            self._remark(f"grids.{name}", f"{remark}: they are not added: {why}")
        values = cells.value if isinstance(cells, Hits) else plain_cells(cells)
        if len(cells) and not values.any():
            branch = self.config.grids[name].value_branch
            remedy = f"is {branch!r} the branch of its cells?" if branch else "are rows and cols as meant?"
            if (table := self.config.grids[name].cells) is not None:
                remedy = f"what do the gains of {table} make of {branch or 'the branches'}?"
            remark = f"grid {name!r} is empty in the first {len(cells)} entries: {remedy}"
            self._remark(f"grids.{name}", remark)
        if odd := implausible_energy(values, self.config.grids[name].grid):
            self._remark(f"grids.{name}.unit", odd)
