"""The only place that opens ROOT files: with a timeout, errors of one line, and events as coffea makes them."""

from __future__ import annotations

import importlib
import struct
import traceback
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import awkward as ak
import uproot
import xxhash

from hep_peaksum.config.model import Config
from hep_peaksum.config.sections import RunOptions
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.events.section import IDENTITY, SCHEMAS, NumberInName
from hep_peaksum.inputs.branch_names import full_name
from hep_peaksum.inputs.functions import brief_error
from hep_peaksum.inputs.paths import REMOTE, InputFile, expand_files, public_path, redacted, without_secrets
from hep_peaksum.plain_files import is_endless, no_file
from hep_peaksum.reading.basket_limit import MAX_BASKET, LargeBasketError, find_basket
from hep_peaksum.reading.remote import check_protocol, reading_options
from hep_peaksum.suggestions import did_you_mean, listed

if TYPE_CHECKING:
    from coffea.nanoevents import BaseSchema

# In seconds, where there is no config to set run.timeout.
TIMEOUT = RunOptions().timeout
# What uproot raises if a file does not contain what its header promises.
DAMAGED = (OSError, uproot.DeserializationError, struct.error)

NEW_LINE = "\n"
END_BYTES = 1 << 16

_files_kept_open: ContextVar[dict[tuple[Any, ...], Any] | None] = ContextVar("files_kept_open", default=None)


def find_files(config: Config) -> dict[str, list[InputFile]]:
    """Return the input files of every dataset, with all patterns expanded.

    Raises
    ------
    ConfigError
        With one line for every dataset whose files do not exist.
    """
    files: dict[str, list[InputFile]] = {}
    problems: list[str] = []
    for name, dataset in config.datasets.items():
        try:
            files[name] = name_trees(expand_files(dataset.patterns), config.run.timeout)
            by_name: dict[InputFile, str] = {}
            for path, tree in files[name]:
                check_protocol(path)
                problems.extend(_without_number(config, path))
                if by_name.setdefault(InputFile(public_path(path), tree), path) != path:
                    msg = f"two URLs of {public_path(path)} differ only in user or query, which are not stored"
                    problems.append(f"datasets.{name}.files: {msg}: keep one of them")
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.files: {error}")
    if problems:
        raise ConfigError(problems)
    return files


def _without_number(config: Config, path: str) -> Iterator[str]:
    """Yield what is missing in the path of a file that should hold a number of the identity."""
    for key, source in config.events.identify.items():
        if isinstance(source, NumberInName):
            try:
                source.of(public_path(path))
            except ValueError as error:
                yield f"events.identify.{key}.filename: {error}"


def name_trees(files: Sequence[InputFile], timeout: int | None = None) -> list[InputFile]:
    """Return files with the tree of those that name none: the only one of the first of them.

    Raises
    ------
    ValueError
        If that file has several trees, or none.
    OSError
        If it cannot be read; the message is one line.
    """
    path = next((path for path, tree in files if not tree), None)
    if path is None:
        return list(files)
    with open_file(path, timeout) as file, one_line_errors(path):
        trees = tree_names(file)
    if len(trees) != 1:
        held = f"the trees {', '.join(trees)}: name one, as in {path}:{trees[0]}" if trees else "no tree"
        msg = f"{public_path(path)} has {held}"
        raise ValueError(msg)
    return list(dict.fromkeys(InputFile(path, tree or trees[0]) for path, tree in files))


def tree_names(file: Any) -> list[str]:
    """Return the names of the trees of an open file; nothing else in it is read."""
    names = file.classnames(cycle=False).items()
    return [key for key, class_name in names if class_name in ("TTree", "ROOT::RNTuple", "TNtuple")]


def open_file(path: str, timeout: int | None = None, max_basket: int = MAX_BASKET) -> Any:
    """Return an open ROOT file, local or remote, for a ``with`` statement, which closes it.

    Parameters
    ----------
    path
        A path or a URL.
    timeout
        Seconds after which a request to a server is given up; by default `TIMEOUT`.
    max_basket
        Bytes that a basket may claim to hold.

    Raises
    ------
    OSError
        If the file cannot be opened in time, is not a ROOT file, or is cut short; the message is one line.
    """
    seconds = TIMEOUT if timeout is None else timeout
    kept, key = _files_kept_open.get(), (path, seconds, max_basket)
    if kept is None:
        return _open(path, seconds, max_basket)
    if key not in kept:
        kept[key] = _open(path, seconds, max_basket)
    return nullcontext(kept[key])


@contextmanager
def files_kept_open() -> Iterator[None]:
    """Keep the files that `open_file` opens inside the block open until its end, and open none twice.

    For what looks into a few files again and again: uproot builds all branches of a tree whenever its file is
    opened anew, which takes two seconds for 6000 of them.
    """
    if _files_kept_open.get() is not None:
        yield
        return
    files: dict[tuple[Any, ...], Any] = {}
    token = _files_kept_open.set(files)
    try:
        yield
    finally:
        _files_kept_open.reset(token)
        for file in files.values():
            file.close()


def _open(path: str, timeout: int, max_basket: int) -> Any:
    if REMOTE not in path and is_endless(path):
        raise OSError(no_file(path))
    try:
        return uproot.open({path: None}, timeout=timeout, **reading_options(path, max_basket))
    except Exception as error:
        if REMOTE in path or isinstance(error, LargeBasketError):
            raise OSError(error_message(path, error)) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        msg = f"{path}: cannot be read as a ROOT file ({reason}){_other_kind(Path(path))}"
        raise OSError(msg) from error


def _other_kind(path: Path) -> str:
    """Return what to do with a path that is not a ROOT file but something else."""
    if path.is_dir():
        return f": a folder, name a file in it, as in {path / 'NAME.root'}"
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return f": a config, see `hep-peaksum check {path}`"
    if path.is_file() and not (start := _start_of(path)).startswith(b"root"):
        held = f"begins with {start[:20]!r}, and a ROOT file begins with b'root'" if start else "is empty"
        return f": it {held}: download or make it again"
    beside = (each.name for each in path.parent.iterdir()) if path.parent.is_dir() else ()
    return "" if path.exists() else did_you_mean(path.name, beside, likeness=0.85)


def _start_of(path: Path) -> bytes:
    """Return the first bytes of a file; those of a ROOT file if it cannot be read at all."""
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError:
        return b"root"


def content_digest(path: str, n_bytes: int, timeout: int | None = None) -> str:
    """Return the xxh3 of the content of a file; of a remote one, of its first and last 64 kB."""
    if REMOTE not in path:
        digest = xxhash.xxh3_64()
        with open(path, "rb") as file:  # noqa: PTH123 -- names that are not text, too
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    with open_file(path, timeout) as root:
        ends = [(0, min(END_BYTES, n_bytes)), (max(0, n_bytes - END_BYTES), n_bytes)]
        return xxhash.xxh3_64_hexdigest(b"".join(bytes(root.file.source.chunk(*end).raw_data) for end in ends))


def open_tree(file: Any, path: str, tree: str) -> Any:
    """Return a tree (TTree or RNTuple) of an open file.

    Raises
    ------
    ValueError
        If there is no such tree; the message lists those that exist.
    """
    try:
        content = file[tree]
    except uproot.KeyInFileError:
        content = None
    if not isinstance(content, (uproot.TTree, uproot.behaviors.RNTuple.RNTuple)):
        trees = tree_names(file)
        there = listed(trees, near=tree) or "none"
        msg = f"{path}: no tree {tree!r}{did_you_mean(tree, trees)}; there are {there}"
        raise ValueError(msg)
    if isinstance(content, uproot.behaviors.RNTuple.RNTuple):
        mark_leaves(content)
    return content


def mark_leaves(ntuple: Any) -> None:
    """Mark the fields of an RNTuple that hold no others as such.

    Why: uproot looks through all fields for those inside each one, 2 s for 1500 fields.
    Drop it when uproot does not; see `tests/reading/test_uproot_patches.py`.
    """
    parents = {record.parent_field_id for record in ntuple.field_records}
    for number, field in enumerate(ntuple.all_fields):
        if number not in parents:
            field._fields = []


def is_readable(branch: Any) -> bool:
    """Return whether uproot can read a branch of a TTree; one that holds others, if it can read all of them."""
    if not isinstance(branch, uproot.behaviors.TBranch.TBranch):
        return True
    try:
        branch.interpretation.awkward_form(None)
    except Exception:  # noqa: BLE001 -- whatever it is, it matters only to who uses the branch
        return False
    return True


# What coffea takes as `iteritems_options`, so that a branch of a TTree that cannot be read does not end it.
READABLE: Mapping[str, Any] = {"filter_branch": is_readable}


def _readable(tree: Any) -> Mapping[str, Any]:
    return READABLE if isinstance(tree, uproot.TTree) else {}


def check_readable(tree: Any, name: str) -> None:
    """Raise a ValueError if a tree has a branch of that name, but uproot cannot read it."""
    names = tree.keys()
    if (name := full_name(name, names)) not in names or is_readable(tree[name]):
        return
    inside = [f"{name}/{key}" for key, branch in tree[name].iteritems() if not is_readable(branch)]
    reason = f", because of {inside[-1]!r}" if inside else ""
    remedy = "name a branch in it" if tree[name].keys() else "name another one"
    msg = f"the branch {name!r} of type {tree[name].typename!r} cannot be read by uproot{reason}: {remedy}"
    raise ValueError(msg)


def count_entries(tree: Any) -> int:
    """Return the number of entries of a tree; branches that disagree are a sign of damage, and an OSError."""
    n_entries = int(tree.num_entries)  # Geant4 writes a float
    of_branches = {int(branch.num_entries) for branch in getattr(tree, "branches", ())}
    if n_entries < 0 or (of_branches and n_entries not in of_branches):
        msg = f"the tree has {n_entries} entries, its branches {', '.join(map(str, sorted(of_branches)))}"
        raise OSError(msg)
    return n_entries


def schema_class(name: str) -> type[BaseSchema]:
    """Return the coffea schema of that name, or the class ``module:Class``.

    Raises
    ------
    ConfigError
        If the class cannot be imported, or is not a schema.
    """
    import coffea.nanoevents

    if name in SCHEMAS:
        return cast("type[BaseSchema]", getattr(coffea.nanoevents, SCHEMAS[name]))
    module, _, attribute = name.partition(":")
    try:
        schema = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the module of the user does
        remedy = f"write {module}:NAME of a class in it"
        if not isinstance(error, AttributeError):
            remedy = "put its folder on PYTHONPATH" if isinstance(error, ImportError) else "mend the module"
        msg = f"events.schema: {name!r} cannot be imported ({brief_error(error)}): {remedy}"
        raise ConfigError([msg]) from error
    if not (isinstance(schema, type) and issubclass(schema, coffea.nanoevents.BaseSchema)):
        msg = f"events.schema: {name!r} is not a class derived from coffea.nanoevents.BaseSchema: derive it"
        raise ConfigError([msg])
    return schema


def nano_events(
    file: Any, path: str, tree: str, start: int, stop: int, *, schema: str, dataset: str = ""
) -> ak.Array:
    """Return entries `start` to `stop` of an open file as the events that coffea hands to a processor.

    Columns are read when they are used; ``events.metadata`` holds the same keys as in a job. Branches that
    uproot cannot read are left out.

    Raises
    ------
    ValueError
        If coffea cannot make events of the tree by the schema; the message says what to use instead.
    """
    from coffea.nanoevents import NanoEventsFactory

    metadata = {
        "dataset": dataset,
        "filename": path,
        "treename": tree,
        "entrystart": start,
        "entrystop": stop,
        "fileuuid": str(uuid.UUID(bytes=file.file.fUUID)),
    }
    kind = schema_class(schema)
    try:
        factory = NanoEventsFactory.from_root(
            file,
            treepath=tree,
            schemaclass=kind,
            entry_start=start,
            entry_stop=stop,
            metadata=metadata,
            iteritems_options=_readable(file[tree]),
        )
    except Exception as error:
        if schema == "base" or isinstance(error, DAMAGED) or _comes_from_uproot(error):
            raise
        msg = f"{public_path(path)}: {_other_schema(file, tree, schema, error)}"
        raise ValueError(msg) from None  # whoever reports it names the last cause alone
    return factory.events()


def _other_schema(file: Any, tree: str, schema: str, error: Exception) -> str:
    """Return that a schema of coffea does not fit a tree, and what to use instead."""
    content = file[tree]
    suggested = {
        "nanoaod": {*content.keys()} >= IDENTITY.keys(),
        "delphes": content.name == "Delphes",
        "edm4hep": any("edm4hep::" in name for name in content.typenames().values()),
    }
    fitting = [
        f"write {name}, or "
        for name, is_likely in suggested.items()
        if is_likely and name != schema and _fits(file, tree, name)
    ]
    reason = f"{type(error).__name__}: {str(error).strip().partition(NEW_LINE)[0].strip()}"
    remedy = f"{''.join(fitting)}leave it out and name branches as `hep-peaksum inspect` does"
    return f"events.schema {schema!r} does not fit the tree {content.name!r} ({reason}): {remedy}"


def _fits(file: Any, tree: str, schema: str) -> bool:
    """Return whether coffea can make events of a tree by a schema."""
    from coffea.nanoevents import NanoEventsFactory

    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = schema_class(schema)
        NanoEventsFactory.from_root(
            file, treepath=tree, schemaclass=kind, entry_stop=0, iteritems_options=_readable(file[tree])
        ).events()
        return True
    return False


@contextmanager
def one_line_errors(path: str) -> Iterator[None]:
    """Raise what uproot or a file system raises inside the block as an OSError of one line.

    Other errors, such as a missing branch or an event that does not fit its grid, pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, DAMAGED) or _comes_from_uproot(error):
            raise OSError(error_message(path, error)) from error
        raise


def error_message(path: str, error: BaseException) -> str:
    """Return one line that names the file and the cause of an error, without what coffea wrapped around it."""
    while error.__cause__ is not None and not isinstance(error, DAMAGED):
        error = error.__cause__
    text = str(error)
    if isinstance(error, LargeBasketError):
        text = f"{error.place or _basket_at(path, error.position)} {error.claim}"
    text = redacted(without_secrets(" ".join(text.split()), path)) or type(error).__name__
    is_remote, path = REMOTE in path, public_path(path)
    if text.startswith(f"{path}: "):
        return text
    reason = text.partition(" from FSSpec")[0]  # the rest describes uproot's own state
    if is_remote and (isinstance(error, OSError) or not isinstance(error, ValueError)):
        return f"{path}: cannot be read ({type(error).__name__}: {reason})"
    # a function of the user may read another file
    is_other = isinstance(error, OSError) and str(error.filename or path) != path
    if isinstance(error, FileNotFoundError) and not is_other:
        return f"{path}: the file no longer exists"
    if isinstance(error, DAMAGED) and not is_other:
        return f"{path}: cannot be read as a ROOT file, it is cut short or damaged ({reason}): copy it again"
    if _comes_from_uproot(error) and not isinstance(error, LargeBasketError):
        reason = f"{type(error).__name__}: {reason}"
        return f"{path}: cannot be read as a ROOT file, it is damaged, or uproot cannot read it ({reason})"
    return f"{path}: {text}" if isinstance(error, ValueError) else f"{path}: {type(error).__name__}: {text}"


def _basket_at(path: str, position: int) -> str:
    """Return what begins at a position of a file, in words."""
    with suppress(Exception), uproot.open({path: None}, timeout=TIMEOUT, **reading_options(path)) as file:
        if basket := find_basket(file, position):
            return basket
    return f"what begins at byte {position}"


def _comes_from_uproot(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("uproot") for frame, _ in frames)
