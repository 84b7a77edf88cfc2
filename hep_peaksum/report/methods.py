"""A paragraph on how the clusters were made, ready to paste into a note or a paper, with its references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hep_peaksum.config.model import Config
from hep_peaksum.diagnostics.wording import settings_in_words
from hep_peaksum.library.presets import preset, read_preset
from hep_peaksum.settings.model import PeakSumSettings

# What a job always uses, with the identifiers under which the projects ask to be cited.
LIBRARIES = {
    "coffea": "doi:10.5281/zenodo.3266454",
    "awkward": "doi:10.5281/zenodo.4341376",
    "uproot": "doi:10.5281/zenodo.4340632",
}


class Methods(NamedTuple):
    """The paragraphs, one for each collection, and what they refer to."""

    paragraphs: Sequence[str]
    references: Sequence[str]


def methods(config: Config, versions: Mapping[str, str]) -> Methods:
    """Return how the clusters of every collection were made."""
    references = [f"The hep_peaksum developers, hep_peaksum {versions['hep_peaksum']}."]
    references += [f"{name} {versions[name]}, {doi}." for name, doi in LIBRARIES.items()]
    numbers = ", ".join(str(k) for k in range(2, len(references) + 1))
    paragraphs = []
    for name, collection in config.clusters.items():
        source = ""
        if collection.preset is not None:
            published = read_preset(collection.preset)
            reference = f"{published.title}: {published.source}."
            if reference not in references:
                references.append(reference)
            cited = references.index(reference) + 1
            changed = _changed(collection.settings, preset(collection.preset)[0])
            source = f" The settings are those of {published.title} [{cited}]{changed}."
            source += f" {_sentence(published.differs)}" if published.differs else ""
        paragraphs.append(f"{_search(config, name)}{source} {_rest(collection.settings)}")
    made = f"Clusters were found with hep_peaksum {versions['hep_peaksum']} [1] in a coffea job [{numbers}]."
    return Methods([made, *paragraphs], references)


def _search(config: Config, name: str) -> str:
    """Return what was searched, and by which windows."""
    collection = config.clusters[name]
    grids = " and ".join(
        f"{grid} ({config.grids[grid].grid.shape[0]} x {config.grids[grid].grid.shape[1]} cells)"
        for grid in collection.grid
    )
    settings = collection.settings
    return (
        f"{name}: local maxima were sought in the grid {grids}, each compared with the other cells of "
        f"{_window(settings.search_window, 'search')}; the energies of the cells in "
        f"{_window(settings.sum_window, 'sum')} around each maximum were added."
    )


def _window(window: Any, word: str) -> str:
    """Return a window in words.

    >>> _window((3, 5), "search"), _window("ox", "sum")
    ('a window of 3 x 5 cells', 'a drawn sum window')
    """
    return (
        f"a drawn {word} window" if isinstance(window, str) else f"a window of {window[0]} x {window[1]} cells"
    )


def _rest(settings: PeakSumSettings) -> str:
    """Return the other settings, each in a few words."""
    return _sentence("; ".join(_clause(term, words) for term, words in settings_in_words(settings)))


def _clause(term: str, words: str) -> str:
    """Return a setting as part of a sentence: the meaning of a named choice in brackets.

    >>> _clause("overlap", "equal: a cell of several windows is divided equally")
    'overlap equal (a cell of several windows is divided equally)'
    >>> _clause("seed threshold", "> 4 GeV")
    'seed threshold > 4 GeV'
    """
    name, is_named, meaning = " ".join(words.split()).partition(": ")
    if is_named:
        return f"{term} {name} ({meaning})"
    return f"{term} {name}" if name.startswith((">", "<")) else f"{term}: {name}"


def _changed(ours: PeakSumSettings, published: PeakSumSettings) -> str:
    """Return in which settings a collection differs from its preset."""
    mine, theirs = ours.model_dump(), published.model_dump()
    names = [key for key in mine if mine[key] != theirs[key] and key != "kernel"]
    return f", except for {', '.join(names)}" if names else ""


def _sentence(words: str) -> str:
    """Return words with a capital letter and a full stop.

    >>> _sentence(" cells  of several windows.")
    'Cells of several windows.'
    """
    joined = " ".join(words.split())
    return f"{joined[:1].upper()}{joined[1:].rstrip('.')}."
