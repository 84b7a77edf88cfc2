"""The output formats and the names of the files in a results folder: the one table of both.

A new format is a row of `FORMATS` and a function that writes it from the parquet parts.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

ClusterFormat = Literal["parquet", "ttree", "rntuple"]


class Format(NamedTuple):
    """A form of the clusters on disk: its name in the folder of the dataset, and who merges the parts into it.

    `merge` is ``module:function``, called with the parts in event order and the path; the parts themselves,
    which every chunk commits, need nobody.
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
