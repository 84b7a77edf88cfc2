"""Files of web servers, S3 and XRootD are read like local ones; a failing server is one line, in time."""

import contextlib
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import awkward as ak
import fsspec.config
import pytest
import yaml
from finished_jobs import run_job
from places import ROOT

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.job.retries import ChunkError
from hep_peaksum.preview.check import check_inputs
from hep_peaksum.reading.remote import check_protocol

pytestmark = pytest.mark.slow  # together they take many seconds


def package(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


def clusters_of(result):
    return [
        ak.from_parquet(part).to_list() for part in sorted(result.directory.glob("toy/*.parquet/*.parquet"))
    ]


# ------------------------------------------------------------------------------------------------ a web server


@pytest.mark.parametrize("executor", ["iterative", "threads", pytest.param("futures", marks=pytest.mark.slow)])
def test_files_of_a_server_are_read_like_local_ones(write_events, job, served, tmp_path, executor):
    server, address = served
    files = [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]
    local = run_job(job(*files, run={"chunksize": 5}))
    options = {"chunksize": 5, "executor": executor, "workers": 2}
    output = {"directory": str(tmp_path / "remote"), "plots": False}
    content = job(f"{address}/a.root", f"{address}/b.root", output=output, run=options)
    remote = run_job(content)
    assert clusters_of(remote) == clusters_of(local)
    assert remote.histograms == local.histograms
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


def test_a_server_that_refuses_once_is_tried_again(write_events, job, served, monkeypatch):
    server, address = served
    monkeypatch.setattr(time, "sleep", lambda _: None)
    write_events("a.root", 13)
    server.n_refused = 1
    assert run_job(job(f"{address}/a.root")).summary["datasets"]["toy"]["n_events"] == 13


@pytest.mark.slow
@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("trouble", ["missing", "slow", "refuses", "not_there"])
def test_a_failing_server_is_one_line_in_time(write_events, job, served, trouble, on_bad_file):
    server, address = served
    good = write_events("good.root", 13)
    write_events("a.root", 13)
    if trouble == "slow":
        server.delay = 5
    if trouble == "refuses":
        server.n_refused = 10_000
    if trouble == "not_there":
        address = f"http://{NO_SERVER}"
    url = f"{address}/{'gone' if trouble == 'missing' else 'a'}.root"
    assert_lost_in_time(job, good, url, on_bad_file)


def test_the_users_configuration_of_fsspec_is_used(write_events, job, served, monkeypatch):
    server, address = served
    write_events("a.root", 13)
    requests, answer = [], server.answer
    monkeypatch.setattr(
        server, "answer", lambda self, body: requests.append(self.headers) or answer(self, body=body)
    )
    monkeypatch.setitem(fsspec.config.conf, "http", {"headers": {"Authorization": "Bearer me"}})
    run_job(job(f"{address}/a.root"))
    assert {headers["Authorization"] for headers in requests} == {"Bearer me"}


# ---------------------------------------------------------------------------------------------------------- S3


@pytest.fixture
def bucket(monkeypatch):
    """Start an S3 server; return a function that uploads a file and returns its URL, and its address."""
    s3fs = package("s3fs")
    server = package("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())

    def put(path, content=b""):
        headers = {"Content-Type": "application/octet-stream", "x-amz-acl": "public-read"}
        request = urllib.request.Request(f"{address}/{path}", content, headers, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def upload(file):
        put(f"calo/{Path(file).name}", Path(file).read_bytes())
        return f"s3://calo/{Path(file).name}"

    put("calo")
    of_a_secret = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}
    for key, value in {**of_a_secret, "AWS_ENDPOINT_URL": address, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(key, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield upload, address
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.parametrize("executor", ["iterative", "threads"])
def test_files_of_s3_are_read_like_local_ones(write_events, job, bucket, tmp_path, executor):
    upload, _ = bucket
    files = [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]
    local = run_job(job(*files, run={"chunksize": 5}))
    output = {"directory": str(tmp_path / "remote"), "plots": False}
    options = {"chunksize": 5, "executor": executor, "workers": 2}
    content = job(*map(upload, files), output=output, run=options)
    remote = run_job(content)
    assert clusters_of(remote) == clusters_of(local)
    assert remote.histograms == local.histograms
    assert run_job(content).summary["n_chunks"] == {"total": 5, "reused": 5}


@pytest.mark.slow
@pytest.mark.parametrize(("who", "executor"), [("anonymous", "futures"), ("nobody", "iterative")])
def test_endpoint_and_credentials_of_s3_come_from_the_environment(
    write_events, job, bucket, tmp_path, monkeypatch, who, executor
):
    upload, address = bucket
    content = job(upload(write_events("a.root", 13)), run={"executor": executor, "retries": 0})
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(content))
    for key in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    own = {"endpoint_url": address, "config_kwargs": {"s3": {"addressing_style": "path"}}}
    monkeypatch.setenv("FSSPEC_S3", json.dumps({**own, "anon": who == "anonymous"}))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "hep_peaksum", "run", str(tmp_path / "job.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if who == "anonymous":
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "a.root: cannot be read (NoCredentialsError: Unable to locate credentials" in done.stderr


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("trouble", ["no_key", "no_bucket", "silent", "not_there"])
def test_a_failing_s3_is_one_line_in_time(write_events, job, bucket, monkeypatch, silent, trouble, on_bad_file):
    upload, _ = bucket
    url = upload(write_events("a.root", 13))
    if trouble in ("silent", "not_there"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{silent if trouble == 'silent' else NO_SERVER}")
    else:
        url = url.replace("a.root", "gone.root") if trouble == "no_key" else url.replace("calo", "other")
    assert_lost_in_time(job, write_events("good.root", 13), url, on_bad_file)


def test_s3_that_fails_once_is_tried_again(write_events, job, bucket, monkeypatch, silent):
    upload, address = bucket
    url = upload(write_events("a.root", 13))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{NO_SERVER}")
    s3fs = package("s3fs")

    def wait(_):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        s3fs.S3FileSystem.clear_instance_cache()

    monkeypatch.setattr(time, "sleep", wait)
    assert run_job(job(url)).summary["datasets"]["toy"]["n_events"] == 13


def test_s3_asks_only_once_since_a_job_tries_again_itself(job, served, monkeypatch):
    s3fs = package("s3fs")
    server, address = served
    requests, answer = [], server.answer
    monkeypatch.setattr(
        server, "answer", lambda self, body: requests.append(self.command) or answer(self, body=body)
    )
    server.n_refused = 10_000
    settings = {"anon": True, "endpoint_url": address, "config_kwargs": {"s3": {"addressing_style": "path"}}}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ChunkError, match=r"s3://calo/a\.root: cannot be read"):
        run_job(job("s3://calo/a.root", run={"retries": 0}))
    assert len(requests) == 1


# ------------------------------------------------------------------------------------------------------ XRootD


@pytest.fixture
def xrootd():
    """Start an XRootD server; return the folder that it serves and its URL."""
    package("fsspec_xrootd")
    if shutil.which("xrootd") is None:
        pytest.skip("there is no xrootd server here: apt install xrootd-server")
    with tempfile.TemporaryDirectory(prefix="xrd-", ignore_cleanup_errors=True) as folder:
        address = free_address()
        config = Path(folder) / "xrootd.cfg"
        places = "".join(f"all.{key} {folder}\n" for key in ("export", "adminpath", "pidpath"))
        config.write_text(f"xrd.port {address.rpartition(':')[2]}\n{places}")
        command = ["xrootd", "-I", "v4", "-c", str(config)]
        if os.getuid() == 0:  # it refuses to run as root
            shutil.chown(folder, "nobody")
            command += ["-R", "nobody"]
        with (Path(folder) / "log").open("w") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(address, server)
            yield Path(folder), f"root://{address}/{folder}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def wait_for(address, server):
    host, port = address.split(":")
    for _ in range(200):
        assert server.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail(f"no server at {address}")


def moved(file, folder):
    shutil.copy(file, folder)
    (folder / Path(file).name).chmod(0o644)
    return Path(file).name


@pytest.mark.parametrize("executor", ["iterative", "threads", "futures"])
def test_files_of_xrootd_are_read_like_local_ones(write_events, job, xrootd, tmp_path, executor):
    folder, url = xrootd
    files = [write_events("a.root", 13, 1), write_events("b.root", 8, 2)]
    local = run_job(job(*files, run={"chunksize": 5}))
    output = {"directory": str(tmp_path / "remote"), "plots": False}
    options = {"chunksize": 5, "executor": executor, "workers": 2}
    content = job(*(f"{url}/{moved(file, folder)}" for file in files), output=output, run=options)
    remote = run_job(content)
    assert clusters_of(remote) == clusters_of(local)
    assert remote.histograms == local.histograms
    assert run_job(content).summary["n_chunks"] == {"total": 5, "reused": 5}


def test_a_file_of_xrootd_that_has_changed_is_refused(write_events, job, xrootd):
    folder, url = xrootd
    content = job(f"{url}/{moved(write_events('a.root', 13, 1), folder)}")
    run_job(content)
    moved(write_events("a.root", 13, 2), folder)
    with pytest.raises(ConfigError, match=r"results of root.*a\.root as it was before it changed"):
        run_job(content)


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_a_file_that_is_missing_on_xrootd_is_one_line(write_events, job, xrootd, on_bad_file):
    _, url = xrootd
    message = assert_lost_in_time(job, write_events("good.root", 13), f"{url}/gone.root", on_bad_file)
    assert "no such file" in message


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("trouble", ["silent", "not_there"])
def test_a_failing_xrootd_server_is_one_line_in_time(write_events, job, silent, trouble, on_bad_file):
    package("fsspec_xrootd")
    url = f"root://{silent if trouble == 'silent' else NO_SERVER}//calo/a.root"
    assert_lost_in_time(job, write_events("good.root", 13), url, on_bad_file)


def test_an_xrootd_server_that_comes_back_is_tried_again(write_events, job, xrootd, monkeypatch):
    folder, url = xrootd
    name = moved(write_events("a.root", 13), folder)
    hidden, slept = folder / "hidden.root", []
    (folder / name).rename(hidden)

    def wait(seconds):
        slept.append(seconds)
        hidden.rename(folder / name)

    monkeypatch.setattr(time, "sleep", wait)
    assert run_job(job(f"{url}/{name}")).summary["datasets"]["toy"]["n_events"] == 13
    assert len(slept) == 1


# ------------------------------------------------------------------------------------------------- all of them

NO_SERVER = "127.0.0.1:1"


def assert_lost_in_time(job, good, url, on_bad_file):
    """Run a job of a good file and one that cannot be read; return the one line of the reason."""
    content = job(good, url, run={"timeout": 1, "retries": 0, "on_bad_file": on_bad_file})
    began = time.monotonic()
    if on_bad_file == "stop":
        with pytest.raises(ChunkError) as error:
            run_job(content)
        message = str(error.value)
    else:
        result = run_job(content)
        assert [loss["file"] for loss in result.losses] == [url]
        assert result.summary["datasets"]["toy"]["n_events"] == 13
        message = result.losses[0]["reason"]
    assert time.monotonic() - began < 10
    assert message.startswith(f"{url}: cannot be read (")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("url", "module", "remedy"),
    [
        ("https://127.0.0.1/a.root", "aiohttp", r"pip install 'hep_peaksum\[http\]'"),
        ("s3://calo/a.root", "s3fs", r"pip install 'hep_peaksum\[s3\]'"),
        ("root://127.0.0.1//calo/a.root", "fsspec_xrootd", r"pip install 'hep_peaksum\[xrootd\]'"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_read(job, monkeypatch, url, module, remedy, tmp_path):
    without(monkeypatch, module)
    with pytest.raises(ConfigError, match=rf"datasets.toy.files: {url}: .* not installed: {remedy}") as error:
        run_job(job(url, run={"on_bad_file": "skip"}))
    assert len(error.value.problems) == 1
    assert not (tmp_path / "results").exists()


def without(monkeypatch, module):
    """Make a package missing, also for fsspec, which caches what it has imported."""
    registry = importlib.import_module("fsspec.registry")._registry
    for protocol in ("https", "s3", "root"):
        monkeypatch.delitem(registry, protocol, raising=False)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize(
    "url", ["http://{}/a.root", "s3://calo/a.root", "root://{}//calo/a.root"], ids=["http", "s3", "xrootd"]
)
def test_check_reports_a_failing_server_in_one_line(job, monkeypatch, url):
    package({"s": "s3fs", "r": "fsspec_xrootd"}.get(url[0], "aiohttp"))
    settings = {"anon": True, "endpoint_url": f"http://{NO_SERVER}"}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    url = url.format(NO_SERVER)
    with pytest.raises(ConfigError, match=f"{url}: cannot be read ") as error:
        check_inputs(parse_config(job(url, run={"timeout": 1})))
    assert len(error.value.problems) == 1
    assert "\n" not in str(error.value)


def test_an_unknown_protocol_is_an_error(job):
    with pytest.raises(
        ConfigError, match=r"gopher://a/b.root: fsspec has no file system for gopher://, expected https://"
    ):
        run_job(job("gopher://a/b.root"))


def test_local_paths_need_no_package():
    check_protocol("/data/a.root")
    check_protocol("file:///data/a.root")
