"""One framework as the master knows it."""

from __future__ import annotations

from collections import deque

from messor.master.state.counts import FrameworkCounts
from messor.master.state.lifecycles import FrameworkState, changed_framework_state
from messor.master.state.offer import OfferBook
from messor.master.state.operation import OperationRecord
from messor.master.state.task import TaskRecord
from messor.model.resources import Resources
from messor.protos import v0, v0_scheduler
from messor.runtime.host import Timer
from messor.runtime.http import Pipe
from messor.wire.upid import Upid


class HttpStream:
    """The open SUBSCRIBE stream of an HTTP framework."""

    __slots__ = ("content_type", "counts", "heartbeat", "id", "is_json", "pipe")

    def __init__(self, pipe: Pipe, identifier: str, content_type: str) -> None:
        """identifier is the Mesos-Stream-Id; content_type what SUBSCRIBE's Accept chose."""
        self.pipe = pipe
        self.id = identifier
        self.content_type = content_type
        self.is_json = content_type == "application/json"
        self.heartbeat: Timer | None = None
        self.counts: FrameworkCounts | None = None
        """Those of the framework it belongs to: heartbeats count as its events."""


class ExecutorRecord:
    """An executor on some agent, as its ExecutorInfo says; its resources count as used."""

    __slots__ = ("agent_id", "framework_id", "id", "info", "resources")

    def __init__(self, agent_id: str, framework_id: str, info: v0.ExecutorInfo, resources: Resources) -> None:
        """info is kept as the framework sent it (resources upgraded to the refined format)."""
        self.id = info.executor_id.value
        self.agent_id = agent_id
        self.framework_id = framework_id
        self.info = info
        self.resources = resources


class Front:
    """What making offers looks at of a framework; apart so that it lies together in memory."""

    __slots__ = ("capabilities", "counts", "id", "offer_owners", "offers", "pid", "state", "stream")


class FrameworkRecord(Front):
    """A framework: who it is, how it is connected, and what it holds."""

    def __init__(self, identifier: str, info: v0.FrameworkInfo, *, max_completed: int, max_unreachable: int) -> None:
        """Start recovered; whoever subscribes it makes it active."""
        self.id = identifier
        self.info = info
        self.state = FrameworkState.RECOVERED
        self.pid: Upid | None = None
        """Set when it is connected through libprocess; None for HTTP and for recovered ones."""
        self.stream: HttpStream | None = None
        """Set when it is connected through HTTP."""
        self.principal: str | None = None
        """Who it proved to be."""
        self.roles: frozenset[str] = frozenset()
        self.suppressed_roles: set[str] = set()
        self.offer_constraints = v0_scheduler.OfferConstraints()
        self.capabilities: frozenset[int] = frozenset()
        """FrameworkInfo.Capability.Type numbers."""
        self.registered_at = 0.0
        self.reregistered_at: float | None = None
        self.unregistered_at: float | None = None
        self.failover_timer: Timer | None = None
        self.tasks: dict[str, TaskRecord] = {}
        self.pending_tasks: dict[str, v0.TaskInfo] = {}
        """Tasks whose ACCEPT is being authorised."""
        self.completed_tasks: deque[TaskRecord] = deque(maxlen=max_completed)
        self.unreachable_tasks: dict[str, TaskRecord] = {}
        self.max_unreachable = max_unreachable
        self.executors: dict[str, dict[str, ExecutorRecord]] = {}
        """By agent id, then executor id."""
        self.offers = OfferBook()
        self.offer_owners: dict[str | None, bytes] = {}
        """Cached encoding of what all its Offers for a role share; under None without the role."""
        self.operations: dict[bytes, OperationRecord] = {}
        """By uuid."""
        self.used: dict[str, Resources] = {}
        """By agent id: resources of its tasks that are not terminal and of its executors."""
        self.fragment: bytes | None = None
        self.counts = FrameworkCounts()

    # --- facts -------------------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether messages can reach its scheduler."""
        return self.state in (FrameworkState.ACTIVE, FrameworkState.INACTIVE)

    @property
    def is_active(self) -> bool:
        """Whether it is offered resources."""
        return self.state is FrameworkState.ACTIVE

    @property
    def is_recovered(self) -> bool:
        """Whether it is known only from agents."""
        return self.state is FrameworkState.RECOVERED

    @property
    def is_http(self) -> bool:
        """Whether it talks v1 HTTP."""
        return self.stream is not None

    def has(self, capability: int) -> bool:
        """Tell whether it has a FrameworkInfo.Capability.Type."""
        return capability in self.capabilities

    @property
    def is_partition_aware(self) -> bool:
        """Whether it may be told TASK_UNREACHABLE, DROPPED, GONE and UNKNOWN."""
        return v0.FrameworkInfo.Capability.PARTITION_AWARE in self.capabilities

    def become(self, state: FrameworkState) -> None:
        """Change the lifecycle state; raises Broken when that is not legal."""
        self.state = changed_framework_state(self.state, state, self.id)
        self.fragment = None

    def remember_unreachable(self, task: TaskRecord) -> None:
        """Keep an unreachable task, forgetting the oldest beyond the limit."""
        self.unreachable_tasks[task.id] = task
        while len(self.unreachable_tasks) > self.max_unreachable:
            del self.unreachable_tasks[next(iter(self.unreachable_tasks))]
