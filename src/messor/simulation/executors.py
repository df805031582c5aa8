"""Executors as simulated processes: they register, run task scripts in virtual time and report.

One speaks libprocess as a v0 executor driver does, one the v1 HTTP API; the command executor is the latter with one
task.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from messor.errors import ConnectionLost
from messor.model.durations import parse_duration
from messor.protos import internal, v0, v0_executor, v1_executor
from messor.runtime.actor import Actor
from messor.runtime.handlers import on
from messor.simulation.ledger import ends
from messor.simulation.scripts import FOREVER, Script, parse_script
from messor.wire.recordio import RecordDecoder
from messor.wire.upid import Upid, parse_upid
from messor.wire.versions import devolve, evolve

if TYPE_CHECKING:
    from messor.runtime.host import Timer
    from messor.simulation.ledger import Ledger

TERM = 15
KILL_GRACE = 3.0
"""Seconds from SIGTERM to SIGKILL when nobody says otherwise (E2)."""
LINGER = 60.0
"""Seconds a command executor waits for the acknowledgement of its last update."""

PROTOBUF = "application/x-protobuf"


class RunningTask:
    """A task's script under way."""

    def __init__(self, info: v0.TaskInfo, script: Script) -> None:
        """Take what to run."""
        self.info = info
        self.script = script
        self.end: Timer | None = None
        self.escalation: Timer | None = None


class SimulatedExecutor(Actor):
    """What both kinds have in common: tasks, updates that wait for acknowledgement, and how it ends."""

    def __init__(self, environment: Mapping[str, str], ledger: Ledger, *, only_task: v0.TaskInfo | None = None) -> None:
        """environment: as the agent gave it; only_task: set for a command executor."""
        super().__init__("executor(1)")
        self.environment = environment
        self.ledger = ledger
        self.only_task = only_task
        self.framework_id = environment["MESOS_FRAMEWORK_ID"]
        self.executor_id = environment["MESOS_EXECUTOR_ID"]
        self.agent = parse_upid(environment["MESOS_SLAVE_PID"])
        self.agent_id = environment.get("MESOS_SLAVE_ID", "")
        self.checkpoints = environment.get("MESOS_CHECKPOINT") == "1"
        self.patience = parse_duration(environment.get("MESOS_RECOVERY_TIMEOUT", "15mins"))
        """Seconds to wait for an agent that went away."""
        self.tasks: dict[str, RunningTask] = {}
        self.unacknowledged: dict[bytes, internal.StatusUpdate] = {}
        self.unacknowledged_tasks: dict[str, v0.TaskInfo] = {}
        self.received: list[bytes] = []
        """Framework messages."""
        self.is_connected = False
        self._giving_up: Timer | None = None

    # --- what the transports supply -----------------------------------------------------------------------------------

    def deliver_update(self, update: internal.StatusUpdate) -> None:
        """Send an update to the agent."""
        raise NotImplementedError

    def deliver_message(self, data: bytes) -> None:
        """Send bytes to the scheduler."""
        raise NotImplementedError

    # --- what happens to it -------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Go on after (re)registration."""
        self.is_connected = True
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def disconnected(self) -> None:
        """Wait for the agent to come back, or end."""
        self.is_connected = False
        if not self.checkpoints:
            self.end(0)
        elif self._giving_up is None:
            self._giving_up = self.host.clock.after(self.patience, self.end, 0)

    def launch(self, info: v0.TaskInfo) -> None:
        """Start a task's script."""
        task_id = info.task_id.value
        text = info.command.value if info.HasField("command") else info.data.decode(errors="replace")
        task = self.tasks[task_id] = RunningTask(info, parse_script(text))
        self.unacknowledged_tasks[task_id] = info
        if self.only_task is not None:
            self.update(task_id, v0.TASK_STARTING)
        self.update(task_id, v0.TASK_RUNNING)
        if task.script.seconds < FOREVER:
            task.end = self.host.clock.after(task.script.seconds, self._ended, task_id)

    def kill(self, task_id: str, grace: float) -> None:
        """Send SIGTERM now and SIGKILL later if that is ignored."""
        task = self.tasks.get(task_id)
        if task is None:
            return
        if not task.script.ignores_term:
            self._killed(task_id, "Terminated")
        elif task.escalation is None:
            task.escalation = self.host.clock.after(grace, self._killed, task_id, "Killed")

    def acknowledged(self, task_id: str, uuid: bytes) -> None:
        """Forget an update that the agent has."""
        update = self.unacknowledged.pop(uuid, None)
        self.unacknowledged_tasks.pop(task_id, None)
        if update is not None and self.only_task is not None and ends(update.status.state):
            self.end(0)

    def shut_down(self) -> None:
        """Kill all tasks, then end."""
        for task_id in list(self.tasks):
            self._killed(task_id, "Terminated")
        self.host.clock.after(1.0, self.end, 0)

    def message(self, data: bytes) -> None:
        """Answer a framework message with an echo."""
        self.received.append(data)
        self.deliver_message(b"echo: " + data)

    def end(self, status: int) -> None:
        """End the process."""
        self.host.exit(status, f"executor {self.executor_id} ends")

    def died(self) -> None:
        """Take what the agent has not got out of the ledger; called when the process is gone."""
        for uuid, update in self.unacknowledged.items():
            self.ledger.died_with(self.framework_id, update.status.task_id.value, uuid)

    def update(self, task_id: str, state: v0.TaskState, message: str = "") -> None:
        """Make an update and send it."""
        uuid = self.host.chance.uuid_bytes()
        update = internal.StatusUpdate(timestamp=self.host.clock.now(), uuid=uuid)
        update.framework_id.value = self.framework_id
        update.executor_id.value = self.executor_id
        update.slave_id.value = self.agent_id
        status = update.status
        status.task_id.value = task_id
        status.state = state
        status.uuid = uuid
        status.timestamp = update.timestamp
        status.source = v0.TaskStatus.SOURCE_EXECUTOR
        status.executor_id.value = self.executor_id
        status.slave_id.value = self.agent_id
        if message:
            status.message = message
        self.unacknowledged[uuid] = update
        self.ledger.made(self.framework_id, task_id, uuid)
        if self.is_connected:
            self.deliver_update(update)

    def _ended(self, task_id: str) -> None:
        code = self._forget(task_id).script.exit_code
        state = v0.TASK_FAILED if code else v0.TASK_FINISHED
        self._last(task_id, state, f"Command exited with status {code}")

    def _killed(self, task_id: str, signal: str) -> None:
        if task_id in self.tasks:
            self._forget(task_id)
            self._last(task_id, v0.TASK_KILLED, f"Command terminated with signal {signal}")

    def _last(self, task_id: str, state: v0.TaskState, message: str) -> None:
        self.update(task_id, state, message)
        if self.only_task is not None:
            self.host.clock.after(LINGER, self.end, 0)

    def _forget(self, task_id: str) -> RunningTask:
        task = self.tasks.pop(task_id)
        for timer in (task.end, task.escalation):
            if timer is not None:
                timer.cancel()
        return task


class PidExecutor(SimulatedExecutor):
    """An executor on the v0 driver: libprocess messages."""

    def started(self) -> None:
        """Register with the agent."""
        self.link(self.agent)
        message = internal.RegisterExecutorMessage()
        message.framework_id.value = self.framework_id
        message.executor_id.value = self.executor_id
        self.send(self.agent, message)

    def exited(self, peer: Upid) -> None:
        """Notice the end of the agent."""
        if peer == self.agent:
            self.disconnected()

    @on(internal.ExecutorRegisteredMessage)
    def registered(self, sender: Upid, message: internal.ExecutorRegisteredMessage) -> None:
        """Begin."""
        del sender
        self.agent_id = message.slave_id.value
        self.connected()

    @on(internal.ReconnectExecutorMessage)
    def asked_to_reconnect(self, sender: Upid, message: internal.ReconnectExecutorMessage) -> None:
        """Tell a restarted agent what is here."""
        del message
        self.agent = sender
        self.link(sender, reconnect=True)
        answer = internal.ReregisterExecutorMessage(
            tasks=list(self.unacknowledged_tasks.values()), updates=list(self.unacknowledged.values())
        )
        answer.framework_id.value = self.framework_id
        answer.executor_id.value = self.executor_id
        self.send(sender, answer)

    @on(internal.ExecutorReregisteredMessage)
    def reregistered(self, sender: Upid, message: internal.ExecutorReregisteredMessage) -> None:
        """Go on."""
        del sender, message
        self.connected()

    @on(internal.RunTaskMessage)
    def run_task(self, sender: Upid, message: internal.RunTaskMessage) -> None:
        """Start a task."""
        del sender
        self.launch(message.task)

    @on(internal.KillTaskMessage)
    def kill_task(self, sender: Upid, message: internal.KillTaskMessage) -> None:
        """Kill a task."""
        del sender
        self.kill(message.task_id.value, KILL_GRACE)

    @on(internal.StatusUpdateAcknowledgementMessage)
    def acknowledgement(self, sender: Upid, message: internal.StatusUpdateAcknowledgementMessage) -> None:
        """Forget an update."""
        del sender
        self.acknowledged(message.task_id.value, message.uuid)

    @on(internal.FrameworkToExecutorMessage)
    def framework_message(self, sender: Upid, message: internal.FrameworkToExecutorMessage) -> None:
        """Take bytes from the scheduler."""
        del sender
        self.message(message.data)

    @on(internal.ShutdownExecutorMessage)
    def shutdown(self, sender: Upid, message: internal.ShutdownExecutorMessage) -> None:
        """End everything."""
        del sender, message
        self.shut_down()

    def deliver_update(self, update: internal.StatusUpdate) -> None:
        """Send it as a message."""
        self.send(self.agent, internal.StatusUpdateMessage(update=update, pid=str(self.upid)))

    def deliver_message(self, data: bytes) -> None:
        """Send bytes through the agent."""
        message = internal.ExecutorToFrameworkMessage(data=data)
        message.framework_id.value = self.framework_id
        message.executor_id.value = self.executor_id
        message.slave_id.value = self.agent_id
        self.send(self.agent, message)


class HttpExecutor(SimulatedExecutor):
    """An executor on the v1 API: an event stream and calls on a second connection."""

    RETRY = 1.0
    """Seconds between attempts to subscribe."""

    def started(self) -> None:
        """Subscribe."""
        self._was_connected = False
        self._listed: set[bytes] = set()
        self.host.tasks.spawn(self._subscribe(), "executor SUBSCRIBE")

    async def _subscribe(self) -> None:
        """Hold the event stream; try again when it breaks, as long as that makes sense."""
        while True:
            with suppress(ConnectionLost):
                await self._follow()
            if self._was_connected:
                self.disconnected()
            await self.host.tasks.sleep(self.RETRY)

    async def _follow(self) -> None:
        call = self._call(v0_executor.Call.SUBSCRIBE)
        call.subscribe.unacknowledged_tasks.extend(self.unacknowledged_tasks.values())
        for update in self.unacknowledged.values():
            self._fill(call.subscribe.unacknowledged_updates.add(), update)
        self._listed = set(self.unacknowledged)
        headers = {"Content-Type": PROTOBUF, "Accept": PROTOBUF}
        self._connection = self.host.network.http(self.agent.ip, self.agent.port)
        stream = await self.host.network.http(self.agent.ip, self.agent.port).stream(
            "POST", self._path(), headers, evolve(call).SerializeToString()
        )
        if stream.status != 200:
            stream.close()
            return
        decoder = RecordDecoder()
        async for chunk in stream.chunks():
            for record in decoder.feed(chunk):
                self._event(devolve(v1_executor.Event.FromString(record)))

    def _event(self, event: v0_executor.Event) -> None:
        kinds = v0_executor.Event
        match event.type:
            case kinds.SUBSCRIBED:
                self._was_connected = True
                self.agent_id = event.subscribed.slave_info.id.value
                self.connected()
                for uuid, update in self.unacknowledged.items():
                    if uuid not in self._listed:
                        self.deliver_update(update)
            case kinds.LAUNCH:
                self.launch(event.launch.task)
            case kinds.LAUNCH_GROUP:
                for task in event.launch_group.task_group.tasks:
                    self.launch(task)
            case kinds.KILL:
                policy = event.kill.kill_policy
                grace = policy.grace_period.nanoseconds / 1e9 if policy.HasField("grace_period") else KILL_GRACE
                self.kill(event.kill.task_id.value, grace)
            case kinds.ACKNOWLEDGED:
                self.acknowledged(event.acknowledged.task_id.value, event.acknowledged.uuid)
            case kinds.MESSAGE:
                self.message(event.message.data)
            case kinds.SHUTDOWN:
                self.shut_down()
            case _:
                pass

    def deliver_update(self, update: internal.StatusUpdate) -> None:
        """Call UPDATE."""
        call = self._call(v0_executor.Call.UPDATE)
        self._fill(call.update, update)
        self._post(call)

    def deliver_message(self, data: bytes) -> None:
        """Call MESSAGE."""
        call = self._call(v0_executor.Call.MESSAGE)
        call.message.data = data
        self._post(call)

    def _fill(self, target: v0_executor.Call.Update, update: internal.StatusUpdate) -> None:
        target.status.CopyFrom(update.status)

    def _call(self, kind: v0_executor.Call.Type) -> v0_executor.Call:
        call = v0_executor.Call(type=kind)
        call.framework_id.value = self.framework_id
        call.executor_id.value = self.executor_id
        return call

    def _path(self) -> str:
        return f"/{self.agent.id}/api/v1/executor"

    def _post(self, call: v0_executor.Call) -> None:
        self.host.tasks.spawn(self._posted(call), v0_executor.Call.Type.Name(call.type))

    async def _posted(self, call: v0_executor.Call) -> None:
        """Send on the second connection; updates are sent again on a new one, or with the next SUBSCRIBE."""
        body = evolve(call).SerializeToString()
        try:
            await self._connection.request("POST", self._path(), {"Content-Type": PROTOBUF}, body)
        except ConnectionLost:
            await self.host.tasks.sleep(self.RETRY)
            if self.is_connected and call.update.status.uuid in self.unacknowledged:
                self._post(call)
