"""Following the master's events beside samples, in a thread: when exactly tasks began and ended."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from messor.cli.recording import TaskChange
from messor.errors import MesosError
from messor.operator import MasterClient, Refused
from messor.protos import v1, v1_master

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

ENDED = frozenset(
    v1.TaskState.Value(f"TASK_{name}")
    for name in ("FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR")
)

Event = v1_master.Event


class Watch:
    """Collects changes of tasks until it is stopped."""

    def __init__(self, url: str, authorization: dict[str, str], lead: float) -> None:
        """url: of a master. lead: by how many seconds our clock is ahead of the master's."""
        self.url = url
        """May be changed: the next connection goes there."""
        self._authorization = authorization
        self._lead = lead
        self._lock = threading.Lock()
        self._changes: list[TaskChange] = []
        self._roles: dict[tuple[str, str], str] = {}
        self._away: dict[tuple[str, str], str] = {}
        """Roles of tasks on agents that cannot be reached: they may come back."""
        self.began = threading.Event()
        """Set when the master told its state once."""
        self.refusal: str | None = None
        """Why there are no events, if there are none."""
        self._thread = threading.Thread(target=self._run, name="messor-record-events", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._following: asyncio.Task[None]

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._following = self._loop.create_task(self._follow())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A thread that ended by itself, as the master refused, has closed its loop.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._following.cancel)
        self._thread.join()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._following)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def take(self) -> list[TaskChange]:
        """Give what happened since the last call."""
        with self._lock:
            changes, self._changes = self._changes, []
        return changes

    async def _follow(self) -> None:
        while True:
            try:
                async with MasterClient(self.url, self._authorization) as client:
                    await self._read(client)
            except Refused as error:
                self.refusal = str(error)
                return
            except (MesosError, OSError) as error:
                log.debug("No events from %s: %s", self.url, error)  # it is gone: another one may lead
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, client: MasterClient) -> None:
        async for event in client.events():
            changes = list(self.changes_of(event, time.time() - self._lead))
            with self._lock:
                self._changes += changes
            if event.type == Event.SUBSCRIBED:
                self.began.set()

    def changes_of(self, event: Event, now: float) -> Iterable[TaskChange]:
        """Read an event; now: on the master's clock."""
        if event.type == Event.SUBSCRIBED:
            yield from self._catch_up(event.subscribed.get_state.get_tasks, now)
        elif event.type == Event.TASK_ADDED:
            yield self._added(event.task_added.task, now)
        elif event.type == Event.TASK_UPDATED:
            updated = event.task_updated
            yield from self._updated((updated.framework_id.value, updated.status.task_id.value), updated.state, now)
        elif event.type == Event.FRAMEWORK_REMOVED:
            framework_id = event.framework_removed.framework_info.id.value
            for key in [key for key in self._roles if key[0] == framework_id]:
                yield TaskChange(now, self._roles.pop(key), *key, "KILLED")

    def _updated(self, key: tuple[str, str], state: int, now: float) -> Iterable[TaskChange]:
        if state in ENDED or state == v1.TASK_UNREACHABLE:
            role = self._roles.pop(key, None)
            if role is not None:
                yield TaskChange(now, role, *key, v1.TaskState.Name(state).removeprefix("TASK_"))
                if state == v1.TASK_UNREACHABLE:
                    self._away[key] = role
        elif key in self._away:
            self._roles[key] = self._away.pop(key)
            yield TaskChange(now, self._roles[key], *key, "")

    def _catch_up(self, tasks: v1_master.Response.GetTasks, now: float) -> Iterable[TaskChange]:
        """Take over what there is: at first as if it had always been there.

        What ended while nobody told us counts as having ended now, however it did.
        """
        if not self.began.is_set():
            now = 0.0
        live = {(task.framework_id.value, task.task_id.value): task for task in tasks.tasks}
        for key in self._roles.keys() - live.keys():
            yield TaskChange(now, self._roles.pop(key), *key, "UNSEEN")
        for key, task in live.items():
            if key not in self._roles and task.state not in ENDED:
                yield self._added(task, now)

    def _added(self, task: v1.Task, now: float) -> TaskChange:
        role = next((one.allocation_info.role for one in task.resources if one.HasField("allocation_info")), "*")
        key = (task.framework_id.value, task.task_id.value)
        self._roles[key] = role
        return TaskChange(now, role, *key, "")
