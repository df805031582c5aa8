"""What the allocator knows of an agent: what it has, what is out, what is left."""

from __future__ import annotations

from messor.allocator.sorter import Pool, Vector
from messor.model.capabilities import AgentCapabilities
from messor.model.domains import region_of
from messor.model.resources import EMPTY, Resources
from messor.protos import v0


class Whole:
    """An offer of everything that is available on some agent, for one role."""

    __slots__ = ("available", "enough", "marked", "role", "siblings", "vector", "version")

    def __init__(self, available: Resources, role: str, siblings: dict[str, Whole], *, enough: bool) -> None:
        """Mark what is available; it is in the order of offers."""
        self.available = available
        self.role = role
        self.siblings = siblings
        """The same for other roles, as far as they were made."""
        self.marked = available.allocated_to(role)
        self.vector: Vector = ()
        """Its scalars ready to be booked, in this version of the pool."""
        self.version = -1
        self.enough = enough
        """Whether it holds the minimum to offer."""

    def renumbered(self, pool: Pool) -> Vector:
        """Prepare its scalars for booking anew: the pool changed."""
        self.version = pool.version
        self.vector = pool.vector(self.available.scalars())
        return self.vector


class Agent:
    """One agent's books. All bags but ``out`` are without allocation marks."""

    __slots__ = (
        "active",
        "allocated",
        "available",
        "capabilities",
        "has_gpus",
        "id",
        "info",
        "is_choosy",
        "is_overdrawn",
        "is_plain",
        "offer",
        "out",
        "out_total",
        "refused_by_all",
        "region",
        "total",
    )

    def __init__(self, agent_id: str, info: v0.SlaveInfo, capabilities: AgentCapabilities, total: Resources) -> None:
        """Begin with everything available."""
        self.id = agent_id
        self.active = True
        self.out: dict[str, Resources] = {}
        """By framework: what is offered to it or used by it, with allocation marks."""
        self.out_total = EMPTY
        """The same in one bag."""
        self.allocated = EMPTY
        """The part of it that tasks and executors use (offers are not in it), with allocation marks."""
        self.available = EMPTY
        """What may be offered now. A shared volume stays here while it is used."""
        self.offer: Whole | None = None
        """What was last made of everything available."""
        self.refused_by_all = -1
        """The allocator's generation in which every client was found to refuse what is available."""
        self.is_plain = True
        """Whether nothing available is reserved, revocable or shared."""
        self.has_gpus = False
        self.update_info(info, capabilities)
        self.update_total(total)

    def update_info(self, info: v0.SlaveInfo, capabilities: AgentCapabilities) -> None:
        """Take over what the agent says of itself."""
        self.info = info
        self.capabilities = capabilities
        self.region = region_of(info.domain)
        self._look_closer()

    def update_total(self, total: Resources) -> None:
        """Take over what the agent has in all."""
        # In the order of offers, which taking away from it keeps.
        self.total = total = total.nonscalars_first()
        self.is_overdrawn = not total.contains(self.out_total)
        """Whether more is out than there is, as the agent shrank meanwhile."""
        self.has_gpus = total.scalars().get("gpus", 0) > 0
        self._look_closer()
        self._recount()

    def _look_closer(self) -> None:
        """Note whether any framework could be unable to cope with the agent, or the agent with it."""
        able = self.capabilities
        ordinary = able.multi_role and able.hierarchical_role and self.region is None and not self.has_gpus
        self.is_choosy = not ordinary

    def take(self, framework_id: str, plain: Resources, marked: Resources, *, everything: bool = False) -> None:
        """Hand resources to a framework; both bags are the same but for the allocation marks.

        everything: the caller knows that nothing is left then.
        """
        have = self.out.get(framework_id)
        self.out[framework_id] = marked if have is None else have + marked
        if everything:
            # What is out now is all there is: adding it up would cost more, above all with many port ranges.
            adds_up = not self.total.has_shared and not self.is_overdrawn
            self.out_total = self.total if adds_up else self.out_total + plain
            self.available = EMPTY
        else:
            self.out_total = self.out_total + plain
            self._recount()

    def give_back(self, framework_id: str, marked: Resources) -> None:
        """Take resources back from a framework."""
        have = self.out.get(framework_id)
        if have is None:
            return
        rest = have - marked
        if rest:
            self.out[framework_id] = rest
        else:
            del self.out[framework_id]
        self.out_total = self.out_total - marked.unallocated() if self.out else EMPTY
        self._recount()

    def gave_whole_back(self, framework_id: str, whole: Whole) -> None:
        """Take an offer of everything back from a framework that holds nothing else."""
        del self.out[framework_id]
        self.out_total = self.out_total - whole.available if self.out else EMPTY
        self._recount()

    def _recount(self) -> None:
        total = self.total
        if not self.out_total:
            available = total
        elif total.has_shared:
            available = total.nonshared() - self.out_total.nonshared() + total.shared()
        else:
            available = total - self.out_total
        self.available = available
        self.is_plain = available.is_plain
        self.refused_by_all = -1
