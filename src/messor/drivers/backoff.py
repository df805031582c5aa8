"""Randomised doubling, as Mesos' drivers wait between attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


class Backoff:
    """Delays drawn from [0, factor·2ⁿ] seconds, never above a cap (S42)."""

    def __init__(self, chance: random.Random, factor: float, maximum: float) -> None:
        """factor and maximum in seconds."""
        self._chance = chance
        self._factor = factor
        self._maximum = maximum
        self._bound = factor

    def next(self) -> float:
        """Draw the next delay in seconds and double the bound."""
        delay = self._chance.uniform(0, min(self._bound, self._maximum))
        self._bound = min(self._bound * 2, self._maximum)
        return delay

    def reset(self) -> None:
        """Start over after a success."""
        self._bound = self._factor
