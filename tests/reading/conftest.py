"""Web servers of the tests: one with files, that fails on demand, and one that never answers."""

import contextlib
import http.server
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from event_files import CELLS, N


class Server(http.server.BaseHTTPRequestHandler):
    """Serve the files of a folder by ranges; faults on demand. The first `n_prompt` answers have no delay."""

    protocol_version = "HTTP/1.1"
    n_refused, n_prompt, delay, n_ranges = 0, 0, 0.0, 0

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        cls, path = type(self), Path(self.server.folder) / self.path.lstrip("/")
        if cls.n_prompt > 0:
            cls.n_prompt -= 1
        else:
            time.sleep(cls.delay)
        if cls.n_refused > 0:
            cls.n_refused -= 1
            return self.reply(503, b"")
        if not path.is_file():
            return self.reply(404, b"")
        content, byte_range = path.read_bytes(), self.headers.get("Range")
        if byte_range is None:
            return self.reply(200, content if body else b"", n_bytes=len(content))
        cls.n_ranges += 1
        first, _, last = byte_range.removeprefix("bytes=").partition("-")
        stop = min(int(last) + 1 if last else len(content), len(content))
        content_range = {"Content-Range": f"bytes {first}-{stop - 1}/{len(content)}"}
        return self.reply(206, content[int(first) : stop] if body else b"", stop - int(first), **content_range)

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
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    handler = type("Handler", (Server,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.folder, server.daemon_threads = tmp_path, True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def silent():
    """Return the address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def two_trees(write_root):
    """Write a tree and two friends: one with the same number of entries, one with another."""
    main = {"x": CELLS.astype("f4")}
    same = {
        "run": np.full(N, 5),
        "lumi": np.arange(N),
        "event": np.arange(100, 100 + N),
        "nPV": np.arange(N) * 2,
    }
    other = {"run": np.arange(N + 1)}
    return write_root("a.root", {"Events": main, "aux/Event": same, "Short": other})
