"""The output formats, and the names of the files in a results folder.

A new format is a row of `FORMATS` and a function that writes it from the parquet parts.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

ClusterFormat = Literal["parquet", "ttree", "rntuple"]


class Format(NamedTuple):
    """A format of the clusters on disk: its name in the folder of the dataset, and the function that writes it.

    `merge` is ``module:function``, called with the parquet parts in event order and the path of the file. It is
    None for parquet: every chunk commits its part itself.
    """

    file: str
    merge: str | None


FORMATS: dict[ClusterFormat, Format] = {
    "parquet": Format("clusters.parquet", None),
    "ttree": Format("clusters.root", "hep_peaksum.results.root_files:merge_ttree"),
    "rntuple": Format("clusters.rntuple.root", "hep_peaksum.results.root_files:merge_rntuple"),
}
PARTS, RECORDS = FORMATS["parquet"].file, "_chunks"
MANIFEST, SUMMARY, HISTOGRAMS, PLOTS = "manifest.json", "summary.json", "histograms.root", "plots"
# The columns that name an event, with NanoAOD's types; readers of NanoAOD need all three.
IDENTITY = {"run": "uint32", "luminosityBlock": "uint32", "event": "uint64"}
