"""Third-party clients that find the leading master through ZooKeeper: they read the nodes that our masters write."""

from __future__ import annotations

import pytest

from integration.coordination.conftest import Masters, ensemble, masters
from interop.conftest import CLIENTS, need, run, run_python

__all__ = ["ensemble", "masters"]

pytestmark = pytest.mark.interop


def test_pymesos_finds_the_leader_among_two(masters: Masters) -> None:
    """It takes the smallest child that is no log replica and reads its address."""
    leader, _ = masters.start()
    run_python("pymesos_scheduler.py", masters.zk, "3", f"127.0.0.1:{leader.port}")


def test_mesos_go_v0_finds_the_leader_among_two(masters: Masters) -> None:
    """It reads both formats and trusts the pid."""
    program = need(CLIENTS / "go-v0", "mesos-go's v0 program")
    masters.start()
    run([str(program), masters.zk, "3"])
