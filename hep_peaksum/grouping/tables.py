"""What grouping and joining share: which branches, how they are called in the output, and where it may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import awkward as ak

from hep_peaksum.config.sections import Dataset
from hep_peaksum.inputs.paths import REMOTE, InputFile, expand_files
from hep_peaksum.kernels import Array
from hep_peaksum.reading.files import name_trees
from hep_peaksum.results.parquet import COLUMN_NAME, Columns
from hep_peaksum.suggestions import did_you_mean, listed

Kind = Literal["ttree", "rntuple"]


def find_source(text: str) -> InputFile:
    """Return the file and the tree of ``FILE`` or ``FILE:TREE``; a file with a single tree needs no name.

    Raises
    ------
    ValueError
        If there are several files, or several trees.
    OSError
        If there is no such file, or it cannot be read.
    """
    files = name_trees(expand_files(Dataset.model_validate({"files": text}).patterns))
    if len(files) != 1:
        msg = f"{text!r} matches {len(files)} files: event numbers begin anew in each, so write each by itself"
        raise ValueError(msg)
    return files[0]


def check_output(source: str, output: Path, *, overwrite: bool) -> None:
    """Raise a ValueError if a file must not be written there: it is the input, or exists already."""
    if REMOTE not in source and output.exists() and output.samefile(source):
        msg = f"{output} is the file that is read: choose another name with -o"
        raise ValueError(msg)
    if output.exists() and not overwrite:
        msg = f"{output} exists already: choose another name with -o, or add --force to replace it"
        raise ValueError(msg)


def find_branch(name: str, names: Collection[str], where: str) -> str:
    """Return the full name of a branch that is named in full or by its last part, ``h.x`` of ``h/h.x``.

    Raises
    ------
    ValueError
        If there is none; the message suggests the nearest name and lists those that exist.
    """
    found = [each for each in names if name in (each, last_part(each))]
    if not found:
        raise ValueError(_no_branch(name, names, where))
    return name if name in found else found[0]


def choose(patterns: Iterable[str], names: Collection[str], where: str) -> list[str]:
    """Return the branches that match any of some names or patterns (``pos*``), in the order of the file.

    Raises
    ------
    ValueError
        If nothing matches one of them.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        # a name may hold brackets, which would be a pattern
        exact = {each for each in names if pattern in (each, last_part(each))}
        found = exact or {
            each for each in names if any(fnmatchcase(n, pattern) for n in (each, last_part(each)))
        }
        if not found:
            raise ValueError(_no_branch(pattern, names, where))
        chosen |= found
    return [name for name in names if name in chosen]


def is_pattern(name: str, names: Collection[str]) -> bool:
    """Return whether a name stands for several branches, and not for one that is called so."""
    return bool(re.search(r"[*?[]", name)) and not any(name in (each, last_part(each)) for each in names)


def _no_branch(name: str, names: Collection[str], where: str) -> str:
    words = [last_part(each) for each in names]
    return f"{where}: no branch {name!r}{did_you_mean(name, words)}; there are {listed(words, near=name)}"


def last_part(branch: str) -> str:
    """Return the last part of the name of a branch, ``h.x`` of ``h/h.x``."""
    return branch.rpartition("/")[2]


def word(name: str) -> str:
    """Return the last part of a name as it can stand in the name of a column.

    >>> word("hits/hits.position.x"), word("covMatrix[21]")
    ('hits_position_x', 'covMatrix_21')
    """
    return re.sub(r"\W+", "_", last_part(name)).strip("_")


def check_names(columns: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the branch of every column of the output.

    Raises
    ------
    ValueError
        If two branches would have the same name, or one could not be written.
    """
    branch_of: dict[str, str] = {}
    for name, branch in columns:
        if not COLUMN_NAME.fullmatch(name):
            msg = f"{branch!r} would be written as {name!r}: names begin with a letter, choose one with --name"
            raise ValueError(msg)
        if branch_of.setdefault(name, branch) != branch:
            both = f"{branch_of[name]!r} and {branch!r}"
            msg = f"{both} would both be written as {name!r}: choose one of them with --branches"
            raise ValueError(msg)
    return branch_of


def event_columns(
    numbers: Mapping[str, Array], hits: Mapping[str, ak.Array], collection: str, kind: Kind
) -> Columns:
    """Return the columns of a tree with one entry per event: numbers of the event, and lists of its hits.

    Flat names as of NanoAOD: `nHits` and `Hits_<field>`, which coffea's NanoAODSchema makes a collection of.
    """
    columns: dict[str, Any] = {name: ak.Array(values) for name, values in numbers.items()}
    if kind == "ttree":  # uproot writes one counter for a list of records
        return {**columns, collection: ak.zip(dict(hits))}
    counts = ak.values_astype(ak.num(next(iter(hits.values()))), "int32")
    return {**columns, f"n{collection}": counts, **{f"{collection}_{name}": hits[name] for name in hits}}
