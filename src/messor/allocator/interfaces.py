"""What a master asks of an allocator; ours and any module's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from messor.allocator.constraints import Constraints
from messor.model.conversions import Conversion
from messor.model.quantities import Quantities, parse_min_allocatable
from messor.model.quotas import Quota
from messor.model.resources import Resources
from messor.protos import v0, v0_allocator

if TYPE_CHECKING:
    import random

    from messor.allocator.sorter import Pool, Sorter
    from messor.runtime.host import Host

Offers = dict[str, dict[str, Resources]]
"""What one framework gets in a round: by role, by agent id, with allocation marks."""

OnOffers = Callable[[str, Offers], None]
"""Called with a framework id and its offers at the end of a round, once per framework."""

OnInverseOffers = Callable[[str, Mapping[str, v0.Unavailability]], None]
"""Called with a framework id and the windows, by agent id, of agents that it is asked to leave."""

OnRescind = Callable[[str, Iterable[str]], None]
"""Asks the master to rescind what it offers a framework on these agents.

Before it returns, ``recover_resources`` was called for each such offer. Offers that were accepted meanwhile stay.
"""

SorterFactory = Callable[["Pool", "random.Random"], "Sorter"]
"""Makes a sorter whose shares are parts of a pool; chance is the only randomness it may use."""


@dataclass(frozen=True, slots=True)
class AllocatorOptions:
    """How to allocate; the defaults are those of the master's flags."""

    allocation_interval: float = 1.0
    """Seconds between rounds over all agents."""

    min_allocatable: tuple[Quantities, ...] = parse_min_allocatable("cpus:0.01|mem:32")
    """Offer only what holds at least one of these; empty: offer anything."""

    fair_sharing_excluded: tuple[str, ...] = ()
    """Resource names that do not count for shares."""

    filter_gpu_resources: bool = True
    """Keep agents that have GPUs for frameworks with the GPU_RESOURCES capability."""

    sorter: str = "drf"
    """``drf`` or ``random``, for roles and frameworks unless they have one of their own."""

    role_sorter: str | SorterFactory | None = None
    """Of roles: a name, or what makes one."""

    framework_sorter: str | SorterFactory | None = None
    """Of the frameworks of a role."""

    region: str | None = None
    """The master's region; agents of other regions are offered to REGION_AWARE frameworks only."""

    agent_recovery_factor: float = 0.8
    """After failover with quotas: the part of the known agents that must be back before anything is offered."""

    agent_recovery_timeout: float = 600.0
    """Or seconds after which it is offered anyway."""


class Allocator(Protocol):
    """Decides who is offered what. Calls take effect at once; offers come later, through ``OnOffers``.

    Resources given to a framework carry ``allocation_info.role``; so must those given back. Agents and frameworks may
    be unknown in ``recover_resources`` (they just left); everywhere else they must have been added.
    """

    def start(self) -> None:
        """Begin the rounds."""
        ...

    def stop(self) -> None:
        """End the rounds."""
        ...

    def recover(self, expected_agents: int, quotas: Mapping[str, Quota]) -> None:
        """Begin after a failover, before the first agent comes: with quotas, pause until enough agents are back.

        quotas: by top-level role, as the registry has them.
        """
        ...

    def add_framework(
        self,
        framework_id: str,
        info: v0.FrameworkInfo,
        used: Mapping[str, Resources],
        *,
        active: bool,
        suppressed_roles: frozenset[str],
    ) -> None:
        """Add a framework with what it uses by agent (of agents already known)."""
        ...

    def remove_framework(self, framework_id: str) -> None:
        """Forget a framework; all it still holds is free."""
        ...

    def activate_framework(self, framework_id: str) -> None:
        """Offer to it again."""
        ...

    def deactivate_framework(self, framework_id: str) -> None:
        """Offer it nothing; it keeps what it holds, its refusals are forgotten."""
        ...

    def update_framework(self, framework_id: str, info: v0.FrameworkInfo, suppressed_roles: frozenset[str]) -> None:
        """Take over changed roles, capabilities, filters and suppression."""
        ...

    def update_offer_constraints(self, framework_id: str, constraints: Constraints) -> None:
        """Change which agents a framework wants to be offered, by role; new frameworks take any."""
        ...

    def add_agent(
        self,
        agent_id: str,
        info: v0.SlaveInfo,
        capabilities: Iterable[v0.SlaveInfo.Capability | int],
        total: Resources,
        used: Mapping[str, Resources],
    ) -> None:
        """Add an agent with all it has (checkpointed reservations and volumes included) and who uses what of it.

        ``info.resources`` is what its flags say. If it has a maintenance window, ``update_unavailability`` follows.
        """
        ...

    def add_resource_provider(self, agent_id: str, total: Resources, used: Mapping[str, Resources]) -> None:
        """Let a known agent grow by what a resource provider on it has, of which these frameworks use something.

        Starts no round. Frameworks are added before; uses of others are not booked.
        """
        ...

    def remove_agent(self, agent_id: str) -> None:
        """Forget an agent and everything handed out of it."""
        ...

    def update_agent(
        self,
        agent_id: str,
        info: v0.SlaveInfo,
        total: Resources | None,
        capabilities: Iterable[v0.SlaveInfo.Capability | int] | None,
    ) -> None:
        """Take over what changed (None: not); changed attributes void all refusals of it."""
        ...

    def activate_agent(self, agent_id: str) -> None:
        """Offer its resources again, from the next round over all agents."""
        ...

    def deactivate_agent(self, agent_id: str) -> None:
        """Offer nothing of it; what is out stays out until it is given back."""
        ...

    def update_whitelist(self, hostnames: Iterable[str] | None) -> None:
        """Offer only agents with these host names; None: all, empty: none."""
        ...

    def update_unavailability(self, agent_id: str, unavailability: v0.Unavailability | None) -> None:
        """Change the window in which an agent will be away; None: there is none any more.

        Answers to inverse offers and refusals of them are void then.
        """
        ...

    def update_inverse_offer(
        self,
        agent_id: str,
        framework_id: str,
        status: v0_allocator.InverseOfferStatus | None,
        filters: v0.Filters | None,
        unavailability: v0.Unavailability | None = None,
    ) -> None:
        """Hear that an inverse offer is over: answered, or (status None) rescinded; with filters, not to ask again.

        unavailability: the window it was about, as far as an offer was made; it may have changed since.
        """
        ...

    def inverse_offer_statuses(self) -> Mapping[str, Mapping[str, v0_allocator.InverseOfferStatus]]:
        """Tell the latest answers by agent and framework."""
        ...

    def request_resources(self, framework_id: str, requests: Iterable[v0.Request]) -> None:
        """Hear what a framework would like; ours does nothing with it."""
        ...

    def update_allocation(
        self, framework_id: str, agent_id: str, offered: Resources, conversions: Iterable[Conversion]
    ) -> None:
        """Convert part of what a framework was offered (reserve, create…); the agent's total follows."""
        ...

    def update_available(self, agent_id: str, conversions: Iterable[Conversion]) -> None:
        """Convert what nobody holds, for an operator; raises InvalidRequest when it is not there."""
        ...

    def transition_offered_to_allocated(self, agent_id: str, resources: Resources) -> None:
        """Hear that offered resources are used by tasks now."""
        ...

    def recover_resources(
        self,
        framework_id: str,
        agent_id: str,
        resources: Resources,
        filters: v0.Filters | None,
        *,
        is_allocated: bool,
    ) -> None:
        """Take back resources of one role, and with filters remember the refusal. Starts no round.

        is_allocated: they were used, not just offered.
        """
        ...

    def revive_offers(self, framework_id: str, roles: Iterable[str]) -> None:
        """Offer again for these roles (none: all of the framework's), forgetting refusals."""
        ...

    def suppress_offers(self, framework_id: str, roles: Iterable[str]) -> None:
        """Offer nothing for these roles (none: all of the framework's)."""
        ...

    def update_weights(self, weights: Mapping[str, float]) -> None:
        """Change weights of roles; takes effect with the next round."""
        ...

    def update_quota(self, role: str, quota: Quota) -> None:
        """Change what a top-level role is promised and may have at most; takes effect with the next round."""
        ...

    def dominant_shares(self) -> dict[str, float]:
        """Tell the weighted dominant share of each role that has frameworks."""
        ...

    def pause(self) -> None:
        """Start no rounds; fine if paused."""
        ...

    def resume(self) -> None:
        """Start rounds again; fine if not paused."""
        ...


class AllocatorFactory(Protocol):
    """Makes an allocator: what ``--allocator=module:attribute`` names; a class with this constructor is one."""

    def __call__(
        self,
        host: Host,
        options: AllocatorOptions,
        on_offers: OnOffers,
        *,
        on_inverse_offers: OnInverseOffers | None = None,
        on_rescind: OnRescind | None = None,
    ) -> Allocator:
        """Use this host's clock and randomness, and tell the master through these calls."""
        ...
