"""The command executor itself: one poll loop over the agent's connections, the task's end and a few deadlines."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import NoReturn

from messor import __version__
from messor.containers.command_line import DEFAULT_PATH, program
from messor.errors import ConnectionLost
from messor.executors.command.escalation import Escalation, grace_period, shutdown_grace
from messor.executors.command.link import AgentLink
from messor.executors.command.log import log
from messor.executors.command.settings import Settings
from messor.executors.command.statuses import Outcome, outcome
from messor.executors.command.task_process import TaskProcess, task_environment
from messor.protos import v1, v1_executor

_ACKNOWLEDGEMENT_PATIENCE = 60.0
"""Seconds to wait for the acknowledgement of the last update before exiting anyway."""

_HEARTBEAT_INTERVAL = 30 * 60.0
_EAGER_RETRIES = 10.0
"""For this many seconds after losing the agent try to come back often: an agent that restarts waits only 2 s for us."""

_EAGER_DELAY = 0.2
_PATIENT_DELAY = 1.0
_RETRY_STATUSES = (404, 503)
"""The agent is starting or recovering."""

_NO_CHECKS = "Health checks and checks are not supported yet by this command executor; the task was not started"
_NO_SECOND_TASK = 'Attempted to run multiple tasks using a "command" executor'


class CommandExecutor:
    """Runs one task for one agent. ``run`` returns the exit code of the process."""

    def __init__(self, settings: Settings, link: AgentLink, process: TaskProcess) -> None:
        """Prepare; nothing is connected yet."""
        self._settings = settings
        self._link = link
        self._process = process
        self._escalation = Escalation()
        self._task: v1.TaskInfo | None = None
        self._task_is_unacknowledged = False
        self._unacknowledged: dict[bytes, v1.TaskStatus] = {}
        self._listed: set[bytes] = set()
        """Uuids of the updates in the latest SUBSCRIBE."""
        self._outbox: list[bytes] = []
        self._announces_killing = False
        self._shutting_down = False
        self._ended: Outcome | None = None
        self._last_uuid: bytes | None = None
        self._subscribed_before = False
        self._exit_code: int | None = None
        self._complete_by: float | None = None
        self._lost_at: float | None = None
        self._retry_at: float | None = 0.0
        self._give_up_at: float | None = None
        self._heartbeat_at = time.monotonic() + _HEARTBEAT_INTERVAL

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until the task's end is acknowledged, the agent says so, or it is gone for too long."""
        log(f"Version: {__version__}")
        wakeup = _watch_children()
        while self._exit_code is None:
            self._meet_deadlines(time.monotonic())
            self._flush()
            if self._exit_code is not None:
                break
            for descriptor in self._wait(wakeup):
                self._ready(descriptor, wakeup)
        self._link.close()
        os.close(wakeup)
        return self._exit_code

    def _wait(self, wakeup: int) -> list[int]:
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        for source in (self._link.stream, self._link.calls):
            if source is not None:
                poll.register(source, select.POLLIN)
        due = [
            moment
            for moment in (
                self._retry_at,
                self._give_up_at,
                self._complete_by,
                self._escalation.kill_at,
                self._heartbeat_at,
            )
            if moment is not None
        ]
        patience = max(0.0, min(due) - time.monotonic())
        return [descriptor for descriptor, _ in poll.poll(patience * 1000 + 1)]

    def _ready(self, descriptor: int, wakeup: int) -> None:
        if descriptor == wakeup:
            with suppress(BlockingIOError):
                os.read(wakeup, 512)
            self._process.reap()
            self._look_for_end()
        elif self._link.stream is not None and descriptor == self._link.stream.fileno():
            self._read_events()
        elif self._link.calls is not None and descriptor == self._link.calls.fileno():
            self._read_replies()

    def _meet_deadlines(self, now: float) -> None:
        if self._retry_at is not None and now >= self._retry_at:
            self._subscribe(now)
        if self._complete_by is not None and now >= self._complete_by:
            self._complete_by = None
            if self._escalation.time_is_up(now):
                log("Killing the task: it ran past its max_completion_time")
                self._process.signal(signal.SIGTERM)
        if self._escalation.force_due(now) and self._ended is None:
            log("The task did not end within its grace period: sending SIGKILL to the whole tree")
            self._process.signal(signal.SIGKILL)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + _HEARTBEAT_INTERVAL
            if self._link.stream is not None:
                self._outbox.append(self._call("HEARTBEAT").SerializeToString())
        if self._give_up_at is not None and now >= self._give_up_at:
            self._give_up()

    # --- the agent ---------------------------------------------------------------------------------------------------

    def _call(self, kind: str) -> v1_executor.Call:
        call = v1_executor.Call(type=kind)
        call.executor_id.value = self._settings.executor_id
        call.framework_id.value = self._settings.framework_id
        return call

    def _subscribe(self, now: float) -> None:
        call = self._call("SUBSCRIBE")
        call.subscribe.SetInParent()
        if self._task is not None and self._task_is_unacknowledged:
            call.subscribe.unacknowledged_tasks.append(self._task)
        for status in self._unacknowledged.values():
            call.subscribe.unacknowledged_updates.add().status.CopyFrom(status)
        try:
            self._link.subscribe(call.SerializeToString())
        except ConnectionLost as error:
            self._disconnected(now, error)
            return
        # What waited in the outbox travels inside the call.
        self._outbox.clear()
        self._listed = set(self._unacknowledged)
        self._retry_at = None

    def _disconnected(self, now: float, error: ConnectionLost) -> None:
        """Lose the agent: wait for its return when checkpointing, end the task when not."""
        self._link.close()
        if self._lost_at is None:
            self._lost_at = now
            log(f"Disconnected from the agent: {error}")
            if not self._settings.checkpoint and self._subscribed_before:
                log("Shutting down: the framework does not checkpoint")
                self._give_up()
                return
            if self._give_up_at is None:
                self._give_up_at = now + self._settings.recovery_timeout
        delay = _EAGER_DELAY if now - self._lost_at < _EAGER_RETRIES else _PATIENT_DELAY
        # Spread a little, so that the executors of one agent do not come all at once.
        spread = 0.75 + os.urandom(1)[0] / 512
        self._retry_at = now + min(delay, self._settings.backoff_max) * spread

    def _give_up(self) -> None:
        """End without anybody to tell."""
        if self._ended is None:
            self._process.signal(signal.SIGKILL)
        self._exit_code = 0 if self._ended is not None else 1

    def _read_events(self) -> None:
        try:
            records, refusal = self._link.read_events()
        except ConnectionLost as error:
            self._disconnected(time.monotonic(), error)
            return
        if refusal is not None:
            self._refused(*refusal)
        for record in records:
            self._event(v1_executor.Event.FromString(record))

    def _refused(self, status: int, text: bytes) -> None:
        words = f"The agent refused the subscription with status {status}: {text.decode(errors='replace')}"
        if status in _RETRY_STATUSES:
            self._disconnected(time.monotonic(), ConnectionLost(words))
            return
        log(words, "E")
        self._give_up()
        self._exit_code = 1

    def _read_replies(self) -> None:
        try:
            replies = self._link.read_replies()
        except ConnectionLost:
            # The agent may close an idle connection; what it did not acknowledge goes out again on a new one.
            self._link.close_calls()
            self._outbox = [self._update(status) for status in self._unacknowledged.values()]
            return
        for status, text in replies:
            if status != 202:
                log(f"The agent refused a call with status {status}: {text.decode(errors='replace')}", "W")

    def _flush(self) -> None:
        """Send what is due, in one go; without a stream it waits for the next subscription."""
        if not self._outbox or self._link.stream is None:
            return
        bodies, self._outbox = self._outbox, []
        try:
            self._link.call(bodies)
        except ConnectionLost as error:
            self._disconnected(time.monotonic(), error)

    # --- events ------------------------------------------------------------------------------------------------------

    def _event(self, event: v1_executor.Event) -> None:
        kind = v1_executor.Event.Type.Name(event.type)
        if kind not in ("ACKNOWLEDGED", "HEARTBEAT"):
            log(f"Received {kind} event")
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, event)

    def _on_subscribed(self, event: v1_executor.Event) -> None:
        capability = v1.FrameworkInfo.Capability.TASK_KILLING_STATE
        framework = event.subscribed.framework_info
        self._announces_killing = any(known.type == capability for known in framework.capabilities)
        self._subscribed_before = True
        self._lost_at = None
        if self._ended is None:
            self._give_up_at = None
        # What was sent meanwhile may have been refused: the agent did not know us yet.
        late = [status for uuid, status in self._unacknowledged.items() if uuid not in self._listed]
        self._outbox = [self._update(status) for status in late]
        log(f"Subscribed executor on {event.subscribed.agent_info.hostname}")

    def _on_launch(self, event: v1_executor.Event) -> None:
        task = event.launch.task
        if self._task is not None and self._task.task_id == task.task_id:
            log(f"Ignoring a second launch of task {task.task_id.value}", "W")
            return
        if self._task is not None:
            self._report(task.task_id, Outcome("TASK_FAILED", _NO_SECOND_TASK))
            return
        self._task = task
        self._task_is_unacknowledged = True
        if task.HasField("health_check") or task.HasField("check"):
            self._end(Outcome("TASK_FAILED", _NO_CHECKS))
            return
        log(f"Starting task {task.task_id.value}")
        self._report(task.task_id, Outcome("TASK_STARTING", ""))
        self._start(task)
        self._report(task.task_id, Outcome("TASK_RUNNING", ""))
        if task.HasField("max_completion_time"):
            self._complete_by = time.monotonic() + task.max_completion_time.nanoseconds / 1e9
        self._look_for_end()

    def _start(self, task: v1.TaskInfo) -> None:
        role = task.resources[0].allocation_info.role if task.resources else ""
        variables = {variable.name: variable.value for variable in task.command.environment.variables}
        environment = task_environment(self._settings.environment, variables, role or None)
        command = task.command
        started = program(
            command.value,
            list(command.arguments),
            shell=command.shell,
            search_path=environment.get("PATH", DEFAULT_PATH),
        )
        self._process.start(started, environment)
        if self._process.pid is not None:
            log(f"Forked command at {self._process.pid}")

    def _on_launch_group(self, _event: v1_executor.Event) -> None:
        log("Ignoring the task group: a command executor runs one task", "E")

    def _on_kill(self, event: v1_executor.Event) -> None:
        kill = event.kill
        if self._task is None or kill.task_id.value != self._task.task_id.value:
            log(f"Ignoring the kill of unknown task {kill.task_id.value}", "W")
            return
        call_policy = _grace_of(kill.kill_policy) if kill.HasField("kill_policy") else None
        task_policy = _grace_of(self._task.kill_policy) if self._task.HasField("kill_policy") else None
        self._kill(grace_period(task_policy, call_policy, honours_call=self._settings.honours_kill_policy_of_calls))

    def _kill(self, grace: float) -> None:
        if self._task is None or self._ended is not None:
            return
        if not self._escalation.request(time.monotonic(), grace):
            return
        if self._announces_killing:
            self._report(self._task.task_id, Outcome("TASK_KILLING", ""))
        log(f"Sending SIGTERM to the process tree of the task, with a grace of {grace:g}s")
        self._process.signal(signal.SIGTERM)

    def _on_acknowledged(self, event: v1_executor.Event) -> None:
        self._unacknowledged.pop(event.acknowledged.uuid, None)
        self._task_is_unacknowledged = False
        if event.acknowledged.uuid == self._last_uuid:
            self._exit_code = 0

    def _on_shutdown(self, _event: v1_executor.Event) -> None:
        if self._shutting_down:
            return
        self._shutting_down = True
        if self._task is None or (self._ended is not None and not self._unacknowledged):
            self._exit_code = 0
            return
        self._kill(shutdown_grace(self._settings.shutdown_grace))
        self._give_up_at = time.monotonic() + self._settings.shutdown_grace

    def _on_error(self, event: v1_executor.Event) -> None:
        log(f"The agent reports an error: {event.error.message}", "E")
        self._give_up()
        self._exit_code = 1

    # --- the task ----------------------------------------------------------------------------------------------------

    def _look_for_end(self) -> None:
        status = self._process.status
        if status is None or self._ended is not None:
            return
        judged = outcome(status, killed=self._escalation.killed, out_of_time=self._escalation.out_of_time)
        log(f"{judged.message} (pid: {self._process.pid})")
        self._end(judged)

    def _end(self, judged: Outcome) -> None:
        if self._task is None:
            return
        self._ended = judged
        self._complete_by = None
        self._escalation.kill_at = None
        self._last_uuid = self._report(self._task.task_id, judged)
        patience = time.monotonic() + _ACKNOWLEDGEMENT_PATIENCE
        if self._give_up_at is None:
            self._give_up_at = patience

    def _report(self, task_id: v1.TaskID, judged: Outcome) -> bytes:
        """Queue an update and remember it until it is acknowledged; gives its uuid."""
        status = v1.TaskStatus(
            state=judged.state,
            source=v1.TaskStatus.SOURCE_EXECUTOR,
            reason=judged.reason,
            timestamp=time.time(),
            uuid=_uuid_bytes(),
        )
        status.task_id.CopyFrom(task_id)
        status.executor_id.value = self._settings.executor_id
        if judged.message:
            status.message = judged.message
        self._unacknowledged[status.uuid] = status
        self._outbox.append(self._update(status))
        return status.uuid

    def _update(self, status: v1.TaskStatus) -> bytes:
        call = self._call("UPDATE")
        call.update.status.CopyFrom(status)
        return call.SerializeToString()


_HANDLERS = {
    "SUBSCRIBED": CommandExecutor._on_subscribed,
    "LAUNCH": CommandExecutor._on_launch,
    "LAUNCH_GROUP": CommandExecutor._on_launch_group,
    "KILL": CommandExecutor._on_kill,
    "ACKNOWLEDGED": CommandExecutor._on_acknowledged,
    "SHUTDOWN": CommandExecutor._on_shutdown,
    "ERROR": CommandExecutor._on_error,
}


def _grace_of(policy: v1.KillPolicy) -> float | None:
    return policy.grace_period.nanoseconds / 1e9 if policy.HasField("grace_period") else None


def _uuid_bytes() -> bytes:
    """Make a version 4 UUID; the uuid module would cost more to load than it is worth here."""
    data = bytearray(os.urandom(16))
    data[6] = data[6] & 0x0F | 0x40
    data[8] = data[8] & 0x3F | 0x80
    return bytes(data)


def _watch_children() -> int:
    """Give a descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _noticed)
    return reader


def _noticed(_number: int, _frame: object) -> None:
    """Do nothing: the wake-up descriptor tells the loop."""


def exit_now(code: int) -> NoReturn:
    """Leave without tearing the interpreter down: nothing is buffered here, and the zygote cleans up after us."""
    os._exit(code)
