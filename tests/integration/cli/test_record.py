"""``messor record`` beside a real cluster."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from messor.cli import execute, record
from messor.cli.watching import Watch
from messor.local.cluster import LocalCluster

PATIENCE = 60


class Mean(BaseHTTPRequestHandler):
    """A master that shows shares but tells of nothing that happens."""

    def do_GET(self) -> None:
        """Show that there is nothing."""
        shares = {"time": 1.0, "cluster": "c", "agents": 0, "tasks": 0, "total": {}, "roles": []}
        self._answer(200, json.dumps(shares).encode())

    def do_POST(self) -> None:
        """Refuse."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(403, b"no events for you")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_a_master_that_tells_of_no_events_is_recorded_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the reason is told."""
    page = tmp_path / "run.html"
    with ThreadingHTTPServer(("127.0.0.1", 0), Mean) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        where = f"--master=127.0.0.1:{server.server_address[1]}"
        assert record.main(["messor", where, f"--output={page}", "--seconds=0.4", "--interval=0.1"]) == 0
        server.shutdown()
        thread.join()
    assert re.search("Without tasks: (403: no events for you|the master did not)", capsys.readouterr().out)
    assert 'data-chart="tasks"' not in page.read_text()


def test_tasks_are_followed_by_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From their launch to their end; the page has a chart of them."""
    with LocalCluster(agents=1) as cluster, Watch(cluster.url, {}, 0.0) as watch:
        assert watch.began.wait(PATIENCE)
        options = [f"--master={cluster.master}", "--name=t", "--command=true", "--role=web", "--resources=cpus:0.1"]
        assert execute.main(["mesos-execute", *options]) == 0
        changes, deadline = watch.take(), time.monotonic() + PATIENCE
        while len(changes) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            changes += watch.take()
        assert [(one.role, one.task, one.state) for one in changes] == [("web", "t", ""), ("web", "t", "FINISHED")]
        assert changes[0].time <= changes[1].time
        page = tmp_path / "run.html"
        argv = ["messor", f"--master={cluster.master}", f"--output={page}", "--seconds=0.5", "--interval=0.1"]
        assert record.main(argv) == 0
    assert "samples over" in capsys.readouterr().out
    assert 'data-chart="shares"' in page.read_text()
