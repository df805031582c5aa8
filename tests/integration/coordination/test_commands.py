"""Commands that look at a cluster find its leader in ZooKeeper, as everything else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.coordination.conftest import Masters, wait_for
from messor.cli import fit, record, top, validate, why
from messor.cli.asking import Master

TASK = {
    "name": "t",
    "task_id": {"value": "t"},
    "command": {"value": "true"},
    "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}],
}


def test_commands_find_the_leader(masters: Masters, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the ensemble, a file that names it, or all masters; then whoever leads next."""
    leader, standby = masters.start()
    task, file, run = tmp_path / "task.json", tmp_path / "masters", tmp_path / "run.html"
    task.write_text(json.dumps(TASK))
    file.write_text(masters.zk)
    several = f"127.0.0.1:{standby.port},127.0.0.1:{leader.port}"
    followed = Master(masters.zk)
    commands: list[tuple[Callable[[list[str]], int], list[str], str]] = [
        (top.main, ["--once"], "1 agent"),
        (fit.main, ["--resources=cpus:1"], "fits now"),
        (why.main, ["web", "--as=role"], "web"),
        (validate.main, [str(task)], "valid"),
        (record.main, [f"--output={run}", "--seconds=0.1", "--interval=0.05"], "samples"),
    ]
    for main, options, expected in commands:
        for where in (masters.zk, f"file://{file}", several):
            status = main(["messor", *options, f"--master={where}"])
            out, err = capsys.readouterr()
            assert (status, err) == (0, ""), (options, where, out)
            assert expected in out
    assert followed.get("/allocator/shares")["agents"] == 1
    leader.kill()
    masters.expire_leader()
    wait_for(standby.leads, "the standby to lead")
    wait_for(lambda: followed.url.endswith(f":{standby.port}"), "the command to follow")
    assert "agents" in followed.get("/allocator/shares")
