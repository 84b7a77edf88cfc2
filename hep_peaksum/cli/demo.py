"""The demo: a toy sample with its truth, the quickstart config run over it, and how well it did."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import awkward as ak
import uproot

from hep_peaksum import toy
from hep_peaksum.config.formats import PLOTS
from hep_peaksum.config.load import load_config
from hep_peaksum.config.model import Config
from hep_peaksum.job.run import RunResult, run
from hep_peaksum.plotting import canvas, events
from hep_peaksum.preview.event import read_event
from hep_peaksum.results.checkpoints import part_paths

FOLDER = Path("hep-peaksum-demo")
QUICKSTART = "quickstart.yaml"
N_FILES = 2

# Equal toys are equal files, whenever they were made: results of an earlier demo stay theirs.
MADE = 1_000_000_000


class Demo(NamedTuple):
    """What the demo has left: the config that was run, what came out, and how it compares with the truth."""

    config: Path
    result: RunResult
    score: toy.Score
    picture: Path


def quickstart() -> str:
    """Return the text of the commented example config."""
    packaged = resources.files("hep_peaksum") / "configs" / QUICKSTART
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    # an editable install has the configs where the repository has them
    return (Path(__file__).parents[2] / "configs" / QUICKSTART).read_text(encoding="utf-8")


def write_toy(n_events: int, seed: int) -> list[Path]:
    """Write the toy files of the demo and return them; equal ones that are there are left alone."""
    FOLDER.mkdir(exist_ok=True)
    paths = [FOLDER / f"toy-{n_events}-{seed}-{number}.root" for number in range(N_FILES)]
    for other in set(FOLDER.glob("toy-*.root")) - set(paths):
        other.unlink()
    per_file = -(-n_events // N_FILES)
    for number, path in enumerate(paths):
        if not path.exists():
            first = number * per_file
            events = toy.make_events(min(per_file, n_events - first), seed=seed + number)
            toy.write_events(path, events, first_event=first)
            os.utime(path, (MADE, MADE))
    return paths


def demo(n_events: int = 10_000, seed: int = 1) -> Demo:
    """Make a toy sample in the current folder, find its clusters, compare them with the truth."""
    files = write_toy(n_events, seed)
    path = FOLDER / QUICKSTART
    if not path.exists():
        path.write_text(quickstart(), encoding="utf-8")
    config = load_config(path)
    result = run(config)
    parts = part_paths(result.directory, "toy")
    columns = ["Cluster_row", "Cluster_col", "Cluster_energy"]
    found = ak.concatenate([ak.from_parquet(part, columns=columns) for part in parts])
    clusters = ak.zip({name.removeprefix("Cluster_"): found[name] for name in columns})
    truth = uproot.concatenate(dict.fromkeys(files, "Events"), filter_name="Shower_*")
    showers = ak.zip({name: truth[f"Shower_{name}"] for name in ("row", "col", "energy")})
    return Demo(path, result, toy.score(clusters, showers), _draw_event(config, result.directory))


def _draw_event(config: Config, directory: Path, entry: int = 0) -> Path:
    """Draw one event into the plots of the results."""
    event = read_event(config, entry)
    picture = directory / PLOTS / f"event-{entry}.png"
    grid, settings = config.grids["calo"].grid, config.clusters["Cluster"].settings
    title = f"toy event {entry}"
    canvas.save(
        events.draw_event(event.cells["calo"], grid, event.clusters["Cluster"], settings, title=title), picture
    )
    return picture
