"""The producer `peaksum` of columnflow: derive it with the cells, the plane and the search of a collection."""

from __future__ import annotations

from typing import Any

import awkward as ak
from columnflow.columnar_util import set_ak_column
from columnflow.production import Producer, producer

from hep_peaksum.integrations.collection import collections

KEYS = ("cells", "settings", "grid", "fields")


# the keys of ClusterCollection, and the name of the collection, for `peaksum.derive(name, cls_dict={...})`
@producer(cells=None, settings=None, grid=None, fields=None, output="Cluster")  # type: ignore[untyped-decorator]
def peaksum(self: Producer, events: ak.Array, **_: Any) -> ak.Array:
    """Return the events with the clusters of every event, a collection called `output`."""
    return set_ak_column(events, self.output, self.search.find(events))


@peaksum.init  # type: ignore[untyped-decorator]
def peaksum_init(self: Producer, **_: Any) -> None:
    """Read the settings, so that a mistake is an error before any file is read, and declare the columns."""
    keys = {key: getattr(self, key) for key in KEYS}
    self.search = collections({self.output: keys})[self.output]
    self.uses |= set(self.search.columns)
    self.produces |= {f"{self.output}.{field}" for field in self.search.field_names}
