"""Whose results a directory holds: the job, and every input file with its number and its state.

Numbers are given once and only ever appended. What was made by another job, another version or of a file that
has changed since is never used again silently.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from coffea.processor.executor import FileMeta, WorkItem

from hep_peaksum.config.formats import MANIFEST, PARTS, RECORDS, SUMMARY
from hep_peaksum.config.load import file_key
from hep_peaksum.config.model import Config
from hep_peaksum.config.paths import Files, file_state
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.results.checkpoints import Chunk, write_json
from hep_peaksum.results.lock import locked

REMEDY = "choose another directory, or start over with hep-peaksum run --restart, which removes its results"


class Numbers(dict[str, Any]):
    """Per dataset its number, and the numbers of its files: ``{"toy": {"number": 1, "files": {path: 1}}}``."""

    def chunk(self, item: WorkItem) -> Chunk:
        """Return the chunk that an item of coffea is."""
        number = self[item.dataset]["files"][item.filename]
        return Chunk(item.dataset, number, item.entrystart, item.entrystop)


class Manifest:
    """The file that says whose results a directory holds; see `open_directory`."""

    def __init__(self, directory: Path, config: Config, datasets: dict[str, Any]) -> None:
        self.directory, self.datasets = directory, datasets
        self._head = {"fingerprint": fingerprint(config), "job": config.job()}

    @property
    def numbers(self) -> Numbers:
        """The numbers of datasets and files."""
        return Numbers(
            {
                name: {"number": found["number"], "files": {p: f["number"] for p, f in found["files"].items()}}
                for name, found in self.datasets.items()
            }
        )

    def known(self, files: Files) -> dict[FileMeta, Any]:
        """Return what is known of local files, which then need not be opened again."""
        known = {}
        for name, paths in files.items():
            for path, tree in paths.items():
                entry = self.datasets[name]["files"][path]
                if "uuid" in entry and entry["size"] is not None:
                    metadata = {
                        "numentries": entry["n_entries"],
                        "uuid": bytes.fromhex(entry["uuid"]),
                        "state": (entry["size"], entry["mtime"]),
                    }
                    known[FileMeta(name, path, tree)] = metadata
        return known

    def note(self, known: Mapping[FileMeta, Any]) -> None:
        """Write down what was found in the files.

        Raises
        ------
        ConfigError
            If a file is not the one of which the directory holds results.
        """
        for item, metadata in known.items():
            if LOSSES in metadata:
                continue
            entry = self.datasets[item.dataset]["files"][item.filename]
            found = {"uuid": metadata["uuid"].hex(), "n_entries": metadata["numentries"]}
            if any(entry.setdefault(key, value) != value for key, value in found.items()):
                raise ConfigError([_refusal(self.directory, _has_changed(item.filename))])
        self.write()

    def write(self) -> None:
        """Put the file in its place."""
        write_json(self.directory / MANIFEST, {**self._head, "datasets": self.datasets}, indent=2)


@contextmanager
def held_directory(config: Config) -> Iterator[Path]:
    """Make the results directory where it is not there yet, and keep other runs out of it.

    Raises
    ------
    ConfigError
        If it cannot be written.
    hep_peaksum.results.lock.InUseError
        If another run is at work in it.
    """
    directory = Path(config.output.directory)
    with ExitStack() as held:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(directory))
        except OSError as error:
            raise _unwritable(directory, error) from None
        yield directory


def open_directory(directory: Path, config: Config, files: Files, *, restart: bool = False) -> Manifest:
    """Return the manifest of a results directory, with numbers for datasets and files that are new.

    Parameters
    ----------
    directory
        As from `held_directory`.
    config, files
        The job that wants to write there.
    restart
        Remove the results that are there.

    Raises
    ------
    ConfigError
        If the directory cannot be written, or holds the results of another job or of files that changed.
    """
    path = directory / MANIFEST
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if restart and known:
            _remove_results(directory, known)
            known = {}
        _check_owner(directory, known, config)
        datasets = known.get("datasets", {})
        for name, paths in files.items():
            dataset = datasets.setdefault(name, {"number": len(datasets) + 1, "files": {}})
            _number_files(dataset["files"], paths)
        manifest = Manifest(directory, config, datasets)
        manifest.write()
    except OSError as error:
        raise _unwritable(directory, error) from None
    except ValueError as error:
        raise ConfigError([_refusal(directory, error)]) from None
    return manifest


def _unwritable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError([f"output.directory: {directory} cannot be written ({error.strerror or error})"])


def _refusal(directory: Path, why: object) -> str:
    return f"output.directory: {directory} {why}: {REMEDY}"


def _has_changed(path: str) -> str:
    return f"holds results of {path} as it was before it changed"


def _remove_results(directory: Path, known: Mapping[str, Any]) -> None:
    """Remove the chunks of an earlier job; its other files are replaced in any case.

    The manifest stays to the last: who is stopped in between can start over once more.
    """
    (directory / SUMMARY).unlink(missing_ok=True)
    for name in known.get("datasets", {}):
        for folder in (RECORDS, PARTS):
            if (directory / name / folder).is_dir():
                shutil.rmtree(directory / name / folder)
        for path in (directory / name).glob("clusters*.root"):
            path.unlink(missing_ok=True)


def _check_owner(directory: Path, known: Mapping[str, Any], config: Config) -> None:
    """Raise a ValueError if the directory holds the results of another job."""
    if not known and any(directory.glob(f"*/{PARTS}")):
        msg = "holds parts without a manifest"
        raise ValueError(msg)
    if known and known.get("fingerprint") != fingerprint(config):
        key = ".".join(file_key(_changed(known.get("job"), config.job())))
        changed = key or "the version of hep_peaksum"
        msg = f"holds the results of another config ({changed} differs)"
        raise ValueError(msg)


def _changed(known: Any, mine: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the path of the first key in which two jobs differ, () if there is none."""
    if isinstance(known, dict) and isinstance(mine, dict):
        differing = (_changed(known.get(key), mine.get(key), (*path, key)) for key in sorted({*known, *mine}))
        return next((found for found in differing if found), ())
    return () if known == mine else path


def _number_files(known: dict[str, Any], paths: Mapping[str, str]) -> None:
    """Give new files the next numbers; a known file that has changed is an error."""
    for path, tree in paths.items():
        size, mtime = file_state(path) or (None, None)
        now = {"size": size, "mtime": mtime, "tree": tree}
        entry = known.setdefault(path, {"number": len(known) + 1, **now})
        if entry["tree"] != tree:
            msg = f"holds the results of another tree of {path} ({entry['tree']})"
            raise ValueError(msg)
        if any(entry[key] != value for key, value in now.items()):
            raise ValueError(_has_changed(path))


def fingerprint(config: Config) -> str:
    """Return what decides the results of a chunk, job and version, as a short hash."""
    text = json.dumps([config.job(), version("hep_peaksum")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Status(NamedTuple):
    """What a results directory holds: the summary, or per dataset the finished chunks and events so far."""

    summary: Mapping[str, Any] | None
    unfinished: Mapping[str, tuple[int, int, int]]


def read_status(directory: Path) -> Status:
    """Return what a results directory holds.

    Raises
    ------
    ValueError
        If it is not a results directory.
    """
    if (directory / SUMMARY).is_file():
        return Status(json.loads((directory / SUMMARY).read_text(encoding="utf-8")), {})
    if not (directory / MANIFEST).is_file():
        msg = f"{directory}: no results directory (it has no {MANIFEST})"
        raise ValueError(msg)
    datasets = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))["datasets"]
    unfinished = {}
    for name, found in datasets.items():
        ranges = [path.stem.split("-")[2:] for path in (directory / name / RECORDS).glob("part-*.json")]
        unfinished[name] = (
            len(found["files"]),
            len(ranges),
            sum(int(stop) - int(start) for start, stop in ranges),
        )
    return Status(None, unfinished)


LOSSES = "losses"


@dataclass(frozen=True)
class Loss:
    """Entries that were not processed, and why. `n_entries` is None where the file could not even be opened."""

    dataset: str
    file: str
    start: int
    n_entries: int | None
    reason: str
