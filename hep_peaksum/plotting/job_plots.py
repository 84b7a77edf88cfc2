"""The pictures of a results folder: histograms, datasets side by side, measurements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hep_peaksum.analysis.derived import origin_of
from hep_peaksum.analysis.histograms import count_title
from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.config.formats import COLLECTIONS, DATASETS, PICTURE
from hep_peaksum.config.model import Config
from hep_peaksum.measuring.measurements import (
    NEGATIVE,
    OFFLINE_RATE,
    EfficiencyInput,
    RateInput,
    ResolutionInput,
    ScalingInput,
)
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.histograms import draw_histogram, draw_overlay, draw_stack, nominal
from hep_peaksum.plotting.measurements import draw_measurement, draw_ratios

if TYPE_CHECKING:
    import hist
    from matplotlib.figure import Figure

Histograms = Mapping[str, Mapping[str, "hist.Hist[Any]"]]  # by dataset and name


class Picture(NamedTuple):
    """A picture that `draw` makes, and what it shows: histograms by what they are of, or tables."""

    name: str
    draw: Callable[[], Figure]
    histograms: Mapping[str, hist.Hist[Any]] = {}
    tables: Sequence[Mapping[str, Any]] = ()

    @property
    def n_axes(self) -> int:
        """The number of axes of its histograms, without that of variations; 1 for tables."""
        return max((nominal(h).ndim for h in self.histograms.values()), default=1)

    @property
    def rank(self) -> int:
        """Its place where not all pictures fit: measurements, then datasets side by side, then single ones."""
        return 0 if self.tables else 1 if self.name.startswith(f"{DATASETS}-") else 2


def save_plots(
    directory: Path,
    histograms: Histograms,
    tables: Sequence[Mapping[str, Any]] = (),
    kinds: Mapping[str, Kind] | None = None,
    formats: Sequence[str] = ("png",),
    *,
    style: str = canvas.PLAIN,
    label: str = "",
    stack: Collection[str] = (),
) -> None:
    """Draw the histograms and measurements of a job into a folder.

    Parameters
    ----------
    directory
        The folder of the pictures.
    histograms
        By dataset and name; those of measurements are drawn from the tables.
    tables
        Those of the measurements, as plain values.
    kinds
        As from `kinds_of`.
    formats
        Of `hep_peaksum.config.formats.PICTURES`.
    style, label
        The experiment in whose style they are drawn, and what is written after its name.
    stack
        Datasets that are stacked in pictures of several datasets.
    """
    with canvas.style_of(style):
        for picture in pictures(histograms, tables, kinds or {}, stack):
            figure = picture.draw()
            canvas.write_label(figure.axes[0], label)
            for suffix in formats:
                canvas.save(figure, directory / f"{picture.name}.{suffix}")


def pictures(
    histograms: Histograms,
    tables: Sequence[Mapping[str, Any]],
    kinds: Mapping[str, Kind],
    stack: Collection[str] = (),
) -> Iterator[Picture]:
    """Yield the pictures of a job, not drawn yet; parameters as for `save_plots`."""
    shared: dict[str, dict[str, Any]] = {}
    yield from _of_collections(histograms, kinds)
    for dataset, own in histograms.items():
        for name, h in own.items():
            if name.removesuffix(NEGATIVE) in kinds:
                continue
            if drawn := _drawable(h):
                draw = partial(draw_histogram, drawn, title=dataset)
                yield Picture(PICTURE.format(owner=dataset, name=name), draw, {dataset: drawn})
                shared.setdefault(name, {})[dataset] = nominal(h)
    for name, parts in shared.items():
        if next(iter(parts.values())).ndim == 1 and _are_alike(parts):
            is_stacked = not set(stack).isdisjoint(parts)
            draw = partial(draw_stack, parts, stack) if is_stacked else partial(draw_overlay, parts)
            yield Picture(PICTURE.format(owner=DATASETS, name=name), draw, parts)
    for name, (kind, axis, passing) in kinds.items():
        ours = [table for table in tables if table["measurement"] == name]
        if kind == "response" and ours and "low_edge" not in ours[0]["columns"]:
            yield from _ratio_pictures(name, ours, histograms)
        elif ours:
            titles = {"title": name, "axis": axis, "passing": passing}
            yield Picture(name, partial(draw_measurement, ours, kind, **titles), tables=ours)


def _of_collections(histograms: Histograms, kinds: Mapping[str, Any]) -> Iterator[Picture]:
    """Yield, for every dataset, the same field of several collections in one picture."""
    for dataset, own in histograms.items():
        alike: dict[str, dict[str, Any]] = {}
        for name, h in own.items():
            collection, line, field = name.partition("_")
            plain = nominal(h)
            if line and name not in kinds and plain.ndim == 1 and plain.axes[0].name == name:
                alike.setdefault(field, {})[collection] = plain
        for field, parts in alike.items():
            if _are_alike(parts):
                draw, name = partial(draw_overlay, parts, title=dataset), COLLECTIONS.format(field=field)
                yield Picture(PICTURE.format(owner=dataset, name=name), draw, parts)


def _are_alike(parts: Mapping[str, Any]) -> bool:
    """Return whether there are several histograms of one axis, with the same bins."""
    edges = [each.axes[0].edges for each in parts.values()]
    return len(edges) > 1 and all(np.array_equal(each, edges[0]) for each in edges)


def _ratio_pictures(
    name: str, tables: Sequence[Mapping[str, Any]], histograms: Histograms
) -> Iterator[Picture]:
    """Yield the ratios of a response without an axis, one picture for each dataset."""
    for table in tables:
        if table["variation"] == NOMINAL:
            dataset = table["dataset"]
            h = nominal(histograms[dataset][name])
            fits = table["columns"].get("fit", [None])
            draw = partial(draw_ratios, h, fits[0], title=f"{name}, {dataset}")
            yield Picture(PICTURE.format(owner=dataset, name=name), draw, tables=[table])


def _drawable(h: Any) -> Any:
    """Return a histogram that can be drawn: of one or two axes, besides that of variations; else None."""
    plain = nominal(h)
    if not all(axis.traits.ordered for axis in plain.axes) or plain.ndim > 2:
        return None
    return h


class Kind(NamedTuple):
    """The kind of a measurement, the title of its horizontal axis, and that of the quantity with thresholds."""

    kind: str
    axis: str
    passing: str = ""


def kinds_of(config: Config) -> dict[str, Kind]:
    """Return the kind of every measurement, and the titles in its picture."""
    kinds: dict[str, Kind] = {}
    for name, each in config.measurements.items():
        if isinstance(each, ScalingInput):
            kinds[name] = Kind("scaling", "online threshold")
            kinds[f"{name}{OFFLINE_RATE}"] = Kind("offline_rate", "offline threshold")
        elif isinstance(each, ResolutionInput):
            kinds[name] = Kind("resolution", "energy [GeV]")
        else:
            field = each.rate if isinstance(each, RateInput) else each.axis.field if each.axis else ""
            passing = each.passing.field if isinstance(each, EfficiencyInput) else ""
            kinds[name] = Kind(each.kind, axis_title(config, field), axis_title(config, passing))
    return kinds


def axis_title(config: Config, name: str) -> str:
    """Return the title of an axis for a field such as Jet.net_pt, with its unit where it is known."""
    owner, _, column = name.partition(".")
    if owner in config.references:
        field = config.references[owner].columns.get(column)
        return f"{owner} {column}" + (" [GeV]" if field is not None and field.unit is not None else "")
    origin = origin_of(config.select, owner)
    if not column or origin not in config.clusters:
        is_count = not column and owner.startswith("n") and owner not in config.sums
        return count_title(owner[1:]) if is_count else name
    known = fields_of(config.grids_of(origin)[0], config.clusters[origin].settings)
    return f"{owner} {known[column].axis_title if column in known else column}"
