"""Offer constraints: which agents a framework wants to hear of at all, said with its subscription (A4).

A role's constraint is a list of groups; an agent passes when all conditions of any group hold. Conditions on text hold
for attributes that exist and are no text: what to make of those is left to the framework. Regular expressions are RE2's
and match whole texts in linear time; they need the extra ``messor[constraints]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from messor.errors import InvalidRequest
from messor.protos import v0, v0_scheduler

Attribute = v0_scheduler.AttributeConstraint
Test = Callable[[str | None], bool]
"""Judges a text, None when there is no such attribute."""

_NO_TEXT = object()


class Limits(NamedTuple):
    """How large regular expressions may be (``--offer_constraints_re2_*``)."""

    max_mem: int = 4096
    max_program_size: int = 100


class Condition(NamedTuple):
    """One condition: what it looks at, and how it judges."""

    selector: Attribute.Selector
    test: Test

    def holds(self, info: v0.SlaveInfo) -> bool:
        """Whether an agent meets it."""
        found = _select(self.selector, info)
        return True if found is _NO_TEXT and self.test is not _absent else self.test(_text(found))


class Constraints:
    """The constraints of one framework, ready to be asked."""

    __slots__ = ("_roles",)

    def __init__(self, message: v0_scheduler.OfferConstraints, limits: Limits | None = None) -> None:
        """Compile; raises InvalidRequest in Mesos' words."""
        limits = limits or Limits()
        self._roles: dict[str, list[list[Condition]]] = {}
        for role in sorted(message.role_constraints):
            groups = self._roles[role] = []
            for group in message.role_constraints[role].groups:
                try:
                    groups.append([_condition(each, limits) for each in group.attribute_constraints])
                except InvalidRequest as error:
                    raise InvalidRequest(f"A role {role} has an invalid 'AttributeConstraint': {error}") from None

    def __bool__(self) -> bool:
        return bool(self._roles)

    def allow(self, role: str, info: v0.SlaveInfo) -> bool:
        """Whether a framework wants to hear of an agent for a role."""
        groups = self._roles.get(role)
        return groups is None or any(all(condition.holds(info) for condition in group) for group in groups)


NONE = Constraints(v0_scheduler.OfferConstraints())
"""Of frameworks that take any agent."""


def _condition(message: v0_scheduler.AttributeConstraint, limits: Limits) -> Condition:
    selector = message.selector
    kind = selector.WhichOneof("selector")
    if kind is None:
        raise InvalidRequest(
            "Exactly one of 'AttributeConstraint::Selector::name' or"
            " 'AttributeConstraint::Selector::pseudoattribute_type' must be set"
        )
    if kind == "pseudoattribute_type" and selector.pseudoattribute_type == Attribute.Selector.UNKNOWN:
        raise InvalidRequest("Unknown pseudoattribute type")
    return Condition(selector, _test(message.predicate, limits))


def _test(predicate: v0_scheduler.AttributeConstraint.Predicate, limits: Limits) -> Test:
    kind = predicate.WhichOneof("predicate")
    if kind == "exists":
        return _present
    if kind == "not_exists":
        return _absent
    if kind == "text_equals":
        wanted = predicate.text_equals.value
        return lambda text: text == wanted
    if kind == "text_not_equals":
        unwanted = predicate.text_not_equals.value
        return lambda text: text != unwanted
    if kind == "text_matches":
        wanted_form = _regex(predicate.text_matches.regex, limits)
        return lambda text: text is not None and wanted_form.fullmatch(text) is not None
    if kind == "text_not_matches":
        unwanted_form = _regex(predicate.text_not_matches.regex, limits)
        return lambda text: text is None or unwanted_form.fullmatch(text) is None
    raise InvalidRequest("Unknown predicate type")


def _present(text: str | None) -> bool:
    return text is not None


def _absent(text: str | None) -> bool:
    return text is None


def _regex(pattern: str, limits: Limits) -> Any:
    """Compile a regular expression within limits."""
    try:
        import re2  # type: ignore[import-untyped]  # an extra; few clusters ever need it
    except ImportError:
        raise InvalidRequest(
            "Regular expressions in offer constraints need the package google-re2 on the master:"
            " pip install 'messor[constraints]'"
        ) from None
    options = re2.Options()
    options.max_mem = limits.max_mem
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else error
        why = text.decode() if isinstance(text, bytes) else text
        raise InvalidRequest(f"Failed to construct regex from pattern '{pattern}': {why}") from None
    if compiled.programsize > limits.max_program_size:
        raise InvalidRequest(
            f"Regex '{pattern}' is too complex: program size of {compiled.programsize} is larger than maximum of"
            f" {limits.max_program_size} allowed"
        )
    return compiled


def _select(selector: v0_scheduler.AttributeConstraint.Selector, info: v0.SlaveInfo) -> object:
    """Find what a selector means: a text, ``_NO_TEXT``, or None when an agent has no such thing."""
    if selector.WhichOneof("selector") == "attribute_name":
        for attribute in info.attributes:
            if attribute.name == selector.attribute_name:
                return attribute.text.value if attribute.type == v0.Value.TEXT else _NO_TEXT
        return None
    if selector.pseudoattribute_type == Attribute.Selector.HOSTNAME:
        return info.hostname
    if not info.domain.HasField("fault_domain"):
        return None
    domain = info.domain.fault_domain
    return domain.region.name if selector.pseudoattribute_type == Attribute.Selector.REGION else domain.zone.name


def _text(found: object) -> str | None:
    """Give a text to judge; what exists without being one counts as some text."""
    return found if isinstance(found, str) or found is None else ""
