"""The only place that opens ROOT files: trees, timeouts, and one-line errors."""

from __future__ import annotations

import importlib
import struct
import traceback
from typing import TYPE_CHECKING, Any, cast

import uproot

from hep_peaksum.config.inputs import SCHEMAS
from hep_peaksum.config.model import Config
from hep_peaksum.config.paths import REMOTE, expand_files
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.reading.remote import check_protocol, reading_options
from hep_peaksum.suggestions import did_you_mean

if TYPE_CHECKING:
    from coffea.nanoevents import BaseSchema


def schema_class(name: str) -> type[BaseSchema]:
    """Return the coffea schema of that name, or the class ``module:Class``."""
    import coffea.nanoevents

    if name in SCHEMAS:
        return cast("type[BaseSchema]", getattr(coffea.nanoevents, SCHEMAS[name]))
    module, _, attribute = name.partition(":")
    return cast("type[BaseSchema]", getattr(importlib.import_module(module), attribute))


def open_tree(file: Any, path: str, tree: str) -> Any:
    """Return a tree (TTree or RNTuple) of an open file.

    Raises
    ------
    ValueError
        If it is not there; the message lists those that are.
    """
    try:
        found = file[tree]
    except uproot.KeyInFileError:
        found = None
    if not isinstance(found, (uproot.TTree, uproot.behaviors.RNTuple.RNTuple)):
        trees = [
            key
            for key, kind in file.classnames(cycle=False).items()
            if kind in ("TTree", "ROOT::RNTuple", "TNtuple")
        ]
        msg = f"{path}: no tree {tree!r}{did_you_mean(tree, trees)}; there are {', '.join(trees) or 'none'}"
        raise ValueError(msg)
    return found


def open_file(path: str) -> Any:
    """Open a ROOT file.

    Raises
    ------
    OSError
        If the file cannot be opened, or is not a ROOT file, or is cut short.
    """
    try:
        return uproot.open(path)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        msg = f"{path}: cannot be read as a ROOT file ({reason})"
        raise OSError(msg) from error


def find_files(config: Config) -> dict[str, dict[str, str]]:
    """Return, per dataset, the path of every file and of its tree.

    Raises
    ------
    ConfigError
        With a line for every dataset whose files are not there.
    """
    found, problems = {}, []
    for name, dataset in config.datasets.items():
        try:
            found[name] = expand_files(dataset.files)
            for path in found[name]:
                check_protocol(path)
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.files: {error}")
    if problems:
        raise ConfigError(problems)
    return found


# What uproot raises for a file that does not hold what its head promises.
DAMAGED = (OSError, uproot.DeserializationError, struct.error)


def open_input(path: str, timeout: int) -> Any:
    """Open a ROOT file, wherever it is; one that cannot be read, or not in time, is an OSError of one line."""
    options = reading_options(path)
    if not options:
        return open_file(path)
    try:
        return uproot.open({path: None}, timeout=timeout, **options)
    except Exception as error:
        raise OSError(error_message(path, error)) from error


def _n_entries(tree: Any) -> int:
    """Return the number of entries; one that no branch has is a sign of damage."""
    n_entries = int(tree.num_entries)
    of_branches = {int(branch.num_entries) for branch in getattr(tree, "branches", ())}
    if n_entries < 0 or (of_branches and n_entries not in of_branches):
        msg = f"the tree says {n_entries} entries, its branches {', '.join(map(str, sorted(of_branches)))}"
        raise OSError(msg)
    return n_entries


def error_message(path: str, error: BaseException) -> str:
    """Return the cause that coffea wrapped, as one line that names the file."""
    while error.__cause__ is not None and not isinstance(error, DAMAGED):
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith(f"{path}: "):
        return text
    found = text.partition(" from FSSpec")[0]  # what follows is the inside of uproot
    if REMOTE in path and (isinstance(error, OSError) or not isinstance(error, ValueError)):
        return f"{path}: cannot be read ({type(error).__name__}: {found})"
    if isinstance(error, FileNotFoundError):
        return f"{path}: is not there any more"
    if isinstance(error, DAMAGED):
        return f"{path}: cannot be read as a ROOT file, it is cut short or damaged ({found})"
    if _comes_from_uproot(error):
        damage = f"{type(error).__name__}: {found}"
        return f"{path}: cannot be read as a ROOT file, it is damaged, or uproot cannot read it ({damage})"
    return f"{path}: {text}" if isinstance(error, ValueError) else f"{path}: {type(error).__name__}: {text}"


def _comes_from_uproot(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("uproot") for frame, _ in frames)
