"""How to test a framework with Messor's pytest plugin: clusters that can be broken.

pytest examples/test_my_framework.py
"""

import asyncio

import pytest

from messor import aio
from messor.protos import v0


async def run_command(master, command, on_running=lambda: None):
    """The framework under test: one command, to its end."""
    launched = False
    async with aio.Scheduler(framework="mine", master=master) as scheduler:
        async for event in scheduler:
            match event:
                case aio.Offers(offers=[offer, *_]) if not launched:
                    launched = True
                    task = v0.TaskInfo(name="mine", slave_id=offer.slave_id)
                    task.task_id.value = "mine"
                    task.command.value = command
                    task.resources.add(name="cpus", type=v0.Value.SCALAR).scalar.value = 0.1
                    task.resources.add(name="mem", type=v0.Value.SCALAR).scalar.value = 32
                    scheduler.launch(offer, [task])
                case aio.Reregistered():
                    scheduler.reconcile()
                case aio.Update() if event.is_terminal:
                    return event.state
                case aio.Update() if event.state == "TASK_RUNNING":
                    on_running()
                    on_running = lambda: None  # noqa: E731
    raise AssertionError("the events ended before the task did")


def test_a_command_runs(mesos_cluster):
    """On the session's cluster."""
    assert asyncio.run(run_command(mesos_cluster.master, "exit 0")) == "TASK_FINISHED"
    mesos_cluster.wait_task("mine", "TASK_FINISHED")


def test_a_failure_is_told(mesos_cluster):
    """On the same one."""
    assert asyncio.run(run_command(mesos_cluster.master, "exit 1")) == "TASK_FAILED"


@pytest.mark.mesos(agents=1, resources="cpus:1;mem:512", master_flags={"allocation_interval": "50ms"})
def test_it_survives_a_new_master(mesos):
    """On a cluster of its own, whose master dies."""
    assert asyncio.run(run_command(mesos.master, "sleep 2", on_running=mesos.failover)) == "TASK_FINISHED"
