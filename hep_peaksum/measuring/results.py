"""Tables of what was measured, from the filled histograms: efficiencies, responses, rates, scalings, fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import hist
import numpy as np

from hep_peaksum.analysis.selection import NOMINAL, VARIATION
from hep_peaksum.evaluation.fits import TERMS, Fit, fit_core, fit_crystal_ball, fit_resolution
from hep_peaksum.evaluation.intervals import WeightedCounts, efficiency
from hep_peaksum.evaluation.rates import crossing, plateau, rate, scaling
from hep_peaksum.evaluation.response import summarize
from hep_peaksum.inputs.branch_names import includes
from hep_peaksum.kernels import Array
from hep_peaksum.measuring.measurements import (
    FILLED,
    FITTED,
    MATCHED,
    NEGATIVE,
    OFFLINE_RATE,
    TOTAL,
    Measurement,
    RateInput,
    ResolutionInput,
    ResponseInput,
    ScalingInput,
)

ALL_DATASETS = "all datasets"
Histograms = Mapping[str, Mapping[str, hist.Hist[Any]]]  # by dataset and name


class Table(NamedTuple):
    """What was measured in one dataset and variation: columns of numbers of one length, and numbers apart."""

    measurement: str
    dataset: str
    variation: str
    columns: dict[str, list[Any]]
    numbers: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON; what is not defined is None."""
        return {key: _plain(value) for key, value in self._asdict().items()}


def measure(
    measurements: Mapping[str, Measurement], histograms: Histograms, metadata: Mapping[str, Mapping[str, Any]]
) -> list[Table]:
    """Return the tables of all measurements: those that events fill, then those that are made of them.

    Parameters
    ----------
    measurements
        By name.
    histograms
        Those that were filled, by dataset and name; of a dataset that is not measured they are not there.
    metadata
        That of every dataset.
    """
    tables: list[Table] = []
    for name, each in measurements.items():
        if isinstance(each, FILLED):
            for dataset, filled in histograms.items():
                if name in filled and includes(each.datasets, dataset):
                    tables += _tables(name, each, dataset, filled)
    for name, each in measurements.items():  # they are made of the others, wherever these stand
        if isinstance(each, ResolutionInput):
            tables += [*_resolutions(name, each, tables, metadata, measurements)]
        elif isinstance(each, ScalingInput):
            tables += [*_scalings(name, each, tables)]
    return tables


Rows = tuple[dict[str, list[Any]], dict[str, Any]]  # the columns of a table, and its numbers


def _tables(name: str, each: Any, dataset: str, filled: Mapping[str, hist.Hist[Any]]) -> Iterator[Table]:
    """Yield the tables of a measurement in a dataset, one for each variation."""
    whole, below = filled[name], filled.get(f"{name}{NEGATIVE}")
    variations = [*whole.axes[VARIATION]] if VARIATION in whole.axes.name else [None]
    for variation in variations:
        place: Any = ... if variation is None else {VARIATION: variation}
        h, negative = whole[place], None if below is None else below[place]
        if isinstance(each, RateInput):
            rows = _rates(each, h, negative)
        elif isinstance(each, ResponseInput):
            rows = _responses(each, h)
        else:
            rows = _efficiencies(h, negative)
        for columns, numbers in rows:
            yield Table(name, dataset, variation or NOMINAL, columns, numbers)


def _counts(h: Any, negative: Any, place: Any = ..., *, flow: bool = False) -> WeightedCounts:
    """Return the sums in the bins at a place of a histogram."""
    h, negative = h[place], None if negative is None else negative[place]
    values, squares = h.values(flow=flow), h.variances(flow=flow)
    n_negative = np.zeros(values.shape) if negative is None else negative.values(flow=flow)
    return WeightedCounts(values, values if squares is None else squares, n_negative)


def _edges(axis: Any) -> dict[str, list[Any]]:
    return {"low_edge": axis.edges[:-1].tolist(), "high_edge": axis.edges[1:].tolist()}


def _efficiencies(h: Any, negative: Any) -> Iterator[Rows]:
    """Yield the efficiency for every threshold, or the purity."""
    total = _counts(h, negative, {0: hist.loc(TOTAL)})
    for label in [label for label in h.axes[0] if label != TOTAL]:
        passed = _counts(h, negative, {0: hist.loc(label)})
        result = efficiency(passed, total)
        columns = {
            **_edges(h.axes[1]),
            "value": result.value.tolist(),
            "low": result.low.tolist(),
            "high": result.high.tolist(),
            "passed": passed.sum.tolist(),
            "total": total.sum.tolist(),
            "has_negative_weights": result.is_signed.tolist(),
        }
        numbers = {"plateau": plateau(result.value, passed.sum, total.sum)}
        yield columns, numbers if label == MATCHED else {"threshold": float(label), **numbers}


def _rates(each: RateInput, h: Any, negative: Any) -> Iterator[Rows]:
    """Yield the rate against the threshold; events without a value lie below every threshold."""
    counts = _counts(h, negative, flow=True)
    total = WeightedCounts(*(np.array([part.sum()]) for part in counts))
    inside = WeightedCounts(*(part[1:] for part in counts))
    result = rate(inside, total, h.axes[0].edges, each.total)
    columns = {key: values.tolist() for key, values in result._asdict().items()}
    columns["passed"] = np.cumsum(inside.sum[::-1])[::-1].tolist()
    yield columns, {"total": float(total.sum[0]), "unit": "Hz", "rate_of_all": each.total}


def _responses(each: ResponseInput, h: Any) -> Iterator[Rows]:
    """Yield centre and width of the ratio in every bin of the axis, or of all."""
    edges, contents, squares = h.axes[-1].edges, h.values(flow=True), h.variances(flow=True)
    squares = contents if squares is None else squares
    bins = [(contents, squares)]
    if h.ndim > 1:
        bins = [*zip(contents[1:-1], squares[1:-1], strict=True)]
    rows = [_response_row(each, content, square, edges) for content, square in bins]
    columns = _edges(h.axes[0]) if h.ndim > 1 else {}
    yield columns | {key: [row[key] for row in rows] for key in rows[0]}, {}


def _response_row(each: ResponseInput, contents: Array, squares: Array, edges: Array) -> dict[str, Any]:
    """Return what describes the ratios in one bin."""
    summary = summarize(contents, edges, squares)
    row: dict[str, Any] = {**summary._asdict(), "resolution": summary.resolution}
    if each.fit is not None:
        fit_bins = fit_core if each.fit == "gaussian" else fit_crystal_ball
        row["fit"] = _fit_dict(fit_bins(contents[1:-1], edges, squares[1:-1]))
    return row


def _fit_dict(fit: Fit | None) -> dict[str, Any] | None:
    """Return a fit as plain values; None if there is none."""
    if fit is None:
        return None
    places = {"start": fit.start, "stop": fit.stop, "chi2": fit.chi2, "ndf": fit.ndf, "is_valid": fit.is_valid}
    return {"values": dict(fit.values), "errors": dict(fit.errors), **places}


def _resolutions(
    name: str,
    each: ResolutionInput,
    tables: list[Table],
    metadata: Mapping[str, Mapping[str, Any]],
    measurements: Mapping[str, Measurement],
) -> Iterator[Table]:
    """Yield the resolution against the energy over datasets, and the terms that were fitted."""
    response = cast("ResponseInput", measurements[each.resolution])
    key = str(response.divisor)
    ours = [table for table in tables if table.measurement == each.resolution]
    for variation in dict.fromkeys(table.variation for table in ours):
        points: list[tuple[float, float, float, str]] = []
        for table in (table for table in ours if table.variation == variation):
            energy = float(metadata[table.dataset][key])
            points.append((energy, *_relative_width(table, each.width), table.dataset))
        points.sort(key=lambda point: point[0])
        x, y, error = (np.array([point[k] for point in points], np.float64) for k in range(3))
        fixed: dict[str, float] = {term: 0.0 for term in TERMS if term not in each.fit}
        fixed |= {term: float(number) for term, number in each.fixed.items()}
        fit = fit_resolution(x, y, error, fixed=fixed, beam_spread=float(each.beam_spread))
        columns: dict[str, list[Any]] = {"energy": x.tolist(), "value": y.tolist(), "error": error.tolist()}
        columns["dataset"] = [point[3] for point in points]
        yield Table(name, ALL_DATASETS, variation, columns, {"fit": _fit_dict(fit)})


def _relative_width(table: Table, width: str) -> tuple[float, float]:
    """Return the relative width of the response in a dataset, and its error."""
    row = {key: values[0] for key, values in table.columns.items()}
    if width in FITTED:
        fit = row.get("fit")
        if fit is None or not fit["is_valid"]:
            return math.nan, math.nan
        mu, sigma = fit["values"]["mu"], fit["values"]["sigma"]
        return sigma / mu, fit["errors"]["sigma"] / mu
    value = row[width] / row["median"] if row["median"] else math.nan
    n = row["n_effective"]
    return value, value / math.sqrt(2 * n) if n and n > 0 else math.nan


def _scalings(name: str, each: ScalingInput, tables: list[Table]) -> Iterator[Table]:
    """Yield the offline value of every threshold, the line through them, and the rate against it."""
    ours = [table for table in tables if table.measurement == each.scaling]
    for dataset, variation in dict.fromkeys((table.dataset, table.variation) for table in ours):
        online, offline = [], []
        for table in ours:
            if (table.dataset, table.variation) == (dataset, variation):
                low, high = (np.array(table.columns[key]) for key in ("low_edge", "high_edge"))
                height = table.numbers["plateau"] if each.of == "plateau" else 1.0
                level = each.at * height if height > 0 else math.nan  # where nothing passes, nothing is reached
                online.append(table.numbers["threshold"])
                offline.append(crossing((low + high) / 2, np.array(table.columns["value"], np.float64), level))
        line = scaling(online, offline)
        numbers: dict[str, Any] = {"slope": line.slope, "offset": line.offset, "at": each.at, "of": each.of}
        columns: dict[str, list[Any]] = {"online": list(online), "offline": offline}
        yield Table(name, dataset, variation, columns, numbers)
        for table in tables:
            if each.rate is not None and (table.measurement, table.variation) == (each.rate, variation):
                thresholds = np.array(table.columns["threshold"]) * line.slope + line.offset
                shown = {
                    "offline": thresholds.tolist(),
                    **{k: table.columns[k] for k in ("value", "low", "high")},
                }
                yield Table(
                    f"{name}{OFFLINE_RATE}", table.dataset, variation, shown, {"unit": "Hz", "of": dataset}
                )


def _plain(value: Any) -> Any:
    """Return plain values without NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
