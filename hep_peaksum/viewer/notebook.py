"""The page in a notebook, by jupyter_bokeh; and which packages a page needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hep_peaksum.config.model import Config
from hep_peaksum.viewer.sources import config_of, source_of_arrays, source_of_config
from hep_peaksum.viewer.state import SAMPLE_EVENTS, ViewState


def check_installed(package: str, install: str) -> None:
    """Raise a RuntimeError that says what to install if a package is not there."""
    if find_spec(package) is None:
        msg = f"a view needs {package}, which is not installed: python -m pip install {install}"
        raise RuntimeError(msg)


def view(source: Any, settings: Any = None, grid: Any = None, *, entry: int = 0, **options: Any) -> Any:
    """Return a view of events for a notebook: browse them, change settings, and see the clusters change.

    It needs the package jupyter_bokeh. From a terminal, `hep-peaksum view` opens the same page in a browser.

    Parameters
    ----------
    source
        A config, or the path of one; the path of a ROOT file, which is read with the config that `inspect`
        proposes, or of a results folder; or cells, shape (event, row, col) or (event, layer, row, col).
    settings, grid
        Of cells: as for `hep_peaksum.find_clusters`.
    entry
        The event that is shown first.
    **options
        `dataset` and `collection` that are shown first, and `n_sample`, the number of events in which clusters
        are counted against the threshold; of cells also `mask`, `noise` and `layers`.

    Raises
    ------
    RuntimeError
        If Bokeh or jupyter_bokeh is not installed; the message says how to.
    ValueError
        If the source cannot be read, or the settings do not fit it.
    """
    check_installed("bokeh", "'hep_peaksum[view]'")
    check_installed("jupyter_bokeh", "jupyter_bokeh")
    from bokeh.io import output_notebook
    from bokeh.resources import INLINE
    from jupyter_bokeh import BokehModel

    from hep_peaksum.viewer.page import Page

    state = first_state(source, settings, grid, entry=entry, **options)
    output_notebook(INLINE, hide_banner=True)  # without BokehJS the view would be an error of JavaScript
    return BokehModel(Page(state, _later).layout)


def first_state(
    source: Any,
    settings: Any = None,
    grid: Any = None,
    *,
    entry: int = 0,
    n_sample: int = SAMPLE_EVENTS,
    dataset: str | None = None,
    collection: str | None = None,
    **maps: Any,
) -> ViewState:
    """Return what is shown first of a source; parameters as for `view`."""
    if isinstance(source, (str, Path, Config)):
        if settings is not None or grid is not None or maps:
            given = ", ".join([*["settings"] * (settings is not None), *["grid"] * (grid is not None), *maps])
            msg = f"{given}: a file has its own settings and grids; change them in the view, or give cells"
            raise ValueError(msg)
        title = source if isinstance(source, str) else "config" if isinstance(source, Config) else source.name
        events = source_of_config(config_of(source), title)
    else:
        events = source_of_arrays(source, settings, grid, **maps)
    return ViewState.first(events, entry=entry, n_sample=n_sample, dataset=dataset, collection=collection)


def _later(function: Callable[[], None], delay: int) -> None:
    """Run a function after some ms, in the loop in which the kernel answers; not at all where there is none."""
    with suppress(RuntimeError):
        asyncio.get_running_loop().call_later(delay / 1000, function)
