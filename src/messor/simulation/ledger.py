"""What executors said, what agents sent and what schedulers heard and acknowledged, kept beside the cluster.

The programs of a simulation write here directly, so it shows what a fault in master or agent would hide.
"""

from __future__ import annotations

from messor.model.task_states import is_terminal
from messor.protos import internal, v0
from messor.simulation.network import Envelope, decode

TaskKey = tuple[str, str]
"""(framework id, task id)"""

FINAL = frozenset({v0.TASK_FINISHED, v0.TASK_FAILED, v0.TASK_KILLED, v0.TASK_ERROR})
"""States after which a task must not run; TASK_LOST and the partition-aware ones may turn out otherwise."""

AHEAD = (v0.TaskStatus.REASON_SLAVE_REREGISTERED, v0.TaskStatus.REASON_RECONCILIATION)
"""Reasons of statuses that tell the latest state although updates before it may still be on their way."""

RUNNING = frozenset({v0.TASK_STARTING, v0.TASK_RUNNING})


class Ledger:
    """Updates by task, in the order they were made and heard."""

    def __init__(self) -> None:
        """Start empty."""
        self.sent: dict[TaskKey, list[bytes]] = {}
        """Uuids of updates in the order their executors made them."""
        self.heard: dict[TaskKey, list[bytes]] = {}
        """Uuids of updates in the order their schedulers first heard them."""
        self.acknowledged: dict[bytes, None] = {}
        """Uuids whose acknowledgement reached the agent."""
        self.ended: dict[TaskKey, int] = {}
        """Final state as the scheduler heard it."""
        self.faults: list[str] = []
        """What must not happen and did."""

    def made(self, framework_id: str, task_id: str, uuid: bytes) -> None:
        """Note that an executor made an update."""
        self.sent.setdefault((framework_id, task_id), []).append(uuid)

    def died_with(self, framework_id: str, task_id: str, uuid: bytes) -> None:
        """Note that an executor ended before its agent had taken an update: nobody can be expected to hear it."""
        sent = self.sent.get((framework_id, task_id), [])
        if uuid in sent and uuid not in self.heard.get((framework_id, task_id), ()):
            sent.remove(uuid)

    def heard_by_scheduler(self, framework_id: str, status: v0.TaskStatus) -> None:
        """Note that a scheduler received a status."""
        key = (framework_id, status.task_id.value)
        if key in self.ended and status.state in RUNNING:
            state = v0.TaskState.Name(status.state)
            self.faults.append(f"task {key[1]} is {state} after {v0.TaskState.Name(self.ended[key])}")
        if status.state in FINAL and status.reason not in AHEAD:
            self.ended.setdefault(key, status.state)
        if not status.uuid:
            return
        heard = self.heard.setdefault(key, [])
        if status.uuid in heard:
            return
        heard.append(status.uuid)
        self._check_order(key)

    def watch(self, envelope: Envelope) -> None:
        """Look at an envelope that was just delivered."""
        if envelope.name == "mesos.internal.StatusUpdateAcknowledgementMessage" and _is_agent(envelope.receiver.id):
            self.acknowledged[decode(envelope).uuid] = None

    def watch_sent(self, envelope: Envelope) -> None:
        """Look at an envelope that a process is sending."""
        if envelope.name != "mesos.internal.StatusUpdateMessage" or not _is_agent(envelope.sender.id):
            return
        message: internal.StatusUpdateMessage = decode(envelope)
        if message.update.uuid in self.acknowledged:
            self.faults.append(f"task {message.update.status.task_id.value}: an acknowledged update was sent again")

    def unheard(self) -> list[TaskKey]:
        """List the tasks of which some executor's update has not reached the scheduler."""
        return [key for key, sent in self.sent.items() if len(self._from_executor(key)) < len(sent)]

    def _check_order(self, key: TaskKey) -> None:
        """Updates reach the scheduler in the order made, without gaps."""
        heard = self._from_executor(key)
        if heard != self.sent.get(key, [])[: len(heard)]:
            self.faults.append(f"task {key[1]}: updates were lost or reordered on their way to the scheduler")

    def _from_executor(self, key: TaskKey) -> list[bytes]:
        made = set(self.sent.get(key, ()))
        return [uuid for uuid in self.heard.get(key, ()) if uuid in made]


def ends(state: int) -> bool:
    """Whether a state is terminal."""
    return is_terminal(state)


def _is_agent(identifier: str) -> bool:
    return identifier.startswith("slave(")
