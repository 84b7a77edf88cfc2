"""The factor that makes the events of a dataset as many as are expected for the luminosity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import hist
import numpy as np

from hep_peaksum.analysis.selection import CUT_FLOW, CUT_FLOW_ENTRIES
from hep_peaksum.config.model import Config
from hep_peaksum.geometry.jagged import flat_numbers
from hep_peaksum.inputs.branch_names import split_branch
from hep_peaksum.inputs.paths import InputFile, public_path, same_place
from hep_peaksum.kernels import Array
from hep_peaksum.reading.files import one_line_errors, open_file, open_tree
from hep_peaksum.suggestions import did_you_mean

FIRST_ENTRIES = 1000  # looked at before a job begins


class Normalisation(NamedTuple):
    """What the histograms of a dataset are multiplied by, and why they are not, where they are not."""

    factor: float
    sum_of_weights: float | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for the summary."""
        return {key: value for key, value in self._asdict().items() if value not in (None, "")}


def is_normalised(config: Config, dataset: str) -> bool:
    """Return whether a dataset is to be normalised: it has a cross section and a sum of weights."""
    return config.datasets[dataset].cross_section is not None and config.luminosity is not None


def normalised_in_words(config: Config) -> Iterator[str]:
    """Yield which datasets are normalised to which luminosity, and which are not; nothing if none is."""
    scaled = [name for name in config.datasets if is_normalised(config, name)]
    others = [name for name in config.datasets if name not in scaled]
    if scaled:
        counted = f"; as counted: {', '.join(others)}" if others else ""
        yield f"Normalised to {config.luminosity:g} /pb: {', '.join(scaled)}{counted}"


def normalisation(config: Config, dataset: str, total: float | None) -> Normalisation | None:
    """Return the normalisation of a dataset; None for one without a cross section.

    `total` is the sum of the weights of all entries of its files. It is None where not every entry was
    processed: the weights of all would normalise only some, and the histograms stay as they are.

    Raises
    ------
    ValueError
        If the sum is 0.
    """
    sample = config.datasets[dataset]
    if sample.cross_section is None or config.luminosity is None:
        return None
    if total is None:
        return Normalisation(1.0, None, "not normalised: not all entries of its files were processed")
    if total == 0:
        problem = f"{sample.sum_of_weights!r} adds up to 0, so that nothing can be normalised"
        msg = f"datasets.{dataset}.sum_of_weights: {problem}: name the sum of generated weights"
        raise ValueError(msg)
    return Normalisation(sample.cross_section * config.luminosity * sample.k_factor / total, total)


def sum_of_weights(config: Config, dataset: str, files: Iterable[InputFile]) -> float:
    """Return the sum of the weights of all entries of the files of a dataset.

    A tree counts once, also if it belongs to several trees of events in its file, however this is spelled.

    Raises
    ------
    ValueError
        If a file does not have the branch, or something else than finite numbers in it.
    OSError
        If a file cannot be read.
    """
    places = {(same_place(file.path), _place(config, dataset, file)): file for file in files}
    return sum(float(np.sum(_weights(config, dataset, file), dtype=np.float64)) for file in places.values())


def check_weights(config: Config, dataset: str, file: InputFile) -> None:
    """Look whether a file has the weights of its dataset, so that a wrong name ends a job before it begins.

    Raises
    ------
    ValueError
        If it lacks the tree or the branch, or the first entries hold something else than finite numbers.
    OSError
        If it cannot be read.
    """
    _weights(config, dataset, file, FIRST_ENTRIES)


def _place(config: Config, dataset: str, file: InputFile) -> tuple[str, str]:
    """Return tree and branch of the weights: the tree of a friend, any of the file, or that of the events."""
    alias, branch = split_branch(str(config.datasets[dataset].sum_of_weights))
    return config.friends.get(alias, alias) or file.tree, branch


def _weights(config: Config, dataset: str, file: InputFile, stop: int | None = None) -> Array:
    """Return the weights in a file, as many as they are, or those of its first entries."""
    tree_name, branch = _place(config, dataset, file)
    key, where = f"datasets.{dataset}.sum_of_weights", f"{tree_name!r} of {public_path(file.path)}"
    with open_file(file.path, config.run.timeout, config.run.max_basket) as root:
        try:
            tree = open_tree(root, file.path, tree_name)
        except ValueError as error:
            msg = f"{key}: {error}"
            raise ValueError(msg) from None
        if branch not in tree.keys():  # noqa: SIM118 -- a tree is not a dict
            near = did_you_mean(branch, tree.keys()) or ": write TREE:BRANCH for one of another tree"
            msg = f"{key}: {where} has no branch {branch!r}{near}"
            raise ValueError(msg)
        with one_line_errors(file.path):
            weights = flat_numbers(tree[branch].array(entry_stop=stop))
    if weights.dtype.kind not in "fiub" or not np.isfinite(weights).all():
        wrong = weights[~np.isfinite(weights)][0] if weights.dtype.kind == "f" else weights.dtype
        held = f"{branch!r} in {where} holds {wrong}"
        msg = f"{key}: {held}, expected finite numbers: leave the file out, or make it anew"
        raise ValueError(msg)
    return weights


def normalised(
    histograms: Mapping[str, hist.Hist[Any]], how: Normalisation | None
) -> dict[str, hist.Hist[Any]]:
    """Return histograms multiplied by the factor of their dataset; a cut flow keeps its numbers of entries."""
    if how is None or how.reason:
        return dict(histograms)
    counts = histograms.get(CUT_FLOW_ENTRIES, histograms.get(CUT_FLOW))  # without weights they are one
    kept = {} if counts is None else {CUT_FLOW_ENTRIES: counts}
    return {name: _scaled(h, how.factor) for name, h in histograms.items()} | kept


def _scaled(h: hist.Hist[Any], factor: float) -> hist.Hist[Any]:
    """Return a histogram times a factor, with its variances: those of plain counts are the counts."""
    scaled = hist.Hist(*h.axes, storage=hist.storage.Weight(), name=h.name, label=h.label)
    contents, variances, view = h.values(flow=True), h.variances(flow=True), scaled.view(flow=True)
    view["value"] = contents * factor
    view["variance"] = (contents if variances is None else variances) * factor**2
    return scaled
