"""Tables that fit any screen: text is folded where it has to be, and numbers never."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

PADDING = 2  # spaces beside a cell, as rich has them
TEXT_WIDTH = 14  # characters to which a column of text may be folded


def table(*columns: str) -> Table:
    """Return an empty table whose columns fold long text instead of cutting it."""
    empty = FoldingTable()
    for column in columns:
        empty.add_column(Text(column), overflow="fold")
    return empty


def brief(value: Any) -> str:
    """Return a value as text, floats with five significant digits.

    >>> brief(1 / 3), brief(7)
    ('0.33333', '7')
    """
    return f"{value:.5g}" if isinstance(value, float) else str(value)


class FoldingTable(Table):
    """A table that is narrowed to its screen by folding text; where numbers do not fit, a list of its rows."""

    def __init__(self) -> None:
        super().__init__(box=SIMPLE_HEAD)

    def add_row(self, *cells: RenderableType | None, **style: Any) -> None:
        """Add a row; text is shown as it is, since square brackets in names are not markup."""
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table or, if it does not fit, a line for every cell, with the title of its column."""
        available = options.max_width - self._extra_width - PADDING * len(self.columns)
        natural = [_width(column, str.splitlines) for column in self.columns]
        needed = [min(each, _needed(column)) for each, column in zip(natural, self.columns, strict=True)]
        if sum(natural) > available >= sum(needed):
            for column, width in zip(self.columns, _widths(needed, natural, available), strict=True):
                column.width = width
        if sum(needed) <= available:
            yield from super().__rich_console__(console, options)
        else:
            yield from console.render(Text("\n".join(self._lines())), options.update(no_wrap=False))

    def _lines(self) -> list[str]:
        titles = [_plain(column.header) for column in self.columns]
        lines = list[str]()
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            texts = [" ".join(_plain(cell).split("\n")) for cell in cells]
            lines += [""] + [
                f"{title}: {text}".removeprefix(": ") for title, text in zip(titles, texts, strict=True)
            ]
        return [*lines, *([str(self.caption)] if self.caption else []), ""]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width of the screen: the table is laid out when it is printed."""
        return Measurement(1, options.max_width)


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _width(column: Column, split: object) -> int:
    texts = [_plain(column.header), *(_plain(cell) for cell in column.cells)]
    parts = [part for text in texts for part in split(text)]  # type: ignore[operator]
    return max(map(len, parts), default=0)


def _needed(column: Column) -> int:
    """Return the width in which no number of a column is cut."""
    if column.no_wrap:
        return _width(column, str.splitlines)
    numbers = _width(column, lambda text: [word for word in text.split() if re.match(r"[-+(]?\d", word)])
    return max(numbers, min(TEXT_WIDTH, _width(column, str.split)))


def _widths(needed: Sequence[int], natural: Sequence[int], available: int) -> list[int]:
    """Return widths between those needed and those natural that use what is available, evenly."""
    widths = list(needed)
    for _ in range(available - sum(widths)):
        room = [wanted - width for wanted, width in zip(natural, widths, strict=True)]
        widths[room.index(max(room))] += 1
    return widths
