"""What notebooks show of settings, grids and results: small tables, escaped, without scripts or style sheets.

Text has the colour of the page and shades are translucent, so that it is readable on light and dark pages.
Windows are tables with inline styles, because notebooks that are not trusted lose SVG and style sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from numbers import Integral, Real

MAX_DRAWN = 21  # rows and columns of a window; a larger one is a few words
MEANINGS = {
    "o": "seed",
    ">": "must be exceeded",
    "=": "may be equalled",
    "x": "belongs to the window",
    "g": "gated",
}
BLOCK = "display:inline-block;vertical-align:top;margin:0 2em .6em 0"
TABLE = "border-collapse:collapse;margin:0;background:transparent;color:inherit"
CELL = "padding:.1em .8em .1em 0;border:0;background:transparent;color:inherit;text-align:"
LINE = "1px solid rgba(128,128,128,.6)"
WINDOW_CELL = f"width:1.5em;height:1.5em;padding:0;text-align:center;color:inherit;border:{LINE};background:"
RED, ORANGE, BLUE = "rgba(228,37,54,.45)", "rgba(248,156,32,.4)", "rgba(63,111,196,.3)"
SHADES = {"o": RED, ">": ORANGE, ".": "transparent"}


def page(title: str, *blocks: str) -> str:
    """Return blocks side by side below a title.

    >>> page("a < b")
    '<div><div><b>a &lt; b</b></div></div>'
    """
    inside = "".join(f'<div style="{BLOCK}">{block}</div>' for block in blocks if block)
    return f"<div><div><b>{escape(title)}</b></div>{inside}</div>"


def key_table(values: Mapping[str, object]) -> str:
    """Return a table of names and values, a line each."""
    lines = (f"<tr>{_heading(key, 'row')}{_cell(value, 'left')}</tr>" for key, value in values.items())
    return f'<table style="{TABLE}">{"".join(lines)}</table>' if values else ""


def column_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return a table with a heading for each column; numbers are flush right, and so are their headings."""
    rows = list(rows)
    first = rows[0] if rows else [""] * len(columns)
    sides = ["right" if isinstance(value, Real) else "left" for value in first]
    head = "".join(_heading(name, "col", side) for name, side in zip(columns, sides, strict=True))
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f'<table style="{TABLE}">{_caption(caption)}<tr>{head}</tr>{body}</table>'


def window_table(name: str, marks: Mapping[tuple[int, int], str]) -> str:
    """Return a drawn window, its marks given by their offsets (row, col), with the meaning of each mark."""
    rows, cols = [d for d, _ in marks], [p for _, p in marks]
    n_rows, n_cols = (max(each) - min(each) + 1 for each in (rows, cols))
    caption = f"{name}, {n_rows} × {n_cols}"
    if max(n_rows, n_cols) > MAX_DRAWN:
        return f"<div>{escape(caption)}: {len(marks)} cells</div>"
    lines = []
    for d in range(min(rows), max(rows) + 1):
        drawn = (marks.get((d, p), ".") for p in range(min(cols), max(cols) + 1))
        lines.append("".join(_window_cell(mark) for mark in drawn))
    used = [f"{mark} {meaning}" for mark, meaning in MEANINGS.items() if mark in marks.values()]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    legend = f"<div><small>{escape(' · '.join(used))}</small></div>"
    # no caption: the table would be as wide as it, and its cells no squares
    heading = f"<div>{escape(caption)}</div>"
    return f'{heading}<table style="{TABLE}" aria-label="{escape(caption)}">{body}</table>{legend}'


def folded(summary: str, content: str) -> str:
    """Return content that is hidden until its summary is clicked."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>" if content else ""


def lines(texts: Iterable[str]) -> str:
    """Return texts, a line each."""
    return "".join(f"<div>{escape(text)}</div>" for text in texts)


def _window_cell(mark: str) -> str:
    shown = escape(mark.replace(".", "\N{NO-BREAK SPACE}"))
    return f'<td style="{WINDOW_CELL}{SHADES.get(mark, BLUE)}">{shown}</td>'


def _cell(value: object, side: str = "") -> str:
    side = side or ("right" if isinstance(value, Real) else "left")
    is_flag = isinstance(value, bool)  # an Integral, too
    text = f"{int(value):,}" if isinstance(value, Integral) and not is_flag else str(value)
    return f'<td style="{CELL}{side}">{escape(text)}</td>'


def _heading(text: str, scope: str, side: str = "left") -> str:
    return f'<th scope="{scope}" style="{CELL}{side}">{escape(text)}</th>'


def _caption(text: str) -> str:
    style = "caption-side:top;text-align:left;color:inherit"
    return f'<caption style="{style}">{escape(text)}</caption>' if text else ""
