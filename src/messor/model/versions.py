"""Mesos versions: ``major[.minor[.patch]][-prerelease][+build]``, ordered as semantic versions are."""

from __future__ import annotations

import functools
import re

from messor.errors import InvalidRequest

_IDENTIFIER = re.compile(r"[0-9A-Za-z-]+\Z")
_NUMBER = re.compile(r"(0|[1-9][0-9]*)\Z")


def _labels(text: str, kind: str) -> tuple[str, ...]:
    parts = tuple(text.split("."))
    for part in parts:
        if not _IDENTIFIER.match(part):
            raise InvalidRequest(f"Invalid {kind} label: '{text}'")
    return parts


@functools.total_ordering
class Version:
    """A comparable version; the build label does not count."""

    __slots__ = ("_order", "build", "numbers", "prerelease")

    def __init__(self, text: str) -> None:
        """Read a version; raises InvalidRequest."""
        rest, plus, build = text.partition("+")
        self.build = _labels(build, "build") if plus else ()
        rest, dash, prerelease = rest.partition("-")
        self.prerelease = _labels(prerelease, "prerelease") if dash else ()
        parts = rest.split(".")
        if len(parts) > 3:
            raise InvalidRequest(f"Version has {len(parts)} components; maximum 3 components allowed")
        for part in parts:
            if not _NUMBER.match(part):
                raise InvalidRequest(f"Invalid version component '{part}'")
        numbers = [int(part) for part in parts] + [0, 0]
        self.numbers = (numbers[0], numbers[1], numbers[2])
        # A version without a prerelease label comes after all that have one; numbers come before words.
        labels = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        self._order = (self.numbers, 0 if labels else 1, labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._order == other._order

    def __lt__(self, other: Version) -> bool:
        return self._order < other._order

    def __hash__(self) -> int:
        return hash(self._order)

    def __str__(self) -> str:
        text = ".".join(map(str, self.numbers))
        if self.prerelease:
            text += "-" + ".".join(self.prerelease)
        return text + ("+" + ".".join(self.build) if self.build else "")

    def __repr__(self) -> str:
        return f"Version('{self}')"
