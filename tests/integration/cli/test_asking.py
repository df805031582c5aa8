"""How commands ask a master: redirects to the leader, refusals, credentials, and answers that are none."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from messor.cli import asking
from messor.cli.asking import Master
from messor.drivers.detection import MasterDetector, StandaloneMasterDetector
from messor.errors import ConfigurationError, ConnectionLost, InvalidRequest, NotFound

PATIENCE = 60
"""Seconds to wait for what comes at once unless the machine is very busy."""


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


@pytest.mark.parametrize("form", ["{0}", "master@{0}", "http://127.0.0.1:1,{0}", "{file}", "file://{file}"])
def test_a_master_is_named_as_everywhere(server: Any, tmp_path: Path, form: str) -> None:
    """By its address, among others, or in a file."""
    here = address(server)
    server.RequestHandlerClass.answers |= {
        "/redirect": (307, {"Location": f"//{here}"}, b""),
        "/x": (200, {}, b"[]"),
    }
    file = tmp_path / "master"
    file.write_text(f"{here}\n")
    assert Master(form.format(here, file=file)).get("/x") == []


def test_whoever_leads_now_is_asked(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when that changed since the last question."""
    server.RequestHandlerClass.answers["/x"] = (200, {}, b"[]")
    detector = StandaloneMasterDetector("127.0.0.1:1")
    monkeypatch.setattr(MasterDetector, "create", lambda _: detector)
    master = Master("zk://127.0.0.1:2181/mesos")
    assert master.url == "http://127.0.0.1:1"
    with pytest.raises(ConnectionLost, match=r"from http://127\.0\.0\.1:1:"):
        master.get("/x")
    detector.appoint(address(server))
    deadline = time.monotonic() + PATIENCE
    while master.url == "http://127.0.0.1:1":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert master.get("/x") == []


def test_when_nobody_leads_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some patience."""
    monkeypatch.setattr(asking, "TIMEOUT", 0.0)
    detector = StandaloneMasterDetector()
    monkeypatch.setattr(MasterDetector, "create", lambda _: detector)
    with pytest.raises(ConnectionLost, match="nobody leads according to zk://a:2181/mesos"):
        Master("zk://a:2181/mesos").get("/x")


@pytest.mark.parametrize("where", ["zk://a:2181", "a,b", "file:///nowhere/at/all"])
def test_what_names_no_master_is_refused(where: str) -> None:
    """With a sentence that says what was expected."""
    with pytest.raises(ConfigurationError, match=r"Expecting|Failed to"):
        Master(where)
