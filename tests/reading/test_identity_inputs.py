"""What identifies events, and what is kept of them: branches, numbers, names of files, new names."""

import awkward as ak
import numpy as np
import pytest
from event_files import event_index
from small_config import problems, small

from hep_peaksum.config.load import parse_config
from hep_peaksum.events.section import EventsInput
from hep_peaksum.geometry.grid import EventError
from hep_peaksum.job.run import run
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.reading.columns import event_identity

SCFI = "EcalBarrelScFiHits"


def identity(events, **identify):
    return event_identity(events, EventsInput(identify=identify).identify, {}, (1, 1))


def listed(found):
    return {word: values.tolist() for word, values in found.items()}


def test_a_list_of_one_number_counts_as_a_number(data):
    """The event headers of EDM4hep are vectors of length one."""
    events = event_index(str(data("eic_test_sim.edm4hep.root")), "events")
    header = "EventHeader.{}".format
    found = identity(events, run=header("runNumber"), luminosityBlock=1, event=header("eventNumber"))
    assert listed(found) == {"run": [0] * 5, "luminosityBlock": [1] * 5, "event": [0, 1, 2, 3, 4]}
    assert found["event"].dtype == np.uint64


def test_branches_of_ldmx_are_named_by_their_ends(data):
    events = event_index(str(data("ldmx_ecal_100.root")), "LDMX_Events", stop=3)
    found = identity(events, run="run_", luminosityBlock=1, event="eventNumber_")
    assert listed(found) == {"run": [1] * 3, "luminosityBlock": [1] * 3, "event": [1, 2, 3]}


@pytest.mark.parametrize(("values", "n"), [([[7], [8, 9]], 2), ([[7], []], 0)])
def test_a_list_of_another_length_is_named_with_its_event(values, n):
    events = ak.Array({"run": [1, 1], "luminosityBlock": [1, 1], "number": values})
    with pytest.raises(EventError, match=f"event 1: identify event: the branch 'number' holds {n} values"):
        identity(events, event="number")


def test_numbers_in_lists_have_their_limits_too():
    events = ak.Array({"run": [1, 1], "luminosityBlock": [1, 1], "number": [[7], [-7]]})
    with pytest.raises(EventError, match="event 1: identify event: 'number' holds -7, which does not fit"):
        identity(events, event="number")


def test_a_number_stands_in_the_name_of_the_file(write_root):
    path = write_root("run_3/beam_run_0012.root", {"Events": {"n": np.arange(3)}})
    found = identity(event_index(path), run={"filename": r"run_(\d+)"}, luminosityBlock=1, event="n")
    assert found["run"].tolist() == [12] * 3
    assert found["run"].dtype == np.uint32


def test_the_largest_number_of_a_name_is_that_of_its_type(write_root):
    largest = 2**32 - 1
    fits, above = (write_root(f"run_{n}.root", {"Events": {"n": [0]}}) for n in (largest, largest + 1))
    how = {"run": {"filename": r"run_(\d+)"}, "luminosityBlock": 1, "event": "n"}
    assert identity(event_index(fits), **how)["run"].tolist() == [largest]
    with pytest.raises(ValueError, match=f"identify run: {largest + 1}, in the name of the file, does not fit"):
        identity(event_index(above), **how)


def test_events_in_memory_have_no_name_of_a_file():
    with pytest.raises(ValueError, match="identify run: the events are not from a file"):
        identity(ak.Array({"event": [1], "luminosityBlock": [2]}), run={"filename": r"run_(\d+)"})


def test_the_third_number_is_asked_for_where_nobody_named_it():
    with pytest.raises(ValueError, match=r"no branch 'luminosityBlock'.*: name the branch of luminosityBlock"):
        identity(ak.Array({"n": [1]}), run="n", event="n")


@pytest.fixture
def beam(write_events, job):
    """Return a job of two files whose names have numbers, without `identify`."""

    def content(*names, **events):
        files = [write_events(name, 4, seed) for seed, name in enumerate(names, start=1)]
        return job(*files, events=events)

    return content


def test_a_job_takes_runs_from_the_names_of_its_files(beam):
    identify = {"run": {"filename": r"run(\d+)"}, "luminosityBlock": 3, "event": "event"}
    config = parse_config(beam("run7.root", "run8.root", identify=identify))
    assert check_inputs(config)[:2] == ([], [])
    result = run(config)
    events = ak.from_parquet(result.directory / "toy/clusters.parquet")
    assert events.run.to_list() == [7] * 4 + [8] * 4
    assert events.luminosityBlock.to_list() == [3] * 8


def test_a_file_whose_name_has_no_number_is_refused_before_the_job(beam):
    config = parse_config(beam("run7.root", "other.root", identify={"run": {"filename": r"/run(\d+)\.root"}}))
    with pytest.raises(
        Exception, match=r"events.identify.run.filename: .* finds no number in '.*/other.root': correct"
    ):
        run(config)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (r"run(\d+", "is not a regular expression ("),
        (r"run\d+", "has 0 groups in parentheses, expected one around the number"),
        (r"(run)(\d+)", "has 2 groups in parentheses"),
    ],
)
def test_what_finds_no_number_is_refused(pattern, problem):
    (line,) = problems({**small(), "events": {"identify": {"run": {"filename": pattern}}}})
    assert line.startswith(f"events.identify.run.filename: {pattern!r} {problem}")


def test_a_kept_branch_may_have_another_name(beam):
    config = parse_config(beam("a.root", keep={"bunch": "event"}))
    assert check_inputs(config)[:2] == ([], [])
    events = ak.from_parquet(run(config).directory / "toy/clusters.parquet")
    assert events.bunch.to_list() == events.event.to_list()


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        ("ev:a/x", {"ev:a/x": "x"}),
        ({"pileup": "ev:a/nPV"}, {"ev:a/nPV": "pileup"}),
        (
            ["ev:orbit", {"pileup": "ev:nPV", "w": "weight"}],
            {"ev:orbit": "orbit", "ev:nPV": "pileup", "weight": "w"},
        ),
    ],
)
def test_names_of_kept_branches_are_written_as_one_likes(keep, names):
    kept = EventsInput(keep=keep)
    assert kept.kept_names() == names
    assert EventsInput(**kept.model_dump(mode="json", by_alias=True)) == kept


@pytest.mark.parametrize(
    ("keep", "problem"),
    [
        (["x", {"y": "x"}], "events.keep: 'x' is there twice: keep it once"),
        ([{"Jet_x": "x"}], "events.keep: 'x' would be 'Jet_x', a column of 'Jet': give it a name, {NAME: x}"),
        (
            [{"run": "x"}],
            "events.keep: 'x' would be the column 'run', which identifies events: drop it, or give",
        ),
        (
            [{"y": "x"}, "a/y"],
            "events.keep: 'x' and another branch would both be the column 'y': give it a name",
        ),
        ([{"a b": "x"}], "events.keep.0.a b: 'a b' is not a name of letters, digits and _"),
        ([3], "events.keep.0"),
    ],
)
def test_a_name_that_cannot_be_is_refused(keep, problem):
    assert problems({**small(), "events": {"keep": keep}})[0].startswith(problem)
