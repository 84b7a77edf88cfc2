"""What `--json` prints: one document a command, each a model, whose schema is `MODEL.model_json_schema()`.

Energies are in the unit that a document names, sums in counts of the grid, entries counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from hep_peaksum.config.model import Config
    from hep_peaksum.config.reference import Key as ConfigKey
    from hep_peaksum.inspection.files import Inspection as Inspected
    from hep_peaksum.library.presets import Preset as Published
    from hep_peaksum.preview.check import Remarks


class Document(BaseModel):
    """A document, or a part of one: exactly the keys that it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckedCollection(Document):
    """How a collection is interpreted; thresholds in counts, and in GeV where the grid has a unit."""

    grids: dict[str, tuple[int, int]]
    thresholds: dict[str, str]
    settings: dict[str, Any]
    fields: list[str]


class Checked(Document):
    """`check`: what a config means; a line for every dataset whose files are `missing`, and other `remarks`.

    `tried` has a line for every dataset with the entries that have been looked at.
    """

    command: Literal["check"]
    file: str
    collections: dict[str, CheckedCollection]
    hits: dict[str, list[str]]
    missing: list[str]
    remarks: list[str]
    tried: list[str]


def checked(
    file: str,
    config: Config,
    bounds: Mapping[str, Mapping[str, str]],
    fillings: Mapping[str, Sequence[str]],
    remarks: Remarks,
) -> Checked:
    """Return the document of a valid config."""
    collections = {
        name: CheckedCollection(
            grids={grid: config.grids[grid].grid.shape for grid in each.grid},
            thresholds=dict(bounds[name]),
            settings=each.settings.model_dump(mode="json"),
            fields=list(config.written_fields(name)),
        )
        for name, each in config.clusters.items()
    }
    hits = {name: list(lines) for name, lines in fillings.items()}
    return Checked(
        command="check",
        file=file,
        collections=collections,
        hits=hits,
        missing=remarks.missing,
        remarks=remarks.others,
        tried=remarks.tried,
    )


class Candidate(Document):
    """Branches that could fill a grid, and the section `grids` that reads them."""

    tree: str
    n_entries: int
    branches: list[str]
    looks_like: str
    grid: dict[str, Any]
    run_first: str | None


class Inspection(Document):
    """`inspect`: what a file holds; `config` is YAML, null if nothing fills a grid."""

    command: Literal["inspect"]
    file: str
    trees: dict[str, int]
    candidates: list[Candidate]
    unreadable: dict[str, list[str]]
    config: str | None


def inspection(file: str, found: Inspected, config: str | None) -> Inspection:
    """Return the document of what a file holds."""
    candidates = [
        Candidate(
            tree=each.tree,
            n_entries=each.n_entries,
            branches=list(each.branches),
            looks_like=each.looks_like,
            grid=each.grid,
            run_first=each.command or None,
        )
        for each in found.candidates
    ]
    return Inspection(
        command="inspect",
        file=file,
        trees=found.trees,
        candidates=candidates,
        unreadable=found.unreadable,
        config=config,
    )


class Preset(Document):
    """A published algorithm: its source, how far it is reproduced, and its keys in a config."""

    title: str
    source: str
    reproduces: Literal["seeds", "sums", "full"]
    differs: str | None
    geometry: str | None
    settings: dict[str, Any]


class Presets(Document):
    """`presets`: all, or the one that was named."""

    command: Literal["presets"]
    presets: dict[str, Preset]


def presets(published: Mapping[str, Published]) -> Presets:
    """Return the document of published algorithms."""
    return Presets(
        command="presets", presets={name: Preset(**each.model_dump()) for name, each in published.items()}
    )


class Key(Document):
    """A key of the config; `default` is YAML."""

    type: str
    required: bool
    default: str | None
    description: str
    options: dict[str, str]
    keys: list[str]


class Keys(Document):
    """`keys`: those that were asked for, by their path."""

    command: Literal["keys"]
    keys: dict[str, Key]


def keys(found: Sequence[ConfigKey]) -> Keys:
    """Return the document of keys of the config."""
    return Keys(
        command="keys",
        keys={
            each.name: Key(
                type=each.type,
                required=each.is_required,
                default=each.default or None,
                description=each.description,
                options=dict(each.options),
                keys=[inner.path[-1] for inner in each.keys],
            )
            for each in found
        },
    )


class Info(Document):
    """`info`: what a report of a bug should say."""

    command: Literal["info"]
    versions: dict[str, str]
    optional_packages: dict[str, str | None]
    executors: dict[str, bool]
    kernel_cache: str | None
    kernel_cache_files: int
    kernel_cache_is_writable: bool
    folder: str
    folder_is_writable: bool
