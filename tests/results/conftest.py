"""Clusters written in every format."""

import awkward as ak
import pytest
from cluster_events import PARQUET, RNTUPLE, TTREE, event_records, write_parts

from hep_peaksum.results import parquet, root_files

# (number of events, whether they have no clusters) of each part
SAMPLES = {
    "some events": [(50, False)],
    "no clusters": [(9, True)],
    "no events": [(0, False)],
    "several parts, empty ones between": [
        (0, False),
        (20, False),
        (0, False),
        (3, True),
        (30, False),
        (0, True),
    ],
}


@pytest.fixture(params=SAMPLES, scope="module")
def sample(request, tmp_path_factory):
    """Return a folder with the three formats, and the columns that they must hold."""
    folder = tmp_path_factory.mktemp("sample")
    events = [event_records(n, empty=empty, seed=n) for n, empty in SAMPLES[request.param]]
    parts = write_parts(events, folder)
    root_files.merge_ttree(parts, folder / TTREE)
    root_files.merge_rntuple(parts, folder / RNTUPLE)
    whole = ak.concatenate(events)
    parquet.write_part([whole], folder / PARQUET)
    return folder, parquet.flat_columns(whole)
