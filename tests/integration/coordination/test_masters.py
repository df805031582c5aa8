"""Several masters on a real ensemble: who leads, what the others answer, and what survives (H14-H16)."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.coordination.conftest import LONGEST_SESSION, Master, Masters, wait_for
from mesos.interface import Scheduler
from mesos.native import MesosSchedulerDriver
from messor.protos import v0
from support.zookeeper import Ensemble

SECOND_ATTEMPT = "5mins"
"""When an authentication without an answer is tried again: later than any test here waits."""

CANDIDACY = "EXIT with status 1: Lost candidacy as a leader... committing suicide!"


class Keeper(Scheduler):
    """Launches what it is told on the first offer and remembers everything."""

    def __init__(self) -> None:
        """Start with nothing to launch."""
        self.heard: list[str] = []
        self.states: dict[str, list[int]] = {}
        self.to_launch: list[str] = []

    def registered(self, driver: Any, framework_id: Any, master: Any) -> None:
        """Keep it."""
        self.heard.append(f"registered {master.port}")

    def reregistered(self, driver: Any, master: Any) -> None:
        """Keep it."""
        self.heard.append(f"reregistered {master.port}")

    def disconnected(self, driver: Any) -> None:
        """Keep it."""
        self.heard.append("disconnected")

    def error(self, driver: Any, message: str) -> None:
        """Keep it."""
        self.heard.append(f"error {message}")

    def resourceOffers(self, driver: Any, offers: list[Any]) -> None:  # noqa: N802
        """Launch one task per offer."""
        for offer in offers:
            if not self.to_launch:
                driver.declineOffer(offer.id, v0.Filters(refuse_seconds=0.1))
                continue
            name = self.to_launch.pop()
            task = v0.TaskInfo(name=name, slave_id=offer.slave_id)
            task.task_id.value = name
            task.command.value = "sleep 1000"
            task.resources.add(name="cpus", type=v0.Value.SCALAR).scalar.value = 0.1
            task.resources.add(name="mem", type=v0.Value.SCALAR).scalar.value = 32
            driver.launchTasks(offer.id, [task], v0.Filters(refuse_seconds=0.1))

    def statusUpdate(self, driver: Any, status: Any) -> None:  # noqa: N802
        """Keep it."""
        self.states.setdefault(status.task_id.value, []).append(status.state)

    def is_running(self, task: str) -> bool:
        """Whether a task was last heard of as running."""
        return self.states.get(task, [])[-1:] == [v0.TASK_RUNNING]


def driver_for(keeper: Keeper, master: str, transport: str) -> MesosSchedulerDriver:
    """Make a driver that waits for its master to come back."""
    info = v0.FrameworkInfo(user="root", name=f"keeper-{transport}", failover_timeout=600, checkpoint=True)
    return MesosSchedulerDriver(keeper, info, master, transport=transport)


def test_tasks_and_frameworks_survive_a_failover(masters: Masters, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader is killed with calls in flight: agent and drivers follow, however they find the next."""
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.1")
    leader, standby = masters.start()
    several = ",".join(f"http://127.0.0.1:{one.port}" for one in masters.masters)
    addresses = [
        (masters.zk, "libprocess"),
        (several, "http"),
        (f"http://127.0.0.1:{standby.port}", "http+json"),  # it sends the driver to the leader
    ]
    keepers = [Keeper() for _ in addresses]
    drivers = [driver_for(keeper, *address) for keeper, address in zip(keepers, addresses, strict=True)]
    try:
        for keeper, driver in zip(keepers, drivers, strict=True):
            keeper.to_launch = ["before"]
            driver.start()
        for keeper in keepers:
            wait_for(lambda keeper=keeper: keeper.is_running("before"), f"tasks to run, heard {keeper.heard}")
        leader.kill()
        for driver in drivers:
            driver.reconcileTasks([])  # nobody will answer: it must not break anything
            driver.killTask(v0.TaskID(value="nobody"))
        masters.expire_leader()
        wait_for(standby.leads, "the standby to lead")
        wait_for(standby.agents, "the agent to follow")
        for keeper, driver in zip(keepers, drivers, strict=True):
            wait_for(lambda keeper=keeper: f"reregistered {standby.port}" in keeper.heard, f"{keeper.heard} to follow")
            keeper.states.clear()
            driver.reconcileTasks([])
            keeper.to_launch = ["after"]
            driver.reviveOffers()
            for task in ("before", "after"):
                wait_for(lambda keeper=keeper, task=task: keeper.is_running(task), f"{task} to run: {keeper.states}")
            assert keeper.heard[0] == f"registered {leader.port}"
            assert not [what for what in keeper.heard if what.startswith("error")]
    finally:
        for driver in drivers:
            driver.stop()
            driver.join()


def test_everybody_proves_again_who_they_are_after_a_failover(
    ensemble: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agent and driver convince the new leader without waiting for a second attempt."""
    monkeypatch.setenv("MESOS_REGISTRATION_BACKOFF_FACTOR", "50ms")
    monkeypatch.setenv("MESOS_AUTHENTICATION_TIMEOUT_MIN", SECOND_ATTEMPT)
    monkeypatch.setenv("MESOS_AUTHENTICATION_TIMEOUT_MAX", SECOND_ATTEMPT)
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.1")
    credentials, credential = tmp_path / "credentials", tmp_path / "credential"
    agent = {"principal": "agents", "secret": "s2"}
    credentials.write_text(json.dumps({"credentials": [{"principal": "alice", "secret": "s1"}, agent]}))
    credential.write_text(json.dumps(agent))
    flags = {"authenticate_frameworks": "true", "authenticate_agents": "true", "credentials": credentials}
    masters = Masters(tmp_path, ensemble.url("/secure-masters"), **flags)
    patience = dict.fromkeys(("authentication_timeout_min", "authentication_timeout_max"), SECOND_ATTEMPT)
    masters.agent.flags |= {"credential": credential, "authentication_backoff_factor": "20ms", **patience}
    keeper = Keeper()
    info = v0.FrameworkInfo(user="root", name="keeper", failover_timeout=600)
    driver = MesosSchedulerDriver(keeper, info, masters.zk, 1, ("alice", "s1"))
    try:
        leader, standby = masters.start()
        driver.start()
        wait_for(lambda: keeper.heard == [f"registered {leader.port}"], f"{keeper.heard} to register")
        leader.send(signal.SIGTERM)
        wait_for(lambda: f"reregistered {standby.port}" in keeper.heard, f"{keeper.heard} to follow")
        wait_for(standby.agents, "the agent to follow")
        assert not [what for what in keeper.heard if what.startswith("error")]
    finally:
        driver.stop()
        driver.join()
        masters.stop()


def located(path: str) -> Callable[[Master], str]:
    """Say where the leader serves a path."""
    return lambda leader: f"//localhost:{leader.port}{path}"


RECORDED = [
    ("GET", "/state", located("/master/state")),
    ("GET", "/state?jsonp=x&a=b", located("/master/state?a=b&jsonp=x")),
    ("GET", "/master/state-summary", located("/master/state-summary")),
    ("GET", "/redirect", located("")),
    ("GET", "/master/redirect", located("")),
    ("GET", "/redirect/state", 404),
    ("GET", "/health", 200),
    ("GET", "/version", 200),
    ("GET", "/flags", 200),
    ("GET", "/metrics/snapshot", 200),
    ("GET", "/maintenance/schedule", located("/master/maintenance/schedule")),
    ("GET", "/weights", located("/master/weights")),
    ("GET", "/registrar(1)/registry", 200),
    ("GET", "/files/debug", 200),
    ("POST", "/api/v1/scheduler", located("/master/api/v1/scheduler")),
    ("POST", "/master/api/v1/scheduler", located("/master/api/v1/scheduler")),
    ("POST", "/api/v1", located("/master/api/v1")),
    ("GET", "/api/v1", located("/master/api/v1")),
    ("POST", "/reserve", located("/master/reserve")),
    ("POST", "/teardown", located("/master/teardown")),
]
"""What a standby answered in a recording: where it sent the asker, or its own status."""


def test_a_standby_sends_askers_to_the_leader_and_lives_on_without_zookeeper(
    ensemble: Ensemble, masters: Masters
) -> None:
    """Its own affairs it answers itself; when ZooKeeper goes the leader ends, the standby waits and leads later."""
    leader, standby = masters.start()
    for method, path, expected in RECORDED:
        answer = standby.ask(path, method, b"garbage" if method == "POST" else b"")
        assert answer is not None
        if isinstance(expected, int):
            assert (path, answer.status) == (path, expected)
        else:
            assert (path, answer.status, answer.location) == (path, 307, expected(leader))
            assert answer.body == b""
    empty = standby.ask("/registrar(1)/registry")
    assert empty is not None
    assert json.loads(empty.body) == {}
    try:
        ensemble.kill()
        wait_for(lambda: leader.ended() is not None, "the leader to end")
        assert leader.ended() == 1
        assert leader.words().strip().splitlines()[-1].endswith(CANDIDACY)
        wait_for(lambda: (answer := standby.ask("/state")) and answer.status == 503, "the standby to know nobody")
        for path in ("/state", "/redirect", "/api/v1/scheduler"):
            answer = standby.ask(path)
            assert answer is not None
            assert (answer.status, answer.body) == (503, b"No leader elected")
        assert standby.ended() is None
        assert masters.agent.pid is not None
    finally:
        ensemble.start()
    wait_for(standby.leads, "the standby to lead")
    wait_for(standby.agents, "the agent to follow")


def test_a_leader_that_slept_too_long_does_not_come_back_as_one(masters: Masters) -> None:
    """SIGSTOP: its session expires, another leads; on SIGCONT it ends, and has written nothing."""
    leader, standby = masters.start(agent=False)
    leader.send(signal.SIGSTOP)
    wait_for(standby.leads, "the standby to lead")
    registry = standby.ask("/registrar(1)/registry")
    leader.send(signal.SIGCONT)
    wait_for(lambda: leader.ended() is not None, "the former leader to end")
    assert leader.ended() == 1
    assert "committing suicide!" in leader.words()
    assert standby.leads()
    assert standby.ask("/registrar(1)/registry") == registry


def test_a_leader_that_is_stopped_in_good_order_hands_over_at_once(ensemble: Ensemble, tmp_path: Path) -> None:
    """It does not let others wait for its session to expire."""
    masters = Masters(tmp_path, ensemble.url("/order"), zk_session_timeout=f"{LONGEST_SESSION}secs")
    try:
        leader, standby = masters.start(agent=False)
        leader.send(signal.SIGTERM)
        begin = time.monotonic()
        wait_for(standby.leads, "the standby to lead")
        assert time.monotonic() - begin < LONGEST_SESSION
        assert wait_for(lambda: leader.ended() is not None, "the former leader to end")
        assert leader.ended() == 0
    finally:
        masters.stop()


def test_the_loss_of_one_server_of_three_changes_nothing(ensemble: Ensemble, tmp_path: Path) -> None:
    """Sessions move to another server, in time even on a slow machine."""
    masters = Masters(tmp_path, ensemble.url("/servers"), zk_session_timeout=f"{LONGEST_SESSION}secs")
    try:
        leader, standby = masters.start(agent=False)
        for server in ensemble.servers:
            server.kill()
            time.sleep(0.3)
            assert leader.leads()
            assert standby.follows(leader)
            server.start()
            ensemble.wait()
        assert leader.leads()
        assert leader.ended() is None
    finally:
        masters.stop()
