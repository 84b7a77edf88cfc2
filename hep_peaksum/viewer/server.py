"""The local server of `hep-peaksum view`: for this computer only, and only with the token."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.server import Server
from bokeh.settings import settings
from tornado.web import HTTPError

from hep_peaksum.viewer.page import add_page
from hep_peaksum.viewer.state import ViewState

HOST = "127.0.0.1"
USER = "viewer"


class TokenAuth(AuthProvider):  # type: ignore[misc]
    """Lets in whoever gives the token in the address, as the page itself does for its web socket."""

    def __init__(self, token: str) -> None:
        self.token = token
        super().__init__()

    @property
    def get_user(self) -> Callable[[Any], str]:
        """Return the function that recognises users; requests of all others are refused."""
        return self._user

    @property
    def login_url(self) -> str:
        """The address that Bokeh requires for those who are refused: there is nothing to log in to."""
        return "/"

    def _user(self, handler: Any) -> str:
        given = handler.get_query_argument("token", "")
        if secrets.compare_digest(given.encode(), self.token.encode()):
            return USER
        raise HTTPError(
            403, reason="the token is missing or wrong: open the address that the command has printed"
        )


def _add_page(document: Document, state: ViewState) -> None:
    add_page(document, state)


def _server(state: ViewState, port: int, token: str) -> Server:
    settings.resources.set_value("inline")  # BokehJS is part of the page
    return Server(
        {"/": Application(FunctionHandler(lambda document: _add_page(document, state)))},
        address=HOST,
        port=port,
        allow_websocket_origin=[f"{name}:{port}" for name in (HOST, "localhost")],
        auth_provider=TokenAuth(token),
    )


def _free_port() -> int:
    """Return a free port: Bokeh has to know it before it listens, for the origins it accepts."""
    with socket.socket() as each:
        each.bind((HOST, 0))
        return int(each.getsockname()[1])


@contextmanager
def serving(state: ViewState, *, port: int = 0, token: str | None = None) -> Iterator[tuple[Server, str]]:
    """Serve a page on this computer; yield the server, whose loop is to be run, and the address with the token.

    Parameters
    ----------
    state
        What every page shows first.
    port
        Where to listen; 0 takes any free port.
    token
        By default random.

    Raises
    ------
    OSError
        If the port is in use.
    """
    token = token or secrets.token_urlsafe(24)
    port = port or _free_port()
    try:
        server = _server(state, port, token)
    except OSError as error:
        msg = f"cannot listen on port {port} ({error.strerror}): choose another --port, or leave it out"
        raise OSError(msg) from None
    server.start()
    try:
        yield server, f"http://{HOST}:{port}/?token={token}"
    finally:
        server.stop(wait=False)  # its loop has ended, and what sessions hold ends with the process


def serve(state: ViewState, tell: Callable[[str], None], *, port: int = 0, show: bool = False) -> None:
    """Serve a page until Ctrl-C; `tell` is called with its address, and with `show` a browser opens it."""
    with serving(state, port=port) as (server, address), suppress(KeyboardInterrupt):
        tell(address)
        if show:
            server.io_loop.add_callback(webbrowser.open, address)
        server.io_loop.start()
