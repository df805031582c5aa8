"""What the allocator knows of an agent: what it has, what is out, what is left."""

from __future__ import annotations

import sys

from messor.allocator.sorter import Pool, Vector
from messor.model.capabilities import AgentCapabilities
from messor.model.domains import region_of
from messor.model.resources import EMPTY, Resources
from messor.protos import v0


class Bundle:
    """All that is available on some agents: what offers of it share, whichever role they are for."""

    __slots__ = ("available", "by_role", "enough", "even", "given", "vector", "version")

    def __init__(self, available: Resources, *, enough: bool) -> None:
        """Take what is available, in the order of offers."""
        self.available = available
        self.enough = enough
        """Whether it holds the minimum to offer."""
        self.by_role: dict[str, Whole] = {}
        """The offers, as far as they were made."""
        self.vector: Vector = ()
        """Its scalars ready to be booked, in this version of the pool."""
        self.even: Vector | None = None
        """The same without thousandths, if it has none."""
        self.version = -1
        self.given = 0
        """How often a round gave it to the only role and did not book it there yet."""

    def renumber(self, pool: Pool) -> None:
        """Prepare its scalars for booking anew: the pool changed."""
        self.vector = pool.vector(self.available.scalars())
        self.even = pool.even_vector(self.available.scalars())
        self.version = pool.version


class Whole:
    """An offer of everything that is available on some agent, for one role."""

    __slots__ = ("available", "bundle", "marked", "role")

    def __init__(self, bundle: Bundle, role: str) -> None:
        """Mark what is available."""
        self.bundle = bundle
        self.available = bundle.available
        self.role = role
        self.marked = bundle.available.allocated_to(role)


class Front:
    """What rounds look at of an agent; apart so that it lies together in memory, which decides how fast they are."""

    __slots__ = (
        "active",
        "available",
        "handed",
        "holder",
        "id",
        "is_simple",
        "ledger",
        "offer",
        "out_total",
        "refused_by_all",
    )


class Agent(Front):
    """One agent's books. All bags but ``out`` and ``handed`` are without allocation marks."""

    __slots__ = (
        "allocated",
        "capabilities",
        "has_gpus",
        "info",
        "is_choosy",
        "is_overdrawn",
        "is_plain",
        "region",
        "total",
    )

    def __init__(self, agent_id: str, info: v0.SlaveInfo, capabilities: AgentCapabilities, total: Resources) -> None:
        """Begin with everything available."""
        self.id = sys.intern(agent_id)
        self.active = True
        self.ledger: dict[str, Resources] | None = None
        """What is out, by framework; None while that is nothing or one offer of all there was:"""
        self.holder: str | None = None
        """the framework it was made to, if any,"""
        self.handed = EMPTY
        """and what was in it. Saves rounds a dictionary per agent."""
        self.out_total = EMPTY
        """What is out in one bag."""
        self.allocated = EMPTY
        """The part of it that tasks and executors use (offers are not in it), with allocation marks."""
        self.available = EMPTY
        """What may be offered now; ``EMPTY`` itself when nothing. A shared volume stays here while it is used."""
        self.offer: Whole | None = None
        """What was last made of everything available."""
        self.refused_by_all = -1
        """The allocator's generation in which every client was found to refuse what is available."""
        self.is_plain = True
        """Whether nothing available is reserved, revocable or shared."""
        self.is_simple = True
        """Whether any framework may be offered all that is available: it is plain, and nobody is choosy."""
        self.has_gpus = False
        self.update_info(info, capabilities)
        self.update_total(total)

    @property
    def out(self) -> dict[str, Resources]:
        """By framework: what is offered to it or used by it, with allocation marks."""
        if self.ledger is not None:
            return self.ledger
        return {} if self.holder is None else {self.holder: self.handed}

    def held_by(self, framework_id: str) -> Resources:
        """Tell what a framework holds, with allocation marks."""
        if self.ledger is not None:
            return self.ledger.get(framework_id, EMPTY)
        return self.handed if self.holder == framework_id else EMPTY

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
        self.is_simple = ordinary and self.is_plain

    def take(self, framework_id: str, plain: Resources, marked: Resources, *, everything: bool = False) -> None:
        """Hand resources to a framework; both bags are the same but for the allocation marks.

        everything: the caller knows that nothing is left then.
        """
        ledger = self._open()
        have = ledger.get(framework_id)
        ledger[framework_id] = marked if have is None else have + marked
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
        ledger = self._open()
        have = ledger.get(framework_id)
        if have is None:
            return
        rest = have - marked
        if rest:
            ledger[framework_id] = rest
            self.out_total -= marked.unallocated()
            self._recount()
        else:
            self._close(framework_id, marked.unallocated())

    def gave_whole_back(self, framework_id: str, whole: Whole) -> None:
        """Take an offer of everything back from a framework that holds nothing else."""
        if self.holder is None:
            self._close(framework_id, whole.available)
        else:
            self.holder = None
            self.out_total = EMPTY
            self._recount()

    def _open(self) -> dict[str, Resources]:
        """Give the ledger to write in."""
        if self.ledger is None:
            self.ledger = self.out
            self.holder = None
        return self.ledger

    def _close(self, framework_id: str, plain: Resources) -> None:
        """Note that a framework gave the last back that it held."""
        ledger = self._open()
        del ledger[framework_id]
        if ledger:
            self.out_total -= plain
        else:
            self.ledger = None
            self.out_total = EMPTY
        self._recount()

    def _recount(self) -> None:
        total = self.total
        if not self.out_total:
            available = total
        elif total.has_shared:
            available = total.nonshared() - self.out_total.nonshared() + total.shared()
        else:
            available = total - self.out_total
        self.available = available or EMPTY
        self.is_plain = plain = available.is_plain
        self.is_simple = plain and not self.is_choosy
        self.refused_by_all = -1
