"""The page `report.html`: what it shows, in which order, and what is left out where it would be too large."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml

from hep_peaksum.config.formats import HISTOGRAMS, PICTURES, PLOTS, REPORT, SUMMARY
from hep_peaksum.config.load import parse_done
from hep_peaksum.config.model import Config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.plotting.job_plots import Picture, kinds_of, pictures
from hep_peaksum.reading.files import files_kept_open
from hep_peaksum.report import accounts, displays, figures
from hep_peaksum.report.figures import Figure
from hep_peaksum.report.methods import methods
from hep_peaksum.report.tie_sample import tie_table
from hep_peaksum.results.atomic_write import atomic_write
from hep_peaksum.results.manifest import Content
from hep_peaksum.results.root_files import read_histograms
from hep_peaksum.results.status import finished_histograms, read_finished

MOST_BYTES = 4_000_000  # of figures; with all else the page stays below 5 MB
MOST_CONFIG = 200_000  # characters of the config in the page
MOST_DISPLAYS = 12  # each takes about a second to draw
TOO_MANY = f"the page draws {MOST_DISPLAYS} events"
NOT_DRAWN = "its cells cannot be read, and its seeds alone cannot be drawn"


Maker = Callable[[], list[Figure]]  # draws


class LeftOut(NamedTuple):
    """A figure that the page does not show, the file that has it (a picture, or its numbers), and why."""

    name: str
    file: str
    reason: str = ""

    @property
    def address(self) -> str:
        """The file as a relative address."""
        return quote(os.fsencode(self.file))


class Shown:
    """The figures of a page, as far as they fit."""

    def __init__(self, most_bytes: int) -> None:
        self.left, self.left_out = most_bytes, list[LeftOut]()

    def take(self, makers: Iterable[tuple[LeftOut, Maker]]) -> list[Figure]:
        """Return the figures that fit, in their order; after the first that does not, none is drawn."""
        taken: list[Figure] = []
        is_full = False
        for entry, make in makers:
            made = [] if is_full else make()
            size = sum(figure.size for figure in made)
            is_full = is_full or size > self.left
            if is_full or not made:
                self.left_out.append(entry if is_full else entry._replace(reason=NOT_DRAWN))
                continue
            self.left -= size
            taken += made
        return taken


def write_report(directory: Path, config: Config | None = None, *, with_figures: bool = True) -> Path:
    """Write `report.html` into a results folder, from what the folder holds, and return its path.

    Parameters
    ----------
    directory
        The results folder of a finished job.
    config
        The config of the job; by default the one in its summary, whose URLs have no passwords.
    with_figures
        Whether figures are drawn, and events of the input files looked at.

    Raises
    ------
    ValueError
        If it is not a results folder, or its job is not finished.
    """
    manifest, summary = read_finished(directory)
    if config is None:
        config = _config_of(summary)
    with files_kept_open():
        content = _content(directory, manifest, summary, config, with_figures=with_figures)
    with atomic_write(directory / REPORT, tidy=True) as file:
        # a path that is not UTF-8 shows its bytes
        file.write(_template().render(content).encode(errors="backslashreplace"))
    return directory / REPORT


def _config_of(summary: accounts.Summary) -> Config | None:
    """Return the config of a summary; None if it needs what is not here, such as a function of its author."""
    try:
        return parse_done(summary["config"])
    except ConfigError:
        return None


@cache  # compiling it takes most of the time of a page without figures
def _template() -> Any:
    """Return the template of the page; whatever is written into it is escaped."""
    import jinja2

    loader = jinja2.PackageLoader("hep_peaksum.report")
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=loader, autoescape=True, **options).get_template("page.html")


def _content(
    directory: Path,
    manifest: Content,
    summary: accounts.Summary,
    config: Config | None,
    *,
    with_figures: bool,
) -> dict[str, Any]:
    """Return everything that the page shows."""
    shown, unreadable = Shown(MOST_BYTES), dict[str, str]()
    events, one, two = list[Figure](), list[Figure](), list[Figure]()
    ties = None
    if with_figures and config is not None:
        displayed = displays.Events(directory, config, manifest, unreadable)
        drawn, others = _displays(displayed)
        events = shown.take(drawn)
        plots = [*_plots(directory, manifest, summary, config)]
        one = shown.take((entry, make) for entry, n_axes, make in plots if n_axes == 1)
        two = shown.take((entry, make) for entry, n_axes, make in plots if n_axes == 2)
        shown.left_out += others
        ties = tie_table(directory, config, manifest, unreadable)
    cut_flows, n_more_cut_flows = accounts.cut_flows(summary)
    text = yaml.safe_dump(summary["config"], sort_keys=False, default_flow_style=None, width=100)
    return {
        "directory": directory.resolve().name,
        "headline": accounts.headline(summary),
        "account": accounts.Account.of(summary, summary["datasets"]),
        "losses": accounts.losses(summary),
        "overview": accounts.overview(summary),
        "remarks": accounts.remarks(summary),
        "cut_flows": cut_flows,
        "n_more_cut_flows": n_more_cut_flows,
        "files": accounts.files(summary),
        "timing": accounts.timing(summary),
        "versions": accounts.versions(summary),
        "first": events[0] if events else None,
        "events": events[1:],
        "plots": [*one, *two],
        "ties": ties,
        "unreadable": unreadable,
        "left_out": shown.left_out[: accounts.MAX_ROWS],
        "n_more_left_out": max(0, len(shown.left_out) - accounts.MAX_ROWS),
        "methods": None if config is None else methods(config, summary["versions"]),
        "config": text if len(text) <= MOST_CONFIG else None,
        "summary_file": SUMMARY,
        "with_figures": with_figures,
        "is_known": config is not None,
    }


def _displays(events: displays.Events) -> tuple[list[tuple[LeftOut, Maker]], list[LeftOut]]:
    """Return the event displays, the leading events of all datasets first, and those that are too many."""
    chosen = [displays.choose(events.directory, events.config, name) for name in events.config.datasets]
    every = [choice for kind in ("leading", "most", "random") for each in chosen for choice in each[kind]]
    parts = (choice.chunk.part(events.directory).relative_to(events.directory) for choice in every)
    entries = [LeftOut(choice.name, str(part)) for choice, part in zip(every, parts, strict=True)]
    makers: list[Maker] = [partial(events.display, choice) for choice in every[:MOST_DISPLAYS]]
    others = [each._replace(reason=TOO_MANY) for each in entries[MOST_DISPLAYS:]]
    return [*zip(entries, makers, strict=False)], others


def _plots(
    directory: Path, manifest: Content, summary: accounts.Summary, config: Config
) -> Iterator[tuple[LeftOut, int, Maker]]:
    """Yield the pictures of the job, what sums it up first, with the number of their axes."""
    histograms: dict[str, dict[str, Any]] = {name: {} for name in summary["datasets"]}
    for key, h in read_histograms(finished_histograms(directory, manifest)).items():
        dataset, _, name = key.partition("/")
        histograms.setdefault(dataset, {})[name] = h
    every = pictures(histograms, summary.get("measurements", ()), kinds_of(config), config.output.stack)
    for picture in sorted(every, key=lambda picture: picture.rank):
        yield LeftOut(picture.name, _file_of(directory, picture)), picture.n_axes, _maker(picture)


def _maker(picture: Picture) -> Maker:
    return lambda: [figures.of_picture(picture)]


def _file_of(directory: Path, picture: Picture) -> str:
    """Return the file that has a picture, or else its numbers."""
    for suffix in PICTURES:
        file = f"{PLOTS}/{picture.name}.{suffix}"
        if (directory / file).is_file():
            return file
    return HISTOGRAMS if picture.histograms else SUMMARY
