"""Workers that a run starts are ready before their first chunk, and end with it, however it ends."""

import concurrent.futures
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from places import ROOT

from hep_peaksum.job import worker_startup
from hep_peaksum.job.coffea_patches import CancellablePool, CancellableProcesses

OWNER = """
import subprocess, sys
from hep_peaksum.job.worker_startup import script_command
subprocess.run(script_command(sys.argv[1]))
"""
SCRIPT = """
import os, time
print(__name__, os.getpid() == os.getsid(0), flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_script_ends_when_its_owner_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-c", OWNER, str(tmp_path / "script.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        name, has_own_session = owner.stdout.readline().split()
        assert (name, has_own_session) == ("__main__", "True")  # Ctrl-C in a terminal does not reach it
        owner.send_signal(signal.SIGKILL)
        owner.communicate(timeout=30)  # returns when the script, which has the same stdout, has ended


@pytest.mark.parametrize(("n_frozen", "times"), [(worker_startup.N_FROZEN_AT_START, 1), (10**6, 0)])
@pytest.mark.parametrize("is_enabled", [True, False])
def test_what_is_imported_is_exempt_from_the_collection_of_garbage(monkeypatch, n_frozen, times, is_enabled):
    """Once: what another has frozen is not frozen again. Who had switched the collection off keeps it so."""
    frozen = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: n_frozen)
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    was_enabled = gc.isenabled()
    try:
        (gc.enable if is_enabled else gc.disable)()
        with worker_startup.importing():
            assert not gc.isenabled()
        assert (frozen, gc.isenabled()) == ([False] * times, is_enabled)
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_a_worker_imports_what_a_chunk_needs_before_the_first(monkeypatch):
    seen, kept = [], []
    log = logging.getLogger("hep_peaksum.kernels")
    monkeypatch.setattr(worker_startup.importlib, "import_module", lambda name: seen.append((name, log.level)))
    monkeypatch.setattr(gc, "set_threshold", kept.append)
    monkeypatch.setattr(gc, "freeze", list)
    monkeypatch.setattr(worker_startup.atexit, "register", kept.append)
    worker_startup.dask_setup(None)
    kernel = "hep_peaksum.kernels.numba_kernel"
    assert dict(seen)[kernel] == logging.ERROR  # that there is no cache is said once for all of them
    assert [name for name, _ in seen] == ["hep_peaksum.job.coffea_runner", kernel]
    assert (log.level, kept) == (logging.NOTSET, [50_000, gc.freeze])


@pytest.mark.parametrize("kind", [CancellablePool, CancellableProcesses])
def test_after_an_error_nothing_begins_and_what_runs_is_waited_for(kind):
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def run():
        begun.set()
        may_end.wait(20)
        ended.append("first")

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        pool = kind(threads)
        running = pool.submit(run)
        queued = pool.submit(ended.append, "second")
        assert begun.wait(20)
        threading.Timer(0.1, may_end.set).start()
        pool.cancel()
        assert (ended, running.done(), queued.cancelled()) == (["first"], True, True)
        with pytest.raises(RuntimeError, match="the job has been cancelled"):
            pool.submit(ended.append, "third")


def test_processes_are_killed_and_threads_finish_their_chunk():
    asked = []
    pool = SimpleNamespace(shutdown=lambda **how: asked.append(how))
    CancellableProcesses(pool).stop()
    assert asked == [{"kill_workers": True}]
    threads = CancellablePool(pool)
    threads.stop()
    assert len(asked) == 1
    with pytest.raises(RuntimeError, match="cancelled"):
        threads.submit(print)
