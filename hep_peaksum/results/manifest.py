"""Whose results a folder holds: the job, every input file with its number and state, and what was lost.

Numbers are assigned once and only ever appended. Results of another job, of another version or of a file that
has changed since are never reused silently.
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

from hep_peaksum.config.formats import FORMATS, MANIFEST, PARTS, RECORDS, SUMMARY
from hep_peaksum.config.load import file_key
from hep_peaksum.config.model import Config
from hep_peaksum.config.paths import Files, file_state
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.results.checkpoints import Chunk, finished_chunks, write_json
from hep_peaksum.results.lock import locked

REMEDY = "choose another directory, or start over with hep-peaksum run --restart, which removes its results"
# The key under which coffea's metadata and accumulator hold losses.
LOSSES = "losses"


@dataclass(frozen=True)
class Loss:
    """Entries that were not processed, and why; `n_entries` is None if the file could not even be opened."""

    dataset: str
    file: str
    start: int
    n_entries: int | None
    reason: str


class Numbers(dict[str, Any]):
    """The number of each dataset and of its files: ``{"toy": {"number": 1, "files": {path: 1}}}``."""

    def chunk(self, item: WorkItem) -> Chunk:
        """Return the chunk of a work item of coffea."""
        number = self[item.dataset]["files"][item.filename]
        return Chunk(item.dataset, number, item.entrystart, item.entrystop)


class Manifest:
    """The manifest of a results folder, made by `open_directory`."""

    def __init__(self, directory: Path, config: Config, datasets: dict[str, Any]) -> None:
        self.directory, self.datasets = directory, datasets
        self._head = {"fingerprint": fingerprint(config), "job": config.job()}

    @property
    def numbers(self) -> Numbers:
        """The numbers of datasets and files."""
        return Numbers(
            {
                name: {
                    "number": dataset["number"],
                    "files": {path: file["number"] for path, file in dataset["files"].items()},
                }
                for name, dataset in self.datasets.items()
            }
        )

    def file_metadata(self, files: Files) -> dict[FileMeta, Any]:
        """Return the metadata of local files that an earlier run opened: they need not be opened again."""
        known = {}
        for name, paths in files.items():
            for path, tree in paths.items():
                entry = self.datasets[name]["files"][path]
                if "uuid" in entry and entry["size"] is not None:
                    known[FileMeta(name, path, tree)] = {
                        "numentries": entry["n_entries"],
                        "uuid": bytes.fromhex(entry["uuid"]),
                        "state": (entry["size"], entry["mtime"]),
                    }
        return known

    def add_metadata(self, metadata: Mapping[FileMeta, Any]) -> None:
        """Store the UUID and the number of entries of files, and write the manifest.

        Raises
        ------
        ConfigError
            If a file is not the one whose results the folder holds.
        """
        for item, content in metadata.items():
            if LOSSES in content:
                continue
            entry = self.datasets[item.dataset]["files"][item.filename]
            identity = {"uuid": content["uuid"].hex(), "n_entries": content["numentries"]}
            if any(entry.setdefault(key, value) != value for key, value in identity.items()):
                raise ConfigError([_refusal(self.directory, _has_changed(item.filename))])
        self.write()

    def write(self) -> None:
        """Write the manifest to its folder."""
        write_json(self.directory / MANIFEST, {**self._head, "datasets": self.datasets}, indent=2)


@contextmanager
def locked_directory(config: Config) -> Iterator[Path]:
    """Create the results folder if necessary, and keep other runs out of it inside the block.

    Raises
    ------
    ConfigError
        If it cannot be written.
    hep_peaksum.results.lock.InUseError
        If another run is at work in it.
    """
    directory = Path(config.output.directory)
    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(directory))
        except OSError as error:
            raise _unwritable(directory, error) from None
        yield directory


def open_directory(directory: Path, config: Config, files: Files, *, restart: bool = False) -> Manifest:
    """Return the manifest of a results folder, with numbers for new datasets and files.

    Parameters
    ----------
    directory
        As from `locked_directory`.
    config, files
        The job whose results are to be written there.
    restart
        Remove the results that are there.

    Raises
    ------
    ConfigError
        If the folder cannot be written, or holds the results of another job or of files that have changed.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if restart and manifest:
            _remove_results(directory, manifest)
            manifest = {}
        _check_owner(directory, manifest, config)
        datasets = manifest.get("datasets", {})
        for name, paths in files.items():
            dataset = datasets.setdefault(name, {"number": len(datasets) + 1, "files": {}})
            _number_files(dataset["files"], paths)
        opened = Manifest(directory, config, datasets)
        opened.write()
    except OSError as error:
        raise _unwritable(directory, error) from None
    except ValueError as error:
        raise ConfigError([_refusal(directory, error)]) from None
    return opened


def _unwritable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError([f"output.directory: {directory} cannot be written ({error.strerror or error})"])


def _refusal(directory: Path, reason: object) -> str:
    return f"output.directory: {directory} {reason}: {REMEDY}"


def _has_changed(path: str) -> str:
    return f"holds results of {path} as it was before it changed"


def _remove_results(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Remove the chunks and the clusters of an earlier job; its other files are replaced in any case.

    The manifest is kept to the end, so that a restart that is interrupted can be started again.
    """
    (directory / SUMMARY).unlink(missing_ok=True)
    for name in manifest.get("datasets", {}):
        for file in (RECORDS, *(each.file for each in FORMATS.values())):
            path = directory / name / file
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _check_owner(directory: Path, manifest: Mapping[str, Any], config: Config) -> None:
    """Raise a ValueError if the folder holds the results of another job."""
    if not manifest and any(directory.glob(f"*/{PARTS}")):
        msg = "holds parts without a manifest"
        raise ValueError(msg)
    if manifest and manifest.get("fingerprint") != fingerprint(config):
        key = ".".join(file_key(_first_difference(manifest.get("job"), config.job())))
        difference = key or "the version of hep_peaksum"
        msg = f"holds the results of another config ({difference} differs)"
        raise ValueError(msg)


def _first_difference(one: Any, other: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the path of the first key in which two jobs differ, () if there is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        paths = (_first_difference(one.get(key), other.get(key), (*path, key)) for key in keys)
        return next((each for each in paths if each), ())
    return () if one == other else path


def _number_files(entries: dict[str, Any], paths: Mapping[str, str]) -> None:
    """Add new files with the next numbers; a file that has changed is a ValueError."""
    for path, tree in paths.items():
        size, mtime = file_state(path) or (None, None)
        state = {"size": size, "mtime": mtime, "tree": tree}
        entry = entries.setdefault(path, {"number": len(entries) + 1, **state})
        if entry["tree"] != tree:
            msg = f"holds the results of another tree of {path} ({entry['tree']})"
            raise ValueError(msg)
        if any(entry[key] != value for key, value in state.items()):
            raise ValueError(_has_changed(path))


def fingerprint(config: Config) -> str:
    """Return a short hash of everything that decides the results of a chunk: the job and the version."""
    text = json.dumps([config.job(), version("hep_peaksum")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Status(NamedTuple):
    """What a results folder holds.

    `summary` is None as long as the job is not complete; then `unfinished` holds, per dataset, the numbers of
    files, of finished chunks and of the entries in these.
    """

    summary: Mapping[str, Any] | None
    unfinished: Mapping[str, tuple[int, int, int]]


def read_status(directory: Path) -> Status:
    """Return what a results folder holds.

    Raises
    ------
    ValueError
        If it is no results folder.
    """
    if (directory / SUMMARY).is_file():
        return Status(json.loads((directory / SUMMARY).read_text(encoding="utf-8")), {})
    if not (directory / MANIFEST).is_file():
        msg = f"{directory}: not a results directory (it has no {MANIFEST})"
        raise ValueError(msg)
    datasets = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))["datasets"]
    unfinished = {}
    for name, dataset in datasets.items():
        chunks = finished_chunks(directory, name)
        unfinished[name] = (len(dataset["files"]), len(chunks), sum(chunk.n_entries for chunk in chunks))
    return Status(None, unfinished)
