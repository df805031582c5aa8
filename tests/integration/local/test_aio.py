"""The asyncio API and the operator clients against a real cluster."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from messor import LocalCluster, aio
from messor.errors import ConfigurationError
from messor.operator import (
    AgentClient,
    BlockingAgentClient,
    BlockingMasterClient,
    MasterClient,
    Refused,
    agent_calls,
    master_calls,
)
from messor.protos import v0, v1_master

TRANSPORTS = pytest.mark.parametrize("transport", ["http", "http+json", "libprocess"])

EXECUTOR = """
import asyncio
from messor.aio import Executor, executor_events as events
from messor.protos import v0

async def main():
    async with Executor(transport="%s") as executor:
        async for event in executor:
            match event:
                case events.Launch():
                    outcome = await executor.update(event.task_id, v0.TASK_RUNNING)
                    executor.message(str(outcome).encode())
                case events.Message(data):
                    executor.message(b"echo " + data)
                case events.Kill(task_id, grace):
                    executor.update(task_id, v0.TASK_KILLED, message=f"grace {grace}")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One master, one agent."""
    flags = {"allocation_interval": "50ms"}
    with LocalCluster(1, work_dir=tmp_path_factory.mktemp("aio"), master_flags=flags) as running:
        yield running


def task(offer: v0.Offer, task_id: str, command: str = "true") -> v0.TaskInfo:
    """A small task for an offer."""
    info = v0.TaskInfo(name=task_id, task_id=v0.TaskID(value=task_id), slave_id=offer.slave_id)
    for name, amount in (("cpus", 0.1), ("mem", 32.0)):
        info.resources.add(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=amount))
    info.command.value = command
    return info


async def offer_of(scheduler: aio.Scheduler) -> v0.Offer:
    """Wait for an offer."""
    async for event in scheduler:
        if isinstance(event, aio.Offers):
            return event.offers[0]
    raise AssertionError("iteration ended before an offer came")


def frameworks(cluster: LocalCluster) -> dict[str, bool]:
    """Framework ids the master has, and whether they are connected."""
    with BlockingMasterClient(cluster.master) as master:
        listed = master.ask(master_calls.get_frameworks()).frameworks
    return {one.framework_info.id.value: one.connected for one in listed}


def wait_until_gone(cluster: LocalCluster, framework_id: str) -> None:
    """Wait until the master has forgotten a framework: what is told it as a message has no answer."""
    deadline = time.monotonic() + 60
    while framework_id in frameworks(cluster):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@TRANSPORTS
def test_a_task_runs_and_its_framework_is_gone_afterwards(cluster: LocalCluster, transport: str) -> None:
    """Launch, updates, acknowledgements, TEARDOWN at the block's end."""

    async def main() -> tuple[list[str], str, aio.Outcome]:
        states = []
        async with aio.Scheduler(framework="aio", master=cluster.master, transport=transport) as scheduler:
            assert scheduler.framework.failover_timeout == 7 * 24 * 3600
            offer = await offer_of(scheduler)
            outcome = await scheduler.launch(offer, [task(offer, "t")])
            async for event in scheduler:
                if isinstance(event, aio.Update):
                    states.append(event.state)
                    if event.is_terminal:
                        break
            return states, scheduler.framework_id, outcome

    states, framework_id, outcome = asyncio.run(main())
    assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    assert outcome
    assert outcome.what is (aio.What.SENT if transport == "libprocess" else aio.What.ACCEPTED)
    wait_until_gone(cluster, framework_id)


def test_a_refused_call_says_why(cluster: LocalCluster) -> None:
    """The master's own words; the connection lives on."""

    async def main() -> tuple[aio.Outcome, aio.Outcome]:
        async with aio.Scheduler(framework="aio", master=cluster.master) as scheduler:
            early = await scheduler.suppress()
            async for event in scheduler:
                if isinstance(event, aio.Registered):
                    break
            status = v0.TaskStatus(task_id=v0.TaskID(value="t"), state=v0.TASK_RUNNING, uuid=b"no uuid")
            status.slave_id.value = "S"
            wrong = await scheduler.acknowledge(status)
            assert scheduler.is_connected
            return early, wrong

    early, wrong = asyncio.run(main())
    assert early.what is aio.What.DROPPED
    assert wrong.what is aio.What.REJECTED
    assert wrong.reason.startswith("400: ")


def test_an_exception_leaves_the_framework_to_its_successor(cluster: LocalCluster) -> None:
    """The task runs on, the unhandled update comes again, and the successor ends both."""

    async def failing(seen: list[aio.Update]) -> str:
        async with aio.Scheduler(framework="aio", master=cluster.master) as scheduler:
            offer = await offer_of(scheduler)
            scheduler.launch(offer, [task(offer, "long", "sleep 10000")])
            async for event in scheduler:
                if isinstance(event, aio.Update):
                    seen.append(event)
                    framework_ids.append(scheduler.framework_id)
                    raise ZeroDivisionError
        raise AssertionError

    async def successor(framework_id: str) -> list[aio.Update]:
        info = v0.FrameworkInfo(name="aio")
        info.id.value = framework_id
        updates = []
        async with aio.Scheduler(framework=info, master=cluster.master) as scheduler:
            async for event in scheduler:
                if isinstance(event, aio.Update):
                    updates.append(event)
                    if event.is_terminal:
                        return updates
                    scheduler.kill("long")
        return updates

    framework_ids: list[str] = []
    seen: list[aio.Update] = []
    with pytest.raises(ZeroDivisionError):
        asyncio.run(failing(seen))
    assert framework_ids[0] in frameworks(cluster)
    updates = asyncio.run(successor(framework_ids[0]))
    assert updates[0].status.uuid == seen[0].status.uuid
    assert updates[-1].state == "TASK_KILLED"
    wait_until_gone(cluster, framework_ids[0])


def test_a_removed_framework_is_told_and_can_start_over(cluster: LocalCluster) -> None:
    """FrameworkRemoved is raised; ``renew`` gets a new id."""

    async def main() -> tuple[str, str]:
        info = v0.FrameworkInfo(name="aio")
        async with aio.Scheduler(framework=info, master=cluster.master) as scheduler:
            await anext(scheduler)
            old = scheduler.framework_id
        info.id.value = old
        async with aio.Scheduler(framework=info, master=cluster.master) as scheduler:
            with pytest.raises(aio.FrameworkRemoved):
                await anext(scheduler)
            scheduler.renew()
            event = await anext(scheduler)
            assert isinstance(event, aio.Registered)
            return old, event.framework_id

    old, new = asyncio.run(main())
    assert old != new


def test_cancelling_a_wait_loses_no_event_and_no_framework(cluster: LocalCluster) -> None:
    """``asyncio.timeout`` around ``anext`` is a way to poll; a cancelled task leaves the framework alone."""

    async def main() -> str:
        async with aio.Scheduler(framework="aio", master=cluster.master) as scheduler:
            heard: list[aio.Event] = []
            while not any(isinstance(event, aio.Offers) for event in heard):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.001):
                        heard.append(await anext(scheduler))
            assert isinstance(heard[0], aio.Registered)
            framework_ids.append(scheduler.framework_id)
            await asyncio.sleep(1000)
        raise AssertionError

    async def cancelled() -> None:
        running = asyncio.create_task(main())
        while not framework_ids:  # noqa: ASYNC110  (an event would have to be made inside the loop)
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    framework_ids: list[str] = []
    asyncio.run(cancelled())
    assert framework_ids[0] in frameworks(cluster)
    with BlockingMasterClient(cluster.master) as master:
        master.ask(master_calls.teardown(framework_ids[0]))


@pytest.mark.parametrize("transport", ["http", "libprocess"])
def test_an_asyncio_executor_runs_tasks(cluster: LocalCluster, tmp_path: Path, transport: str) -> None:
    """Updates are awaited until acknowledged; messages and kill policies arrive."""
    program = tmp_path / "executor.py"
    program.write_text(EXECUTOR % transport)

    async def main() -> tuple[list[bytes], v0.TaskStatus]:
        messages = []
        async with aio.Scheduler(framework="aio", master=cluster.master) as scheduler:
            offer = await offer_of(scheduler)
            info = task(offer, "t")
            info.ClearField("command")
            info.executor.executor_id.value = "e"
            info.executor.command.value = f"exec {sys.executable} {program}"
            scheduler.launch(offer, [info])
            async for event in scheduler:
                match event:
                    case aio.Message(data=data):
                        messages.append(data)
                        if data.startswith(b"echo"):
                            scheduler.kill("t", agent_id=offer.slave_id.value, grace_seconds=1.5)
                        else:
                            scheduler.message("e", offer.slave_id.value, b"hello")
                    case aio.Update() if event.is_terminal:
                        return messages, event.status
        raise AssertionError

    messages, status = asyncio.run(main())
    assert messages == [b"accepted", b"echo hello"]
    assert status.state == v0.TASK_KILLED
    assert status.message == "grace 1.5"


def test_operators_ask_masters_and_agents(cluster: LocalCluster) -> None:
    """Typed answers, awaited or blocking; a refusal carries its status."""

    async def main() -> list[str]:
        async with MasterClient(cluster.master) as master, AgentClient(cluster.agents[0].url) as agent:
            assert await master.ask(master_calls.get_health())
            agents = (await master.ask(master_calls.get_agents())).agents
            assert (await agent.ask(agent_calls.get_agent())).id == agents[0].agent_info.id
            with pytest.raises(Refused, match=r"^40[04]") as refused:
                await master.ask(master_calls.read_file("/nothing"))
            assert refused.value.code in (400, 404)
            return [agent.agent_info.hostname for agent in agents]

    assert asyncio.run(main()) == ["127.0.0.1"]
    with BlockingMasterClient(cluster.master) as master, BlockingAgentClient(cluster.agents[0].url) as agent:
        assert "port" in master.ask(master_calls.get_flags())
        assert master.ask(master_calls.get_metrics())["master/elected"] == 1
        assert list(agent.ask(agent_calls.get_containers())) == []
        first = next(master.events())
        assert first.type == v1_master.Event.SUBSCRIBED
        assert len(first.subscribed.get_state.get_agents.agents) == 1


@pytest.mark.parametrize("address", ["", "nowhere", "host:", ":5050", "host:x"])
def test_a_malformed_address_is_named(address: str) -> None:
    """One readable line at once."""
    with pytest.raises(ConfigurationError, match="Expecting an address"):
        MasterClient(address)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"framework": "f", "master": ""}, ConfigurationError, "master is empty"),
        ({"framework": "f", "master": 5050}, TypeError, "master must be a string"),
        ({"framework": "", "master": "m:1"}, ConfigurationError, "framework.name is empty"),
        ({"framework": 3, "master": "m:1"}, TypeError, "FrameworkInfo"),
        ({"framework": "f", "master": "m:1", "transport": "carrier pigeon"}, ConfigurationError, "Unknown transport"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], kind: type[Exception], words: str) -> None:
    """Before anything is connected."""
    with pytest.raises(kind, match=words):
        aio.Scheduler(**arguments)  # type: ignore[arg-type]


def test_an_executor_outside_an_agent_says_what_is_missing() -> None:
    """The variable's name."""
    with pytest.raises(ConfigurationError, match="MESOS_SLAVE_PID"):
        aio.Executor(environment={})
