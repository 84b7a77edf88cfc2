"""The factor that makes the events of a dataset as many as are expected for the luminosity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import awkward as ak
import hist
import numpy as np

from hep_peaksum.analysis.selection import CUT_FLOW, CUT_FLOW_ENTRIES
from hep_peaksum.config.model import Config
from hep_peaksum.inputs.branch_names import split_branch
from hep_peaksum.inputs.paths import InputFile, public_path, same_place
from hep_peaksum.reading.files import one_line_errors, open_file, open_tree
from hep_peaksum.suggestions import did_you_mean


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
    alias, branch = split_branch(str(config.datasets[dataset].sum_of_weights))
    tree = config.friends.get(alias, alias)
    places = {(same_place(path), tree or own): InputFile(path, tree or own) for path, own in files}
    return sum(_sum_in_file(config, each, branch) for each in places.values())


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


def _sum_in_file(config: Config, file: InputFile, branch: str) -> float:
    """Return the sum of a branch over all entries of a tree."""
    with open_file(file.path, config.run.timeout, config.run.max_basket) as root:
        tree = open_tree(root, file.path, file.tree)
        if branch not in tree.keys():  # noqa: SIM118 -- a tree is not a dict
            near = did_you_mean(branch, tree.keys())
            msg = f"sum_of_weights: {file.tree!r} of {public_path(file.path)} has no branch {branch!r}{near}"
            raise ValueError(msg)
        with one_line_errors(file.path):
            weights = ak.to_numpy(ak.flatten(tree[branch].array(), axis=None))
    if weights.dtype.kind not in "fiub" or not np.isfinite(weights).all():
        wrong = weights[~np.isfinite(weights)][0] if weights.dtype.kind == "f" else weights.dtype
        where = f"{branch!r} in {file.tree!r} of {public_path(file.path)} holds {wrong}"
        msg = f"sum_of_weights: {where}, expected finite numbers: leave the file out, or make it anew"
        raise ValueError(msg)
    return float(np.sum(weights, dtype=np.float64))
