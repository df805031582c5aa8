"""What an operator asks: a call, and how the answer is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from messor.protos import v1_agent, v1_master

T = TypeVar("T")


class MasterQuestion(Generic[T]):
    """A call to a master whose answer is a T."""

    def __init__(self, call: v1_master.Call, read: Callable[[v1_master.Response], T]) -> None:
        """Keep the call and how its answer is read."""
        self.call = call
        self.read = read


class AgentQuestion(Generic[T]):
    """A call to an agent whose answer is a T."""

    def __init__(self, call: v1_agent.Call, read: Callable[[v1_agent.Response], T]) -> None:
        """Keep the call and how its answer is read."""
        self.call = call
        self.read = read


def nothing(response: object) -> None:
    """Read the answer of a call that only does something."""
