"""What the agent knows, in one place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from messor.agent.state.executor import Executor
from messor.agent.state.framework import Framework
from messor.agent.state.lifecycles import AGENT_CHANGES, AgentState, moved
from messor.model.conversions import apply_checkpointed
from messor.model.resources import Resources
from messor.protos import v0
from messor.wire.upid import Upid

MAX_COMPLETED_FRAMEWORKS = 50
"""How many completed frameworks are remembered (G14)."""


class Tables:
    """The agent's state: itself, its master, frameworks with their executors and tasks."""

    def __init__(self, info: v0.SlaveInfo, resource_version: bytes) -> None:
        """Start recovering; info lacks an id until the agent registered once."""
        self.info = info
        self.state = AgentState.RECOVERING
        self.is_reconnecting = False
        """Whether recovery is past reading, so that executors may come back although it is not finished."""
        self.master: Upid | None = None
        self.master_info: v0.MasterInfo | None = None
        self.resource_version = resource_version
        self.frameworks: dict[str, Framework] = {}
        self.completed_frameworks: OrderedDict[str, Framework] = OrderedDict()
        self.checkpointed_resources: list[v0.Resource] = []
        """Dynamic reservations and persistent volumes, which must survive a restart."""
        self.operations: dict[bytes, v0.Operation] = {}
        """Operations whose result nobody acknowledged yet, by uuid; a new master is told of them."""
        self.start_time = 0.0
        self.drain_config: v0.DrainConfig | None = None
        self.drain_start_time = 0.0

    @property
    def total(self) -> Resources:
        """What the agent has, with what was reserved at run time; raises InvalidRequest if that does not fit."""
        return self.total_with(self.checkpointed_resources)

    def total_with(self, checkpointed: list[v0.Resource]) -> Resources:
        """What the agent has if that was reserved at run time; raises InvalidRequest if it does not fit."""
        configured = Resources.of(self.info.resources)
        return apply_checkpointed(configured, checkpointed) if checkpointed else configured

    @property
    def agent_id(self) -> str:
        """The id the master gave, or nothing."""
        return self.info.id.value

    def become(self, state: AgentState) -> None:
        """Change state; raises Broken when the change is illegal."""
        self.state = moved(AGENT_CHANGES, self.state, state)

    def executor(self, framework_id: str, executor_id: str) -> Executor | None:
        """Find an executor."""
        framework = self.frameworks.get(framework_id)
        return framework.executors.get(executor_id) if framework is not None else None

    def executors(self) -> Iterator[tuple[Framework, Executor]]:
        """Iterate over all executors that are not completed, over a copy so that they may be removed meanwhile."""
        for framework in list(self.frameworks.values()):
            for executor in list(framework.executors.values()):
                yield framework, executor

    def remember(self, framework: Framework) -> None:
        """Keep a removed framework among the completed ones, the oldest of which is forgotten."""
        self.completed_frameworks.pop(framework.id, None)
        self.completed_frameworks[framework.id] = framework
        while len(self.completed_frameworks) > MAX_COMPLETED_FRAMEWORKS:
            self.completed_frameworks.popitem(last=False)
