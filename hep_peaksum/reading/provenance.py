"""Where events come from: the file, the entries and the metadata that coffea gives them, or nothing at all.

Columns may be read from the file behind the events only if these are a chunk as coffea made it: no file knows
the order of events that a user has selected or sorted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak

from hep_peaksum.geometry.grid import is_traced


def check_events(events: Any) -> None:
    """Raise unless events are an awkward array of records, whose fields are the branches.

    Raises
    ------
    TypeError
        Otherwise, with what to hand over instead.
    """
    if not isinstance(events, ak.Array) or not events.fields:
        given = f"Array of {events.type}" if isinstance(events, ak.Array) else type(events).__name__
        msg = f"events: {given} has no branches by name; expected records, as in ak.Array({{'calo_e': cells}})"
        raise TypeError(msg)


def metadata_of(events: ak.Array) -> Mapping[str, Any]:
    """Return the metadata that coffea gives to events; a plain array has none."""
    return events.layout.purelist_parameter("metadata") or {}


def is_chunk(events: ak.Array) -> bool:
    """Return whether events are a chunk of a file, entry by entry, as coffea handed it over."""
    factory = events.attrs.get("@events_factory")
    return factory is not None and "entrystart" in metadata_of(events) and factory.events() is events


def without_values(events: ak.Array) -> ak.Array:
    """Return no events of the same types for events without values; others as they are."""
    if not is_traced(events):
        return events
    nothing = events.layout.form.length_zero_array(highlevel=False)
    return ak.Array(nothing, behavior=events.behavior, attrs=events.attrs)


def first_entry(events: ak.Array) -> int:
    """Return the entry of the first event; events that are not a chunk of a file count from 0."""
    return int(metadata_of(events)["entrystart"]) if is_chunk(events) else 0


def open_file_of(events: ak.Array) -> Any:
    """Return the open file behind events of coffea; None if they were not read from one."""
    return getattr(events.attrs.get("@events_factory"), "file_handle", None)


def is_preloaded(events: ak.Array, branch: str) -> bool:
    """Return whether coffea has read a branch of a chunk already."""
    mapping = getattr(events.attrs["@events_factory"], "_mapping", None)
    return branch in (getattr(mapping, "preloaded_arrays", None) or ())


def log_access(events: ak.Array, branch: str, tree: str) -> None:
    """Let the metrics of coffea's Runner list a branch that is read from the file directly."""
    from coffea.nanoevents.mapping.base import Accessed
    from coffea.nanoevents.util import tuple_to_key

    log, metadata = events.attrs["@events_factory"].access_log, metadata_of(events)
    if log is not None:
        entries = f"{metadata['entrystart']}-{metadata['entrystop']}"
        place = (metadata.get("fileuuid", ""), tree, entries, "data", f"{branch},!load")
        log.append(Accessed(branch, tuple_to_key(place)))
