"""Schedulers and executors that record what they hear and check what they should (mesos-go's MockScheduler, S12).

scheduler = MockScheduler()
scheduler.expect("statusUpdate", lambda status: status.state == TASK_FINISHED, do=lambda driver, _: driver.stop())
MesosSchedulerDriver(scheduler, framework, cluster.master).run()
scheduler.verify()
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

ANY: Any = object()
"""An argument that may be anything."""

SECONDS = 60.0


class Heard(NamedTuple):
    """One callback that ran; arguments without the driver."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class Expectation:
    """A callback that should come."""

    name: str
    arguments: tuple[Any, ...]
    times: int | None
    do: Callable[..., object] | None
    met: int = field(default=0)

    def matches(self, name: str, arguments: tuple[Any, ...]) -> bool:
        """Whether a callback is the expected one, and not one too many."""
        if name != self.name or (self.times is not None and self.met >= self.times):
            return False
        if not self.arguments:
            return True
        return len(arguments) == len(self.arguments) and all(map(_agrees, self.arguments, arguments))

    @property
    def is_met(self) -> bool:
        """Whether it came as often as it should."""
        return self.met > 0 if self.times is None else self.met == self.times

    def __str__(self) -> str:
        count = "at least once" if self.times is None else f"{self.times}×"
        return f"{_call(self.name, self.arguments)}: expected {count}, came {self.met}×"


class _Mock:
    """Records callbacks from the driver's threads, for a test's thread to look at."""

    CALLBACKS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, strict: bool = False) -> None:
        """strict: whether a callback that nobody expects is a failure, for ``verify`` too."""
        self._strict = strict
        self._changed = threading.Condition()
        self._expectations: list[Expectation] = []
        self._unexpected: list[Heard] = []
        self.calls: list[Heard] = []
        """All callbacks so far, in order."""

    def expect(
        self, name: str, *arguments: Any, times: int | None = 1, do: Callable[..., object] | None = None
    ) -> Expectation:
        """Expect a callback ``times`` times, or at least once for None.

        arguments, without the driver: values, ANY, or functions that say whether they accept one; none for any
        arguments. do: what to do then, given the driver and the arguments; what it raises, the callback raises.
        Raises ValueError for a name that is no callback.
        """
        if name not in self.CALLBACKS:
            raise ValueError(f"'{name}' is no callback of {type(self).__name__}: there are {', '.join(self.CALLBACKS)}")
        expectation = Expectation(name, arguments, times, do)
        with self._changed:
            self._expectations.append(expectation)
        return expectation

    def names(self) -> list[str]:
        """Names of the callbacks so far."""
        return [heard.name for heard in self.calls]

    def wait_for(self, name: str, count: int = 1, within: float = SECONDS) -> tuple[Any, ...]:
        """Wait until a callback came ``count`` times and give the latest's arguments; raises AssertionError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.names().count(name) >= count, within):
                raise AssertionError(f"{name} did not come {count} times within {within:g} s; heard {self.names()}")
            return [heard.arguments for heard in self.calls if heard.name == name][-1]

    def verify(self, within: float = 0.0) -> None:
        """Raise AssertionError unless all that was expected came, waiting so many seconds for it."""
        with self._changed:
            self._changed.wait_for(lambda: all(expectation.is_met for expectation in self._expectations), within)
            problems = [str(expectation) for expectation in self._expectations if not expectation.is_met]
            if self._strict:
                problems += [f"{_call(heard.name, heard.arguments)}: nobody expected it" for heard in self._unexpected]
        if problems:
            raise AssertionError("\n".join(problems))

    def _heard(self, name: str, driver: Any, arguments: tuple[Any, ...]) -> None:
        with self._changed:
            self.calls.append(Heard(name, arguments))
            found = next((one for one in self._expectations if one.matches(name, arguments)), None)
            if found is not None:
                found.met += 1
            else:
                self._unexpected.append(self.calls[-1])
            self._changed.notify_all()
        if found is None:
            if self._strict:
                raise AssertionError(f"{_call(name, arguments)}: nobody expected it")
        elif found.do is not None:
            found.do(driver, *arguments)


def _call(name: str, arguments: tuple[Any, ...]) -> str:
    """Write a call in one line; messages would take several."""
    return f"{name}({', '.join(' '.join(str(argument).split()) for argument in arguments)})"


def _agrees(expected: Any, actual: Any) -> bool:
    if expected is ANY:
        return True
    if callable(expected):
        return bool(expected(actual))
    return bool(expected == actual)


def _callback(name: str) -> Callable[..., None]:
    def callback(self: _Mock, driver: Any, *arguments: Any) -> None:
        self._heard(name, driver, arguments)

    callback.__name__ = name
    callback.__doc__ = f"Record ``{name}``."
    return callback


class MockScheduler(_Mock):
    """A Scheduler for tests: all ten callbacks."""

    CALLBACKS = (
        "registered",
        "reregistered",
        "disconnected",
        "resourceOffers",
        "offerRescinded",
        "statusUpdate",
        "frameworkMessage",
        "slaveLost",
        "executorLost",
        "error",
    )


class MockExecutor(_Mock):
    """An Executor for tests: all eight callbacks."""

    CALLBACKS = (
        "registered",
        "reregistered",
        "disconnected",
        "launchTask",
        "killTask",
        "frameworkMessage",
        "shutdown",
        "error",
    )


for _mock in (MockScheduler, MockExecutor):
    for _name in _mock.CALLBACKS:
        setattr(_mock, _name, _callback(_name))
