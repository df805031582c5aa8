"""Named amounts without identity: what shares, quotas and the minimum to offer are counted in.

Amounts are thousandths (see scalars). A name that is absent counts as zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from messor.errors import InvalidRequest
from messor.model.scalars import scalar_text, to_float, to_milli


class Quantities(Mapping[str, int]):
    """An immutable sum of scalars by name, in thousandths; zero amounts are left out."""

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[str, int] | None = None) -> None:
        """Take thousandths by name."""
        self._amounts = {name: milli for name, milli in (amounts or {}).items() if milli}

    @classmethod
    def parse(cls, text: str) -> Quantities:
        """Read ``cpus:0.01;mem:32``; raises InvalidRequest."""
        amounts: dict[str, int] = {}
        for token in text.split(";"):
            if not token:
                continue
            parts = [part for part in token.split(":") if part]
            if len(parts) != 2:
                raise InvalidRequest(f"Failed to parse '{token}': missing or extra ':'")
            name = parts[0].strip()
            try:
                milli = to_milli(float(parts[1]))
            except ValueError:
                raise InvalidRequest(
                    f"Failed to parse '{parts[1]}' to quantity: only scalar values are allowed"
                ) from None
            if milli < 0:
                raise InvalidRequest(f"Failed to parse '{parts[1]}' to quantity: negative values are not allowed")
            amounts[name] = amounts.get(name, 0) + milli
        return cls(amounts)

    def __getitem__(self, name: str) -> int:
        return self._amounts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __add__(self, other: Mapping[str, int]) -> Quantities:
        amounts = dict(self._amounts)
        for name, milli in other.items():
            amounts[name] = amounts.get(name, 0) + milli
        return Quantities(amounts)

    def __sub__(self, other: Mapping[str, int]) -> Quantities:
        """Subtract; amounts that would be negative vanish."""
        amounts = dict(self._amounts)
        for name, milli in other.items():
            if name in amounts:
                amounts[name] = max(0, amounts[name] - milli)
        return Quantities(amounts)

    def contains(self, other: Mapping[str, int]) -> bool:
        """Whether we have at least as much of everything."""
        amounts = self._amounts
        return all(amounts.get(name, 0) >= milli for name, milli in other.items())

    def value(self, name: str) -> float:
        """Give an amount as on the wire; 0.0 when absent."""
        return to_float(self._amounts.get(name, 0))

    def __hash__(self) -> int:
        return hash(frozenset(self._amounts.items()))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Quantities):
            return self._amounts == other._amounts
        return NotImplemented

    def __str__(self) -> str:
        return "; ".join(f"{name}:{scalar_text(milli)}" for name, milli in sorted(self._amounts.items())) or "{}"

    def __repr__(self) -> str:
        return f"Quantities({self})"


def parse_min_allocatable(text: str) -> tuple[Quantities, ...]:
    """Read ``--min_allocatable_resources``: ``cpus:0.01|mem:32`` means at least one of them; raises InvalidRequest."""
    return tuple(Quantities.parse(part) for part in text.split("|") if part)
