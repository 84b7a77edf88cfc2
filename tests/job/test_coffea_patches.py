"""coffea without our patches: a test that fails here says that coffea no longer needs one, and to remove it.

Each test names the patch and shows its fault in coffea as it is installed.
"""

import concurrent.futures
import importlib
import io
import pickle
import re
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import Future
from types import SimpleNamespace

import awkward as ak
import coffea.util
import pytest
import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema
from coffea.processor import accumulate, executor
from coffea.processor.executor import FileMeta
from rich.console import Console

from hep_peaksum.job.coffea_patches import heard_interrupts, own_progress, quiet_dask_bar


def executor_of_threads(pool):
    return processor.FuturesExecutor(pool=pool, workers=1, status=False, compression=None)


def failing_first(started):
    """Return a function of a number that fails for the first one."""
    lock = threading.Lock()

    def work(number):
        with lock:
            started.append(number)
        if len(started) == 1:
            msg = "the first chunk"
            raise ValueError(msg)
        return {"n": 1}

    return work


# ------------------------------------------------------------------------------------------- the Runner


def test_automatic_retries__coffea_skips_a_file_without_a_record():
    def work(_):
        msg = "a bad file"
        raise OSError(msg)

    with pytest.warns(UserWarning, match="Skipping bad file after 1 attempts"):
        assert processor.Runner.automatic_retries(0, True, work, "a.root") is None


def test_automatic_retries__coffea_tries_again_after_any_error_and_at_once():
    n_calls = []

    def work(_):
        n_calls.append(1)
        msg = "wrong content"
        raise ValueError(msg)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="wrong content"):
            processor.Runner.automatic_retries(2, False, work, "a.root")
    assert [str(warning.message) for warning in caught] == [f"Performed attempt {n} out of 3" for n in (1, 2)]
    assert len(n_calls) == 3


def test_metadata_fetcher_root__coffea_does_not_convert_the_number_of_entries(data):
    item = FileMeta("toy", str(data("g4B5_elec100.root")), "B5")
    (fetched,) = processor.Runner.metadata_fetcher_root(60, False, {}, item)
    assert isinstance(fetched.metadata["numentries"], float)


def test_metadata_fetcher_root__coffea_cannot_make_chunks_of_a_float():
    item = FileMeta("toy", "a.root", "B5", {"numentries": 1000.0, "uuid": bytes(16)})
    *_, last = item.chunks(300, False)
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        len(last)


def test_metadata_fetcher_root__coffea_does_not_note_the_state_of_a_file(write_events):
    item = FileMeta("toy", write_events("a.root", 5), "Events")
    (fetched,) = processor.Runner.metadata_fetcher_root(60, False, {}, item)
    assert set(fetched.metadata) == {"numentries", "uuid"}


def test_work_function__coffea_opens_all_files_with_the_same_options(write_events):
    """So that a handler for remote files would be used for local ones, too; those of a dataset are ignored."""
    opened = []

    class Handler(uproot.source.file.MemmapSource):
        def __init__(self, path, **options):
            opened.append(path)
            super().__init__(path, **options)

    fileset = {"toy": {"files": {write_events("a.root", 5): "Events"}}}
    runner = processor.Runner(executor=processor.IterativeExecutor(status=False), schema=BaseSchema)
    runner(fileset, lambda events: {"n": len(events)}, uproot_options={"handler": Handler})
    assert opened
    opened.clear()
    fileset["toy"]["uproot_options"] = {"handler": Handler}
    runner(fileset, lambda events: {"n": len(events)})
    assert not opened


@pytest.mark.filterwarnings("ignore:Performed attempt")
def test_work_function__coffea_cannot_read_any_branch_beside_a_group_that_uproot_cannot_read(data):
    fileset = {"beam": {"files": {str(data("dtc_exp140.root")): "tree"}}}
    runner = processor.Runner(
        executor=processor.IterativeExecutor(status=False), schema=BaseSchema, skipbadfiles=False
    )
    with pytest.raises(Exception, match="none of the rules matched"):
        runner(fileset, lambda events: {"n": len(events)})


# -------------------------------------------------------------------------------------- futures and threads


def test_futures_executor__coffea_runs_all_queued_chunks_after_an_error():
    started = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="the first chunk"):
        executor_of_threads(pool)(list(range(20)), failing_first(started), None)
    assert len(started) == 20


def test_futures_executor__coffea_runs_all_queued_chunks_after_ctrl_c(monkeypatch):
    started = []

    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(concurrent.futures, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            executor_of_threads(pool)(list(range(20)), started.append, None)
    assert len(started) == 20


def test_futures_executor__coffea_waits_in_the_thread_that_ctrl_c_interrupts(monkeypatch):
    threads, wait = set(), concurrent.futures.wait

    def recorded(*arguments, **keywords):
        threads.add(threading.current_thread())
        return wait(*arguments, **keywords)

    monkeypatch.setattr(concurrent.futures, "wait", recorded)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        executor_of_threads(pool)([1, 2], lambda _: {"n": 1}, None)
    assert threads == {threading.current_thread()}


def test_futures_executor__an_interrupted_wait_keeps_the_locks_of_futures():
    """A fault of Python: `wait` takes the locks of all futures one by one, and only then begins its `try`."""
    first, second = sorted([Future(), Future()], key=id)
    second._condition = SimpleNamespace(acquire=lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        concurrent.futures.wait([first, second])
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        assert not other.submit(first._condition.acquire, blocking=False).result()


def test_no_printed_tracebacks__coffea_prints_what_it_raises(capsys):
    with concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="the first chunk"):
        executor_of_threads(pool)([1], failing_first([]), None)
    assert "Traceback" in capsys.readouterr().err


def test_chunk_of_events__coffea_adds_arrays_of_equal_shape():
    """Why a processor that returns clusters wraps them."""
    parts = [{"events": ak.Array([1, 2])}, {"events": ak.Array([3, 4])}]
    assert accumulate(parts)["events"].to_list() == [4, 6]


# ------------------------------------------------------------------------------------------- the progress bar


def bar_of(width, make, monkeypatch):
    """Return what a progress bar shows on a screen so many columns wide."""
    screen = io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(coffea.util, "coffea_console", Console(file=screen, width=width, force_terminal=True))
    with make() as progress:
        progress.update(progress.add_task("Processing", total=1234567, unit="chunk"), completed=123456)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def test_own_progress__coffea_cuts_the_numbers_of_chunks(monkeypatch):
    assert "123456/1234567" not in bar_of(40, coffea.util.rich_bar, monkeypatch)
    assert "…" in bar_of(60, coffea.util.rich_bar, monkeypatch)


@pytest.mark.parametrize("width", [30, 40, 60, 99, 100, 120])
def test_own_progress__ours_does_not_and_shows_nothing_on_stdout(monkeypatch, capsys, width):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    with own_progress(screen := Screen()), executor.rich_bar() as progress:
        progress.update(progress.add_task("Processing", total=1234567, unit="chunk"), completed=123456)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "…" not in shown
    assert {"123456/1234567", "(10%),"} <= set(shown.split())
    assert executor.rich_bar is coffea.util.rich_bar
    assert capsys.readouterr().out == ""


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


# ------------------------------------------------------------------------------------------- Dask and Parsl


def test_quiet_dask_bar__coffea_prints_the_traceback_and_does_not_stop_the_bar():
    pytest.importorskip("distributed", reason="distributed is not installed")
    bar_class = importlib.import_module("coffea.processor._dask").RichProgressBar
    printed, stopped = [], []
    console = SimpleNamespace(print=printed.append)
    pbar = SimpleNamespace(console=console, stop=lambda: stopped.append(1), update=lambda *_, **__: None)
    error = pickle.dumps(ValueError("bad"))
    bar = SimpleNamespace(pbar=pbar, task=0)
    bar_class._draw_stop(bar, remaining=3, all=5, status="error", exception=error)
    assert len(printed) == 1
    assert not stopped


def test_quiet_dask_bar__ours_shows_how_it_stopped_but_for_an_error_and_stops_with_the_block(monkeypatch):
    """On a bar that is not coffea's: Dask need not be installed."""
    shown, stopped = [], []
    progress = SimpleNamespace(stop=lambda: stopped.append(1), remark=None)

    class Bar:
        def __init__(self, *, progress_bar):
            assert progress_bar.remark() == "no workers"

        def _draw_stop(self, *, status, **_):
            shown.append(status)

    module = SimpleNamespace(RichProgressBar=Bar, rich_bar=lambda: progress)
    monkeypatch.setitem(sys.modules, "coffea.processor._dask", module)
    with quiet_dask_bar(lambda: "no workers"):
        bar = module.RichProgressBar()
        bar._draw_stop(status="finished", remaining=0)
        bar._draw_stop(status="error", remaining=3)
        assert not stopped
    assert (shown, stopped, module.RichProgressBar) == (["finished", ""], [1], Bar)


def test_parsl_kernel__coffea_cannot_start_one_for_a_config():
    parsl = pytest.importorskip("parsl", reason="parsl is not installed")
    config = parsl.Config(executors=[parsl.ThreadPoolExecutor(label="threads")])
    with pytest.raises(parsl.errors.NoDataFlowKernelError):
        processor.ParslExecutor(config=config, status=False)([1], lambda _: {"n": 1}, None)


class DeletedAtCtrlC:
    def __del__(self):
        raise KeyboardInterrupt


def test_heard_interrupts__python_discards_ctrl_c_in_a_deletion(monkeypatch):
    discarded = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: discarded.append(unraisable.exc_type))
    held = DeletedAtCtrlC()
    del held
    time.sleep(0.1)
    assert discarded == [KeyboardInterrupt]


def test_heard_interrupts__with_the_patch_it_is_raised():
    def delete(held):
        del held[:]
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt), heard_interrupts():
        delete([DeletedAtCtrlC()])
