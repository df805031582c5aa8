"""The simulated loop: order, jumping time, settling."""

from __future__ import annotations

import asyncio

import pytest

from messor.simulation.loop import NeverSettles, SimulatedLoop


@pytest.fixture
def loop() -> SimulatedLoop:
    """Give a fresh loop."""
    return SimulatedLoop()


def test_equal_deadlines_run_in_the_order_they_were_set(loop: SimulatedLoop) -> None:
    """Order may depend on nothing but the seed, so the heap must be first in, first out."""
    seen: list[int] = []
    for number in range(100):
        loop.call_later(5, seen.append, number)
    loop.advance(5)
    assert seen == list(range(100))


def test_time_jumps_to_the_next_timer(loop: SimulatedLoop) -> None:
    """A day passes without anybody waiting for it."""
    seen: list[float] = []
    loop.call_later(86400, lambda: seen.append(loop.time()))
    loop.advance(86400)
    assert seen == [86400.0]


def test_advance_stops_exactly_at_its_end(loop: SimulatedLoop) -> None:
    """A timer one instant later has not fired."""
    seen: list[str] = []
    loop.call_later(10.001, seen.append, "late")
    loop.advance(10)
    assert (seen, loop.time()) == ([], 10.0)


def test_settle_waits_for_deliveries_but_not_for_timers(loop: SimulatedLoop) -> None:
    """What is in flight arrives; what somebody planned for later does not happen."""
    seen: list[str] = []
    loop.deliver_at(0.5, seen.append, "message")
    loop.call_later(1.0, seen.append, "timer")
    loop.settle()
    assert seen == ["message"]


def test_settle_gives_up_when_messages_beget_messages(loop: SimulatedLoop) -> None:
    """Two actors that answer each other for ever are reported, not waited for."""

    def again() -> None:
        loop.deliver_at(loop.time() + 1.0, again)

    again()
    with pytest.raises(NeverSettles):
        loop.settle()


def test_a_cancelled_timer_neither_fires_nor_moves_time(loop: SimulatedLoop) -> None:
    """Cancelled timers stay in the heap but count for nothing."""
    seen: list[str] = []
    loop.call_later(5, seen.append, "cancelled").cancel()
    loop.call_later(7, seen.append, "kept")
    assert loop.step()
    assert (seen, loop.time()) == (["kept"], 7.0)


def test_asyncio_timeouts_work_in_virtual_time(loop: SimulatedLoop) -> None:
    """Code that waits with asyncio's own tools needs no change."""

    async def wait() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 30)
        return asyncio.get_running_loop().time()

    assert loop.run_until_complete(wait()) == 30.0


def test_an_error_in_a_callback_is_kept(loop: SimulatedLoop) -> None:
    """Whoever drives the loop can fail on it."""
    loop.call_soon(lambda: 1 // 0)
    loop.settle()
    assert "ZeroDivisionError" in loop.failures[0]


def test_run_until_looks_after_each_callback(loop: SimulatedLoop) -> None:
    """It stops at the moment that something becomes true, not at the end of the second."""
    seen: list[int] = []
    for number in range(5):
        loop.call_later(1 + number / 10, seen.append, number)
    assert loop.run_until(lambda: len(seen) == 3, within=10)
    assert (seen, loop.time()) == ([0, 1, 2], 1.2)


def test_waiting_for_what_never_comes_is_an_error(loop: SimulatedLoop) -> None:
    """A coroutine that waits for nothing ends the run with a sentence."""

    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(NeverSettles):
        loop.run_until_complete(wait())
