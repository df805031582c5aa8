"""``messor record`` beside a real cluster."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from messor.cli import execute, record
from messor.cli.watching import Watch
from messor.local.cluster import LocalCluster

PATIENCE = 60


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
