"""The demo: a toy sample, the quickstart config run over it, and its clusters compared with the truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import awkward as ak
import uproot

from hep_peaksum import toy
from hep_peaksum.cli.about import packaged
from hep_peaksum.config.formats import PLOTS
from hep_peaksum.config.load import load_config
from hep_peaksum.config.model import Config
from hep_peaksum.job.run import RunResult, run
from hep_peaksum.plotting import canvas, events
from hep_peaksum.preview.event import read_event
from hep_peaksum.results.chunk_files import part_paths
from hep_peaksum.results.parquet import read_columns

FOLDER = Path("hep-peaksum-demo")
QUICKSTART = "quickstart.yaml"
N_FILES = 2

# A fixed time of modification, so that the results of an earlier demo are still valid for a file that was
# deleted and made again.
MODIFICATION_TIME = 1_000_000_000


class Demo(NamedTuple):
    """Results of the demo: the config, the job, the comparison with the truth, an event display."""

    config: Path
    result: RunResult
    score: toy.Score
    picture: Path


def quickstart() -> str:
    """Return the text of the commented example config."""
    return packaged(f"configs/{QUICKSTART}")


def write_toy(n_events: int, seed: int) -> list[Path]:
    """Write the toy files of the demo and return their paths; files of the same events are kept as they are."""
    FOLDER.mkdir(exist_ok=True)
    paths = [FOLDER / f"toy-{n_events}-{seed}-{number}.root" for number in range(N_FILES)]
    for other in set(FOLDER.glob("toy-*.root")) - set(paths):
        other.unlink()
    per_file = -(-n_events // N_FILES)
    for number, path in enumerate(paths):
        if not path.exists():
            first = number * per_file
            sample = toy.make_events(min(per_file, n_events - first), seed=seed + number)
            toy.write_events(path, sample, first_event=first)
            os.utime(path, (MODIFICATION_TIME, MODIFICATION_TIME))
    return paths


def demo(n_events: int = 10_000, seed: int = 1, *, progress: bool = True) -> Demo:
    """Make a toy sample in the current folder, find its clusters and compare them with the truth."""
    files = write_toy(n_events, seed)
    path = FOLDER / QUICKSTART
    if not path.exists():
        path.write_text(quickstart(), encoding="utf-8")
    config = load_config(path)
    # a demo of another size has other files
    result = run(config, redo_changed=True, discard_unused=True, progress=progress)
    score = _score(files, result.directory)
    return Demo(path, result, score, _draw_event(config, result.directory))


def _score(files: list[Path], directory: Path) -> toy.Score:
    """Compare the clusters that the job wrote with the showers in the toy files."""
    parts = part_paths(directory, "toy")
    columns = ["Cluster_row", "Cluster_col", "Cluster_energy"]
    written = ak.concatenate([read_columns(part, columns) for part in parts])
    clusters = ak.zip({name.removeprefix("Cluster_"): written[name] for name in columns})
    truth = uproot.concatenate(dict.fromkeys(files, "Events"), filter_name="Shower_*")
    showers = ak.zip({name: truth[f"Shower_{name}"] for name in ("row", "col", "energy")})
    return toy.score(clusters, showers)


def _draw_event(config: Config, directory: Path, entry: int = 0) -> Path:
    """Draw one event into the plots of the results and return the path of the picture."""
    event = read_event(config, entry)
    picture = directory / PLOTS / f"event-{entry}.png"
    grid, settings = config.grids["calo"].grid, config.clusters["Cluster"].settings
    figure = events.draw_event(
        event.cells["calo"], settings, grid, clusters=event.clusters["Cluster"], title=f"toy event {entry}"
    )
    canvas.save(figure, picture)
    return picture
