"""Sets of intervals of unsigned integers (ports), kept sorted and merged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from messor.protos import v0

Interval = tuple[int, int]
"""First and last member, both included."""


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sort intervals and join those that touch or overlap."""
    result: list[Interval] = []
    for begin, end in sorted(intervals):
        if result and begin <= result[-1][1] + 1:
            if end > result[-1][1]:
                result[-1] = (result[-1][0], end)
        else:
            result.append((begin, end))
    return tuple(result)


class Ranges:
    """An immutable set of integers kept as intervals: ``Ranges([(31000, 32000)])``."""

    __slots__ = ("_encoded", "intervals")

    intervals: tuple[Interval, ...]

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        """Take intervals in any order; inverted ones count as empty."""
        self.intervals = merged(pair for pair in intervals if pair[0] <= pair[1])
        self._encoded: bytes | None = None

    @classmethod
    def _of_merged(cls, intervals: Iterable[Interval]) -> Ranges:
        """Skip sorting: the caller knows they are sorted and apart."""
        self = cls.__new__(cls)
        self.intervals = tuple(intervals)
        self._encoded = None
        return self

    @classmethod
    def of(cls, message: v0.Value.Ranges) -> Ranges:
        """Read the wire's form."""
        return cls((item.begin, item.end) for item in message.range)

    def message(self) -> v0.Value.Ranges:
        """Give the wire's form."""
        return v0.Value.Ranges(range=[v0.Value.Range(begin=begin, end=end) for begin, end in self.intervals])

    def encoded(self) -> bytes:
        """Give the bytes of ``message()``, cached."""
        if self._encoded is None:
            self._encoded = self.message().SerializeToString()
        return self._encoded

    def __add__(self, other: Ranges) -> Ranges:
        if not other.intervals:
            return self
        if not self.intervals:
            return other
        return Ranges._of_merged(merged(self.intervals + other.intervals))

    def __sub__(self, other: Ranges) -> Ranges:
        if not other.intervals or not self.intervals:
            return self
        result: list[Interval] = []
        holes = other.intervals
        index = 0
        for first, end in self.intervals:
            begin = first
            while index < len(holes) and holes[index][1] < begin:
                index += 1
            at = index
            while at < len(holes) and holes[at][0] <= end:
                if begin < holes[at][0]:
                    result.append((begin, holes[at][0] - 1))
                begin = holes[at][1] + 1
                at += 1
            if begin <= end:
                result.append((begin, end))
        return Ranges._of_merged(result)

    def __and__(self, other: Ranges) -> Ranges:
        return self - (self - other)

    def contains(self, other: Ranges) -> bool:
        """Whether every member of the other is one of ours."""
        mine = self.intervals
        for begin, end in other.intervals:
            index = bisect_right(mine, (begin, 2**64)) - 1
            if index < 0 or mine[index][1] < end:
                return False
        return True

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self.intervals, (number, 2**64)) - 1
        return index >= 0 and number <= self.intervals[index][1]

    def __iter__(self) -> Iterator[int]:
        for begin, end in self.intervals:
            yield from range(begin, end + 1)

    def size(self) -> int:
        """Count the members."""
        return sum(end - begin + 1 for begin, end in self.intervals)

    def shrunk(self, size: int) -> Ranges:
        """Keep the lowest members only, at most that many."""
        result: list[Interval] = []
        for begin, end in self.intervals:
            if size <= 0:
                break
            last = min(end, begin + size - 1)
            result.append((begin, last))
            size -= last - begin + 1
        return Ranges._of_merged(result)

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self.intervals == other.intervals

    def __hash__(self) -> int:
        return hash(self.intervals)

    def __str__(self) -> str:
        """Write as Mesos prints: ``[31000-31099, 31200-31300]``."""
        return "[" + ", ".join(f"{begin}-{end}" for begin, end in self.intervals) + "]"

    def __repr__(self) -> str:
        return f"Ranges({self})"


class Items:
    """An immutable set of words in the order they came (SET resources)."""

    __slots__ = ("_encoded", "items")

    def __init__(self, items: Iterable[str] = ()) -> None:
        """Drop duplicates."""
        self.items = tuple(dict.fromkeys(items))
        self._encoded: bytes | None = None

    def encoded(self) -> bytes:
        """Give the bytes of the ``Value.Set`` message, cached."""
        if self._encoded is None:
            self._encoded = v0.Value.Set(item=self.items).SerializeToString()
        return self._encoded

    def __add__(self, other: Items) -> Items:
        return Items(self.items + other.items)

    def __sub__(self, other: Items) -> Items:
        return Items(item for item in self.items if item not in other.items)

    def contains(self, other: Items) -> bool:
        """Whether every word of the other is one of ours."""
        return set(other.items) <= set(self.items)

    def size(self) -> int:
        """Count the words."""
        return len(self.items)

    def __bool__(self) -> bool:
        return bool(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Items) and set(self.items) == set(other.items)

    def __hash__(self) -> int:
        return hash(frozenset(self.items))

    def __str__(self) -> str:
        """Write as Mesos prints: ``{a, b}``."""
        return "{" + ", ".join(self.items) + "}"

    def __repr__(self) -> str:
        return f"Items({self})"
