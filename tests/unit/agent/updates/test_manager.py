"""Sending, resending and keeping updates."""

from __future__ import annotations

from typing import Any

import pytest

from messor.agent.checkpoint.update_log import Update
from messor.agent.updates.manager import UpdateManager
from messor.errors import DiskFailed
from messor.protos import v0
from messor.simulation.world import World

FIRST = Update(b"1" * 16, v0.TASK_RUNNING, b"running")
LAST = Update(b"2" * 16, v0.TASK_FINISHED, b"finished")
PATH = "/work/task.updates"


class Desk:
    """A manager on a simulated host, and what it forwarded when."""

    def __init__(self) -> None:
        """Start with a manager that is allowed to send."""
        self.world = World(1)
        self.host = self.world.start("agent", "10.0.0.1", 5051)
        self.sent: list[tuple[float, bytes]] = []
        self.manager = UpdateManager(self.host.clock, self.host.disk, self._forward)
        self.manager.resume()

    def _forward(self, framework_id: str, task_id: str, update: Update) -> None:
        assert (framework_id, task_id) == ("F", "T")
        self.sent.append((round(self.world.time, 3), update.uuid))

    def receive(self, update: Update, path: str | None = None) -> bool:
        """Take an update of the one task there is."""
        return self.manager.receive("F", "T", update, path)


@pytest.fixture
def desk() -> Desk:
    """A manager that sends."""
    return Desk()


def test_an_update_is_resent_with_doubling_patience_up_to_ten_minutes(desk: Desk) -> None:
    """A lost message must not lose a terminal state, and a lost master must not be flooded."""
    desk.receive(LAST)
    desk.world.advance(2000)
    assert [time for time, _ in desk.sent] == [0, 10, 30, 70, 150, 310, 630, 1230, 1830]


def test_an_acknowledged_update_is_not_resent(desk: Desk) -> None:
    """The timer of an acknowledged update finds nothing to do."""
    desk.receive(FIRST)
    desk.manager.acknowledge("F", "T", FIRST.uuid)
    desk.world.advance(100)
    assert len(desk.sent) == 1


def test_the_next_update_gets_the_full_patience(desk: Desk) -> None:
    """Resending starts anew with each head."""
    desk.receive(FIRST)
    desk.receive(LAST)
    desk.world.advance(5)
    desk.manager.acknowledge("F", "T", FIRST.uuid)
    desk.world.advance(11)
    assert desk.sent == [(0, FIRST.uuid), (5, LAST.uuid), (15, LAST.uuid)]


def test_nothing_is_sent_while_paused_and_all_heads_when_resumed(desk: Desk) -> None:
    """An agent without master keeps updates for the next one."""
    desk.manager.pause()
    desk.receive(FIRST)
    desk.world.advance(60)
    assert desk.sent == []
    desk.manager.resume()
    assert desk.sent == [(60, FIRST.uuid)]


def test_acknowledging_the_terminal_update_ends_the_stream(desk: Desk) -> None:
    """The caller learns that the task is complete."""
    desk.receive(FIRST)
    desk.receive(LAST)
    assert desk.manager.acknowledge("F", "T", FIRST.uuid) is False
    assert desk.manager.acknowledge("F", "T", LAST.uuid) is True
    assert desk.manager.acknowledge("F", "T", LAST.uuid) is None


def test_what_cannot_be_written_is_not_kept(desk: Desk) -> None:
    """An update that is not safe must not be acknowledged nor forwarded; the same one is taken later."""
    desk.host.disk.files.full = True
    with pytest.raises(DiskFailed):
        desk.receive(FIRST, PATH)
    assert desk.sent == []
    desk.host.disk.files.full = False
    assert desk.receive(FIRST, PATH)
    assert desk.sent == [(0, FIRST.uuid)]


def test_an_acknowledgement_that_cannot_be_written_leaves_the_update_pending(desk: Desk) -> None:
    """It is resent, and acknowledged again when the disk works."""
    desk.receive(FIRST, PATH)
    desk.host.disk.files.full = True
    with pytest.raises(DiskFailed):
        desk.manager.acknowledge("F", "T", FIRST.uuid)
    desk.host.disk.files.full = False
    desk.world.advance(11)
    assert [uuid for _, uuid in desk.sent] == [FIRST.uuid, FIRST.uuid]
    assert desk.manager.acknowledge("F", "T", FIRST.uuid) is False


def test_a_forgotten_framework_is_not_resent(desk: Desk) -> None:
    """Nobody is left to acknowledge."""
    desk.receive(FIRST)
    desk.manager.forget_framework("F")
    desk.world.advance(100)
    assert len(desk.sent) == 1


def test_a_thousand_updates_need_one_timer(desk: Desk) -> None:
    """Timers are kept per manager, not per update."""
    calls: list[Any] = []
    after = desk.host.clock.after

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return after(*arguments)

    desk.host.clock.after = counted
    desk.manager._forward = lambda *_: None
    for number in range(1000):
        desk.manager.receive("F", f"T{number}", FIRST, None)
    assert len(calls) == 1


def test_a_framework_that_was_taken_over_is_told_at_once(desk: Desk) -> None:
    """Its new scheduler must not wait for the next attempt, which may be ten minutes away."""
    desk.receive(LAST)
    desk.world.advance(700)
    del desk.sent[:]
    desk.manager.resend("another framework")
    assert desk.sent == []
    desk.manager.resend("F")
    desk.world.advance(11)
    assert [time for time, _ in desk.sent] == [700, 710]
    desk.manager.pause()
    desk.manager.resend("F")
    assert len(desk.sent) == 2


def test_an_update_that_was_just_sent_gets_a_moment_to_be_acknowledged(desk: Desk) -> None:
    """A master names all schedulers to an agent that registered again; that alone must repeat nothing."""
    desk.receive(LAST)
    desk.manager.resend("F")
    desk.world.advance(15)
    assert [time for time, _ in desk.sent] == [0, 1, 11]


def test_a_young_update_does_not_wait_for_an_old_one() -> None:
    """One that was sent in vain for long is due in minutes, another in seconds."""
    world = World(1)
    host = world.start("agent", "10.0.0.1", 5051)
    sent: list[tuple[str, float]] = []
    manager = UpdateManager(host.clock, host.disk, lambda _f, task_id, _u: sent.append((task_id, round(world.time))))
    manager.resume()
    manager.receive("F", "old", FIRST, None)
    world.advance(700)
    manager.receive("F", "young", LAST, None)
    world.advance(31)
    assert [time for task_id, time in sent if task_id == "young"] == [700, 710, 730]
