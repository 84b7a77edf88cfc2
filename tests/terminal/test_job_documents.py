"""The document of a finished job: the worst of what is wrong with it is its state."""

import pytest

from hep_peaksum.terminal.job_documents import finished_job

LOSS = {"dataset": "ttbar", "file": "b.root", "start": 4, "n_entries": 5, "reason": "damaged"}


@pytest.mark.parametrize(
    ("losses", "damaged", "state"),
    [
        ([], [], "done"),
        ([LOSS], [], "done with losses"),
        ([], ["part-1"], "damaged"),
        ([LOSS], ["part-1"], "damaged"),
    ],
    ids=["all-there", "lost", "damaged", "lost-and-damaged"],
)
def test_the_state_is_the_worst_of_what_is_wrong(losses, damaged, state):
    files = {"a.root": {"expected": 12, "processed": 12}, "b.root": {"expected": 9, "processed": 4}}
    counts = {"files": files, "n_events": 16, "n_written": 15, "n_clusters": {"Jet": 40}}
    summary = {"datasets": {"ttbar": counts}, "losses": losses, "n_chunks": {"total": 3, "reused": 1}}
    job = finished_job("status", "results", summary, [], damaged)
    assert job.state == state
    assert (job.n_chunks, job.n_reused_chunks) == (3, 1)
    assert job.datasets["ttbar"].model_dump() == {
        "n_files": 2,
        "n_entries": 21,
        "n_processed": 16,
        "n_written": 15,
        "n_lost": 5,
        "n_clusters": {"Jet": 40},
    }
