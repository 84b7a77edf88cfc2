"""A chunk is read of the file that was planned: the same UUID, and as many entries."""

import uuid
from types import SimpleNamespace

import pytest

from hep_peaksum.job.coffea_runner import CHANGED, CheckedProcessor

PLANNED, OTHER = uuid.UUID(int=7), uuid.UUID(int=8)


class Events:
    """Events of a chunk as coffea hands them over, of a file with some UUID."""

    def __init__(self, n_events, file_uuid):
        self.n_events = n_events
        self.metadata = {"entrystart": 10, "entrystop": 15, "fileuuid": str(PLANNED)}
        file = SimpleNamespace(file=SimpleNamespace(fUUID=file_uuid.bytes))
        self.attrs = {"@events_factory": SimpleNamespace(file_handle=file)}

    def __len__(self):
        return self.n_events


@pytest.mark.parametrize(
    ("n_events", "file_uuid"),
    [(5, OTHER), (4, PLANNED), (6, PLANNED)],
    ids=["another-file", "an-entry-fewer", "an-entry-more"],
)
def test_nothing_is_read_of_a_file_that_is_not_as_planned(n_events, file_uuid):
    blocks = CheckedProcessor.blocks(None, Events(n_events, file_uuid), None)
    with pytest.raises(ValueError, match=CHANGED):
        next(blocks)
