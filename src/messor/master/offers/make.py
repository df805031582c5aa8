"""Making offers (M9): records for us, bytes for the framework.

An Offer is put together from pieces that are encoded already: what all offers of an agent share, and its resources in
the form the framework's capabilities ask for. No Offer message is built.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping

from messor.allocator.interfaces import Allocator
from messor.master.flags import MasterFlags
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import AgentState
from messor.master.state.offer import Batch
from messor.master.state.tables import MasterState
from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.actor import Component
from messor.runtime.host import Host
from messor.wire.splicing import nested, varint

log = logging.getLogger(__name__)

HIDDEN = "ephemeral_ports"
"""A resource no framework ever sees."""

ACTIVE = AgentState.ACTIVE
MULTI_ROLE: int = v0.FrameworkInfo.Capability.MULTI_ROLE
REFINEMENT: int = v0.FrameworkInfo.Capability.RESERVATION_REFINEMENT

NOTHING: dict[int, bytes] = {}


class _Heads(dict[int, bytes]):
    """Tag and length before an offer in field 1 of ResourceOffersMessage, by length."""

    def __missing__(self, size: int) -> bytes:
        head = self[size] = b"\n" + varint(size)
        return head


HEADS = _Heads()

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
        self._id_heads = [_id_head(state.info.id, digits) for digits in range(20)]

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
        first = self.state.next_offer
        for role, by_agent in offered.items():
            self._offer_role(framework, role, by_agent, offers, pids)
        count = self.state.next_offer - first
        if count:
            log.info("Sending %d offers to framework %s", count, framework_id)
            framework.counts.offers_sent += count
            self.outbox.offers(framework, offers, pids)

    def _offer_role(
        self,
        framework: FrameworkRecord,
        role: str,
        offered: Mapping[str, Resources],
        offers: list[bytes],
        pids: list[bytes],
    ) -> None:
        """Offer what was allocated for a role: note it, and add to the pieces of the message."""
        agents = [
            agent
            for agent in map(self.state.agents.get, offered)
            # The same as is_active, without a call.
            if agent is not None and agent.state is ACTIVE and agent.is_connected and not agent.is_deactivated
        ]
        if len(agents) < len(offered):
            offered = self._active_only(framework.id, offered)
        if not agents:
            return
        batch = self.state.make_offers(framework, role, offered, agents, self.clock.now())
        if self.timeout is not None:
            batch.timer = self.clock.after(self.timeout, self._timed_out, batch)
        form = -1 - (REFINEMENT in framework.capabilities) - 2 * (MULTI_ROLE in framework.capabilities)
        shown_role = role if form < -2 else None
        owner = framework.offer_owners.get(shown_role) or _owner(framework, shown_role)
        # Piece by piece, not offer by offer: memory is what takes time here, and comes sooner when asked for in a row.
        encodings = [(bag.wire or NOTHING).get(form) or _encode(bag, form) for bag in offered.values()]
        for position, agent in enumerate(agents):
            if agent.has_executors:
                encodings[position] += _executor_ids(framework.id, agent)
        prefixes = [agent.offer_prefix or self._prefix(agent) for agent in agents]
        numbers = [b"%d" % number for number in range(batch.first, self.state.next_offer)]
        id_heads = [self._id_heads[len(number)] for number in numbers]
        shared = len(owner)
        heads = [
            HEADS[shared + len(id_head) + len(number) + len(prefix) + len(encoding)]
            for id_head, number, prefix, encoding in zip(id_heads, numbers, prefixes, encodings, strict=True)
        ]
        pieces = zip(heads, id_heads, numbers, itertools.repeat(owner), prefixes, encodings, strict=False)
        offers += itertools.chain.from_iterable(pieces)
        pids += [agent.pid_field for agent in agents]

    def _active_only(self, framework_id: str, offered: Mapping[str, Resources]) -> dict[str, Resources]:
        """Give back what is of agents that are not active any more; gives the rest."""
        rest = {}
        for agent_id, resources in offered.items():
            agent = self.state.agents.get(agent_id)
            if agent is not None and agent.is_active:
                rest[agent_id] = resources
            else:
                self._give_back(framework_id, agent_id, resources, "the agent is not active")
        return rest

    def _timed_out(self, batch: Batch) -> None:
        """Take back the offers of a batch nobody answered in --offer_timeout, without a filter (M10)."""
        for offer in batch.records():
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
        return agent.offer_prefix


def _id_head(master_id: str, digits: int) -> bytes:
    """Encode what comes before the number of an offer in field 1 of an Offer."""
    head = f"{master_id}-O".encode()
    size = len(head) + digits
    inner = b"\n" + varint(size)
    return b"\n" + varint(len(inner) + size) + inner + head


def _owner(framework: FrameworkRecord, role: str | None) -> bytes:
    """Encode whose offers they are, and keep it: fields 2 and 10 of an Offer, the latter if there is a role."""
    owner = nested(2, nested(1, framework.id.encode()))
    if role is not None:
        owner += nested(10, nested(1, role.encode()))
    framework.offer_owners[role] = owner
    return owner


def _encode(resources: Resources, form: int) -> bytes:
    """Encode what a framework is shown of resources as field 5 of an Offer, and keep it with them.

    form: -1; 1 less for frameworks that know RESERVATION_REFINEMENT, 2 less for those that know MULTI_ROLE.
    """
    shown = resources.filter(lambda kind: kind.name != HIDDEN)
    data = shown.encoded(5, old=form in {-1, -3}, allocated=form < -2)
    if resources.wire is None:
        resources.wire = {}
    resources.wire[form] = data
    return data


def _executor_ids(framework_id: str, agent: AgentRecord) -> bytes:
    """Encode which executors of the framework run there already."""
    return b"".join(nested(6, nested(1, identifier.encode())) for identifier in agent.executors.get(framework_id, ()))
