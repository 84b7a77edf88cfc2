"""ROOT files streamed from the parquet parts, and histograms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import uhi.io.uproot
import uproot

from hep_peaksum import block_sizes
from hep_peaksum.results.atomic_write import atomic_write
from hep_peaksum.results.parquet import Columns, read_parts

# Of 100k events: level 1 is no faster, and ROOT files 13 % larger; 5 takes half as long again for 2 %.
ZSTD_LEVEL = 3


def merge_ttree(parts: Iterable[Path], path: Path) -> None:
    """Write the parts, in their order, as TTree `Events` with one counter for every collection.

    No parts, or parts whose columns differ, are a ValueError, and leave an older file as it was.
    """
    _merge(parts, path, "mktree", _branches)


def merge_rntuple(parts: Iterable[Path], path: Path) -> None:
    """Write the parts, in their order, as RNTuple `Events` with the flat columns as fields.

    No parts, or parts whose columns differ, are a ValueError, and leave an older file as it was.
    """
    _merge(parts, path, "mkrntuple", dict)


def _merge(parts: Iterable[Path], path: Path, make: str, layout: Callable[[Columns], Columns]) -> None:
    with atomic_write(path) as file, uproot.recreate(file, compression=uproot.ZSTD(ZSTD_LEVEL)) as root:
        written = None
        for events in _gathered(parts):
            arrays = layout(dict(zip(ak.fields(events), ak.unzip(events), strict=True)))
            if written is None:  # the types are given, because arrays without entries would not tell them
                types = {name: array.type.content for name, array in arrays.items()}
                written = getattr(root, make)("Events", types)
            if len(events):
                written.extend(arrays)
        if written is None:
            msg = f"no parts for {path}: without one the columns are not known; write a part without events"
            raise ValueError(msg)


def _branches(columns: Columns) -> Columns:
    """Return collections as lists of records, to whose columns uproot gives one counter, and not one each."""
    prefixes = {name.partition("_")[0] for name, values in columns.items() if values.ndim > 1}
    branches: dict[str, Any] = {}
    for name, values in columns.items():
        prefix, _, field = name.partition("_")
        if name.startswith("n") and name[1:] in prefixes:
            continue  # uproot makes the counters
        if field and prefix in prefixes:
            branches.setdefault(prefix, {})[field] = values
        else:
            branches[name] = values
    return {name: ak.zip(branch) if isinstance(branch, dict) else branch for name, branch in branches.items()}


def _gathered(parts: Iterable[Path]) -> Iterator[ak.Array]:
    """Yield the events of all parts in steps worth writing."""
    first: tuple[Path, Any] | None = None
    pending: list[ak.Array] = []
    for part in parts:
        for events in read_parts([part]):
            first = first or (part, events.type.content)
            if events.type.content != first[1]:
                msg = f"{part} has the columns {events.type.content}, but {first[0]} has {first[1]}: run anew"
                raise ValueError(msg)
            pending.append(events)
            n_bytes = sum(array.nbytes for array in pending)
            if (
                sum(map(len, pending)) >= block_sizes.MERGE_WRITE_EVENTS
                or n_bytes >= block_sizes.MERGE_WRITE_BYTES
            ):
                yield ak.concatenate(pending)
                pending = []
    if pending:
        yield ak.concatenate(pending)


def write_histograms(histograms: Mapping[str, hist.Hist[Any]], path: Path) -> None:
    """Write histograms to one ROOT file: as TH1D, TH2D or TH3D and, without loss, as UHI under `uhi/`.

    Parameters
    ----------
    histograms
        By their key in the file; a '/' makes a folder. Those with categories, with more than three axes, or
        with a storage other than `Double` and `Weight` are there as UHI only.
    path
        The file; an older one is replaced.

    Raises
    ------
    ValueError
        If something in a ROOT file cannot be called by a key.
    """
    for key in histograms:
        if set(key) & set(":;") or "" in key.split("/") or key.split("/")[0] == "uhi":
            msg = f"histogram key {key!r}: a ROOT file cannot hold ':', ';', '//' or another folder 'uhi'"
            raise ValueError(msg)
    with atomic_write(path) as file, uproot.recreate(file, compression=uproot.ZSTD(ZSTD_LEVEL)) as root:
        for key, histogram in histograms.items():
            if _has_root_form(histogram):
                root[key] = histogram
            uhi.io.uproot.write(root, f"uhi/{key}", histogram)


def _has_root_form(histogram: hist.Hist[Any]) -> bool:
    numeric = all(axis.traits.ordered for axis in histogram.axes)  # categories have no order
    counts = histogram.storage_type in (hist.storage.Double, hist.storage.Weight)
    return numeric and counts and histogram.ndim <= 3
