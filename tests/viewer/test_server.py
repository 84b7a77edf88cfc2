"""The page as it is served: to this computer, with the token, without anything from elsewhere; until Ctrl-C."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from hep_peaksum.viewer.notebook import first_state

pytest.importorskip("bokeh", reason="bokeh is not installed: nox -s viewer")

from bokeh.client import pull_session
from bokeh.models import Div, Select

from hep_peaksum.viewer.server import serving

# Bokeh's client leaves closing its connections to the garbage collector, and looks for a loop that is not there
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
    "ignore:There is no current event loop:DeprecationWarning",
)


@pytest.fixture
def address(random_cells):
    """Yield the address of a page that is served in a thread."""
    started, found = [], {}

    def serve():
        asyncio.set_event_loop(asyncio.new_event_loop())
        with serving(first_state(random_cells(3), {"tie_rule": "first"})) as (server, at):
            found["server"], found["address"] = server, at
            server.io_loop.add_callback(started.append, True)
            server.io_loop.start()

    thread = Thread(target=serve)
    thread.start()
    while not started:
        thread.join(0.05)
        assert thread.is_alive()
    yield found["address"]
    loop = found["server"].io_loop
    loop.add_callback(loop.stop)
    thread.join(20)
    assert not thread.is_alive()


def status(address):
    try:
        with urlopen(address, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.reason


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=é"])
def test_without_the_token_nothing_is_shown(address, query):
    query = query.replace("é", "%C3%A9")
    code, reason = status(address.partition("?")[0] + query)
    assert code == 403
    assert "token" in reason


def test_with_the_token_there_is_a_page_that_needs_nothing_else(address):
    code, page = status(address)
    assert code == 200
    assert re.match(r"http://127\.0\.0\.1:\d+/\?token=\S{32}$", address)
    outside = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    assert len(outside) < 20_000 < len(page)
    assert "<script" in outside
    assert re.search(r"<main><h1[^>]*>hep-peaksum: arrays</h1>", outside)
    assert not re.findall(r"\b(?:src|href)=|@import|url\(", outside)


def test_a_web_socket_needs_the_token_too(address):
    place, _, query = address.partition("?")
    for wrong in ({}, {"token": "wrong"}):
        with pytest.raises(OSError, match="Disconnected with error"):
            pull_session(url=place, arguments=wrong)
    pull_session(url=place, arguments={"token": query.removeprefix("token=")}).close()


def test_a_session_is_driven_over_the_web_socket(address):
    token = address.partition("token=")[2]
    with pull_session(url=address.partition("?")[0], arguments={"token": token}) as session:
        select = next(each for each in session.document.select({"type": Select}) if each.title == "tie rule")
        select.value = "all"
        session.force_roundtrip()
        session.pull()  # what the server has made of it
        texts = [each.text for each in session.document.select({"type": Div})]
    assert [text for text in texts if "tie_rule: all" in text]


@pytest.mark.slow
def test_the_command_serves_until_ctrl_c(write_events, job, tmp_path):
    import yaml

    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job(write_events("a.root", 3))))
    command = [
        sys.executable,
        "-m",
        "hep_peaksum",
        "view",
        str(path),
        "--entry",
        "2",
        "--set",
        "clusters.Jet.tie_rule=all",
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        line = process.stdout.readline()
        code, page = status(re.search(r"http://\S+", line)[0])
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(60)
    assert "a.root, entry 2: open http://127.0.0.1:" in line
    assert (code, process.returncode, err) == (200, 0, "")
    assert "hep-peaksum: job.yaml" in page
    assert out == "Ctrl-C ends it\n"


@pytest.mark.slow
def test_a_port_in_use_is_one_line(write_events, job, tmp_path, address):
    import yaml

    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job(write_events("a.root", 3))))
    port = re.search(r":(\d+)/", address)[1]
    command = [sys.executable, "-m", "hep_peaksum", "view", str(path), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert port in done.stderr
    assert done.stderr.count("\n") == 1
