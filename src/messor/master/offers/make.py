"""Making offers (M9): records for us, bytes for the framework.

An Offer is put together from pieces that are encoded already: what all offers of an agent share, and its resources in
the form the framework's capabilities ask for. No Offer message is built.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from messor.allocator.interfaces import Allocator
from messor.master.flags import MasterFlags
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.offer import OfferRecord
from messor.master.state.tables import MasterState
from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.actor import Component
from messor.runtime.host import Host
from messor.wire.splicing import nested, varint

log = logging.getLogger(__name__)

HIDDEN = "ephemeral_ports"
"""A resource no framework ever sees."""

_LONGEST_HEAD = 2048
_HEADS = [b"\n" + varint(size) for size in range(_LONGEST_HEAD)]
"""Tag and length before an offer in field 1 of ResourceOffersMessage, by length."""

_ID_HEADS = [b"\n%c\n%c" % (size + 2, size) for size in range(126)]
"""Tags and lengths before an offer's id, by its length: that of every id a master mints."""


Offered = Mapping[str, Mapping[str, Resources]]
"""Resources by agent id by role."""


class OfferMaker(Component):
    """Turns allocations into offers."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        allocator: Allocator,
        flags: MasterFlags,
        host: Host,
        rescinder: Rescinder,
    ) -> None:
        """Collaborators; ``offer`` is the allocator's callback."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self.clock = host.clock
        self.rescinder = rescinder
        self.timeout: float | None = flags.offer_timeout

    def offer(self, framework_id: str, offered: Offered) -> None:
        """Offer a framework what was allocated to it; what cannot be offered any more goes back."""
        framework = self.state.frameworks.get(framework_id)
        if framework is None or not framework.is_active:
            for agents in offered.values():
                for agent_id, resources in agents.items():
                    self._give_back(framework_id, agent_id, resources, "the framework is not active")
            return
        offers: list[bytes] = []
        pids: list[bytes] = []
        count = 0
        old = not framework.has(v0.FrameworkInfo.Capability.RESERVATION_REFINEMENT)
        multi_role = framework.has(v0.FrameworkInfo.Capability.MULTI_ROLE)
        framework_field = nested(2, nested(1, framework_id.encode()))
        wants_pids = framework.stream is None
        now = self.clock.now()
        state = self.state
        all_agents = state.agents
        encodings: dict[int, bytes] = {}  # by identity: agents of one size are offered the very same bag
        for role, agents in offered.items():
            role_field = nested(10, nested(1, role.encode())) if multi_role else b""
            fixed = len(framework_field) + len(role_field)
            for agent_id, resources in agents.items():
                agent = all_agents.get(agent_id)
                if agent is None or not agent.is_active:
                    self._give_back(framework_id, agent_id, resources, "the agent is not active")
                    continue
                record = state.make_offer(framework, agent, role, resources, now)
                if self.timeout is not None:
                    record.timer = self.clock.after(self.timeout, self._timed_out, record.id)
                prefix = agent.offer_prefix or self._prefix(agent)
                encoding = encodings.get(id(resources))
                if encoding is None or agent.has_hidden:
                    shown = _shown(resources) if agent.has_hidden else resources
                    encoding = shown.encoded(5, old=old, allocated=multi_role)
                    if shown is resources:
                        encodings[id(resources)] = encoding
                data = record.id.encode()
                size = len(data)
                head = _ID_HEADS[size] if size < 126 else _id_head(size)
                executor_ids = _executor_ids(framework_id, agent) if framework_id in agent.executors else b""
                size += len(head) + len(prefix) + len(encoding) + len(executor_ids) + fixed
                # The pieces are put together once, for the whole message: copying them costs more than all else.
                offers += (
                    _HEADS[size] if size < _LONGEST_HEAD else b"\n" + varint(size),
                    head, data, framework_field, prefix, encoding, executor_ids, role_field,
                )  # fmt: skip
                count += 1
                if wants_pids:
                    pids.append(agent.pid_field)
        if count:
            log.info("Sending %d offers to framework %s", count, framework_id)
            framework.counts.offers_sent += count
            self.outbox.offers(framework, offers, pids)

    def encoded(self, offer: OfferRecord) -> bytes:
        """Encode an outstanding offer as v0 Offer in the internal form: resource stacks and allocation shown."""
        if offer.encoded is None:
            agent = self.state.agents[offer.agent_id]
            offer.encoded = b"".join((
                nested(1, nested(1, offer.id.encode())),
                nested(2, nested(1, offer.framework_id.encode())),
                agent.offer_prefix or self._prefix(agent),
                offer.resources.encoded(5),
                _executor_ids(offer.framework_id, agent),
                nested(10, nested(1, offer.role.encode())),
            ))  # fmt: skip
        return offer.encoded

    def _timed_out(self, offer_id: str) -> None:
        """Take back an offer nobody answered in --offer_timeout, without a filter (M10)."""
        offer = self.state.offers.get(offer_id)
        if offer is not None:
            self.rescinder.rescind(offer)

    def _give_back(self, framework_id: str, agent_id: str, resources: Resources, why: str) -> None:
        log.warning("Returning resources of agent %s offered to framework %s: %s", agent_id, framework_id, why)
        self.allocator.recover_resources(framework_id, agent_id, resources, None, is_allocated=False)

    def _prefix(self, agent: AgentRecord) -> bytes:
        """Encode what all offers of an agent share, and keep it until the agent changes."""
        shared = v0.Offer(hostname=agent.hostname)
        shared.slave_id.value = agent.id
        shared.url.scheme = "http"
        shared.url.address.hostname = agent.hostname
        shared.url.address.ip = agent.pid.ip
        shared.url.address.port = agent.pid.port
        shared.url.path = f"/{agent.pid.id}"
        shared.attributes.extend(agent.info.attributes)
        if agent.info.HasField("domain"):
            shared.domain.CopyFrom(agent.info.domain)
        machine = self.state.machines.get((agent.hostname.lower(), agent.pid.ip))
        if machine is not None:
            shared.unavailability.CopyFrom(machine.unavailability)
        agent.offer_prefix = shared.SerializePartialToString()
        agent.pid_field = nested(2, str(agent.pid).encode())
        agent.has_hidden = HIDDEN in agent.total.names()
        return agent.offer_prefix


def _id_head(size: int) -> bytes:
    """Encode what comes before an id in field 1 of an Offer."""
    inner = b"\n" + varint(size)
    return b"\n" + varint(len(inner) + size) + inner


def _shown(resources: Resources) -> Resources:
    """Leave out what frameworks never see."""
    return resources.filter(lambda kind: kind.name != HIDDEN)


def _executor_ids(framework_id: str, agent: AgentRecord) -> bytes:
    """Encode which executors of the framework run there already."""
    return b"".join(nested(6, nested(1, identifier.encode())) for identifier in agent.executors.get(framework_id, ()))


def offered_to(framework: FrameworkRecord) -> Resources:
    """Add up what is offered to a framework now."""
    total = Resources()
    for offer in framework.offers.values():
        total += offer.resources
    return total
