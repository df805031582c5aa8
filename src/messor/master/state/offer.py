"""Outstanding offers.

Rounds make them by the ten thousand, mostly to be declined or rescinded unread. So what a framework is offered for a
role in a round is one batch of consecutive numbers, and the record of an offer is made when somebody asks for it.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, ValuesView
from operator import attrgetter

from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.host import Timer

_LONGEST_NUMBER = 19
_FIRST = attrgetter("first")


class OfferRecord:
    """Resources of one agent, of one allocation role, promised to one framework until used, declined or rescinded."""

    __slots__ = ("agent_id", "batch", "framework_id", "id", "made_at", "resources", "role")

    def __init__(self, identifier: str, batch: Batch, agent_id: str) -> None:
        """Take over what its batch says of the offer."""
        self.id = identifier
        self.batch = batch
        self.framework_id = batch.framework_id
        self.agent_id = agent_id
        self.role = batch.role
        self.resources = batch.offered[agent_id]
        """With the allocation role."""
        self.made_at = batch.made_at
        """Seconds since the epoch."""


class Batch:
    """Offers made to a framework for a role in one round; their numbers follow each other."""

    __slots__ = (
        "_agent_ids",
        "_numbers",
        "_records",
        "first",
        "framework_id",
        "made_at",
        "offered",
        "prefix",
        "role",
        "timer",
    )

    def __init__(
        self, prefix: str, first: int, framework_id: str, role: str, offered: Mapping[str, Resources], made_at: float
    ) -> None:
        """Offer resources by agent id; ids of offers are the prefix and numbers from first on."""
        self.prefix = prefix
        self.first = first
        self.framework_id = framework_id
        self.role = role
        self.offered = dict(offered)
        """What is not over, by agent id."""
        self.made_at = made_at
        self.timer: Timer | None = None
        """Runs when --offer_timeout is set."""
        self._agent_ids: list[str] | None = None
        self._numbers: dict[str, int] = {}
        self._records: dict[str, OfferRecord] = {}

    def numbered(self, number: int) -> OfferRecord | None:
        """Give an offer by its number, which is not below the first; None when it is over or never was."""
        agent_ids = self._order()
        position = number - self.first
        return self._record(agent_ids[position], number) if position < len(agent_ids) else None

    def of_agent(self, agent_id: str) -> OfferRecord | None:
        """Give the offer of an agent's resources; None when it is over or never was."""
        if agent_id not in self.offered:
            return None
        if not self._numbers:
            self._numbers = {each: self.first + position for position, each in enumerate(self._order())}
        return self._record(agent_id, self._numbers[agent_id])

    def _order(self) -> list[str]:
        """List the agents as the offers were numbered: noted before the first is over."""
        if self._agent_ids is None:
            self._agent_ids = list(self.offered)
        return self._agent_ids

    def _record(self, agent_id: str, number: int) -> OfferRecord | None:
        record = self._records.get(agent_id)
        if record is None and agent_id in self.offered:
            record = self._records[agent_id] = OfferRecord(f"{self.prefix}{number}", self, agent_id)
        return record

    def records(self) -> list[OfferRecord]:
        """List the offers that are not over."""
        return [offer for offer in map(self.of_agent, self.offered) if offer is not None]

    def end(self, agent_id: str) -> None:
        """Note that an agent's offer is over; raises KeyError when it was."""
        del self.offered[agent_id], self._records[agent_id]
        if not self.offered and self.timer is not None:
            self.timer.cancel()
            self.timer = None


class OfferBook(Mapping[str, OfferRecord]):
    """Outstanding offers by id, oldest first."""

    __slots__ = ("_batches",)

    def __init__(self) -> None:
        """Start empty."""
        self._batches: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """Add a batch, which must be newer than those there."""
        self._batches.append(batch)

    def discard(self, batch: Batch) -> None:
        """Forget a batch, if it is there."""
        index = bisect(self._batches, batch.first, key=_FIRST) - 1
        if index >= 0 and self._batches[index] is batch:
            del self._batches[index]

    def get(self, identifier: str, default: None = None) -> OfferRecord | None:  # type: ignore[override]
        """Find an offer, None when there is none of that id."""
        digits = identifier[identifier.rfind("O") + 1 :]
        if not digits.isdecimal() or len(digits) > _LONGEST_NUMBER:
            return default
        number = int(digits)
        index = bisect(self._batches, number, key=_FIRST) - 1
        offer = self._batches[index].numbered(number) if index >= 0 else None
        return offer if offer is not None and offer.id == identifier else default

    def __getitem__(self, identifier: str) -> OfferRecord:
        offer = self.get(identifier)
        if offer is None:
            raise KeyError(identifier)
        return offer

    def __iter__(self) -> Iterator[str]:
        return (offer.id for offer in self.values())

    def __len__(self) -> int:
        return sum([len(batch.offered) for batch in self._batches])

    def __bool__(self) -> bool:
        return bool(self._batches)

    def values(self) -> ValuesView[OfferRecord]:
        """Go through the offers."""
        return _Offers(self)

    def batches(self) -> list[Batch]:
        """List the batches that have any."""
        return list(self._batches)

    def bags(self) -> list[Resources]:
        """List what the offers hold, without making records of them."""
        return [bag for batch in self._batches for bag in batch.offered.values()]


class _Offers(ValuesView[OfferRecord]):
    """Goes through batches rather than looking offers up."""

    def __iter__(self) -> Iterator[OfferRecord]:
        for batch in self._mapping.batches():  # type: ignore[attr-defined]
            yield from batch.records()


class InverseOfferRecord:
    """A question whether a framework will leave an agent before its maintenance, until answered or withdrawn."""

    __slots__ = ("agent_id", "framework_id", "id", "timer", "unavailability")

    def __init__(
        self, identifier: str, framework_id: str, agent_id: str, unavailability: v0.Unavailability | None = None
    ) -> None:
        """Note who was asked about what, and for when."""
        self.unavailability = unavailability
        self.id = identifier
        self.framework_id = framework_id
        self.agent_id = agent_id
        self.timer: Timer | None = None
        """Runs when --offer_timeout is set."""
