"""The bag of resources: what an agent has, an offer contains, a task uses.

``Resources`` is an immutable value. Identity of a part is everything but the amount (see ``resource.Kind``); amounts
are integers of thousandths, so ``+`` and ``-`` are exact. Subtracting more than there is leaves nothing of that part,
as in Mesos: check ``contains`` first. Empty and invalid resources vanish on the way in; whoever must refuse them
calls ``validate_resources`` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from messor.errors import InvalidRequest
from messor.model.quantities import Quantities
from messor.model.ranges import Items, Ranges
from messor.model.resource import (
    Amount,
    Kind,
    pack_double,
    parse_resource,
    resource_text,
    validate_resource,
    varint,
)
from messor.model.scalars import to_float
from messor.protos import v0

_RESERVED, _REVOCABLE, _SHARED = 1, 2, 4
_BAGS_LIMIT = 4096
_bags: dict[tuple[bytes, ...], Resources] = {}


class Resources:
    """An immutable bag of resources, always in the stack form of reservations."""

    __slots__ = ("_bag", "_hash", "_scalars", "_traits", "wire")

    def __init__(self, bag: dict[Kind, Amount] | None = None) -> None:
        """Wrap kinds and amounts that the caller will not touch again; ``of`` reads messages."""
        self._bag: dict[Kind, Amount] = bag if bag is not None else {}
        self._hash: int | None = None
        self._scalars: Mapping[str, int] | None = None
        self._traits: int | None = None
        self.wire: dict[int, bytes] | None = None
        """Encodings by form: those of ``encoded``, and under negative numbers whatever else somebody keeps here."""

    @classmethod
    def of(cls, messages: Iterable[v0.Resource]) -> Resources:
        """Read resources in any form; empty and invalid ones are left out. Equal input gives the same object."""
        items = list(messages)
        key = tuple([item.SerializePartialToString() for item in items])
        known = _bags.get(key)
        if known is not None:
            return known
        bag: dict[Kind, Amount] = {}
        for item in items:
            parsed = parse_resource(item)
            if parsed is not None:
                kind, amount = parsed
                bag[kind] = bag[kind] + amount if kind in bag else amount  # type: ignore[operator]
        if len(_bags) >= _BAGS_LIMIT:
            _bags.clear()
        result = _bags[key] = cls(bag) if bag else EMPTY
        return result

    # --- the wire ----------------------------------------------------------------------------------------------------

    def messages(self) -> list[v0.Resource]:
        """Make fresh messages, one per part; a shared volume appears once however many copies there are."""
        return [kind.message(amount) for kind, amount in self._expanded()]

    def encoded(self, field_number: int, *, old: bool = False, allocated: bool = True) -> bytes:
        """Encode as the repeated field of that number, ready to be spliced into an Offer or a task; cached.

        old: write reservations as before refinement; raises InvalidRequest when one is refined.
        allocated: False leaves ``allocation_info`` out, for frameworks that are not MULTI_ROLE.
        """
        key = field_number << 2 | old << 1 | allocated
        if self.wire is None:
            self.wire = {}
        data = self.wire.get(key)
        if data is None:
            tag = varint(field_number << 3 | 2)
            parts: list[bytes] = []
            for kind, amount in self._expanded():
                shown = kind if allocated else kind.unallocated
                if kind.is_scalar and kind.unit is None:
                    before, after = shown.scalar_frame(field_number, old=old)
                    parts += (before, pack_double(amount // 1000 + amount % 1000 / 1000.0), after)  # type: ignore[operator]
                else:
                    body = shown.encoded(amount, old=old)
                    parts += (tag, varint(len(body)), body)
            data = self.wire[key] = b"".join(parts)
        return data

    def _expanded(self) -> Iterable[tuple[Kind, Amount]]:
        """List the parts with each copy of a whole kind for itself, shared ones excepted."""
        parts = self._bag.items()
        for kind in self._bag:
            if kind.unit is not None and not kind.is_shared:
                return [
                    (kind, amount)
                    for kind, amount in parts
                    for _ in range(1 if kind.unit is None or kind.is_shared else amount)  # type: ignore[arg-type]
                ]
        return parts

    # --- algebra -----------------------------------------------------------------------------------------------------

    def __add__(self, other: Resources) -> Resources:
        mine, theirs = self._bag, other._bag
        if not theirs:
            return self
        if not mine:
            return other
        bag = mine.copy()
        for kind, amount in theirs.items():
            if kind in bag:
                bag[kind] = bag[kind] + amount  # type: ignore[operator]
            else:
                bag[kind] = amount
        return Resources(bag)

    def __sub__(self, other: Resources) -> Resources:
        mine, theirs = self._bag, other._bag
        if not theirs or not mine:
            return self
        bag = mine.copy()
        for kind, amount in theirs.items():
            if kind in bag:
                rest = bag[kind] - amount  # type: ignore[operator]
                if rest > 0 if rest.__class__ is int else rest:
                    bag[kind] = rest
                else:
                    del bag[kind]
        return Resources(bag) if bag else EMPTY

    def contains(self, other: Resources) -> bool:
        """Whether the other could be taken out of this bag."""
        mine = self._bag
        for kind, amount in other._bag.items():
            have = mine.get(kind)
            if have is None:
                return False
            if have.__class__ is int:
                if have < amount:  # type: ignore[operator]
                    return False
            elif not have.contains(amount):  # type: ignore[union-attr, arg-type]
                return False
        return True

    def __bool__(self) -> bool:
        return bool(self._bag)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Resources) and self._bag == other._bag)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._bag.items()))
        return self._hash

    def __len__(self) -> int:
        """Count the parts."""
        return len(self._bag)

    def items(self) -> Iterable[tuple[Kind, Amount]]:
        """Iterate over kinds and amounts (copies for whole kinds)."""
        return self._bag.items()

    def kinds(self) -> Iterable[Kind]:
        """Iterate over kinds."""
        return self._bag.keys()

    # --- views -------------------------------------------------------------------------------------------------------

    def filter(self, predicate: Callable[[Kind], object]) -> Resources:
        """Keep the parts whose kind satisfies the predicate."""
        bag = {kind: amount for kind, amount in self._bag.items() if predicate(kind)}
        if len(bag) == len(self._bag):
            return self
        return Resources(bag) if bag else EMPTY

    def unreserved(self) -> Resources:
        """Keep what nobody reserved."""
        return self.filter(lambda kind: kind.reservation_role is None)

    def reserved(self, role: str | None = None) -> Resources:
        """Keep what is reserved, for anybody or for exactly this role."""
        if role is None:
            return self.filter(lambda kind: kind.reservation_role is not None)
        return self.filter(lambda kind: kind.reservation_role == role)

    def dynamically_reserved(self) -> Resources:
        """Keep what was reserved at run time."""
        return self.filter(lambda kind: kind.is_dynamic)

    def allocatable_to(self, role: str) -> Resources:
        """Keep what a role may be offered: unreserved, or reserved for it or a role above it."""
        return self.filter(lambda kind: kind.is_allocatable_to(role))

    def revocable(self) -> Resources:
        """Keep what may be taken away from its user at any time."""
        return self.filter(lambda kind: kind.is_revocable)

    def nonrevocable(self) -> Resources:
        """Keep what may not."""
        return self.filter(lambda kind: not kind.is_revocable)

    def shared(self) -> Resources:
        """Keep what several tasks may use at once."""
        return self.filter(lambda kind: kind.is_shared)

    def nonshared(self) -> Resources:
        """Keep what one task at a time may use."""
        return self.filter(lambda kind: not kind.is_shared)

    def persistent_volumes(self) -> Resources:
        """Keep persistent volumes."""
        return self.filter(lambda kind: kind.is_persistent_volume)

    def reservations(self) -> dict[str, Resources]:
        """Split what is reserved by the role it is reserved for."""
        result: dict[str, dict[Kind, Amount]] = {}
        for kind, amount in self._bag.items():
            if kind.reservation_role is not None:
                result.setdefault(kind.reservation_role, {})[kind] = amount
        return {role: Resources(bag) for role, bag in result.items()}

    @property
    def has_shared(self) -> bool:
        """Whether a shared volume is among the parts; cached."""
        return bool(self._look() & _SHARED)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is reserved, revocable or shared: anybody may be offered all of it; cached."""
        return not self._look()

    def _look(self) -> int:
        traits = self._traits
        if traits is None:
            traits = 0
            for kind in self._bag:
                if kind.reservation_role is not None:
                    traits |= _RESERVED
                if kind.is_revocable:
                    traits |= _REVOCABLE
                if kind.is_shared:
                    traits |= _SHARED
            self._traits = traits
        return traits

    def nonscalars_first(self) -> Resources:
        """Put what is subject to quota (unreserved lasting scalars) last: the order of offers."""
        first: dict[Kind, Amount] = {}
        last: dict[Kind, Amount] = {}
        ordered = True
        for kind, amount in self._bag.items():
            if kind.is_scalar and kind.reservation_role is None and not kind.is_revocable:
                last[kind] = amount
            else:
                ordered = ordered and not last
                first[kind] = amount
        if ordered:
            return self
        first.update(last)
        return Resources(first)

    # --- allocation --------------------------------------------------------------------------------------------------

    def allocated_to(self, role: str) -> Resources:
        """Mark every part as allocated to a role."""
        bag = {kind.allocated_to(role): amount for kind, amount in self._bag.items()}
        if len(bag) == len(self._bag):
            return Resources(bag)
        return self._renamed(lambda kind: kind.allocated_to(role))

    def unallocated(self) -> Resources:
        """Strip the allocation marks."""
        for kind in self._bag:
            if kind.allocation_role is not None:
                break
        else:
            return self
        bag = {kind.unallocated: amount for kind, amount in self._bag.items()}
        if len(bag) == len(self._bag):
            return Resources(bag)
        return self._renamed(lambda kind: kind.unallocated)

    def allocations(self) -> dict[str, Resources]:
        """Split by the role parts are allocated to; parts without a mark go under ``""``."""
        result: dict[str, dict[Kind, Amount]] = {}
        for kind, amount in self._bag.items():
            result.setdefault(kind.allocation_role or "", {})[kind] = amount
        if len(result) == 1:
            return dict.fromkeys(result, self)
        return {role: Resources(bag) for role, bag in result.items()}

    def _renamed(self, change: Callable[[Kind], Kind]) -> Resources:
        bag: dict[Kind, Amount] = {}
        for kind, amount in self._bag.items():
            new = change(kind)
            bag[new] = bag[new] + amount if new in bag else amount  # type: ignore[operator]
        return Resources(bag)

    def to_unreserved(self) -> Resources:
        """Strip all reservations."""
        return self._reshaped(lambda shape: shape.ClearField("reservations"))

    def push_reservation(self, reservation: v0.Resource.ReservationInfo) -> Resources:
        """Put one more reservation on top of every part's stack."""
        return self._reshaped(lambda shape: shape.reservations.append(reservation))

    def pop_reservation(self) -> Resources:
        """Take the top reservation off every part's stack; raises InvalidRequest when one has none."""
        for kind in self._bag:
            if kind.reservation_role is None:
                raise InvalidRequest(f"Resource {kind.name} is not reserved")
        return self._reshaped(lambda shape: shape.reservations.pop())

    def _reshaped(self, change: Callable[[v0.Resource], object]) -> Resources:
        messages = self.messages()
        for message in messages:
            change(message)
        return Resources.of(messages)

    # --- amounts -----------------------------------------------------------------------------------------------------

    def scalars(self) -> Mapping[str, int]:
        """Sum the scalars by name, in thousandths; a shared volume counts once. Cached, do not change."""
        if self._scalars is None:
            sums: dict[str, int] = {}
            for kind, amount in self._bag.items():
                if kind.is_scalar:
                    milli = amount if kind.unit is None else kind.unit if kind.is_shared else kind.unit * amount  # type: ignore[operator]
                    sums[kind.name] = sums.get(kind.name, 0) + milli  # type: ignore[operator]
            self._scalars = sums
        return self._scalars

    def scalar(self, name: str) -> float | None:
        """Sum a scalar as on the wire; None when there is none of that name."""
        milli = self.scalars().get(name)
        return None if milli is None else to_float(milli)

    @property
    def cpus(self) -> float:
        """Sum of ``cpus``, 0.0 when there are none."""
        return to_float(self.scalars().get("cpus", 0))

    @property
    def mem(self) -> float:
        """Sum of ``mem`` in megabytes."""
        return to_float(self.scalars().get("mem", 0))

    @property
    def disk(self) -> float:
        """Sum of ``disk`` in megabytes."""
        return to_float(self.scalars().get("disk", 0))

    @property
    def gpus(self) -> float:
        """Sum of ``gpus``."""
        return to_float(self.scalars().get("gpus", 0))

    def quantities(self) -> Quantities:
        """Sum the scalars by name as quantities."""
        return Quantities(self.scalars())

    def covers(self, quantities: Mapping[str, int]) -> bool:
        """Whether there is at least that much (thousandths) by name; members of ranges and sets count one each."""
        scalars = self.scalars()
        for name, milli in quantities.items():
            if scalars.get(name, 0) >= milli:
                continue
            members = sum(
                amount.size()
                for kind, amount in self._bag.items()
                if kind.name == name and isinstance(amount, (Ranges, Items))
            )
            if scalars.get(name, 0) + members * 1000 < milli:
                return False
        return True

    def ranges(self, name: str) -> Ranges:
        """Join the ranges of that name; empty when there are none."""
        result = Ranges()
        for kind, amount in self._bag.items():
            if kind.name == name and isinstance(amount, Ranges):
                result += amount
        return result

    def ports(self) -> Ranges:
        """Join the port ranges."""
        return self.ranges("ports")

    def names(self) -> set[str]:
        """Name the resources there are."""
        return {kind.name for kind in self._bag}

    def __str__(self) -> str:
        """Write as Mesos prints in errors: ``cpus:4; mem:1024``, or ``{}``."""
        parts = []
        for kind, amount in self._bag.items():
            text = resource_text(kind.message(amount))
            if kind.is_shared:
                parts.append(f"{text}<{amount}>")
            else:
                parts += [text] * (amount if kind.unit is not None and isinstance(amount, int) else 1)
        return "; ".join(parts) or "{}"

    def __repr__(self) -> str:
        return f"Resources({self})"


EMPTY = Resources()
"""The empty bag."""

NO_SCALARS: Mapping[str, int] = MappingProxyType({})
"""No amounts at all."""


def validate_resources(messages: Iterable[v0.Resource]) -> None:
    """Check resources in any form; raises InvalidRequest naming the first bad one, in Mesos' words."""
    for message in messages:
        try:
            validate_resource(message)
        except InvalidRequest as error:
            raise InvalidRequest(f"Resource '{resource_text(message)}' is invalid: {error}") from None
