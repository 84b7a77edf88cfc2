"""A server that sends a job on to a URL with a token: the token is neither printed nor stored."""

import http.server
import threading
import time
from pathlib import Path

import pytest
import yaml

from hep_peaksum.cli.main import main

pytestmark = pytest.mark.slow

QUERIES = {
    "plain": "?token=SECRET",
    "two_values": "?a=1&X-Amz-Signature=SECRET",
    "after_a_comma": "?token=a,SECRET",
    "after_a_bar": "?token=a|SECRET",
    "after_a_quote": "?token=a'SECRET",
    "encoded": "?token=%20SECRET%22SECRET",
    "fragment": "#SECRET",
}


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Send every request for `/a.root` on to `target`; answer the next one with `status`."""

    target, status, n_sent_on = "", 403, 0

    def do_GET(self):
        if self.path == "/a.root":
            type(self).n_sent_on += 1
            self.send_response(302)
            self.send_header("Location", self.target)
        elif self.status == 0:
            time.sleep(5)
        else:
            self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def redirecting():
    """Return the class of a server that sends requests on, and its address."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    handler = type("Handler", (Redirecting,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler, f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def texts(write_events, job, redirecting, tmp_path, capfd):
    """Return a function that runs and checks a job whose server sends it on; it returns every text."""
    handler, address = redirecting

    def run(target, status=403):
        handler.target, handler.status = target.format(address=address), status
        options = {"on_bad_file": "skip", "timeout": 1, "retries": 0}
        content = job(write_events("good.root", 3), f"http://{address}/a.root", run=options)
        path, directory = tmp_path / "job.yaml", content["output"]["directory"]
        path.write_text(yaml.safe_dump(content))
        for arguments in (["run", path], ["check", path], ["status", directory]):
            with pytest.raises(SystemExit) as end:
                main([str(argument) for argument in arguments])
            assert end.value.code == 3 * (arguments[0] == "run")
        assert handler.n_sent_on
        files = [file for file in Path(directory).rglob("*") if file.is_file()]
        assert {"summary.json", "manifest.json"} <= {file.name for file in files}
        return "\n".join([*capfd.readouterr(), *(file.read_bytes().decode(errors="replace") for file in files)])

    return run


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_token_of_a_redirect_is_not_told(texts, redirecting, query):
    found = texts(f"http://{{address}}/b.root{query}")
    assert f"http://{redirecting[1]}/a.root: cannot be read (" in found
    assert "SECRET" not in found


TARGETS = {
    "no_server": "http://127.0.0.1:9/b.root?token=SECRET",
    "password": "http://me:SECRET@{address}/b.root",
    "no_http": "ftp://127.0.0.1/b.root?token=SECRET",
    "relative": "b.root?token=SECRET",
    "no_scheme": "//{address}/b.root?token=SECRET",
    "no_url": "http://[SECRET/b.root?token=SECRET",
    "no_port": "http://127.0.0.1:port/b.root?token=SECRET",
    "no_host": "http:///b.root?token=SECRET",
    "loop": "/a.root?token=SECRET",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_that_cannot_be_read_keeps_its_token(texts, target):
    assert "SECRET" not in texts(target)


@pytest.mark.parametrize("status", [404, 416, 500, 200, 0])
def test_a_target_that_fails_in_another_way_keeps_its_token(texts, status):
    """Status 0 is none within the time."""
    assert "SECRET" not in texts("http://{address}/b.root?token=SECRET", status)
