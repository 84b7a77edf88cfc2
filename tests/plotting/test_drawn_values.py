"""Points, lines, bands and texts of a picture are the values of its tables and histograms."""

import hist
import numpy as np
import pytest
from matplotlib.colors import to_hex

from hep_peaksum.diagnostics.compare import Comparison
from hep_peaksum.geometry.grid import bare_grid
from hep_peaksum.plotting import canvas
from hep_peaksum.plotting.comparisons import draw_comparison
from hep_peaksum.plotting.histograms import draw_histogram, draw_overlay, draw_stack, zoomed
from hep_peaksum.plotting.measurements import draw_measurement, draw_ratios

NAN = float("nan")


def table(columns, numbers=None, dataset="a"):
    names = {"measurement": "m", "dataset": dataset, "variation": "nominal"}
    return {**names, "columns": columns, "numbers": numbers or {}}


EDGES = {"low_edge": [0, 10, 20], "high_edge": [10, 20, 40]}


def band(axes):
    """Return the lower and the upper ends of a band by its x."""
    (vertices,) = (path.vertices for path in axes.collections[0].get_paths())
    ends = {}
    for x, y in vertices.tolist():
        ends.setdefault(x, set()).add(y)
    return {x: (min(each), max(each)) for x, each in ends.items()}


@pytest.mark.parametrize("kind", ["efficiency", "purity"])
def test_the_band_of_an_efficiency_is_its_interval(kind):
    columns = {**EDGES, "value": [0.1, None, 0.9], "low": [0.05, 0, 0.8], "high": [0.2, 1, 0.95]}
    axes = draw_measurement([table(columns)], kind).axes[0]
    assert band(axes) == {5: (0.05, 0.2), 30: (0.8, 0.95)}
    assert (axes.get_ylabel(), axes.get_ylim(), axes.get_legend()) == (kind, (0, 1.15), None)
    assert axes.lines[1].get_ydata() == [1, 1]  # where an efficiency ends


@pytest.mark.parametrize(("others", "n_bands"), [(["ScaleUp", "ScaleDown"], 1), (["nominal"] * 8, 0)])
def test_bands_are_those_of_a_few_nominal_lines(others, n_bands):
    columns = {**EDGES, "value": [0.1, 0.5, 0.9], "low": [0.05, 0.4, 0.8], "high": [0.2, 0.6, 0.95]}
    tables = [{**table(columns, dataset=f"d{k}"), "variation": v} for k, v in enumerate(["nominal", *others])]
    figure = draw_measurement(tables, "efficiency", title="found")
    axes, title = figure.axes[0], figure.texts[-1]
    assert title.get_text() == "found"
    assert len(axes.collections) == n_bands
    nominal, *varied = axes.lines[: len(tables)]
    assert all(nominal.get_zorder() > line.get_zorder() for line in varied) == (n_bands > 0)


@pytest.mark.parametrize(("kind", "column"), [("rate", "threshold"), ("offline_rate", "offline")])
def test_rates_are_drawn_where_they_are_above_zero(kind, column):
    columns = {"threshold": [1, 2, 3], column: [10, 20, 30], "value": [4e3, 0, 1e3]}
    columns |= {"low": [2e3, 0, 500], "high": [8e3, 100, 2e3]}
    axes = draw_measurement([table(columns)], kind).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[10, 4], [30, 1]]
    assert band(axes) == {10: (2, 8), 30: (0.5, 2)}
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "rate [kHz]")


def test_a_response_is_a_median_with_its_width_over_its_bin():
    columns = {**EDGES, "median": [0.9, None, 1.1], "half_width_68": [0.1, None, 0.05]}
    axes = draw_measurement([table(columns)], "response").axes[0]
    (container,) = axes.containers
    line, _, (across, up) = container
    assert line.get_xdata().tolist() == [5, 15, 30]
    np.testing.assert_array_equal(line.get_ydata(), [0.9, NAN, 1.1])
    assert [np.diff(segment[:, 0]).item() for segment in across.get_segments() if len(segment)] == [10, 20]
    heights = [np.diff(segment[:, 1]).item() for segment in up.get_segments() if len(segment)]
    assert heights == pytest.approx([0.2, 0.1])
    assert axes.get_ylabel() == "ratio: median, central 68 %"
    assert line.get_linestyle() == "None"


def test_a_resolution_is_drawn_with_its_fit_and_the_terms_that_are_not_zero():
    terms = {"stochastic": 0.3, "noise": 0.0, "constant": 0.04}
    fit = {"values": terms, "errors": {"stochastic": 0.01, "noise": 0.0, "constant": 0.002}}
    fit |= {"start": 4, "stop": 100, "chi2": 3.25, "ndf": 2, "is_valid": True}
    columns = {"energy": [9, 36], "value": [0.11, 0.065], "error": [0.01, 0.02]}
    axes = draw_measurement([table(columns, {"fit": fit})], "resolution").axes[0]
    (container,) = axes.containers
    assert container[0].get_xydata().tolist() == [[9, 0.11], [36, 0.065]]
    assert [np.diff(each[:, 1]).item() for each in container[2][0].get_segments()] == pytest.approx(
        [0.02, 0.04]
    )
    x, y = axes.lines[-1].get_data()
    assert (x[0], x[-1], len(x)) == (pytest.approx(4), pytest.approx(100), 200)
    np.testing.assert_allclose(y, np.hypot(0.3 / np.sqrt(x), 0.04))
    assert axes.texts[0].get_text().splitlines() == [
        r"$\sigma/E = a\,E^{-1/2} \oplus c$",
        r"$a = 0.3000 \pm 0.0100\ GeV^{1/2}$",
        r"$c = 0.0400 \pm 0.0020\ $",
        r"$\chi^2$/ndf = 3.2/2",
    ]
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylabel() == r"$\sigma/E$"
    failed = draw_measurement([table(columns, {"fit": {**fit, "is_valid": False}})], "resolution").axes[0]
    assert (len(failed.lines), len(failed.texts)) == (1, 0)


def test_offline_thresholds_are_points_and_a_line():
    columns = {"online": [10, 20, 30], "offline": [15, 27, None]}
    points, line = draw_measurement([table(columns, {"slope": 1.2, "offset": 3.0})], "scaling").axes[0].lines
    np.testing.assert_array_equal(points.get_ydata(), [15, 27, NAN])
    assert (points.get_linestyle(), line.get_linestyle()) == ("None", "-")
    np.testing.assert_allclose(line.get_xydata(), [[10, 15], [20, 27], [30, 39]])
    for missing in ("slope", "offset"):
        numbers = {"slope": 1.2, "offset": 3.0, missing: None}
        assert len(draw_measurement([table(columns, numbers)], "scaling").axes[0].lines) == 1


def test_datasets_side_by_side_have_a_colour_a_marker_and_a_name_each():
    columns = {"energy": [9], "value": [0.1], "error": [0.01]}
    datasets = [f"d{k}" for k in range(7)]
    axes = draw_measurement([table(columns, dataset=name) for name in datasets], "resolution").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == datasets
    styles = [(each[0].get_color(), each[0].get_marker()) for each in axes.containers]
    assert styles[:6] == [*zip(canvas.COLOURS, "os^DvP", strict=True)]
    assert styles[6] == (canvas.COLOURS[0], "s")  # another marker with the first colour


@pytest.mark.parametrize("is_weighted", [True, False])
def test_ratios_are_points_where_bins_are_filled(is_weighted):
    storage = hist.storage.Weight() if is_weighted else hist.storage.Int64()
    h = hist.Hist(hist.axis.Regular(4, 0, 2, name="ratio"), storage=storage)
    h.fill([0.1, 1.1, 1.2, 1.3, 1.4], **{"weight": 2.0} if is_weighted else {})
    fit = {"is_valid": False}
    figure = draw_ratios(h, fit, title="ratios")
    (axes,), (title,) = figure.axes, figure.texts
    assert title.get_text() == "ratios"
    ((line, _, (bars,)),) = axes.containers
    scale = 2.0 if is_weighted else 1.0
    assert line.get_xydata().tolist() == [[0.25, scale], [1.25, 4 * scale]]
    lengths = [np.diff(each[:, 1]).item() for each in bars.get_segments()]
    assert lengths == pytest.approx([2 * scale, 4 * scale])  # twice the root of 1 and of 4
    counted = "sum of weights / 0.5" if is_weighted else "entries / 0.5"
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()[0]) == ("ratio", counted, 0)
    assert (len(axes.lines), axes.texts[:]) == (1, [])
    assert draw_ratios(h.reset(), None).axes[0].get_ylim() == (0, 1)


# ------------------------------------------------------------------------------------------------- histograms


def spectrum(contents, storage=None, edges=None):
    edges = np.arange(len(contents) + 1.0) if edges is None else edges
    h = hist.Hist(
        hist.axis.Variable(edges, name="pt", label="pt [GeV]"), storage=storage or hist.storage.Double()
    )
    h.view(flow=False)["value" if storage else ...] = contents
    return h


def drawn(axes):
    return [patch.get_data().values.tolist() for patch in axes.patches]


def test_an_overlay_shows_every_histogram_and_its_ratio_to_the_first():
    parts = {"a": spectrum([4, 0, 2, 8]), "b": spectrum([2, 3, 8, 8]), "c": spectrum([4, 0, 1, 4])}
    figure = draw_overlay(parts, title="all")
    (upper, lower), (title,) = figure.axes, figure.texts
    assert title.get_text() == "all"
    assert drawn(upper) == [[4, 0, 2, 8], [2, 3, 8, 8], [4, 0, 1, 4]]
    np.testing.assert_array_equal(drawn(lower), [[0.5, NAN, 4, 1], [1, NAN, 0.5, 0.5]])
    assert [to_hex(patch.get_edgecolor()) for patch in upper.patches] == [*canvas.COLOURS[:3]]
    assert [to_hex(patch.get_edgecolor()) for patch in lower.patches] == [*canvas.COLOURS[1:3]]
    assert lower.lines[0].get_ydata() == [1, 1]
    assert (lower.get_ylim()[1], lower.get_ylabel()) == (2, "ratio")  # a ratio of 4 is cut off
    assert lower.get_ylim()[0] >= 0
    assert upper.get_ylim()[0] == 0
    assert upper.get_ylim()[1] > 8
    assert lower.get_xlim() == upper.get_xlim() == (0, 4)
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("entries / 1 GeV", "pt [GeV]")


def test_the_content_of_a_single_bin_has_its_width():
    assert draw_histogram(spectrum([3], edges=[0, 2])).axes[0].get_ylabel() == "entries / 2 GeV"


def test_a_stack_without_points_shows_what_part_each_one_has():
    parts = {"low": spectrum([1, 2, 0]), "high": spectrum([3, 0, 0])}
    figure = draw_stack(parts, ["low", "high", "gone"], title="parts")
    (upper, lower), (title,) = figure.axes, figure.texts
    assert title.get_text() == "parts"
    tops = {patch.get_label(): patch.get_data().values.tolist() for patch in upper.patches}
    assert tops == {"low": [1, 2, 0], "high": [4, 2, 0]}
    filled = {patch.get_label(): to_hex(patch.get_facecolor()) for patch in upper.patches}
    assert filled == {"low": canvas.COLOURS[0], "high": canvas.COLOURS[1]}
    assert [to_hex(patch.get_edgecolor()) for patch in lower.patches] == [*canvas.COLOURS[:2]]
    np.testing.assert_array_equal(drawn(lower), [[0.25, 1, NAN], [0.75, 0, NAN]])
    assert lower.get_ylabel() == "fraction of the stack"


def test_points_over_a_stack_have_the_errors_of_their_weights():
    data = spectrum([4, 0, 9], hist.storage.Weight())
    data.view(flow=False)["variance"] = [16, 0, 9]
    upper, lower = draw_stack({"mc": spectrum([2, 5, 3]), "data": data}, ["mc"]).axes
    for axes, points, errors in ((upper, [4, 9], [4, 3]), (lower, [2, 3], [2, 1])):
        ((line, _, (bars,)),) = axes.containers
        assert line.get_xydata().tolist() == [[0.5, points[0]], [2.5, points[1]]]
        assert [np.diff(each[:, 1]).item() / 2 for each in bars.get_segments()] == pytest.approx(errors)
    assert lower.get_ylabel() == "data / stack"


@pytest.mark.parametrize(("highest", "scale"), [(1000, "linear"), (1001, "log")])
def test_contents_over_more_than_three_decades_are_drawn_logarithmically(highest, scale):
    axes = draw_histogram(spectrum([1, 0, highest])).axes[0]
    assert axes.get_yscale() == scale
    assert axes.get_ylim() == ((0.5, 3 * highest) if scale == "log" else (0, axes.get_ylim()[1]))


def test_weighted_bins_have_errors_and_counts_have_none():
    weighted = spectrum([4, 0], hist.storage.Weight())
    weighted.view(flow=False)["variance"] = [9, 0]
    axes = draw_histogram(weighted).axes[0]
    ends = [each[:, 1].tolist() for bars in axes.collections for each in bars.get_segments() if len(each)]
    assert [each for each in ends if np.diff(each) > 0] == [[1, 7]]
    assert not draw_histogram(spectrum([4, 0])).axes[0].collections


def test_two_axes_are_horizontal_and_vertical():
    h = hist.Hist(
        hist.axis.Regular(2, 0, 2, name="x", label="x"), hist.axis.Regular(3, 0, 3, name="y", label="y")
    )
    h.fill([0.5, 1.5, 1.5], [0.5, 2.5, 2.5])
    axes = draw_histogram(h).axes[0]
    mesh = axes.collections[-1]
    assert np.ma.filled(mesh.get_array().reshape(3, 2), 0).tolist() == [[1, 0], [0, 0], [0, 2]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


@pytest.mark.parametrize(
    ("contents", "shown"),
    [
        pytest.param([0, 0, 0], (0, 3), id="empty"),
        pytest.param([1, 9998, 1], (1, 2), id="a-tail-of-a-ten-thousandth-on-either-side"),
        pytest.param([10, 9980, 10], (0, 3), id="a-tail-of-a-thousandth-on-either-side"),
        pytest.param([-9, 0, 9], (0, 3), id="negative-bins-count-as-well"),
    ],
)
def test_the_range_that_holds_almost_everything_is_shown(contents, shown):
    assert zoomed(np.arange(4.0), np.array(contents, float)) == shown


# ------------------------------------------------------------------------------------------------ comparisons


def pairs(sums_a, sums_b):
    """Return a comparison of clusters with these sums; None where an algorithm does not find one."""
    n = len(sums_a)
    in_a, in_b = (np.array([each is not None for each in sums], bool) for sums in (sums_a, sums_b))
    values = (np.array([each or 0 for each in sums], float) for sums in (sums_a, sums_b))
    return Comparison(*np.zeros((3, n), int), in_a, in_b, *values, np.zeros(n, int), unit=1.0, n_events=1)


@pytest.mark.parametrize(
    ("sums_a", "sums_b", "scale", "limits"),
    [
        pytest.param([1, 12], [1, 30], "linear", (0, 31.5), id="within-a-factor-of-30"),
        pytest.param([1, 12], [1, 36], "log", (1 / 1.2, 43.2), id="over-more-than-a-factor-of-30"),
        pytest.param([-10, 0], [10, 0], "linear", (-11, 11), id="negative"),
        pytest.param([], [], "linear", (0, 1), id="nothing"),
        pytest.param([0], [0], "linear", (0, 1), id="all-zero"),
    ],
)
def test_the_sums_of_both_algorithms_have_one_scale(sums_a, sums_b, scale, limits):
    main, only_a, only_b = draw_comparison(pairs(sums_a, sums_b), bare_grid((2, 2))).axes
    for low_high in (main.get_xlim(), main.get_ylim(), only_a.get_xlim(), only_b.get_ylim()):
        assert low_high == pytest.approx(limits)
    assert {main.get_xscale(), main.get_yscale(), only_a.get_xscale(), only_b.get_yscale()} == {scale}


def test_clusters_of_one_side_are_counted_beside_the_sums():
    both = pairs([4, 7, 9, None], [4, None, None, 3])
    main, only_a, only_b = draw_comparison(both, bare_grid((2, 2))).axes
    assert main.collections[0].get_offsets().tolist() == [[4, 4]]
    assert (only_a.get_title("left"), only_b.get_title("left")) == ("only in A: 2", "only in\nB: 1")
    colours = {to_hex(axes.patches[0].get_facecolor()) for axes in (only_a, only_b)}
    assert colours == {canvas.ORANGE, canvas.PURPLE}
    # bins of 0.315 from 0 to 9.45: each cluster stands in the one that holds its sum
    upper = only_a.patches[0].get_path().vertices
    assert {round(x / 0.315) for x, y in upper.tolist() if y > 0} == {22, 23, 28, 29}
    beside = only_b.patches[0].get_path().vertices
    assert {round(y / 0.315) for x, y in beside.tolist() if x > 0} == {9, 10}


def test_every_picture_has_the_title_that_it_was_given():
    h, columns = spectrum([1, 2]), {"energy": [9], "value": [0.1], "error": [0.01]}
    for figure in (
        draw_histogram(h, title="this"),
        draw_overlay({"a": h, "b": h}, title="this"),
        draw_stack({"a": h, "b": h}, ["a"], title="this"),
        draw_measurement([table(columns)], "resolution", title="this"),
        draw_ratios(h, None, title="this"),
        draw_comparison(pairs([1], [2]), bare_grid((2, 2)), title="this"),
    ):
        assert "this" in [text.get_text() for text in figure.texts]
