"""What registering and re-registering share: who may join, and how a record is added."""

from __future__ import annotations

from collections.abc import Iterable

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.agents.health import Health
from messor.master.authorization import Authorization
from messor.master.flags import MasterFlags
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.model.ids import validate_id
from messor.model.resource_formats import downgrade_all
from messor.model.resources import validate_resources
from messor.model.versions import Version
from messor.protos import internal, v0
from messor.wire.upid import Upid

OLDEST_AGENT = Version("1.0.0")


class Joining:
    """Checks agents at the door and adds their records."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        flags: MasterFlags,
        health: Health,
        outbox: Outbox,
        authorization: Authorization,
    ) -> None:
        """See the modules of the collaborators."""
        self.authorization = authorization
        self.state = state
        self.allocator = allocator
        self.flags = flags
        self.health = health
        self.outbox = outbox

    def check(self, info: v0.SlaveInfo, version: str, checkpointed: Iterable[v0.Resource]) -> None:
        """Refuse an agent this master cannot work with; raises InvalidRequest.

        Mesos answers none of these: an agent that is restarted with other settings loses no task then (b.3).
        """
        if info.HasField("id"):
            validate_id(info.id.value)
        if not info.hostname:
            raise InvalidRequest("it has no hostname")
        validate_resources(info.resources)
        validate_resources(checkpointed)
        if Version(version) < OLDEST_AGENT:
            raise InvalidRequest(f"its version is {version}, the oldest supported one is {OLDEST_AGENT}")
        if info.HasField("domain") and not self.state.info.HasField("domain"):
            raise InvalidRequest("it is configured with a domain but the master has none")
        if self.flags.require_agent_domain and not info.HasField("domain"):
            raise InvalidRequest("it has no domain, which this master requires")

    def why_machine_is_down(self, info: v0.SlaveInfo, pid: Upid) -> str | None:
        """Tell an agent whose machine an operator took down why it must end."""
        machine = self.state.machines.get((info.hostname.lower(), pid.ip))
        return "Machine is `DOWN`" if machine is not None and machine.mode == v0.MachineInfo.DOWN else None

    def connection(self) -> internal.MasterSlaveConnection:
        """Tell an agent how long it may hear nothing from the master before it looks for a new one."""
        timeout = self.flags.agent_ping_timeout * self.flags.max_agent_ping_timeouts
        return internal.MasterSlaveConnection(total_ping_timeout_seconds=timeout)

    def add(self, agent: AgentRecord) -> None:
        """Add a record whose tasks and executors are counted already, and let it be offered.

        Whoever calls answers the agent and then calls ``watch``: the first ping comes behind the answer.
        """
        self.state.removed_agents.pop(agent.id, None)
        self.outbox.link(agent.pid)
        self.allocator.add_agent(agent.id, agent.info, agent.capabilities, agent.total, dict(agent.used))
        if agent.id in self.state.deactivated_agents:
            agent.is_deactivated = True
            agent.drain = self.state.draining_agents.get(agent.id)
            self.allocator.deactivate_agent(agent.id)
        machine = self.state.machines.get((agent.hostname.lower(), agent.pid.ip))
        if machine is not None:
            self.allocator.update_unavailability(agent.id, machine.unavailability)
        self.state.signals.agent_added(agent)

    def watch(self, agent: AgentRecord) -> None:
        """Ping an agent from now on, if it has not left already."""
        if self.state.agents.get(agent.id) is agent:
            self.health.watch(agent)


def own_info(info: v0.SlaveInfo) -> v0.SlaveInfo:
    """Copy an agent's info out of the message it came in: a part keeps the memory of the whole message alive."""
    copied = v0.SlaveInfo()
    copied.CopyFrom(info)
    return copied


def registry_info(info: v0.SlaveInfo) -> v0.SlaveInfo:
    """Copy an agent's info into the form the registry keeps: resources as before reservation refinement.

    Older masters must be able to read it. Refined reservations cannot be said that way; they are kept as they are.
    """
    copied = v0.SlaveInfo()
    copied.CopyFrom(info)
    try:
        downgrade_all(copied)
    except InvalidRequest:
        copied.CopyFrom(info)
    return copied
