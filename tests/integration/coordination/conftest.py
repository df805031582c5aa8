"""A real ensemble of three servers, and masters and agents that use it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kazoo.client import KazooClient

from messor.containers.native.zygote_client import destroy_everything
from messor.coordination.urls import parse_zookeeper_url
from messor.local.daemons import Daemon
from messor.local.leftovers import kill_leftovers
from messor.local.probe import free_port
from support.zookeeper import Ensemble, why_unavailable

SECONDS = 60.0
SESSION_SECONDS = 6.0
"""Long enough for a loaded machine to send its heartbeats in time, short enough to wait for."""

LONGEST_SESSION = 20.0
"""What the ensemble grants at most: for tests in which no session should expire, or in which nobody waits for that."""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Poll until something is true and give it."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    """Start three servers for a module; skipped where there is no ZooKeeper, but not where everything must run."""
    reason = why_unavailable()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    made = Ensemble(tmp_path_factory.mktemp("zookeeper"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Answer(NamedTuple):
    """What a master says."""

    status: int
    location: str | None
    body: bytes


class Master(Daemon):
    """One master of several."""

    def __init__(self, number: int, folder: Path, zk: str, **flags: object) -> None:
        """Describe it; nothing is started."""
        port = free_port()
        settings = {
            "ip": "127.0.0.1",
            "hostname": "localhost",
            "port": port,
            "zk": zk,
            "quorum": 2,
            "zk_session_timeout": f"{SESSION_SECONDS}secs",
            "allocation_interval": "50ms",
            **flags,
        }
        super().__init__("messor.master.main", f"master {number}", settings, folder, port)

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer | None:
        """Ask it for something without following redirects; None when it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers.get("Location"), response.read())
        except OSError:
            return None
        finally:
            connection.close()

    def leads(self) -> bool:
        """Whether it leads and has recovered."""
        answer = self.ask("/api/v1", "POST", b'{"type":"GET_HEALTH"}', **{"Content-Type": "application/json"})
        return answer is not None and answer.status == 200

    def follows(self, leader: Master) -> bool:
        """Whether it sends askers to that master."""
        answer = self.ask("/redirect")
        return answer is not None and answer.location == f"//localhost:{leader.port}" and self is not leader

    def agents(self) -> list[dict[str, Any]]:
        """Its registered agents."""
        answer = self.ask("/slaves")
        return json.loads(answer.body)["slaves"] if answer is not None and answer.status == 200 else []

    def send(self, how: signal.Signals) -> None:
        """Send a signal."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, how)

    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def words(self) -> str:
        """What it wrote to stderr."""
        return self.log.read_text(errors="replace")


class Masters:
    """Two masters, started by need, and an agent that follows them."""

    def __init__(self, folder: Path, zk: str, **flags: object) -> None:
        """Describe them."""
        self.zk = zk
        self.folder = folder
        self.masters = [Master(number, folder / f"master-{number}", zk, **flags) for number in (1, 2)]
        runtime = folder / "agent" / "runtime"
        port = free_port()
        self.agent = Daemon(
            "messor.agent.main",
            "agent",
            {
                "ip": "127.0.0.1",
                "hostname": "localhost",
                "port": port,
                "master": zk,
                "zk_session_timeout": f"{SESSION_SECONDS}secs",
                "work_dir": folder / "agent",
                "runtime_dir": runtime,
                "registration_backoff_factor": "20ms",
                "resources": "cpus:4;mem:1024;disk:1024",
                "switch_user": os.geteuid() == 0,
            },
            folder / "agent",
            port,
        )
        self._runtime = runtime

    def start(self, count: int = 2, *, agent: bool = True) -> tuple[Master, Master]:
        """Start masters one after the other, so that the first leads; gives leader and standby."""
        leader, standby = self.masters
        leader.start()
        if agent:
            self.agent.start()
        wait_for(leader.leads, f"{leader.name} to lead")
        if count > 1:
            standby.start()
            wait_for(lambda: standby.follows(leader), "the second master to follow")
        if agent:
            wait_for(leader.agents, "the agent to register")
        return leader, standby

    def expire_leader(self) -> None:
        """Do to ZooKeeper what the end of the leader's session does, without waiting for that.

        Drivers wait the longer between attempts the longer there was no leader.
        """
        url = parse_zookeeper_url(self.zk)
        client = KazooClient(url.servers)
        client.start(SECONDS)
        try:
            client.delete(f"{url.path}/{min(name for name in client.get_children(url.path) if 'info_' in name)}")
        finally:
            client.stop()
            client.close()

    def stop(self) -> None:
        """End everything."""
        for one in self.masters:
            one.ask_to_stop(signal.SIGCONT)
            one.kill()
        self.agent.kill()
        destroy_everything(str(self._runtime))
        kill_leftovers(self._runtime)


@pytest.fixture
def masters(ensemble: Ensemble, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Masters]:
    """Give masters with a path of their own in the ensemble."""
    made = Masters(tmp_path, ensemble.url(f"/{request.node.name.partition('[')[0]}"))
    try:
        yield made
    finally:
        made.stop()
