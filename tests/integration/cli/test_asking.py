"""How commands ask a master: redirects to the leader, refusals, credentials, and answers that are none."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from messor.cli.asking import Master
from messor.errors import ConfigurationError, ConnectionLost, InvalidRequest, NotFound


class Scripted(BaseHTTPRequestHandler):
    """Answers each path as told."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        """Answer, and remember who asked."""
        self.seen.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    """Give a server whose answers a test fills in; {port} in a header is its own."""
    handler = type("Handler", (Scripted,), {"answers": {}, "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def address(server: Any) -> str:
    """Give host and port."""
    return f"127.0.0.1:{server.server_address[1]}"


def test_a_redirect_without_scheme_leads_to_the_leader(server: Any) -> None:
    """As masters send it, with the question kept."""
    handler = server.RequestHandlerClass
    handler.answers["/x?a=b%3Bc"] = (307, {"Location": f"//{address(server)}/leader"}, b"")
    handler.answers["/leader"] = (200, {}, b'{"here": true}')
    assert Master(address(server)).get("/x", {"a": "b;c", "left_out": None}) == {"here": True}


def test_masters_that_send_in_circles_end_with_a_sentence(server: Any) -> None:
    """Nobody leads."""
    server.RequestHandlerClass.answers["/x"] = (307, {"Location": f"//{address(server)}/x"}, b"")
    with pytest.raises(ConnectionLost, match="nobody leads"):
        Master(address(server)).get("/x")


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (404, b"No agent 'x' is registered", NotFound, "No agent 'x' is registered"),
        (404, b"", NotFound, "does not exist: no Messor leads there"),
        (400, b"Expecting 'limit'", InvalidRequest, "Expecting 'limit'"),
        (401, b"", InvalidRequest, "401"),
        (503, b"No leader elected", ConnectionLost, "answered 503: No leader elected"),
        (200, b"<html>", ConnectionLost, "no usable answer"),
    ],
)
def test_refusals_come_as_errors_with_the_master_s_words(
    server: Any, status: int, body: bytes, error: type[Exception], text: str
) -> None:
    """By whose fault they are."""
    server.RequestHandlerClass.answers["/x"] = (status, {}, body)
    with pytest.raises(error, match=text):
        Master(address(server)).get("/x")


def test_a_credential_is_sent_as_basic(server: Any) -> None:
    """Only if there is one."""
    handler = server.RequestHandlerClass
    handler.answers["/x"] = (200, {}, b"{}")
    Master(address(server)).get("/x")
    Master(f"http://{address(server)}/", "ada:secret").get("/x")
    assert [who for _, who in handler.seen] == [None, "Basic " + base64.b64encode(b"ada:secret").decode()]


@pytest.mark.parametrize("where", ["zk://a:2181/mesos", "file:///etc/zk"])
def test_what_is_no_address_is_refused(where: str) -> None:
    """These commands ask one master."""
    with pytest.raises(ConfigurationError, match="give --master=HOST:PORT"):
        Master(where)
