"""An asyncio event loop whose clock jumps to the next timer.

asyncio's own timer heap is not first-in-first-out for equal deadlines; this one is, because order must depend on the
seed alone. Two kinds of things wait here: *timers* (somebody asked to be called later) and *deliveries* (something is
in flight and will arrive). ``settle`` lets deliveries arrive without passing later timers.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from typing import Any, NoReturn, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger(__name__)

MOST_EVENTS_TO_SETTLE = 2_000_000
WEEK = 7 * 86400.0


class NeverSettles(AssertionError):
    """The simulated cluster keeps sending messages without end."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Run callbacks and coroutines in virtual time; ``time()`` starts at 0 and is in seconds."""

    def __init__(self) -> None:
        """Start at time 0 with nothing to do."""
        self._time = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._waiting: list[tuple[float, int, bool, asyncio.Handle]] = []
        self._in_flight = 0
        self._sequence = 0
        self._since_jump = 0
        self._running = False
        self._closed = False
        self.failures: list[str] = []
        """What went wrong in callbacks and tasks that nobody awaited."""
        self.on_timer: Callable[[float, Callable[..., object]], None] | None = None
        """Told of each timer just before it fires."""
        self.after_step: Callable[[], None] | None = None
        """Called after each callback, outside it: what it raises reaches whoever drives the loop."""
        self.events = 0
        """How many callbacks have run."""

    # --- driving ------------------------------------------------------------------------------------------------------

    def step(self, until: float = float("inf")) -> bool:
        """Run one callback: a ready one, else jump to what falls due next, if by then; False when there is none."""
        if self._ready:
            self._since_jump += 1
            if self._since_jump > MOST_EVENTS_TO_SETTLE:
                raise NeverSettles("callbacks beget callbacks without letting time pass")
        elif not self._jump(until):
            return False
        handle = self._ready.popleft()
        if not handle.cancelled():
            outer, self._running = self._running, True
            before = asyncio._get_running_loop()
            asyncio._set_running_loop(self)
            try:
                self.events += 1
                handle._run()
            finally:
                # A callback may drive the loop itself, so there may be one around this one.
                asyncio._set_running_loop(before)
                self._running = outer
            if self.after_step is not None:
                self.after_step()
        return True

    def run_ready(self) -> bool:
        """Run what is ready now; False when there was nothing."""
        return bool(self._ready) and self.step(self._time)

    def settle(self, within: float = 60.0) -> None:
        """Run what is ready and let what is in flight arrive; later timers stay where they are.

        Timers that fall due before a delivery run too, since time passes them. Raises NeverSettles when messages beget
        messages for more than ``within`` seconds of virtual time.
        """
        end = self._time + within
        for _ in range(MOST_EVENTS_TO_SETTLE):
            if not self._ready and not self._in_flight:
                return
            if not self.step(end):
                break
        raise NeverSettles(f"messages are still in flight after {within} simulated seconds")

    def advance(self, seconds: float) -> None:
        """Let that much virtual time pass, running everything that falls due."""
        end = self._time + seconds
        while self.step(end):
            pass
        self._time = max(self._time, end)

    def run_until(self, predicate: Callable[[], object], within: float) -> bool:
        """Run until the predicate holds, looking after each callback; False when it does not within so many seconds."""
        end = self._time + within
        while not predicate():
            if not self.step(end):
                self._time = max(self._time, end)
                return bool(predicate())
        return True

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T], within: float = WEEK) -> T:
        """Run a coroutine to its end; raises NeverSettles when that takes more than so many virtual seconds."""
        task = self.create_task(_awaiting(future))
        end = self._time + within
        while not task.done():
            if not self.step(end):
                task.cancel()
                while self.run_ready():
                    pass
                raise NeverSettles(f"it did not end within {within} simulated seconds")
        result: T = task.result()
        return result

    def _jump(self, until: float) -> bool:
        while self._waiting:
            when, _, delivery, handle = self._waiting[0]
            if not handle.cancelled() and when > until:
                return False
            heapq.heappop(self._waiting)
            self._in_flight -= delivery
            if handle.cancelled():
                continue
            self._time = max(self._time, when)
            self._since_jump = 0
            if self.on_timer is not None and not delivery:
                self.on_timer(when, handle._callback)  # type: ignore[attr-defined]
            self._ready.append(handle)
            return True
        return False

    # --- what asyncio asks of a loop ----------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._time

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run after everything that is ready already."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Refuse: threads would make a run differ from its seed."""
        del callback, args, context
        raise RuntimeError("there are no threads in a simulation")

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run that many virtual seconds from now."""
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run at a virtual time; of equal times, in the order they were asked for."""
        return self._schedule(when, callback, args, context, delivery=False)

    def deliver_at(self, when: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Let something arrive at a virtual time: like a timer, but ``settle`` waits for it."""
        return self._schedule(when, callback, args, None, delivery=True)

    def _schedule(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
        *,
        delivery: bool,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._sequence += 1
        self._in_flight += delivery
        heapq.heappush(self._waiting, (when, self._sequence, delivery, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it in the heap; it is skipped when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Start a coroutine at the end of the ready queue."""
        return asyncio.Task(coro, loop=self, name=name or "simulated", context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong, for the test to fail on."""
        error = context.get("exception")
        if error is None:  # tasks of a simulation that was dropped in the middle
            return
        text = f"{context.get('message')}: {error!r}"
        self.failures.append(text)
        log.error("%s", text, exc_info=error)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong."""
        self.call_exception_handler(context)

    def get_debug(self) -> bool:
        """Never: asyncio's debug mode measures real time."""
        return False

    def is_running(self) -> bool:
        """Whether a callback is running right now."""
        return self._running

    def is_closed(self) -> bool:
        """Whether close() was called."""
        return self._closed

    def run_forever(self) -> NoReturn:
        """Refuse: virtual time would never stand still."""
        raise RuntimeError("a simulated loop is driven by settle, advance and run_until")

    def stop(self) -> None:
        """Do nothing: the loop runs only while it is driven."""

    def close(self) -> None:
        """Forget everything that is still to come."""
        self._closed = True
        self._ready.clear()
        self._waiting.clear()
        self._in_flight = 0

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: generators are closed by whoever iterates them."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (asyncio's name)
        """Do nothing: there are no threads."""


async def _awaiting(awaitable: Generator[Any, None, T] | Awaitable[T]) -> T:
    """Make a coroutine of anything that can be awaited."""
    result: T = await awaitable  # type: ignore[misc]
    return result
