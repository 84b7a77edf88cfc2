"""The page: a state, the fields that change it, and the connections between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from bokeh.document import Document
from bokeh.events import Tap
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, CustomJS, Div, NumericInput, Pane, Select, UIElement

from hep_peaksum.library.presets import presets
from hep_peaksum.viewer import drawing
from hep_peaksum.viewer.controls import WIDTH, SettingsFields
from hep_peaksum.viewer.pictures import TEMPLATE, CurvePicture, EventPicture, saved_page
from hep_peaksum.viewer.pictures import WIDTH as PICTURE
from hep_peaksum.viewer.state import Count, ViewState

OWN = "(no preset)"
SIDE = 3 * WIDTH + 40
TABLE_HEIGHT = 260
COUNT_AFTER = 150  # ms without a change, so that quick changes do not wait for counts that nobody will see
DOWNLOAD = """
const [name, text] = [download.data.name[0], download.data.text[0]]
const link = document.createElement("a")
link.href = URL.createObjectURL(new Blob([text], {type: "text/html"}))
link.download = name
link.click()
setTimeout(() => URL.revokeObjectURL(link.href), 1000)
"""
Schedule = Callable[[Callable[[], None], int], None]  # runs a function after some ms


class Page:
    """A page on which a source is browsed. `state` is what it shows, `layout` its models.

    `schedule` runs a function later; without it the clusters of the sample are counted with `count_now` only.
    """

    def __init__(self, state: ViewState, schedule: Schedule | None = None) -> None:
        self.state, self.counts = state, dict[float, int]()
        self.cell: tuple[int, int] | None = None  # that was asked about last
        self._schedule, self._counter, self._is_showing = schedule, state.counts(), False
        self.picture, self.curve = EventPicture(), CurvePicture()
        self.fields = SettingsFields(lambda **keys: self.change(lambda state: state.changed(**keys)))
        self._make_choices()
        self._make_texts()
        self.picture.figure.on_event(Tap, self._on_tap)
        self.layout = self._arrange()
        self._show()

    def _make_choices(self) -> None:
        """Make the fields for event, dataset, collection, grid, layer, preset and cell."""
        source, moves = self.state.source, (("previous", -1), ("next", 1))
        self.previous, self.next = (
            Button(label=f"{word} event", width=WIDTH, align="end") for word, _ in moves
        )
        for button, (_, step) in zip((self.previous, self.next), moves, strict=True):
            button.on_click(lambda step=step: self.change(lambda state: state.at(state.entry + step)))
        self.entry = NumericInput(title="event", mode="int", width=WIDTH)
        self.layer = NumericInput(title="layer", mode="int", width=WIDTH)
        choices = {
            "dataset": source.datasets,
            "collection": [*source.collections],
            "grid": [],
            "preset": [OWN, *presets()],
        }
        self.choices = {
            word: Select(title=word, options=list(each), width=WIDTH) for word, each in choices.items()
        }
        self.row, self.col = (
            NumericInput(title=word, mode="int", width=WIDTH // 2) for word in ("row", "column")
        )
        self._connect(self.entry, lambda state, value: state.at(value))
        self._connect(self.layer, lambda state, value: state.on(layer=value))
        self._connect(self.choices["dataset"], lambda state, value: state.at(0, value))
        self._connect(self.choices["collection"], lambda state, value: state.of(value))
        self._connect(self.choices["grid"], lambda state, value: state.on(value))
        self._connect(
            self.choices["preset"], lambda state, value: state.with_preset(value) if value != OWN else state
        )
        for widget in (self.row, self.col):
            widget.on_change("value", lambda _attribute, _old, _new: self._on_cell())

    def _connect(self, widget: Any, make: Callable[[ViewState, Any], ViewState]) -> None:
        widget.on_change(
            "value",
            lambda _attribute, _old, new: None if new is None else self.change(lambda state: make(state, new)),
        )

    def _make_texts(self) -> None:
        """Make what is written on the page, and the button that saves it."""
        self.heading, self.message, self.why, self.yaml = (
            Div(width=width) for width in (WIDTH * 6, SIDE, SIDE, SIDE)
        )
        # of a fixed height: what is below stays where it is, and the browser lays out nothing else anew
        self.table = Div(stylesheets=[f":host {{height: {TABLE_HEIGHT}px; overflow: auto}}"], width=PICTURE)
        self.save = Button(label="save this view", width=WIDTH, align="end")
        self.save.on_click(self._on_save)
        self.download = ColumnDataSource({"name": [], "text": []})
        self.download.js_on_change("data", CustomJS(args={"download": self.download}, code=DOWNLOAD))
        # so that the browser knows the model, which nothing else refers to
        self.save.js_on_event("button_click", CustomJS(args={"download": self.download}, code=""))

    def _arrange(self) -> UIElement:
        title = Div(text="<b>Why not here?</b> Click a cell, or name it:", width=SIDE)
        yaml = Div(text="<b>What is drawn, as YAML</b>", width=SIDE)
        choices = self.choices
        side = column(
            row(choices["dataset"], choices["collection"], choices["preset"]),
            *(row(*each) for each in self.fields.rows),
            _alone(self.message), title, row(self.row, self.col), _alone(self.why), yaml, _alone(self.yaml),
        )  # fmt: skip
        top = row(self.previous, self.next, self.entry, choices["grid"], self.layer, self.save)
        main = column(_alone(self.heading), self.picture.figure, _alone(self.table), self.curve.figure)
        return column(top, row(main, side))

    def change(self, make: Callable[[ViewState], ViewState]) -> None:
        """Show another state; if there is none, say why and leave the picture as it is."""
        if self._is_showing:  # fields that are set to what is shown
            return
        try:
            self.state = make(self.state)
        except (ValueError, TypeError, OSError) as error:
            lines = "<br>".join(map(escape, str(error).splitlines()))
            self.message.text = f'<p role="alert"><b>not drawn:</b> {lines}</p>'
            return
        self._show()

    def _show(self) -> None:
        """Set every model to the state, once each; the browser paints the event when it has all of it."""
        document, figure = self.layout.document, self.picture.figure
        figure.hold_render = True
        if document is not None:
            document.hold("combine")
        self._is_showing = True
        try:
            self.message.text = ""
            self.picture.show(self.state)
            self.curve.show(self.state, None)
            self._show_texts()
            self._show_fields()
        finally:
            self._is_showing = False
            if document is not None:
                document.unhold()
            figure.hold_render = False
        self._count_later()

    def _show_texts(self) -> None:
        state = self.state
        self.heading.text = drawing.heading(state)
        self.table.text = drawing.cluster_table(state)
        self.yaml.text = drawing.code(state.yaml())
        self._explain()

    def _show_fields(self) -> None:
        state = self.state
        self.fields.show(state.settings, state.source_plane.grid, has_noise=state.has_noise)
        self.entry.value, self.layer.value = state.entry, state.layer
        self.layer.visible, self.choices["grid"].visible = state.n_layers > 1, len(state.section.grid) > 1
        self.choices["grid"].options = list(state.section.grid)
        shown = {"dataset": state.dataset, "collection": state.collection, "grid": state.grid_name}
        for word, value in {**shown, "preset": state.section.preset or OWN}.items():
            self.choices[word].value = value

    def _on_tap(self, event: Tap) -> None:
        cell = drawing.cell_at(self.state, event.x, event.y)
        if cell is not None:
            self.ask(*cell)

    def _on_cell(self) -> None:
        if not self._is_showing and self.row.value is not None and self.col.value is not None:
            self.ask(self.row.value, self.col.value)

    def ask(self, row_: int, col: int) -> None:
        """Say why a cell is a seed or not."""
        self.cell, self._is_showing = (row_, col), True
        self.row.value, self.col.value = row_, col
        self._is_showing = False
        self._explain()

    def _explain(self) -> None:
        if self.cell is None:
            return
        try:
            self.why.text = escape(str(self.state.why(*self.cell)))
            self.picture.mark(self.state, *self.cell)
        except ValueError as error:
            self.why.text = escape(str(error))

    def _count_later(self) -> None:
        """Count the clusters in the sample once nothing has changed for a moment, a threshold at a time."""
        self._counter = counter = self.state.counts()
        if self._schedule is not None:
            self.counts = {}
            self._schedule(lambda: self._count_on(counter), COUNT_AFTER)

    def _count_on(self, counter: Iterator[Count]) -> None:
        if counter is not self._counter:  # the settings have changed since
            return
        count = next(counter, None)
        if count is None:
            self.curve.show(self.state, self.counts)
        elif self._schedule is not None:
            self.counts[count.position] = count.n_clusters
            self._schedule(lambda: self._count_on(counter), 0)

    def count_now(self) -> None:
        """Count the clusters in the sample at once."""
        self.counts = {count.position: count.n_clusters for count in self.state.counts()}
        self.curve.show(self.state, self.counts)

    def _on_save(self) -> None:
        self.count_now()
        name = f"event-{self.state.entry}-{self.state.collection}.html"
        self.download.data = {"name": [name], "text": [saved_page(self.state, self.counts, self.why.text)]}


def _alone(text: Div) -> Pane:
    """Return a text whose changes do not make the browser lay out the figures again, as those in columns do."""
    return Pane(elements=[text])


def add_page(document: Document, state: ViewState) -> Page:
    """Put a page into the document of a session."""

    def schedule(function: Callable[[], None], delay: int) -> None:
        if delay:
            document.add_timeout_callback(function, delay)
        else:
            document.add_next_tick_callback(function)

    page = Page(state, schedule)
    document.add_root(page.layout)
    document.template = TEMPLATE
    document.title = f"hep-peaksum: {state.source.title}"
    return page
