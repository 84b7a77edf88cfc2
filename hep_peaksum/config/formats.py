"""The output formats and the file names of a results folder: the one table of both.

A new format is a row of `FORMATS` and a function that writes it from the parquet parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple


class Format(NamedTuple):
    """An output format: its file in the folder of a dataset, and the function that writes it.

    `writer` is ``module:function``, called with the paths of the parts, in event order, and the path to write.
    It is None for the parts themselves, which every chunk writes.
    """

    file: str
    writer: str | None


FORMATS: dict[str, Format] = {
    "parquet": Format("clusters.parquet", None),
    "ttree": Format("clusters.root", "hep_peaksum.results.root_files:merge_ttree"),
    "rntuple": Format("clusters.rntuple.root", "hep_peaksum.results.root_files:merge_rntuple"),
}

# In the results folder. The summary stands for complete results, the lock for a run that is at work.
MANIFEST, SUMMARY, HISTOGRAMS, PLOTS, REPORT, LOCK = (
    "manifest.json",
    "summary.json",
    "histograms.root",
    "plots",
    "report.html",
    ".lock",
)
# In the folder of a dataset: what chunks commit. Sorted by name, parts are in event order.
PARTS, RECORDS = FORMATS["parquet"].file, "_chunks"
PART = "part-{file_number:06d}-{start:012d}-{stop:012d}"
PART_SUFFIX, RECORD_SUFFIX = ".parquet", ".json"
# In any of them: a file that is being written, before it is moved to its name.
TEMPORARY = ".{name}.{unique}.tmp"

# Formats of pictures, by their suffix, and what every picture of ours names as the software that made it.
PICTURES = ("png", "pdf", "svg")
SOFTWARE = "hep_peaksum"

if TYPE_CHECKING:
    ClusterFormat = str
    PictureFormat = str
else:  # the words that `output.clusters` and `output.plots` may hold
    ClusterFormat = Literal[tuple(FORMATS)]
    PictureFormat = Literal[PICTURES]

# The names of pictures: of one dataset, or of several; of a histogram, or of one that several collections have.
PICTURE, DATASETS, COLLECTIONS = "{owner}-{name}", "datasets", "collections-{field}"
LONGEST_FILE_NAME = 255  # bytes, on all usual file systems

# Names of folders and files of the results folder, which a dataset cannot have (`uhi` is one of
# histograms.root, `datasets` begins names of pictures).
RESERVED = {MANIFEST, SUMMARY, HISTOGRAMS, PLOTS, REPORT, LOCK, RECORDS, "uhi", DATASETS}
