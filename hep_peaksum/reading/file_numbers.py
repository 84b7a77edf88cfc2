"""The numbers of files: in the order in which a config or a fileset lists them, else a hash of their names.

A number names the parts of a file, and its events where the file does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import xxhash

from hep_peaksum.config.sections import Dataset
from hep_peaksum.inputs.paths import REMOTE, expand_files
from hep_peaksum.settings.frozen_model import plain

UNLISTED = 1 << 62  # such files come after all others, in the order of their names


def number_datasets(datasets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of datasets and of their files, from 1 and in the order given.

    Parameters
    ----------
    datasets
        The section of a config, or a fileset of coffea.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a pattern matches nothing.
    """
    files = {name: each["files"] if isinstance(each, Mapping) else each for name, each in datasets.items()}
    patterns = {name: Dataset.model_validate({"files": plain(each)}).patterns for name, each in files.items()}
    paths = {name: [path for path, _ in expand_files(each)] for name, each in patterns.items()}
    return {
        name: {"number": number, "files": {path: i for i, path in enumerate(paths[name], start=1)}}
        for number, name in enumerate(datasets, start=1)
    }


class FileNumbers:
    """The numbers of listed files; those of other files follow from their absolute paths.

    Parameters
    ----------
    numbers
        As from `number_datasets`.

    >>> numbers = FileNumbers({"toy": {"number": 1, "files": {"a.root": 7}}})
    >>> numbers.of({"dataset": "toy", "filename": os.path.abspath("a.root")})
    (1, 7)
    """

    def __init__(self, numbers: Mapping[str, Any]) -> None:
        self._numbers = {
            name: {**each, "files": {_absolute(path): n for path, n in each["files"].items()}}
            for name, each in plain(numbers).items()
        }

    def of(self, metadata: Mapping[str, Any]) -> tuple[int, int]:
        """Return the numbers of dataset and file, 32 bits each: those in coffea's metadata, or the known ones.

        Those of a file that is not listed are the halves of a hash. Without a file they are 0.
        """
        if "numbers" in metadata:
            return metadata["numbers"]  # type: ignore[no-any-return]
        if listed := self._listed(metadata):
            return self._numbers[metadata["dataset"]]["number"], listed
        return divmod(_hash_of(metadata), 1 << 32) if "filename" in metadata else (0, 0)

    def of_part(self, metadata: Mapping[str, Any]) -> int:
        """Return the number in the names of parts; the whole hash, lest parts of two files have one name."""
        if "numbers" in metadata or self._listed(metadata):
            return self.of(metadata)[1]
        return _hash_of(metadata)

    def place(self, metadata: Mapping[str, Any]) -> int:
        """Return the place of a file among those of its dataset."""
        return self._listed(metadata) or UNLISTED

    def _listed(self, metadata: Mapping[str, Any]) -> int | None:
        files = self._numbers.get(metadata.get("dataset", ""), {}).get("files", {})
        return files.get(_absolute(metadata.get("filename", "")))  # type: ignore[no-any-return]


def _absolute(path: str) -> str:
    """Return the name of a file as seen from the root; URLs as they are."""
    return path if REMOTE in path else os.path.abspath(path)  # noqa: PTH100 -- Path.absolute keeps ".."


def _hash_of(metadata: Mapping[str, Any]) -> int:
    """Return a number of 62 bits that tells trees of files apart."""
    tree = f"{_absolute(metadata['filename'])}:{metadata.get('treename', '')}"
    return xxhash.xxh3_64_intdigest(tree.encode("utf-8", "surrogateescape")) >> 2
