"""The summary of a job: entries expected, processed and lost, and thresholds in both units."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import hist
import numpy as np

from hep_peaksum.analysis.selection import CUT_FLOW, NOMINAL, VARIATION, read_cut_flow
from hep_peaksum.config.formats import MANIFEST
from hep_peaksum.config.model import Config, Job
from hep_peaksum.events.section import IDENTITY
from hep_peaksum.inputs.paths import InputFile, public_path
from hep_peaksum.job.planning import Plan
from hep_peaksum.measuring.results import measure
from hep_peaksum.preview.check import empty_grids
from hep_peaksum.preview.event import clusters_of
from hep_peaksum.preview.first_entries import cut_that_leaves_none, outside_axes
from hep_peaksum.preview.likely_mistakes import likely_mistakes
from hep_peaksum.preview.thresholds import thresholds
from hep_peaksum.processing.normalisation import Normalisation
from hep_peaksum.processing.tally import empty_tally
from hep_peaksum.reading.blocks import grid_cells, read_blocks
from hep_peaksum.reading.columns import has_identity
from hep_peaksum.results.checkpoints import Chunk, Record, add_bins, flat_contents
from hep_peaksum.results.manifest import Loss


@dataclass
class DatasetTotal:
    """What the finished chunks of a dataset add up to, whatever the order in which they are added."""

    histograms: dict[str, hist.Hist[Any]]
    n_clusters: Counter[str]
    n_outside: Counter[str]
    processed: Counter[str] = field(default_factory=Counter)
    n_written: int = 0
    chunks: list[Chunk] = field(default_factory=list)

    def __post_init__(self) -> None:
        contents = {name: flat_contents(histogram) for name, histogram in self.histograms.items()}
        # not zeros_like, which takes the memory at once, of plain counts for nothing
        rests = {name: np.zeros(each.shape, each.dtype) for name, each in contents.items()}
        self._contents = {name: (each, rests[name]) for name, each in contents.items()}

    @classmethod
    def empty(cls, job: Job) -> DatasetTotal:
        """Return empty histograms, and counts of 0."""
        tally = empty_tally(job)
        return cls(tally.histograms, Counter(tally.n_clusters), Counter(tally.n_outside))

    def add(self, chunk: Chunk, path: str, record: Record) -> None:
        """Add the record of a chunk of a file."""
        self.chunks.append(chunk)
        self.processed[path] += record.n_events
        self.n_clusters.update(record.n_clusters)
        self.n_outside.update(record.n_outside)
        self.n_written += record.n_written
        for name, bins in record.histograms.items():
            add_bins(*self._contents[name], bins)


VERSIONED = ("hep_peaksum", "awkward", "coffea", "numba", "numpy", "scipy", "uproot")
BRANCHES = "{}, {} and {}".format(*IDENTITY)
NO_IDENTITY = f"run = dataset number, luminosityBlock = file number, event = entry (see {MANIFEST})"


def identity_in_words(config: Config, types: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what run, luminosityBlock and event are, from the types of the branches of every dataset."""
    if config.events.identify:
        return "as in the files"
    identified = [name for name in types if has_identity(types[name])]
    if len(identified) == len(types):
        return f"the branches {BRANCHES} of the input files"
    if identified:
        return f"the branches {BRANCHES} of {', '.join(identified)}; for the others, {NO_IDENTITY}"
    some = [word for word in IDENTITY if all(word in of_dataset for of_dataset in types.values())]
    hint = f"; to use the branches {', '.join(some)}, name the others, or a number, in events.identify"
    return NO_IDENTITY + hint * bool(some)


def summarize(
    config: Config,
    totals: Mapping[str, DatasetTotal],
    *,
    tables: Sequence[Mapping[str, Any]],
    types: Mapping[str, Mapping[str, Any]],
    datasets: Mapping[str, Any],
    losses: Sequence[Mapping[str, Any]],
    n_chunks: Mapping[str, int],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return the content of the summary.

    `tables` are those of `measurements`, `types` those of the branches of every dataset.
    """
    return {
        "config": public_config(config),
        "thresholds": thresholds(config),
        "identity": identity_in_words(config, types),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONED}},
        "datasets": datasets,
        "hints": hints(config, totals),
        **({"measurements": tables} if config.measurements else {}),
        "losses": losses,
        "n_chunks": n_chunks,
        "seconds": seconds,
    }


def measurements(config: Config, totals: Mapping[str, DatasetTotal]) -> list[dict[str, Any]]:
    """Return the tables of what was measured, as plain values."""
    filled = {name: total.histograms for name, total in totals.items()}
    metadata = {name: dataset.metadata for name, dataset in config.datasets.items()}
    return [table.as_dict() for table in measure(config.measurements, filled, metadata)]


N_LOOKED_AT = 1000  # entries in which energy is looked for if there is no cluster


def hints(config: Config, totals: Mapping[str, DatasetTotal]) -> list[str]:
    """Return what is allowed but probably not meant, such as cuts that leave no cluster at all."""
    lines = [*likely_mistakes(config)]
    for dataset, total in totals.items():
        if not total.processed.total():
            lines.append(f"{dataset}: not a single entry; are its files and trees the right ones?")
        lines += _odd_histograms(config, dataset, total)
        without = [name for name in config.clusters if not total.n_clusters[name]]
        if not without or not total.processed.total():
            continue
        if config.events.where and not total.n_written and not config.events.write_variations:
            last = next(step.step for step in read_cut_flow(total.histograms) if not step.entries)
            lines.append(f"{dataset}: not a single event passes events.where, from '{last}' on")
            continue
        try:
            empty = empty_grids(config, dataset, N_LOOKED_AT)
        except (OSError, ValueError):  # only a hint is lost
            empty = []
        for name in without:
            of_name = [grid for grid in config.clusters[name].grid if grid in empty]
            if of_name:
                where = [f"grids.{grid}.where" for grid in of_name if config.grids[grid].where]
                reason = f"grid {' and '.join(of_name)} seems to be empty: is its branch right?"
                tables = [str(table) for grid in of_name if (table := config.grids[grid].cells) is not None]
                reason += f" what do the gains of {' and '.join(tables)} make of it?" if tables else ""
                reason += f" what does {' and '.join(where)} leave?" if where else ""
            elif not (reason := _cut(config, dataset, name)):
                reason = f"does any cell pass seed_threshold ({thresholds(config)[name]['seed']})?"
            lines.append(f"{dataset}: not a single cluster in {name}; {reason}")
    return lines


def _odd_histograms(config: Config, dataset: str, total: DatasetTotal) -> Iterator[str]:
    """Yield the histograms of a dataset that hold nothing between their ends, and weights that are all 0."""
    for key, odd in outside_axes(config.histograms or {}, total.histograms):
        yield f"{dataset}: {key}: {odd}"
    filled = [histogram for name, histogram in total.histograms.items() if name in config.booked]
    is_empty = not any(histogram.values(flow=True).any() for histogram in filled)
    if config.events.weight and filled and is_empty and total.n_clusters.total():
        yield f"{dataset}: every histogram is empty: is a factor of events.weight 0 for all events?"


def _cut(config: Config, dataset: str, collection: str) -> str:
    """Return which cut leaves no cluster of a collection; nothing if its first events do not say it."""
    grids = config.clusters[collection].grid
    try:
        for events in read_blocks(config, grids, dataset, max_events=N_LOOKED_AT):
            cells = grid_cells(config, grids, events)
            find = partial(clusters_of, config, collection, cells, fields=("seed", "peak_sum"))
            if cut := cut_that_leaves_none(config, collection, find, len(events)):
                return cut
    except (OSError, ValueError):  # only a hint is lost
        pass
    return ""


def public_config(config: Config) -> dict[str, Any]:
    """Return a config as plain values, without what may be secret in its URLs."""
    content = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    for dataset in content["datasets"].values():
        maps = [dataset["files"]] if isinstance(dataset["files"], dict) else dataset["files"]
        public = [{public_path(path): tree for path, tree in each.items()} for each in maps]
        dataset["files"] = public[0] if isinstance(dataset["files"], dict) else public
    return content


def check_account(plan: Plan, totals: Mapping[str, DatasetTotal], losses: Sequence[Loss]) -> None:
    """Raise a RuntimeError unless every planned entry of every file was processed or is a reported loss."""
    balance: Counter[tuple[str, str]] = Counter()
    for item in plan.items.values():
        balance[item.dataset, public_path(item.filename)] += len(item)
    for loss in plan.lost:
        balance[loss.dataset, loss.file] += loss.n_entries or 0
    for dataset, total in totals.items():
        for path, n_events in total.processed.items():
            balance[dataset, path] -= n_events
    for loss in losses:
        balance[loss.dataset, loss.file] -= loss.n_entries or 0
    for (dataset, path), missing in balance.items():
        if missing:
            msg = (
                f"{dataset}: of {path}, {missing} of the planned entries are neither processed nor lost: "
                "run the same command again"
            )
            raise RuntimeError(msg)


def cut_flows(total: DatasetTotal) -> dict[str, Any]:
    """Return the cut flow of a dataset for every variation; empty if no event is cut."""
    if CUT_FLOW not in total.histograms:
        return {}
    axes = total.histograms[CUT_FLOW].axes
    variations = [*axes[VARIATION]] if VARIATION in axes.name else [NOMINAL]
    flows = {each: [step._asdict() for step in read_cut_flow(total.histograms, each)] for each in variations}
    return {"cut_flow": flows}


def check_cut_flow(config: Config, totals: Mapping[str, DatasetTotal]) -> None:
    """Raise a RuntimeError unless every entry of a dataset is written or cut."""
    for dataset, total in totals.items():
        steps = read_cut_flow(total.histograms)
        n_left = steps[-1].entries if steps else total.processed.total()
        n_all = steps[0].entries if steps else total.processed.total()
        is_off = n_left != total.n_written and not config.events.write_variations
        if is_off or n_all != total.processed.total():
            counts = f"{total.processed.total()} entries were processed, {n_left} are left of {n_all}"
            msg = f"{dataset}: {counts}, and {total.n_written} are written: run again with --restart"
            raise RuntimeError(msg)


def account(
    files: Mapping[str, Mapping[str, Any]], total: DatasetTotal, scale: Normalisation | None = None
) -> dict[str, Any]:
    """Return the entries of a dataset: those of every file (see `file_accounts`), and the counts of all."""
    return {
        "n_events": total.processed.total(),
        "n_written": total.n_written,
        "n_clusters": dict(total.n_clusters),
        "n_outside": dict(total.n_outside),
        "files": files,
        **cut_flows(total),
        **({} if scale is None else {"normalisation": scale.as_dict()}),
    }


def file_accounts(
    dataset: str, inputs: Iterable[InputFile], total: DatasetTotal, plan: Plan, losses: Sequence[Loss]
) -> dict[str, dict[str, Any]]:
    """Return the entries of every file of a dataset: expected, processed, and why others are lost."""
    files: dict[str, dict[str, Any]] = {
        path: {"expected": 0, "processed": total.processed[path], "lost": []}
        for path in (public_path(path) for path, _ in inputs)
    }
    for chunk, item in plan.items.items():
        if chunk.dataset == dataset:
            files[public_path(item.filename)]["expected"] += len(item)
    for loss in plan.lost:
        if loss.dataset == dataset:
            files[loss.file]["expected"] += loss.n_entries or 0
    for loss in losses:
        if loss.dataset == dataset:
            files[loss.file]["lost"].append(loss.reason)
    return files
