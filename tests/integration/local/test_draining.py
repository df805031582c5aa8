"""Draining with real processes: tasks get their grace, agents remember, and one that is gone ends itself."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from messor import LocalCluster
from messor.operator import BlockingMasterClient
from messor.operator import master_calls as calls
from messor.protos import v1, v1_master

COMMAND = "import sys; from messor.cli.main import execute; sys.exit(execute())"
Agent = v1_master.Response.GetAgents.Agent


def agents(client: BlockingMasterClient) -> list[Agent]:
    """Give the agents."""
    return list(client.ask(calls.get_agents()).agents)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds; fails when it does not."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def test_an_agent_drains_and_is_gone_the_second_time(tmp_path: Path) -> None:
    """A running task is killed for that reason; then the agent is drained; told so again with mark_gone it ends."""
    with ExitStack() as stack:
        local = LocalCluster(agents=1, work_dir=tmp_path, resources="cpus:4;mem:512;disk:100")
        cluster = stack.enter_context(local)
        flags = [f"--master={cluster.master}", "--name=t", "--command=sleep 10000", "--resources=cpus:1;mem:32"]
        task = subprocess.Popen(
            [sys.executable, "-u", "-c", COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert task.stdout is not None
        for line in task.stdout:
            if "TASK_RUNNING" in line:
                break
        client = stack.enter_context(BlockingMasterClient(cluster.master))
        (agent,) = agents(client)
        client.ask(calls.drain_agent(agent.agent_info.id.value, max_grace_seconds=2))
        rest, _ = task.communicate(timeout=60)
        assert task.returncode != 0
        assert "REASON_AGENT_DRAINING" in rest or "REASON_SLAVE_DRAINING" in rest, rest
        wait_for(lambda: agents(client)[0].drain_info.state == v1.DRAINED)
        assert agents(client)[0].deactivated
        client.ask(calls.drain_agent(agent.agent_info.id.value, mark_gone=True))
        wait_for(lambda: not agents(client))
        wait_for(lambda: cluster.agents[0].pid is None)
