"""The two figures of the page, and a view as one HTML file that needs neither a server nor a network.

They are the event, and the number of clusters in a sample against the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from bokeh.core.properties import value
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import (
    BasicTicker,
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    Div,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    LinearColorMapper,
    LogColorMapper,
    LogTicker,
    Range1d,
    Span,
)
from bokeh.plotting import figure
from bokeh.resources import INLINE

from hep_peaksum.plotting import canvas
from hep_peaksum.viewer import drawing
from hep_peaksum.viewer.state import ViewState

WIDTH, HEIGHT = 820, 620
MARKERS = ("diamond", "x", "triangle", "square", "inverted_triangle", "plus")
# the title and the region that screen readers look for
TEMPLATE = """{% block contents %}
<main><h1 style="font: bold 1.2em sans-serif; margin: .4em">{{ title }}</h1>{{ super() }}</main>
{% endblock %}"""
TOOLS = "pan,box_zoom,wheel_zoom,reset"
N_TICKS, MARGIN = 5, 1.5  # of the axis of thresholds
HOLDER = 'return holders.data.text[0].split("\\n")[special_vars.index] || "nobody"'


class EventPicture:
    """An event: its cells, the seeds and sum windows of its clusters, other objects."""

    def __init__(self) -> None:
        # what is painted are filled cells and lines; the cells of the pointer, thousands of them, are not
        self.cells, self.filled, self.lines, self.outlines, self.seeds = (ColumnDataSource() for _ in range(5))
        # no column of the cells: whenever it changed, all of them would be laid out and painted again
        self.holders = ColumnDataSource({"text": [""]})
        self.marked = ColumnDataSource({side: [] for side in ("left", "right", "bottom", "top")})
        self.objects: dict[str, ColumnDataSource] = {}
        # ranges are drawn beyond no edge: one sees where the grid ends
        self.figure = figure(
            width=WIDTH,
            height=HEIGHT,
            tools=TOOLS,
            active_scroll="wheel_zoom",
            x_range=Range1d(),
            y_range=Range1d(),
        )
        self.figure.toolbar.logo = None
        self.figure.grid.visible = False
        self._drawn: ViewState | None = None

    def show(self, state: ViewState) -> None:
        """Draw a state; only what has changed since the last one is sent."""
        last = self._drawn
        has_same_plane = last is not None and last.grid == state.grid
        has_same_cells = (
            last is not None
            and has_same_plane
            and last.event is state.event
            and (last.grid_name, last.layer) == (state.grid_name, state.layer)
            and last.cells.tobytes() == state.cells.tobytes()
        )
        self.holders.data = {"text": [drawing.holders_text(state)]}
        if not has_same_cells:
            self.cells.data = drawing.cell_columns(state)
            self.filled.data = drawing.filled_columns(state)
        self.outlines.data = drawing.outline_columns(state)
        self.seeds.data = drawing.seed_columns(state)
        if not has_same_plane:
            self.lines.data = drawing.line_columns(state)
        if last is None:
            self._add_glyphs()
        if (
            not has_same_plane
            or last is None
            or last.event is not state.event
            or last.grid_name != state.grid_name
        ):
            self._show_objects(state)
        if not has_same_plane:
            self._show_plane(state)
        if not has_same_cells:
            self._show_scale(state)
        self._drawn = state

    def _add_glyphs(self) -> None:
        """Draw cells, outlines and seeds; before there are columns this would warn of each."""
        plot = self.figure
        box = {"left": "left", "right": "right", "bottom": "bottom", "top": "top", "line_color": None}
        plot.quad(**box, source=self.filled, fill_color="fill", level="underlay")
        ends = ("x0", "y0", "x1", "y1")
        plot.segment(*ends, source=self.lines, line_color="#ebebeb", line_width=0.5, level="underlay")
        quads = plot.quad(**box, source=self.cells, fill_color=None, level="underlay")
        holder = CustomJSHover(args={"holders": self.holders}, code=HOLDER)
        self.hover = HoverTool(renderers=[quads], point_policy="follow_mouse", formatters={"@row": holder})
        plot.add_tools(self.hover)
        plot.quad(**{**box, "line_color": canvas.INK}, source=self.marked, fill_color=None, line_width=2)
        for colour, width in (("white", 3), (canvas.MARK, 1.5)):
            plot.segment("x0", "y0", "x1", "y1", source=self.outlines, line_color=colour, line_width=width)
        for colour, width in (("white", 3), (canvas.MARK, 1.5)):
            plot.scatter(
                "x", "y", size=8, source=self.seeds, fill_color=None, line_color=colour, line_width=width
            )
        plot.text(
            "x", "y", "number", source=self.seeds, x_offset=6, y_offset=-4, text_color=canvas.MARK,
            text_font_size="12px", text_outline_color="white", text_font_style="bold",
            text_font=value("sans-serif"),
        )  # fmt: skip

    def mark(self, state: ViewState, row: int, col: int) -> None:
        """Mark a cell."""
        self.marked.data = drawing.corners(state.grid, np.array([row]), np.array([col]))

    def _show_objects(self, state: ViewState) -> None:
        """Draw other objects, each kind with its mark and its line in the legend; a click there hides it."""
        columns = drawing.object_columns(state)
        for name in [each for each in columns if each not in self.objects]:
            number = len(self.objects)
            self.objects[name] = ColumnDataSource({"x": [], "y": []})
            colour = canvas.COLOURS[number % len(canvas.COLOURS)]
            marks = self.figure.scatter(
                "x", "y", source=self.objects[name], marker=MARKERS[number % len(MARKERS)], size=13,
                fill_color=None, line_color=colour, line_width=2.5,
            )  # fmt: skip
            if not self.figure.legend:
                self.figure.add_layout(Legend(orientation="horizontal", click_policy="hide"), "above")
            self.figure.legend[0].items.append(LegendItem(label=name, renderers=[marks]))
        for name, source in self.objects.items():
            source.data = columns.get(name, {"x": [], "y": []})

    def _show_plane(self, state: ViewState) -> None:
        """Set the ranges, titles and ticks of the axes, and the texts at the pointer."""
        view, plot = drawing.Layout.of(state.grid).view, self.figure
        width, height = view.size
        plot.height = round(WIDTH * min(1.0, max(0.45, height / width)))
        words = ["row" if axis is view.grid.rows else "column" for axis in view.axes]
        is_downwards = not view.rows_horizontal and view.axes[1].edge_positions is None
        sides = zip((plot.x_range, plot.y_range), (plot.xaxis, plot.yaxis), view.edges, strict=True)
        for number, (shown, axis, edges) in enumerate(sides):
            ends = (float(edges[0]), float(edges[-1]))
            start, end = ends[::-1] if number == 1 and is_downwards else ends
            shown.start, shown.end, shown.reset_start, shown.reset_end = start, end, start, end
            axis.axis_label = drawing.axis_title(view.axes[number], words[number])
        self.hover.tooltips = drawing.hover_texts(state)

    def _show_scale(self, state: ViewState) -> None:
        """Set the colour bar to the energies of the event."""
        scale = drawing.scale_of(state.cells)
        kind, ticker = (LogColorMapper, LogTicker) if scale.is_logarithmic else (LinearColorMapper, BasicTicker)
        bars = [each for each in self.figure.right if isinstance(each, ColorBar)]
        if bars and isinstance(bars[0].color_mapper, kind):  # new models cost a search through all others
            bars[0].color_mapper.update(low=scale.low, high=scale.high)
        else:
            mapper = kind(palette=drawing.palette(), low=scale.low, high=scale.high)
            if not bars:
                bars = [ColorBar(color_mapper=mapper, width=14)]
                self.figure.add_layout(bars[0], "right")
            bars[0].update(color_mapper=mapper, ticker=ticker())
        bars[0].title = drawing.energy_title(state.grid)


class CurvePicture:
    """The number of clusters in a sample against the seed threshold, with the threshold that is set."""

    def __init__(self) -> None:
        self.counts = ColumnDataSource({"threshold": [], "n": []})
        self.figure = figure(
            width=WIDTH, height=260, tools=TOOLS, x_axis_type="log", x_range=Range1d(0.1, 10),
            title="clusters in a sample",
        )  # fmt: skip
        self.figure.toolbar.logo = None
        self.figure.y_range.start = 0
        self.figure.yaxis.axis_label = "clusters"
        self.figure.line("threshold", "n", source=self.counts, line_color=canvas.FILL, line_width=2)
        self.figure.scatter("threshold", "n", source=self.counts, color=canvas.FILL, size=6)
        self.figure.add_tools(
            HoverTool(tooltips=[("threshold", "@threshold"), ("clusters", "@n")], mode="vline")
        )
        # an overlay, for which nothing else is painted again
        self.mark = Span(
            dimension="height", level="overlay", line_color=canvas.MARK, line_dash="dashed", line_width=2
        )
        self.figure.add_layout(self.mark)

    def show(self, state: ViewState, counts: Mapping[float, int] | None) -> None:
        """Draw the threshold of a state and, once they are known, the numbers of clusters."""
        position = state.threshold_position
        self.mark.update(location=position, visible=position > 0)
        self.figure.xaxis.axis_label = f"seed threshold [{state.threshold_unit}]"
        self.figure.title.text = (
            f"{state.collection}: clusters in the first events of the sample (counting ...)"
        )
        if counts is not None:
            self.counts.data = drawing.curve_columns({at: n for at, n in counts.items() if at > 0})
            n_events = state.n_events_of_sample
            self.figure.title.text = f"{state.collection}: clusters in the first {n_events} events"
            at = [each for each in counts if each > 0]
            if at:
                ends = {"start": min(at) / MARGIN, "end": max(at) * MARGIN}
                self.figure.x_range.update(**ends, **{f"reset_{side}": end for side, end in ends.items()})
            self.figure.xaxis.ticker = FixedTicker(
                ticks=[float(f"{each:.2g}") for each in at[:: max(1, len(at) // N_TICKS)]]
            )


def saved_page(state: ViewState, counts: Mapping[float, int], why: str = "") -> str:
    """Return a page with the event, which can be zoomed and hovered, its clusters, the counts and the YAML.

    `why` is the last explanation of a cell, as HTML.
    """
    picture, curve = EventPicture(), CurvePicture()
    picture.show(state)
    curve.show(state, counts)
    texts = (drawing.heading(state), drawing.cluster_table(state), f"<p>{why}</p>" * bool(why))
    heading, table, explained = (Div(text=text, width=WIDTH) for text in texts)
    yaml = Div(text=f"<h2>Config</h2>{drawing.code(state.yaml())}", width=WIDTH)
    layout = column(heading, picture.figure, explained, table, curve.figure, yaml)
    title = f"{state.source.title}: event {state.entry}, {state.collection}"
    return str(file_html(layout, INLINE, title, template=TEMPLATE))
