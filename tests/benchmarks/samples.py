"""The toy files, made once and kept in a cache folder, and the job that reads them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.progress import track

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.model import Config
from hep_peaksum.toy import make_events, write_events
from tests.benchmarks.measuring import progress_console
from tests.benchmarks.reader import BRANCH, TREE

EVENTS_PER_FILE = 100_000
SHAPE = (24, 16)


def cache_folder() -> Path:
    """Return the folder of files that are kept: $HEP_PEAKSUM_BENCHMARKS, or one in the user's cache."""
    override = os.environ.get("HEP_PEAKSUM_BENCHMARKS")
    base = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
    folder = Path(override) if override else Path(base) / "hep_peaksum-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def toy_files(n_events: int, per_file: int = EVENTS_PER_FILE) -> list[Path]:
    """Return files with `n_events` toy events in total (24 x 16 float32, zstd); missing files are made.

    Every file has a seed of its own. Making one file at a time bounds the memory.
    """
    per_file = min(per_file, n_events)
    paths = [cache_folder() / f"toy-{per_file}-{number:03d}.root" for number in range(-(-n_events // per_file))]
    missing = [(number, path) for number, path in enumerate(paths) if not path.exists()]
    for number, path in track(missing, "toy files", console=progress_console, transient=True):
        write_events(path, make_events(per_file, seed=number), first_event=number * per_file)
    return paths


def linked_copies(paths: Sequence[Path], n_copies: int, folder: Path) -> list[Path]:
    """Return hard links under new names, which every reader takes for separate files."""
    links = [folder / f"{path.stem}-{copy}.root" for copy in range(n_copies) for path in paths]
    for link, path in zip(links, [*paths] * n_copies, strict=True):
        try:
            os.link(path, link)
        except OSError:  # another file system
            shutil.copyfile(path, link)
    return links


def job(
    paths: Sequence[Path],
    directory: Path,
    *,
    forms: Sequence[str] = ("parquet",),
    identify: bool = False,
    **run: Any,
) -> Config:
    """Return a job on toy files: 3x3 clusters with seeds above 1 GeV, the default histograms, no plots."""
    return parse_config(job_content(paths, directory, forms=forms, identify=identify, **run))


def job_content(
    paths: Sequence[Path],
    directory: Path,
    *,
    forms: Sequence[str] = ("parquet",),
    identify: bool = False,
    **run: Any,
) -> dict[str, Any]:
    """Return the same job as plain values, to be written as YAML."""
    grid = {
        "dense": {"branch": BRANCH, "shape": list(SHAPE), "axes": ["row", "col"]},
        "rows": {"name": "eta", "bins": SHAPE[0], "start": -3, "stop": 3},
        "cols": {"name": "phi", "bins": SHAPE[1], "start": "-pi", "stop": "pi", "periodic": True},
        "unit": "1 GeV",
    }
    content: dict[str, Any] = {
        "datasets": {"toy": {"files": {str(path): TREE for path in paths}}},
        "grids": {"calo": grid},
        "clusters": {"Cluster": {"grid": "calo", "seed_threshold": "1 GeV"}},
        "output": {"directory": str(directory), "clusters": list(forms), "plots": False},
        "run": run,
    }
    if identify:
        content["events"] = {"identify": {name: name for name in ("run", "luminosityBlock", "event")}}
    return content


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder in the cache: on disk, where the system's own may be in memory."""
    with TemporaryDirectory(prefix="scratch-", dir=cache_folder()) as folder:
        yield Path(folder)
