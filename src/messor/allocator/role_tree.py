"""Roles that matter to allocation: who is tracked under them, what is reserved for them, what they use.

A role consumes of its quota all that is reserved for its subtree, in use or not, plus the unreserved, lasting resources
that its subtree's tasks use (offers do not count).
"""

from __future__ import annotations

from messor.model.resource import Amount, Kind
from messor.model.resources import Resources
from messor.model.roles import ancestors


class RoleTree:
    """Which frameworks are tracked under which role, and what each role's subtree consumes."""

    __slots__ = ("consumed", "frameworks", "names_changed", "reserved")

    def __init__(self) -> None:
        """Start empty."""
        self.frameworks: dict[str, set[str]] = {}
        self.consumed: dict[str, dict[str, int]] = {}
        """By role, by name, in thousandths; ``""`` is the whole cluster. Zeros are left out."""
        self.reserved: dict[str, dict[str, int]] = {}
        """The part of it that is reserved."""
        self.names_changed = False
        """Whether roles or names came or went in ``consumed`` since somebody reset this."""

    def track(self, role: str, framework_id: str) -> bool:
        """Note that a framework subscribes to a role or holds something under it; True when it is the role's first."""
        known = self.frameworks.get(role)
        if known is None:
            self.frameworks[role] = {framework_id}
            return True
        known.add(framework_id)
        return False

    def untrack(self, role: str, framework_id: str) -> bool:
        """Note the opposite; True when it was the role's last."""
        known = self.frameworks[role]
        known.discard(framework_id)
        if known:
            return False
        del self.frameworks[role]
        return True

    def is_tracked(self, role: str, framework_id: str) -> bool:
        """Whether a framework is tracked under a role."""
        return framework_id in self.frameworks.get(role, ())

    def reserve(self, old: Resources, new: Resources) -> None:
        """Note that an agent's total changed: what is reserved there counts as consumed."""
        for resources, sign in ((old, -1), (new, 1)):
            if not resources.is_plain:
                for kind, amount in resources.items():
                    if kind.is_scalar and kind.reservation_role is not None:
                        milli = sign * _milli(kind, amount)
                        self._charge(kind.reservation_role, kind.name, milli)
                        self._charge_reserved(kind.reservation_role, kind.name, milli)

    def use(self, resources: Resources, sign: int) -> None:
        """Note that tasks use (1) or no longer use (-1) resources, which carry allocation marks."""
        for kind, amount in resources.items():
            if kind.is_scalar and kind.reservation_role is None and not kind.is_revocable:
                self._charge(kind.allocation_role or "", kind.name, sign * _milli(kind, amount))

    def _charge_reserved(self, role: str, name: str, milli: int) -> None:
        for path in (role, *ancestors(role)):
            sums = self.reserved.setdefault(path, {})
            sums[name] = sums.get(name, 0) + milli
            if not sums[name]:
                del sums[name]
            if not sums:
                del self.reserved[path]

    def _charge(self, role: str, name: str, milli: int) -> None:
        paths = (role, *ancestors(role), "") if "/" in role else (role, "") if role else ("",)
        for path in paths:
            sums = self.consumed.get(path)
            if sums is None:
                sums = self.consumed[path] = {}
            have = sums.get(name)
            total = (have or 0) + milli
            if total:
                sums[name] = total
                if have is None:
                    self.names_changed = True
            else:
                sums.pop(name, None)
                self.names_changed = True


def _milli(kind: Kind, amount: Amount) -> int:
    """Count thousandths: whole disks count copies, of which no role has more than one per agent."""
    milli = amount if kind.unit is None else kind.unit
    assert isinstance(milli, int)
    return milli
