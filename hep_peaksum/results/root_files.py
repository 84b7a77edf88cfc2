"""ROOT files: the clusters, streamed from the parquet parts, and the histograms."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import awkward as ak
import hist
import uhi.io.uproot
import uproot

from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.results.atomic_write import atomic_write
from hep_peaksum.results.parquet import Columns, read_parts

# For 100k events, level 1 is no faster and the files are 13 % larger; level 5 takes 1.5 times as long for 2 %.
ZSTD_LEVEL = 3
MAKE = {"ttree": "mktree", "rntuple": "mkrntuple"}


def merge_ttree(parts: Iterable[Path], path: Path) -> None:
    """Write the parts, in their order, as TTree `Events` with one counter per collection.

    Raises
    ------
    ValueError
        If there are no parts, or their columns differ; an older file is left as it was.
    """
    write_events(map(_collections, _columns(parts)), path, "ttree")


def merge_rntuple(parts: Iterable[Path], path: Path) -> None:
    """Write the parts, in their order, as RNTuple `Events` with the flat columns as fields.

    Errors are those of `merge_ttree`.
    """
    write_events(_columns(parts), path, "rntuple")


def _columns(parts: Iterable[Path]) -> Iterator[Columns]:
    for events in read_parts(parts):
        yield dict(zip(ak.fields(events), ak.unzip(events), strict=True))


def write_events(batches: Iterable[Columns], path: Path, kind: Literal["ttree", "rntuple"]) -> None:
    """Write batches of columns, in their order, as `Events`: the file appears when it is complete.

    Raises
    ------
    ValueError
        If there are no batches, or their columns differ; an older file is left as it was.
    """
    with (
        atomic_write(path, tidy=True) as file,
        uproot.recreate(file, compression=uproot.ZSTD(ZSTD_LEVEL)) as root,
    ):
        tree = None
        for arrays in batches:
            if tree is None:  # from types, because uproot cannot infer them from arrays without entries
                types = {name: array.type.content for name, array in arrays.items()}
                tree = getattr(root, MAKE[kind])("Events", types)
            if any(map(len, arrays.values())):
                tree.extend(arrays)
        if tree is None:
            msg = f"no parts for {path}: its columns are unknown; write at least a part without events"
            raise ValueError(msg)


def _collections(columns: Columns) -> Columns:
    """Return each collection as one list of records: uproot then writes one counter for all of its columns."""
    prefixes = {name.partition("_")[0] for name, values in columns.items() if values.ndim > 1}
    branches: dict[str, Any] = {}
    for name, values in columns.items():
        prefix, _, field = name.partition("_")
        if name.startswith("n") and name[1:] in prefixes:
            continue  # uproot writes the counters
        if field and prefix in prefixes:
            branches.setdefault(prefix, {})[field] = values
        else:
            branches[name] = values
    return {name: ak.zip(branch) if isinstance(branch, dict) else branch for name, branch in branches.items()}


def write_histograms(histograms: Mapping[str, hist.Hist[Any]], path: Path) -> None:
    """Write histograms to one ROOT file: as TH1D, TH2D or TH3D and, lossless, as UHI under `uhi/`.

    Parameters
    ----------
    histograms
        By their key in the file; a '/' makes a folder. One with categories is a histogram for each, such as
        pt_ScaleUp. With more than three axes, or a storage other than `Double` and `Weight`, they are UHI only.
    path
        The file; an older one is replaced.

    Raises
    ------
    ValueError
        If a key cannot name an object in a ROOT file.
    """
    for key in histograms:
        if set(key) & set(":;") or "" in key.split("/") or key.split("/")[0] == "uhi":
            msg = f"histogram key {key!r}: keys of a ROOT file have no ':', ';' or '//', and 'uhi' is taken"
            raise ValueError(msg)
    with atomic_write(path) as file, uproot.recreate(file, compression=uproot.ZSTD(ZSTD_LEVEL)) as root:
        for key, histogram in histograms.items():
            for suffix, part in _root_forms(histogram):
                root[f"{key}{suffix}"] = part
            uhi.io.uproot.write(root, f"uhi/{key}", histogram)


def read_histograms(path: Path) -> dict[str, hist.Hist[Any]]:
    """Return the histograms of a file of `write_histograms` by their keys."""
    with uproot.open(path) as root:
        kinds = root["uhi"].classnames(cycle=False) if "uhi" in root else {}
        keys = [key for key, kind in kinds.items() if kind != "TDirectory"]
        return {key: hist.Hist(uhi.io.uproot.read(root, f"uhi/{key}")) for key in keys}


def tlatex(title: str) -> str:
    r"""Return the title of an axis as ROOT draws it, from one for matplotlib.

    >>> tlatex(r"$p_T$ [GeV]"), tlatex(r"$\eta$")
    ('p_{T} [GeV]', '#eta')
    """

    def converted(formula: re.Match[str]) -> str:
        return re.sub(r"_(\w)", r"_{\1}", formula[1].replace("\\", "#"))

    return re.sub(r"\$([^$]*)\$", converted, title)


def _root_forms(histogram: hist.Hist[Any]) -> Iterator[tuple[str, hist.Hist[Any]]]:
    """Yield the parts of a histogram that ROOT can hold: one for each combination of its categories.

    Each has a suffix for its key; what is not varied has none.
    """
    labels = [[*axis] for axis in histogram.axes if not axis.traits.ordered]
    places = [k for k, axis in enumerate(histogram.axes) if not axis.traits.ordered]
    counts = histogram.storage_type in (hist.storage.Double, hist.storage.Weight)
    if not counts or not 1 <= histogram.ndim - len(labels) <= 3:
        return
    for chosen in itertools.product(*labels):
        place: Any = dict(zip(places, map(hist.loc, chosen), strict=True))
        part: Any = histogram[place] if labels else histogram.copy()
        for axis in part.axes:
            axis.label = tlatex(axis.label)
        yield "".join(f"_{word}" for word in chosen if word != NOMINAL), part
