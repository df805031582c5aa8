"""Nodes as whole processes: addresses, starting, stopping, exiting, tasks, children."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from integration.runtime.talking import Talker, World, run
from messor.errors import ConfigurationError, DiskFailed
from messor.runtime.address import Address, choose_address
from messor.runtime.node import Node


def test_a_port_in_use_is_one_readable_line() -> None:
    """Starting on it raises ConfigurationError in the words of Mesos."""

    async def test(world: World) -> None:
        port = (await world.node()).network.port
        with pytest.raises(ConfigurationError) as caught:
            await world.node(port=port)
        assert str(caught.value) == f"Failed to bind on 127.0.0.1:{port}: Address already in use"

    run(test)


def test_an_ip_of_another_host_is_one_readable_line() -> None:
    """As recorded."""

    async def test(world: World) -> None:
        with pytest.raises(
            ConfigurationError, match=r"^Failed to bind on 192\.0\.2\.1:0: Cannot assign requested address$"
        ):
            await Node(Address("192.0.2.1", 0)).start()

    run(test)


def test_the_environment_chooses_the_address() -> None:
    """LIBPROCESS_* count where flags say nothing; what is advertised goes into UPIDs."""
    environment = {
        "LIBPROCESS_IP": "127.0.0.1",
        "LIBPROCESS_PORT": "0",
        "LIBPROCESS_ADVERTISE_IP": "10.1.1.1",
        "LIBPROCESS_ADVERTISE_PORT": "99",
        "LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH": "true",
    }
    address = choose_address(environment)
    assert address == Address("127.0.0.1", 0, "10.1.1.1", 99, verify_peer=True)
    assert choose_address(environment, ip="127.0.0.2", port=5)[:2] == ("127.0.0.2", 5)
    assert choose_address({}) == Address("0.0.0.0", 0)

    async def test(world: World) -> None:
        node = Node(address, environ={})
        await node.start()
        world.nodes.append(node)
        assert node.spawn(Talker("x")) == ("x", "10.1.1.1", 99)

    run(test)


@pytest.mark.parametrize(
    "environment", [{"LIBPROCESS_IP": "nonsense"}, {"LIBPROCESS_PORT": "x"}, {"LIBPROCESS_PORT": "70000"}]
)
def test_addresses_that_are_none_are_refused(environment: dict[str, str]) -> None:
    """One readable line each."""
    with pytest.raises(ConfigurationError):
        choose_address(environment)


def test_a_host_has_a_name() -> None:
    """The given one, the IP when nothing is to be looked up, else a name of the IP."""

    async def test(world: World) -> None:
        for node, expected in (
            (Node(Address("127.0.0.1", 0), hostname="h"), "h"),
            (Node(Address("127.0.0.1", 0), hostname_lookup=False), "127.0.0.1"),
        ):
            await node.start()
            world.nodes.append(node)
            assert node.hostname == expected

    run(test)


def test_names_are_resolved() -> None:
    """Addresses stay as they are; unknown names raise."""

    async def test(world: World) -> None:
        network = (await world.node()).network
        assert network.resolve("127.0.0.1") == "127.0.0.1"
        assert network.resolve("localhost") == "127.0.0.1"
        with pytest.raises(ConfigurationError):
            network.resolve("no-such-host.invalid")

    run(test)


PROGRAM = """
import signal, sys
from messor.errors import ConfigurationError
from messor.runtime.address import Address
from messor.runtime.node import Node
what = sys.argv[1]
def setup(node):
    if what == "refuse":
        raise ConfigurationError("This cannot be")
    if what == "exit":
        node.clock.after(0, node.exit, 3, "It is over")
    node.on_signal(signal.SIGUSR1, lambda: node.request_stop(7))
    print(node.network.port, flush=True)
sys.exit(Node(Address("127.0.0.1", 0)).run(setup))
"""


def start(what: str) -> subprocess.Popen[str]:
    """Run a node as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGUSR1, 7)])
def test_signals_end_a_program_in_good_order(number: int, status: int) -> None:
    """SIGTERM and SIGINT stop; others do what they are told."""
    with start("wait") as program:
        assert program.stdout is not None
        assert int(program.stdout.readline()) > 0
        program.send_signal(number)
        assert program.wait(60) == status
        assert program.stderr is not None
        assert program.stderr.read() == ""


def test_a_refused_configuration_is_one_line_and_status_1() -> None:
    """Nothing else on stderr."""
    with start("refuse") as program:
        _, stderr = program.communicate(timeout=60)
        assert (program.returncode, stderr) == (1, "This cannot be\n")


def test_exit_ends_the_process_at_once_with_one_line() -> None:
    """Status and sentence as Mesos gives them."""
    with start("exit") as program:
        _, stderr = program.communicate(timeout=60)
        assert (program.returncode, stderr) == (3, "EXIT with status 3: It is over\n")


def test_a_node_runs_in_a_thread() -> None:
    """Without signals; calls from outside arrive, in order."""
    heard: list[int] = []
    ready = threading.Event()
    node = Node(Address("127.0.0.1", 0))

    def setup(node: Node) -> None:
        ready.set()

    thread = threading.Thread(target=lambda: node.run(setup, signals=False))
    thread.start()
    assert ready.wait(60)
    for number in range(3):
        node.call(heard.append, number)
    node.call(node.request_stop)
    thread.join(60)
    assert not thread.is_alive()
    assert heard == [0, 1, 2]


def test_a_failed_task_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """It never vanishes silently."""

    async def test(world: World) -> None:
        node = await world.node()

        async def fail() -> None:
            raise ValueError("no good")

        node.tasks.spawn(fail(), "the failing one")
        await asyncio.sleep(0.01)
        assert node.metrics.handler_failures.value == 1
        assert "Task 'the failing one' failed" in caplog.text

    run(test)


def test_tasks_wait_for_each_other() -> None:
    """all gives results or the first error after all ended; within gives up; blocking runs in a thread."""

    async def test(world: World) -> None:
        tasks = (await world.node()).tasks
        promise = tasks.promise()

        async def value(number: int) -> int:
            await tasks.sleep(0.001)
            if number < 0:
                raise ValueError("negative")
            return number

        assert await tasks.all([value(1), value(2)]) == [1, 2]
        with pytest.raises(ValueError, match="negative"):
            await tasks.all([value(-1), value(2)])
        with pytest.raises(TimeoutError):
            await tasks.within(0.01, promise)
        assert await tasks.blocking(threading.get_ident) != threading.get_ident()

    run(test)


def test_children_end_with_their_status_word(tmp_path: Path) -> None:
    """Exit codes and signals come as wait(2) gives them; environment, folder and files are exactly as asked."""

    async def test(world: World) -> None:
        processes = (await world.node()).processes
        out = str(tmp_path / "out")
        child = processes.start(
            ["/bin/sh", "-c", "pwd; echo $A-$HOME; echo $$; ps -o sid= -p $$ 2>/dev/null || true; exit 3"],
            {"A": "b"},
            folder=str(tmp_path),
            stdout=out,
        )
        assert await child.wait() == 3 << 8
        assert await child.wait() == 3 << 8
        lines = Path(out).read_text().split("\n")  # noqa: ASYNC240  (a tiny local file)
        assert lines[:3] == [str(tmp_path), "b-", str(child.pid)]
        child.kill(signal.SIGKILL)
        child.kill(signal.SIGKILL, group=True)

        sleeper = processes.start(["/bin/sh", "-c", "sleep 60 & wait"], {})
        waiting = asyncio.ensure_future(sleeper.wait())
        await asyncio.sleep(0.02)
        sleeper.kill(signal.SIGTERM, group=True)
        assert await waiting == signal.SIGTERM
        with pytest.raises(DiskFailed, match="Failed to start '/no/such': No such file or directory"):
            processes.start(["/no/such"], {})
        with pytest.raises(DiskFailed):
            processes.start(["/bin/true"], {}, folder="/no/such/folder")

    run(test, fast=True)


def test_children_without_pidfds_are_reaped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old kernels: we look every now and then."""

    def refuse(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)

    async def test(world: World) -> None:
        child = (await world.node()).processes.start(["/bin/true"], {})
        assert await child.wait() == 0

    run(test)
