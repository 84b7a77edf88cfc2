"""Every executor gives the same; remote files are read like local ones."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import awkward as ak
import pytest
import uproot
import yaml

from hep_peaksum.config import parse_config
from hep_peaksum.executors import ExecutorError, Workers
from hep_peaksum.run import run
from hep_peaksum.runner import ChunkError
from hep_peaksum.yaml_file import ConfigError

TESTS = Path(__file__).parent


def run_job(content, **keywords):
    return run(parse_config(content), **keywords)


def content_of(directory):
    """Return clusters, histograms and counts of a finished job."""
    with uproot.open(Path(directory) / "histograms.root") as file:
        kinds = file.classnames()
        histograms = {k: file[k].values(flow=True).tolist() for k, kind in kinds.items() if "TH" in kind}
    parts = sorted(Path(directory).glob("*/clusters.parquet/*.parquet"))
    clusters = [ak.from_parquet(part).to_list() for part in parts]
    assert histograms
    assert clusters
    return clusters, histograms, json.loads((Path(directory) / "summary.json").read_text())["datasets"]


@pytest.fixture
def executed(write_events, job, tmp_path):
    """Run a job of its own process under an executor, and return what came of it."""
    files = [write_events("a.root", 33, 1), write_events("b.root", 18, 2)]

    def execute(name, *more_files, **options):
        output = {"directory": str(tmp_path / name), "plots": False}
        content = job(*files, *more_files, output=output, run={"chunksize": 5, "workers": 2, **options})
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(TESTS.parent)])}
        done = subprocess.run(
            [sys.executable, "-m", "hep_peaksum", "run", str(path)],
            env=environment, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        return done, Path(content["output"]["directory"])

    return execute


def assert_same(executed, **options):
    """Run a job under an executor: the content is that of the plain one, and there is a bar."""
    plain, directory = executed("plain")
    assert plain.returncode == 0, plain.stderr
    done, other = executed("other", **options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Processing 100%" in " ".join(done.stdout.split())
    assert content_of(other) == content_of(directory)


def package(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


# ------------------------------------------------------------------------------------------- the same content


@pytest.mark.parametrize("executor", ["iterative", "threads", "futures"])
def test_workers_of_this_machine_have_a_bar(write_events, job, capsys, executor):
    """That they give the same is seen in `test_run`."""
    run_job(job(write_events("a.root", 13), run={"executor": executor, "workers": 2, "chunksize": 5}))
    assert "Processing 100%" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_dask_gives_the_same(executed):
    package("distributed")
    assert_same(executed, executor="dask")


@pytest.mark.slow
def test_a_running_dask_scheduler_gives_the_same(executed, tmp_path):
    package("distributed")
    address = tmp_path / "address"
    script = (
        "import distributed, sys, time\n"
        "if __name__ == '__main__':\n"
        "    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c:\n"
        f"        open({str(address)!r}, 'w').write(c.scheduler_address)\n"
        "        sys.stdin.read()\n"
    )
    (tmp_path / "cluster.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    cluster = subprocess.Popen(
        [sys.executable, tmp_path / "cluster.py"], stdin=subprocess.PIPE, env=environment
    )
    try:
        while not (address.exists() and address.read_text()):
            assert cluster.poll() is None
            time.sleep(0.05)
        assert_same(executed, executor="dask", scheduler=address.read_text())
        assert cluster.poll() is None
    finally:
        cluster.communicate(timeout=60)


@pytest.mark.slow
def test_a_dask_cluster_of_the_user_gives_the_same(executed, tmp_path):
    package("distributed")
    (tmp_path / "mysite.py").write_text(
        "import distributed\n"
        "def cluster():\n"
        "    return distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)\n"
    )
    assert_same(executed, executor="dask", cluster="mysite:cluster")


@pytest.mark.slow
def test_parsl_gives_the_same(executed):
    package("parsl")
    assert_same(executed, executor="parsl")


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["dask", "parsl"])
def test_an_error_is_one_line_wherever_it_came_up(executed, write_events, random_cells, executor):
    package({"dask": "distributed"}.get(executor, executor))
    cells = random_cells(20)
    cells[7, 0, 0] = float("nan")
    bad = write_events("bad.root", 20, cells=cells)
    done, _ = executed("bad", bad, executor=executor)
    assert done.returncode == 1
    assert done.stderr.strip() == f"error: {bad}: entry 7: cell (row 0, col 0) is nan" or (
        done.stderr.startswith(f"error: {bad}: entry 7: ") and len(done.stderr.splitlines()) == 1
    )
    assert "Traceback" not in done.stdout
    done, directory = executed("bad", bad, executor=executor, on_bad_file="skip")
    assert done.returncode == 3
    summary = json.loads((directory / "summary.json").read_text())
    assert [(loss["file"], loss["start"], loss["n_entries"]) for loss in summary["losses"]] == [(bad, 5, 5)]


# ------------------------------------------------------------------------------------------- what is not there


@pytest.mark.parametrize(
    ("executor", "module", "remedy"),
    [
        ("dask", "distributed", r"pip install 'hep_peaksum\[dask\]'"),
        ("parsl", "parsl", r"pip install 'hep_peaksum\[parsl\]'"),
        ("taskvine", "ndcctools.taskvine", "conda install -c conda-forge ndcctools"),
    ],
)
def test_a_package_that_is_missing_is_named(write_events, job, monkeypatch, executor, module, remedy):
    monkeypatch.setitem(sys.modules, module, None)
    content = job(write_events("a.root", 5), run={"executor": executor})
    with pytest.raises(ExecutorError, match=f"run.executor needs the package .*: {remedy}") as error:
        run_job(content)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"executor": "threads", "scheduler": "tcp://host:8786"}, "is of dask, and the executor is threads"),
        ({"executor": "futures", "cluster": "my:cluster"}, "is of dask or parsl, and the executor is futures"),
        (
            {"executor": "dask", "cluster": "my:cluster", "scheduler": "tcp://host:8786"},
            "both name the workers",
        ),
        ({"executor": "dask", "cluster": "cluster"}, "run.cluster: 'cluster' does not do"),
        ({"executor": "dask", "scheduler": "host"}, "run.scheduler: 'host' does not do"),
        ({"executor": "condor"}, "run.executor: 'condor' does not do"),
        ({"retries": -1}, "run.retries: -1 does not do"),
        ({"timeout": 0}, "run.timeout: 0 does not do"),
    ],
)
def test_options_that_do_not_fit_are_told(job, options, problem):
    with pytest.raises(ConfigError) as error:
        parse_config(job("a.root", run=options))
    assert len(error.value.problems) == 1
    assert problem in str(error.value)


def test_a_cluster_that_cannot_be_found_is_told(job):
    package("distributed")
    options = parse_config(job("a.root", run={"executor": "dask", "cluster": "nowhere:cluster"})).run
    with (
        pytest.raises(ExecutorError, match="'nowhere:cluster' is not to be had"),
        Workers(options) as workers,
    ):
        workers.executor  # noqa: B018 -- it is started


def test_workers_that_nobody_needs_are_not_started(write_events, job, monkeypatch):
    content = job(write_events("a.root", 5))
    run_job(content)
    content["run"] = {"executor": "parsl"}
    monkeypatch.setitem(sys.modules, "parsl", None)
    assert run_job(content).summary["n_chunks"] == {"total": 1, "reused": 1}


# ------------------------------------------------------------------------------------------------ remote files


class Server(http.server.BaseHTTPRequestHandler):
    """Files of a folder, by ranges; with troubles on demand."""

    protocol_version = "HTTP/1.1"
    n_refused, delay, n_ranges = 0, 0.0, 0

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        cls, path = type(self), Path(self.server.folder) / self.path.lstrip("/")
        time.sleep(cls.delay)
        if cls.n_refused > 0:
            cls.n_refused -= 1
            return self.reply(503, b"")
        if not path.is_file():
            return self.reply(404, b"")
        content, asked = path.read_bytes(), self.headers.get("Range")
        if asked is None:
            return self.reply(200, content if body else b"", n_bytes=len(content))
        cls.n_ranges += 1
        first, _, last = asked.removeprefix("bytes=").partition("-")
        stop = min(int(last) + 1 if last else len(content), len(content))
        told = {"Content-Range": f"bytes {first}-{stop - 1}/{len(content)}"}
        return self.reply(206, content[int(first) : stop] if body else b"", stop - int(first), **told)

    def reply(self, status, content, n_bytes=None, **headers):
        self.send_response(status)
        for key, value in {"Accept-Ranges": "bytes", **headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) if n_bytes is None else n_bytes))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """Serve the folder of the test; return the class of the server and its address."""
    package("aiohttp")
    handler = type("Handler", (Server,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.folder, server.daemon_threads = tmp_path, True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("executor", ["iterative", "threads", "futures"])
def test_files_of_a_server_are_read_like_local_ones(write_events, job, served, tmp_path, executor):
    server, address = served
    files = [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]
    local = run_job(job(*files, run={"chunksize": 5}))
    options = {"chunksize": 5, "executor": executor, "workers": 2}
    output = {"directory": str(tmp_path / "remote"), "plots": False}
    content = job(f"{address}/a.root", f"{address}/b.root", output=output, run=options)
    remote = run_job(content)
    assert content_of(remote.directory)[:2] == content_of(local.directory)[:2]
    assert remote.summary["datasets"]["toy"]["n_events"] == 21
    assert server.n_ranges > 5
    assert run_job(content).summary["n_chunks"]["reused"] == 5


def test_a_file_of_a_server_that_has_changed_is_refused(write_events, job, served):
    _, address = served
    write_events("a.root", 13, 1)
    content = job(f"{address}/a.root")
    run_job(content)
    write_events("a.root", 13, 2)
    with pytest.raises(ConfigError, match=r"results of http.*a\.root as it was before it changed"):
        run_job(content)


def test_a_server_that_refuses_once_is_asked_again(write_events, job, served, monkeypatch):
    server, address = served
    monkeypatch.setattr(time, "sleep", lambda _: None)
    write_events("a.root", 13)
    server.n_refused = 1
    assert run_job(job(f"{address}/a.root")).summary["datasets"]["toy"]["n_events"] == 13


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("trouble", ["missing", "slow", "refuses", "not_there"])
def test_a_server_in_trouble_is_one_line_in_time(write_events, job, served, trouble, on_bad_file):
    server, address = served
    good = write_events("good.root", 13)
    write_events("a.root", 13)
    if trouble == "slow":
        server.delay = 5
    if trouble == "refuses":
        server.n_refused = 10_000
    if trouble == "not_there":
        address = "http://127.0.0.1:1"
    url = f"{address}/{'gone' if trouble == 'missing' else 'a'}.root"
    content = job(good, url, run={"timeout": 1, "retries": 0, "on_bad_file": on_bad_file})
    began = time.monotonic()
    if on_bad_file == "stop":
        with pytest.raises(ChunkError) as error:
            run_job(content)
        said = str(error.value)
    else:
        result = run_job(content)
        assert [loss["file"] for loss in result.losses] == [url]
        said = result.losses[0]["reason"]
    assert time.monotonic() - began < 10
    assert said.startswith(f"{url}: cannot be read (")
    assert "\n" not in said
