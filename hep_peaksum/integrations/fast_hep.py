"""The transform `peaksum.clusters` of FAST-HEP, which the profile `hep_peaksum:registry` makes known.

Its parameters are the keys of `hep_peaksum.integrations.collection.ClusterCollection`, and `output`, the name
of the collection. It adds the columns ``nCluster``, ``Cluster_pt``, ... to the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import awkward as ak

from hep_peaksum.integrations.collection import ClusterCollection, collections

if TYPE_CHECKING:
    from hepflow.compiler.data_flow import DataDependencyResult

CLUSTERS_SPEC = {
    "name": "peaksum.clusters",
    "kind": "transform",
    "version": "1.0",
    "input": {"name": "stream", "kind": "event_stream", "required": True},
    "params": {
        "cells": {"required": True},
        "settings": {"required": False},
        "grid": {"required": False},
        "fields": {"required": False},
        "output": {"type": "string", "required": False, "default": "Cluster"},
    },
    "normalize_params": {"defaults": True},
    "result": {"kind": "event_stream", "description": "The stream with the clusters of every event."},
    "dependency_parser": "hep_peaksum.integrations.fast_hep:parse_dependencies",
}


def parse_dependencies(params: dict[str, Any], **_: Any) -> DataDependencyResult:
    """Return the columns that the search reads and those that it adds.

    Raises
    ------
    ValueError
        If a parameter is wrong: when the workflow is compiled, before any file is read.
    """
    from hepflow.compiler.data_flow import DataDependencyResult  # noqa: PLC0415  # FAST-HEP is installed here

    output, search = _collection(params)
    added = {f"n{output}", *(f"{output}_{field}" for field in search.field_names)}
    return DataDependencyResult(consumes=set(search.columns), produces=added)


def run_clusters(*, stream: ak.Array, ctx: Any = None, meta: Any = None, **params: Any) -> ak.Array:  # noqa: ARG001
    """Return the stream with the clusters of every event; errors as in `hep_peaksum.find_clusters`."""
    output, search = _collection(params)
    clusters = search.find(stream)
    columns = dict(zip(stream.fields, ak.unzip(stream), strict=True))
    columns[f"n{output}"] = ak.num(clusters)
    columns |= {f"{output}_{field}": clusters[field] for field in clusters.fields}
    return ak.zip(columns, depth_limit=1)


def _collection(params: dict[str, Any]) -> tuple[str, ClusterCollection]:
    """Return the name and the search of a stage."""
    keys = dict(params)
    output = keys.pop("output", "Cluster")
    return output, collections({output: keys})[output]
