"""The authorizer that goes by access control lists, ``--acls`` (K7).

The first rule whose principals and objects both match decides; where none does, ``permissive`` does. NONE matches
whoever and whatever is asked about, to forbid it. In lists by role, ``a/%`` means all roles below ``a``. Rules are
looked through once per subject and action; what remains of them is asked about objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import cache
from typing import NamedTuple

from messor.errors import ConfigurationError
from messor.protos import acls, v0
from messor.security.acl_lists import ALL_OR_NONE, ENDPOINTS, LISTS, PARENT_LISTS, AclList, Values
from messor.security.authorizer import Action, Approver, Object, Subject

Entity = acls.ACL.Entity

BELOW = "/%"

EXECUTOR_ACTIONS = frozenset(
    (
        Action.LAUNCH_NESTED_CONTAINER,
        Action.WAIT_NESTED_CONTAINER,
        Action.KILL_NESTED_CONTAINER,
        Action.LAUNCH_NESTED_CONTAINER_SESSION,
        Action.REMOVE_NESTED_CONTAINER,
        Action.ATTACH_CONTAINER_OUTPUT,
    )
)
"""What executors may do to what is below their own container, whatever the rules say."""

PROVIDER_ACTIONS = frozenset(
    (
        Action.LAUNCH_STANDALONE_CONTAINER,
        Action.WAIT_STANDALONE_CONTAINER,
        Action.KILL_STANDALONE_CONTAINER,
        Action.REMOVE_STANDALONE_CONTAINER,
        Action.VIEW_STANDALONE_CONTAINER,
    )
)
"""What resource providers may do to containers whose ids begin with their prefix."""

MOST_REMEMBERED = 10_000
"""Approvers that are kept; then all are forgotten and made anew."""


class Matching(Enum):
    """What a rule is about."""

    EVERYTHING = 1
    SOME = 2
    BELOW = 3


class Rule(NamedTuple):
    """A rule that matches the subject."""

    matching: Matching
    values: frozenset[str]
    """Of SOME those named; of BELOW the one prefix."""
    allows: bool

    def matches(self, value: str | None) -> bool:
        """Whether it is about an object; None: about any there is, which only rules about everything are."""
        if self.matching is Matching.EVERYTHING:
            return True
        if value is None:
            return False
        if self.matching is Matching.SOME:
            return value in self.values
        return any(value.startswith(prefix) for prefix in self.values)


class Fixed:
    """The same answer to everything."""

    __slots__ = ("verdict",)

    def __init__(self, verdict: bool) -> None:
        """Answer so."""
        self.verdict: bool | None = verdict

    def approved(self, thing: Object | None) -> bool:  # noqa: ARG002  (it is the same for all)
        """Give the answer."""
        return bool(self.verdict)


class Listed:
    """Goes by the rules that match a subject."""

    __slots__ = ("_permissive", "_rules", "_values", "verdict")

    def __init__(self, values: AclList, rules: list[Rule], *, permissive: bool) -> None:
        """values: the list the rules are from."""
        self._values = values.values
        self._rules = rules
        self._permissive = permissive
        self.verdict = _verdict(rules, permissive=permissive)

    def approved(self, thing: Object | None) -> bool:
        """Whether all that an object is about may be done."""
        if self.verdict is not None:
            return self.verdict
        found: Values = None if thing is None else self._values(thing)
        if found is None:
            return self._decide(None)
        return all(self._decide(value) for value in found) if found else self._permissive

    def _decide(self, value: str | None) -> bool:
        for rule in self._rules:
            if rule.matches(value):
                return rule.allows
        return self._permissive


class Nested:
    """Of containers in containers: what they run as and what they run under must both be allowed."""

    __slots__ = ("_child", "_parent", "verdict")

    def __init__(self, child: Listed, parent: Listed) -> None:
        """Ask both."""
        self._child, self._parent = child, parent
        both = (child.verdict, parent.verdict)
        self.verdict = False if parent.verdict is False else True if both == (True, True) else None

    def approved(self, thing: Object | None) -> bool:
        """Ask about the parent, and where a command is said, about that too."""
        if thing is None or thing.command_info is None:
            return self._parent.approved(thing)
        above = Object(executor_info=thing.executor_info, framework_info=thing.framework_info)
        return self._parent.approved(above) and self._child.approved(Object(command_info=thing.command_info))


class BelowContainer:
    """Allows what is done to containers below one, or to those whose ids begin with a prefix."""

    __slots__ = ("_id", "_is_prefix", "verdict")

    def __init__(self, container_id: str, *, is_prefix: bool) -> None:
        """container_id: of the root container, or the prefix."""
        self._id = container_id
        self._is_prefix = is_prefix
        self.verdict: bool | None = None

    def approved(self, thing: Object | None) -> bool:
        """Whether it is one of theirs."""
        if thing is None or thing.container_id is None:
            return False
        if self._is_prefix:
            return thing.container_id.value.startswith(self._id)
        return _root(thing.container_id).value == self._id


class LocalAuthorizer:
    """Decides by access control lists."""

    def __init__(self, rules: acls.ACLs) -> None:
        """Check the rules; raises ConfigurationError in Mesos' words."""
        _check(rules)
        self._acls = rules
        self._known: dict[tuple[str | None, int], Approver] = {}

    def approver(self, subject: Subject | None, action: int) -> Approver:
        """Give who says what a subject may do; it is kept, as the rules never change."""
        if subject is not None and subject.value is None:
            return _by_claims(subject, action)
        value = subject.value if subject is not None else None
        known = self._known.get((value, action))
        if known is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            known = self._known[value, action] = self._make(value, action)
        return known

    def _make(self, subject: str | None, action: int) -> Approver:
        where = LISTS.get(action)
        if where is None:
            return Fixed(verdict=False)
        above = PARENT_LISTS.get(action)
        if above is not None:
            return Nested(self._listed(subject, where), self._listed(subject, above))
        return self._listed(subject, where)

    def _listed(self, subject: str | None, where: AclList) -> Listed:
        rules: list[Rule] = []
        objects = _objects_of(where.name)
        for acl in getattr(self._acls, where.name):
            is_allowed = _subject_allowed(subject, acl.principals)
            if is_allowed is not None:
                rules += _rules(getattr(acl, objects), where, allows=is_allowed)
        return Listed(where, rules, permissive=self._acls.permissive)


def _subject_allowed(subject: str | None, principals: acls.ACL.Entity) -> bool | None:
    """Tell whether a rule allows a subject, None when it does not match it."""
    if principals.type == Entity.ANY:
        return True
    if principals.type == Entity.NONE:
        return False
    return True if subject is not None and subject in principals.values else None


def _rules(objects: acls.ACL.Entity, where: AclList, *, allows: bool) -> Iterable[Rule]:
    """Make the rules of one ACL; one about roles and those below roles is as several in a row."""
    if where.by_role and len(objects.values) == 1 and objects.values[0].endswith(BELOW):
        yield _below(objects.values[0], allows=allows)
    elif objects.type == Entity.ANY:
        yield Rule(Matching.EVERYTHING, frozenset(), allows)
    elif objects.type == Entity.NONE:
        yield Rule(Matching.EVERYTHING, frozenset(), allows=False)
    else:
        plain = {value for value in objects.values if not (where.by_role and value.endswith(BELOW))}
        for value in objects.values:
            if value not in plain:
                yield _below(value, allows=allows)
        if plain:
            yield Rule(Matching.SOME, frozenset(plain), allows)


def _below(value: str, *, allows: bool) -> Rule:
    return Rule(Matching.BELOW, frozenset((value.removesuffix("%"),)), allows)


def _verdict(rules: list[Rule], *, permissive: bool) -> bool | None:
    """Give the answer to everything, where it is the same."""
    reached: set[bool] = set()
    for rule in rules:
        reached.add(rule.allows)
        if rule.matching is Matching.EVERYTHING:
            break
    else:
        reached.add(permissive)
    return reached.pop() if len(reached) == 1 else None


@cache
def _objects_of(name: str) -> str:
    """Name the objects of the ACLs in a list: what they have beside principals."""
    kind = acls.ACLs.DESCRIPTOR.fields_by_name[name].message_type
    assert kind is not None
    (objects,) = (each.name for each in kind.fields if each.name != "principals")
    return objects


def _by_claims(subject: Subject, action: int) -> Approver:
    """Judge one who has claims but no name: an executor or a resource provider."""
    if action in EXECUTOR_ACTIONS and "cid" in subject.claims:
        return BelowContainer(subject.claims["cid"], is_prefix=False)
    if action in PROVIDER_ACTIONS and "cid_prefix" in subject.claims:
        return BelowContainer(subject.claims["cid_prefix"], is_prefix=True)
    return Fixed(verdict=False)


def _root(container_id: v0.ContainerID) -> v0.ContainerID:
    while container_id.HasField("parent"):
        container_id = container_id.parent
    return container_id


def _check(rules: acls.ACLs) -> None:
    """Refuse rules that name objects where there are none to name."""
    for name, called in ALL_OR_NONE.items():
        objects = _objects_of(name)
        if any(getattr(acl, objects).type == Entity.SOME for acl in getattr(rules, name)):
            raise ConfigurationError(f"ACL.{called} type must be either NONE or ANY")
    for acl in rules.get_endpoints:
        if acl.paths.type == Entity.SOME:
            for path in acl.paths.values:
                if path not in ENDPOINTS:
                    raise ConfigurationError(f"Path: '{path}' is not an authorizable path")
