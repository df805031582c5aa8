"""What a test holds in its hands: a cluster it can watch, break and mend."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from messor.errors import ConfigurationError, ConnectionLost
from messor.local.cluster import LocalAgent, LocalCluster
from messor.local.daemons import Daemon
from messor.local.probe import get_json
from messor.operator import BlockingMasterClient, Refused, master_calls
from messor.testing.guardian import Guardian

POLL_SECONDS = 0.02
ATTEMPTS = 3
"""Starts before giving up: another process may take a port that was free a moment ago."""

TAIL_LINES = 60
"""Lines of each log and sandbox file that a failure report shows."""


class Mesos:
    """A running cluster, or the master that ``--mesos-master`` names; what needs processes of ours skips there."""

    def __init__(self, local: LocalCluster | None, master: str) -> None:
        """Use ``Mesos.started`` or ``Mesos.existing``."""
        self._local = local
        self.master = master
        """The address as drivers want it, ``host:port``."""
        self._guardian = Guardian(local.work_dir) if local is not None else None
        self._offsets: dict[Path, int] = {}
        self._known: frozenset[str] = frozenset()

    @classmethod
    def started(
        cls,
        agents: int = 1,
        *,
        attributes: Any = None,
        resources: Any = None,
        master_flags: Mapping[str, object] | None = None,
        agent_flags: Mapping[str, object] | None = None,
    ) -> Mesos:
        """Start a cluster; attributes and resources as text or dict, one for all agents or a list with one for each.

        Raises ConfigurationError when it does not come up.
        """
        for attempt in range(ATTEMPTS):
            cluster = LocalCluster(
                agents,
                attributes=_texts(attributes),
                resources=_texts(resources),
                master_flags=master_flags,
                agent_flags=agent_flags,
            )
            try:
                cluster.start()
            except ConfigurationError as error:
                if attempt == ATTEMPTS - 1 or "Address already in use" not in str(error):
                    raise
            else:
                return cls(cluster, cluster.master)
        raise AssertionError  # the last attempt returns or raises

    @classmethod
    def existing(cls, master: str) -> Mesos:
        """Use a cluster that runs already."""
        return cls(None, master.removeprefix("http://").rstrip("/"))

    # --- what is there -----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The master's HTTP address."""
        return f"http://{self.master}"

    @property
    def local(self) -> LocalCluster:
        """The cluster's processes; skips the test when it has none of its own."""
        if self._local is None:
            pytest.skip("this test breaks its cluster, and --mesos-master names one that is not ours to break")
        return self._local

    @property
    def agents(self) -> list[LocalAgent]:
        """The agents; each has ``kill()`` and ``restart()``."""
        return self.local.agents

    @property
    def work_dir(self) -> Path | None:
        """Where logs and sandboxes are; None for an existing cluster."""
        return self._local.work_dir if self._local is not None else None

    def client(self) -> BlockingMasterClient:
        """Make an operator client; close it or use it in a ``with``."""
        return BlockingMasterClient(self.master)

    def state(self) -> dict[str, Any]:
        """Give the master's ``/state``."""
        host, _, port = self.master.rpartition(":")
        answer: dict[str, Any] = get_json(host, int(port), "/state")
        return answer

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Give the tasks of all frameworks that are or were, by id, as ``/state`` shows them."""
        state = self.state()
        found = {}
        for framework in [*state["completed_frameworks"], *state["frameworks"]]:
            for key in ("completed_tasks", "unreachable_tasks", "tasks"):
                found.update({task["id"]: task for task in framework.get(key, ())})
        return found

    # --- waiting -----------------------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], Any], timeout: float = 60.0, what: str = "") -> Any:
        """Poll until something is true and give it; raises AssertionError when it is not within so many seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                value = condition()
            except ConnectionLost:  # the master may be on its way up
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:g} seconds for {what or condition}")
            time.sleep(POLL_SECONDS)

    def wait_task(self, task_id: str, state: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until the master has a task in a state such as ``TASK_FINISHED``; gives it as ``/state`` shows it."""
        seen: list[str] = []

        def is_there() -> dict[str, Any] | None:
            task = self.tasks().get(task_id)
            if task is not None and (not seen or seen[-1] != task["state"]):
                seen.append(task["state"])
            return task if task is not None and task["state"] == state else None

        try:
            found: dict[str, Any] = self.wait_for(is_there, timeout)
        except AssertionError:
            was = f"it was {', '.join(seen)}" if seen else "the master never had it"
            raise AssertionError(f"waited {timeout:g} seconds for task {task_id} to be {state}; {was}") from None
        return found

    def wait_agents(self, count: int, timeout: float = 60.0) -> None:
        """Wait until that many agents are registered and active."""

        def are_there() -> bool:
            return sum(1 for agent in self.state()["slaves"] if agent["active"]) >= count

        self.wait_for(are_there, timeout, f"{count} agents to register")

    # --- breaking and mending ----------------------------------------------------------------------------------------

    def failover(self) -> None:
        """Kill the master and start another on the same registry; returns when it answers."""
        self.local.restart_master()

    def kill_master(self) -> None:
        """Kill the master, as a crash would; ``failover`` starts it again."""
        self.local.master_process.kill()

    def freeze(self, part: Daemon) -> None:
        """Stop an agent or the master (``local.master_process``) without killing it: its connections stay open."""
        part.ask_to_stop(signal.SIGSTOP)

    def thaw(self, part: Daemon) -> None:
        """Let it go on."""
        part.ask_to_stop(signal.SIGCONT)

    @contextmanager
    def partition(self, part: Daemon) -> Iterator[None]:
        """Cut an agent off for the length of a ``with`` block: it neither hears nor answers.

        Its process is frozen, as firewalls need root; so its executors go on but nobody hears of them.
        """
        self.freeze(part)
        try:
            yield
        finally:
            self.thaw(part)

    # --- before and after a test -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Remember what is there, so that reports and ``clean`` are about one test."""
        self._known = frozenset(self._framework_ids())
        self._offsets = {path: path.stat().st_size for path in self._logs() if path.exists()}

    def clean(self) -> None:
        """Tear down the frameworks that came since ``begin``."""
        with self.client() as client:
            for framework_id in self._framework_ids() - self._known:
                try:
                    client.ask(master_calls.teardown(framework_id))
                except Refused:  # it ended by itself meanwhile
                    continue

    def keep(self) -> None:
        """Let the cluster live on when this process ends."""
        if self._guardian is not None:
            self._guardian.dismiss()

    def stop(self) -> None:
        """Stop a cluster of ours, tasks included."""
        if self._local is not None:
            for part in (self._local.master_process, *self._local.agents):
                self.thaw(part)
            self._local.stop()
        self.keep()  # there is nothing left to guard

    def report(self) -> list[tuple[str, str]]:
        """Give the ends of logs and sandboxes, as (title, text)."""
        sections = []
        for path in self._logs():
            text = _tail(path, self._offsets.get(path, 0))
            if text:
                sections.append((f"mesos {path.parent.name} log ({path})", text))
        for path in self._sandbox_files():
            text = _tail(path, 0)
            if text:
                parts = path.parts
                sections.append((f"mesos sandbox {parts[-4]} {path.name} ({path})", text))
        return sections

    def _framework_ids(self) -> set[str]:
        try:
            return {framework["id"] for framework in self.state()["frameworks"]}
        except ConnectionLost:
            return set()  # the test killed the master

    def _logs(self) -> list[Path]:
        if self._local is None:
            return []
        return [self._local.master_process.log, *(agent.log for agent in self._local.agents)]

    def _sandbox_files(self) -> list[Path]:
        """List stdout and stderr of all executors of frameworks that are not older than ``begin``."""
        if self._local is None:
            return []
        pattern = "slaves/*/frameworks/*/executors/*/runs/latest/std*"
        found = [path for agent in self._local.agents for path in agent.work_dir.glob(pattern)]
        return sorted(path for path in found if path.parts[-6] not in self._known)


def _texts(value: Any) -> str | Sequence[str] | None:
    """Write attributes or resources as the agent's flags want them."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ";".join(f"{name}:{one}" for name, one in value.items())
    return [_texts(one) or "" for one in value]  # type: ignore[misc]  # lists do not nest


def _tail(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-TAIL_LINES:])
