"""One task as the master knows it: a few keys, and the rest as encoded bytes."""

from __future__ import annotations

from messor.model.resources import Resources
from messor.model.task_states import is_terminal
from messor.protos import v0


class TaskRecord:
    """A task on an agent of ours.

    ``base`` is the encoded mesos.Task without state, statuses and status_update_*: those change and are kept beside it.
    ``message()`` puts them together. Holding bytes keeps a task near one kilobyte (B8) and makes its JSON fragment the
    only other cost.
    """

    __slots__ = (
        "agent_id",
        "base",
        "created_at",
        "executor_id",
        "fragment",
        "framework_id",
        "id",
        "is_removable",
        "last_status_state",
        "resources",
        "state",
        "status_update_state",
        "status_update_uuid",
        "statuses",
    )

    def __init__(
        self, identifier: str, framework_id: str, agent_id: str, executor_id: str, resources: Resources, base: bytes
    ) -> None:
        """Start in TASK_STAGING; resources carry their allocation role. executor_id is "" for a command task."""
        self.id = identifier
        self.framework_id = framework_id
        self.agent_id = agent_id
        self.executor_id = executor_id
        self.resources = resources
        self.base = base
        self.state: int = v0.TASK_STAGING
        """Latest state the agent reported; resources are freed on this one (M14)."""
        self.status_update_state: int | None = None
        """State of the update last forwarded to the scheduler; reconciliation answers with it when it is set."""
        self.status_update_uuid: bytes | None = None
        self.statuses: list[bytes] = []
        """Encoded TaskStatus messages, ``data`` dropped, oldest first; one per state (a repeated state replaces)."""
        self.last_status_state: int | None = None
        """State of the last of them, None when it was not looked at yet."""
        self.fragment: bytes | None = None
        """Cached JSON for /state; whoever changes the task sets it to None."""
        self.created_at = 0.0
        """When this master took its launch; 0 when an agent brought it along."""
        self.is_removable = False
        """Whether the terminal update was acknowledged: the record goes to the completed ring."""

    @property
    def is_terminal(self) -> bool:
        """Whether the latest state is terminal."""
        return is_terminal(self.state)

    def latest_status(self) -> v0.TaskStatus | None:
        """Decode the last status, None when there was none."""
        return v0.TaskStatus.FromString(self.statuses[-1]) if self.statuses else None

    def add_status(self, state: int, status: bytes) -> bool:
        """Append an encoded TaskStatus, in the place of the last one if that has the same state; tells if it is new."""
        statuses = self.statuses
        if statuses:
            if self.last_status_state is None:
                self.last_status_state = v0.TaskStatus.FromString(statuses[-1]).state
            if self.last_status_state == state:
                statuses[-1] = status
                return False
        statuses.append(status)
        self.last_status_state = state
        return True

    def encoded(self) -> bytes:
        """Encode as mesos.Task."""
        tail = v0.Task()
        tail.state = self.state  # type: ignore[assignment]
        if self.status_update_state is not None:
            tail.status_update_state = self.status_update_state  # type: ignore[assignment]
        if self.status_update_uuid is not None:
            tail.status_update_uuid = self.status_update_uuid
        for status in self.statuses:
            tail.statuses.add().MergeFromString(status)
        return self.base + tail.SerializePartialToString()

    def message(self) -> v0.Task:
        """Decode the whole mesos.Task; not for hot paths."""
        return v0.Task.FromString(self.encoded())
