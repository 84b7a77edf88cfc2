"""The manifest of a results folder: whose results it holds, and every input file with its number and state.

Numbers are assigned once and only ever appended. Results of another job, of another version or of a file that
has changed since are never reused silently.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xxhash
from coffea.processor.executor import FileMeta
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hep_peaksum.config.formats import HISTOGRAMS, MANIFEST, SUMMARY
from hep_peaksum.config.model import Config
from hep_peaksum.inputs.paths import Files, file_state, file_uuid, public_path
from hep_peaksum.results.atomic_write import atomic_write, seal, unseal
from hep_peaksum.results.checkpoints import checksum

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


class InputMeta(FileMeta):  # type: ignore[misc]
    """A file as coffea knows it, whatever its name: coffea's own hash takes ASCII names only."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash((self.dataset, self.filename, self.treename))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FileEntry(_Section):
    """An input file: its number, and its state when its chunks were planned (size and mtime if local)."""

    number: int
    size: int | None = None
    mtime: int | None = None
    uuid: str | None = None
    n_entries: int | None = None
    types: dict[str, tuple[int, str]] = Field(default_factory=dict)
    encodings: dict[str, str] = Field(default_factory=dict)

    def forget(self, state: tuple[int, int] | None) -> None:
        """Take the state of another file of the same name; its content is not known yet."""
        self.size, self.mtime = state or (None, None)
        self.uuid = self.n_entries = None
        self.types, self.encodings = {}, {}

    def is_of(self, path: str, *, check_uuid: bool) -> bool:
        """Return whether the file at a path is still this one; its UUID is read from its head if asked for."""
        if (file_state(path) or (None, None)) != (self.size, self.mtime):
            return False
        return not (check_uuid and self.uuid and self.size is not None) or file_uuid(path) == self.uuid


class DatasetEntry(_Section):
    """A dataset: its number, and its files: path -> path of a tree in it -> entry.

    `types` are those of the branches that decide on the columns of the results: how many lists the numbers lie
    in, and what they are. The entry of a file holds those of its own.
    """

    number: int
    types: dict[str, tuple[int, str]] = Field(default_factory=dict)
    files: dict[str, dict[str, FileEntry]] = Field(default_factory=dict)

    @cached_property
    def by_number(self) -> dict[int, tuple[str, str, FileEntry]]:
        """Path, tree and entry of every tree of every file, by the number."""
        return {
            entry.number: (path, tree, entry)
            for path, trees in self.files.items()
            for tree, entry in trees.items()
        }

    def entry(self, path: str, tree: str) -> FileEntry | None:
        """Return the entry of a tree of a file, None if there is none."""
        return self.files.get(public_path(path), {}).get(tree)

    def add(self, path: str, tree: str) -> FileEntry:
        """Return the entry of a tree of a file, with the next number if it is new."""
        entry = self.entry(path, tree)
        if entry is None:
            name, entry = public_path(path), FileEntry(number=len(self.by_number) + 1)
            entry.forget(file_state(path))
            self.files.setdefault(name, {})[tree] = entry
            self.by_number[entry.number] = (name, tree, entry)
        return entry


class Content(_Section):
    """The content of the file `manifest.json`.

    `checksums` are those of summary and histograms of a finished job; a folder of an older version has none.
    """

    fingerprint: str
    job: dict[str, Any]
    datasets: dict[str, DatasetEntry] = Field(default_factory=dict)
    checksums: dict[str, str] = Field(default_factory=dict)


class ManifestError(ValueError):
    """A manifest that cannot be read, or does not hold what a manifest holds."""


def read_manifest(directory: Path) -> Content | None:
    """Return the content of the manifest of a results folder, None if there is none.

    Raises
    ------
    ManifestError
        If it is damaged; one line.
    """
    path = directory / MANIFEST
    try:
        if path.exists() and not path.is_file():
            msg = f"{path} is not a file"
            raise ManifestError(msg)
        content = path.read_bytes()
        body = unseal(content)
        if body is None:
            msg = f"{path} is damaged (it is not what was written)"
            raise ManifestError(msg)
        return Content.model_validate(json.loads(body))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        msg = f"{path} is damaged ({place + ': ' * bool(place)}{first['msg']})"
        raise ManifestError(msg) from None
    except json.JSONDecodeError as error:
        msg = f"{path} is damaged ({error})"
        raise ManifestError(msg) from None
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror})"
        raise ManifestError(msg) from None


class Manifest:
    """The manifest of a results folder, made by `hep_peaksum.results.folder.open_directory`."""

    def __init__(
        self,
        directory: Path,
        config: Config,
        datasets: dict[str, DatasetEntry],
        checksums: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        known = {"datasets": datasets, "checksums": dict(checksums or {})}
        self.content = Content(fingerprint=fingerprint(config), job=config.job(), **known)

    @property
    def datasets(self) -> dict[str, DatasetEntry]:
        """The datasets by name."""
        return self.content.datasets

    def entries(self, files: Files) -> Iterator[tuple[str, str, str, FileEntry]]:
        """Yield dataset, path, tree and entry of every input of a job; new ones get the next number."""
        for name, inputs in files.items():
            dataset = self.datasets.setdefault(name, DatasetEntry(number=len(self.datasets) + 1))
            for path, tree in inputs:
                yield name, path, tree, dataset.add(path, tree)

    def numbers(self, dataset: str, path: str, tree: str) -> tuple[int, int]:
        """Return the number of a dataset and of a file, which `entries` has given them."""
        own = self.datasets[dataset]
        return own.number, own.files[public_path(path)][tree].number

    def file_numbers(self, dataset: str, path: str) -> set[int]:
        """Return the numbers of a file, one for each of its trees."""
        return {entry.number for entry in self.datasets[dataset].files.get(public_path(path), {}).values()}

    def file_metadata(self, files: Files) -> dict[FileMeta, Any]:
        """Return the metadata of local files that an earlier run opened: they need not be opened again."""
        return {
            InputMeta(name, path, tree): known
            for name, path, tree, entry in self.entries(files)
            if entry.size is not None and (known := self.known_metadata(name, path, tree)) is not None
        }

    def known_metadata(self, dataset: str, path: str, tree: str) -> dict[str, Any] | None:
        """Return the metadata of a file, local or remote, as an earlier run found it; None if there is none."""
        entry = self.datasets[dataset].entry(path, tree)
        if entry is None or entry.uuid is None:
            return None
        return {
            "numentries": entry.n_entries,
            "uuid": bytes.fromhex(entry.uuid),
            "state": None if entry.size is None else (entry.size, entry.mtime),
            "n_bytes": entry.size,
            "types": entry.types,
            "encodings": entry.encodings,
        }

    def add_metadata(self, metadata: Mapping[FileMeta, Any]) -> list[tuple[str, str]]:
        """Store UUIDs and numbers of entries; return dataset and path of files that are different ones now."""
        changed: list[tuple[str, str]] = []
        for item, content in metadata.items():
            entry = self.datasets[item.dataset].entry(item.filename, item.treename)
            if LOSSES in content or entry is None:
                continue
            found = (content["uuid"].hex(), content["numentries"])
            if entry.uuid is not None and (entry.uuid, entry.n_entries) != found:
                changed.append((item.dataset, item.filename))
            entry.uuid, entry.n_entries = found
        return changed

    def set_types(self, types: Mapping[str, Mapping[str, Any]], metadata: Mapping[FileMeta, Any]) -> None:
        """Store the types of every dataset and of every file, and the encodings of its ids."""
        for name, decided in types.items():
            self.datasets[name].types = dict(decided)
        for item, content in metadata.items():
            entry = self.datasets[item.dataset].entry(item.filename, item.treename)
            if entry is not None and "types" in content:
                entry.types, entry.encodings = dict(content["types"]), dict(content.get("encodings", {}))

    def write(self) -> None:
        """Write the manifest to its folder."""
        # not by pydantic, which writes the same for all bytes of a path that are not UTF-8
        content = json.dumps(self.content, default=_plain, separators=(",", ":"))
        with atomic_write(self.directory / MANIFEST) as file:
            file.write(seal(content.encode()))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, which makes the results complete, after the manifest with its checksum.

        The manifest is there at the end, whatever became of it while the job ran.
        """
        content = json.dumps(summary, indent=2).encode()
        found = {HISTOGRAMS: checksum(self.directory / HISTOGRAMS), SUMMARY: xxhash.xxh3_64_hexdigest(content)}
        self.content.checksums = found
        self.write()
        with atomic_write(self.directory / SUMMARY) as file:
            file.write(content)


def _plain(section: BaseModel) -> dict[str, Any]:
    """Return the fields of a section that have a value; `model_dump` would copy all that is in them, too."""
    fields = {name: getattr(section, name) for name in type(section).model_fields}
    return {name: value for name, value in fields.items() if value is not None}


def fingerprint(config: Config) -> str:
    """Return a short hash of everything that decides the results of a chunk: the job and the version."""
    text = json.dumps([config.job(), version("hep_peaksum")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
