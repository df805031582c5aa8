"""Quotas within one round: how much of its limits each role has left, and what must be held back for guarantees.

A role is charged for all that is reserved for its subtree and for the unreserved, lasting scalars its subtree holds:
here offers count too, or two rounds before an answer would offer more than a limit. Only top-level roles have quota; a
role below one is charged to it, and held to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from messor.model.resource import Amount, Kind
from messor.model.resources import EMPTY, Resources

if TYPE_CHECKING:
    from messor.allocator.hierarchical import HierarchicalAllocator

_CUTS_LIMIT = 4096

Key = tuple[tuple[str, int], ...]


class RoundQuota:
    """The state of all quotas in one round."""

    def __init__(self, books: HierarchicalAllocator) -> None:
        """Sum up where things stand at the beginning."""
        self._minimums = [tuple(item.items()) for item in books.options.min_allocatable]
        self.left: dict[str, dict[str, int]] = {}
        """By top-level role: what its limits still allow, by name; absent names are unlimited."""
        self.unsatisfied: dict[str, dict[str, int]] = {}
        """By top-level role: what is missing to its guarantees; roles that have them are left out."""
        self.required: dict[str, int] = {}
        """What all guarantees still miss: it must stay free."""
        self.available: dict[str, int] = {}
        """What is free and could go to anybody, by name."""
        self.hopes_fell = False
        """Whether limits or guarantees changed since somebody reset this."""
        self._hopeless: dict[str, bool] = {}
        self._cuts: dict[tuple[Resources, Key, Key | None], Resources] = {}
        self._picky: set[str] = set()
        """Roles with frameworks that have minimums of their own."""
        for framework in books.frameworks.values():
            self._picky.update(framework.min_allocatable)
        for role, quota in books.quotas.items():
            consumed = books.quota_consumption(role)
            have = consumed.get
            if quota.limits:
                self.left[role] = {name: max(0, limit - have(name, 0)) for name, limit in quota.limits.items()}
            missing = {name: milli - have(name, 0) for name, milli in quota.promised if milli > have(name, 0)}
            if missing:
                self.unsatisfied[role] = missing
                for name, milli in missing.items():
                    self.required[name] = self.required.get(name, 0) + milli
        self._count_available(books)

    def _count_available(self, books: HierarchicalAllocator) -> None:
        if not self.required:
            return
        sums = self.available
        for agent in books.agents.values():
            bag = agent.available
            if bag:
                for name, milli in (bag if bag.is_plain else bag.filter(is_subject)).scalars().items():
                    sums[name] = sums.get(name, 0) + milli

    # --- questions ---------------------------------------------------------------------------------------------------

    def binds(self, role: str) -> bool:
        """Whether what this role is offered may be less than all there is."""
        return bool(self.required) or top_level(role) in self.left

    def is_hopeless(self, role: str) -> bool:
        """Whether no framework of a role can be offered anything of an agent where nothing is reserved or revocable.

        That is so when limits or headroom leave less than the minimum to offer.
        """
        top = top_level(role)
        known = self._hopeless.get(top)
        if known is None:
            known = self._hopeless[top] = self._leaves_too_little(self.left.get(top))
        return known and role not in self._picky

    def is_everyone_hopeless(self) -> bool:
        """Whether headroom alone leaves nobody the minimum to offer."""
        return bool(self.required) and not self._picky and self._leaves_too_little(self.surplus())

    def _leaves_too_little(self, left: Mapping[str, int] | None) -> bool:
        if left is None or not self._minimums:
            return False
        for minimum in self._minimums:
            for name, needed in minimum:
                if left.get(name, needed) < needed:
                    break
            else:
                return False
        return True

    def surplus(self) -> dict[str, int] | None:
        """Tell what may be offered without touching headroom; None when there is none to keep."""
        if not self.required:
            return None
        required = self.required
        return {name: max(0, milli - required.get(name, 0)) for name, milli in self.available.items()}

    # --- cutting -----------------------------------------------------------------------------------------------------

    def cut(self, offer: Resources, role: str) -> Resources:
        """Cut an offer down to what limits and headroom allow."""
        left = self.left.get(top_level(role))
        surplus = self.surplus()
        if left is None and surplus is None:
            return offer
        key = (offer, _key(left), None if surplus is None else _key(surplus))
        known = self._cuts.get(key)
        if known is None:
            known = offer
            if left is not None:
                known = shrink(known, left, absent_is_unlimited=True)
            if surplus is not None:
                known = shrink(known, surplus, absent_is_unlimited=False)
            self._remember(key, known)
        return known

    def cut_for_guarantees(self, offer: Resources, top: str) -> Resources:
        """Cut an offer of the first stage: guarantees in any case, more as limits and headroom allow.

        Empty when nothing of it helps to meet a guarantee.
        """
        missing = self.unsatisfied[top]
        key = (offer, _key(missing), (*_key(self.left.get(top)), ("", 0), *_key(self.surplus())))
        known = self._cuts.get(key)
        if known is None:
            known = self._cut_for_guarantees(offer, top, missing)
            self._remember(key, known)
        return known

    def _remember(self, key: tuple[Resources, Key, Key | None], cut: Resources) -> None:
        if len(self._cuts) >= _CUTS_LIMIT:
            self._cuts.clear()
        self._cuts[key] = cut

    def _cut_for_guarantees(self, offer: Resources, top: str, missing: Mapping[str, int]) -> Resources:
        subject = offer if offer.is_plain else offer.filter(is_subject)
        promised = shrink(subject.filter(is_subject), missing, absent_is_unlimited=False)
        if not promised:
            return EMPTY
        more = offer - promised
        got = promised.scalars()
        left = self.left.get(top)
        if left is not None:
            room = {name: max(0, milli - got.get(name, 0)) for name, milli in left.items()}
            more = shrink(more, room, absent_is_unlimited=True)
        surplus = self.surplus()
        if surplus is not None:
            more = shrink(more, surplus, absent_is_unlimited=False)
        return (more + promised).nonscalars_first()

    # --- books -------------------------------------------------------------------------------------------------------

    def took(self, role: str, offer: Resources) -> None:
        """Charge what a role was offered."""
        amounts = (offer if offer.is_plain else offer.filter(is_subject)).scalars()
        top = top_level(role)
        left = self.left.get(top)
        if left is not None:
            self._hopeless.pop(top, None)
            self.hopes_fell = True
            for name, milli in amounts.items():
                if name in left:
                    left[name] = max(0, left[name] - milli)
        missing = self.unsatisfied.get(top)
        if missing is not None:
            self._meet(top, missing, amounts)
        if self.available:
            for name, milli in amounts.items():
                self.available[name] = self.available.get(name, 0) - milli

    def _meet(self, top: str, missing: dict[str, int], amounts: Mapping[str, int]) -> None:
        required = self.required
        for name, milli in amounts.items():
            met = min(missing.get(name, 0), milli)
            if met:
                missing[name] -= met
                required[name] -= met
                if not missing[name]:
                    del missing[name]
                if not required[name]:
                    del required[name]
        if not missing:
            del self.unsatisfied[top]


def top_level(role: str) -> str:
    """Give the top-level role that a role is charged to."""
    return role.split("/", 1)[0] if "/" in role else role


def is_subject(kind: Kind) -> bool:
    """Whether a kind counts against quota when it is held: unreserved lasting scalars do."""
    return kind.is_scalar and kind.reservation_role is None and not kind.is_revocable


def shrink(bag: Resources, target: Mapping[str, int], *, absent_is_unlimited: bool) -> Resources:
    """Cut what is subject to quota down to a target by name; whole disks are left out rather than cut."""
    kept: dict[Kind, Amount] = {}
    room = dict(target)
    changed = False
    for kind, amount in bag.items():
        if not is_subject(kind) or (absent_is_unlimited and kind.name not in room):
            kept[kind] = amount
            continue
        assert isinstance(amount, int)
        unit = kind.unit if isinstance(kind.unit, int) else 1
        fits = min(amount, room.get(kind.name, 0) // unit)
        if fits > 0:
            kept[kind] = fits
            room[kind.name] -= fits * unit
        changed = changed or fits < amount
    if not changed:
        return bag
    return Resources(kept) if kept else EMPTY


def charge(sums: dict[str, int], resources: Resources, sign: int) -> None:
    """Add (1) or take away (-1) what of these counts against quota besides reservations."""
    for name, milli in (resources if resources.is_plain else resources.filter(is_subject)).scalars().items():
        total = sums.get(name, 0) + sign * milli
        if total:
            sums[name] = total
        else:
            sums.pop(name, None)


def _key(amounts: Mapping[str, int] | None) -> Key:
    return tuple(amounts.items()) if amounts else ()
