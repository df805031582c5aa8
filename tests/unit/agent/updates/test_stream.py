"""The pure stream of one task's updates."""

from __future__ import annotations

from messor.agent.checkpoint.update_log import Replayed, Update
from messor.agent.updates.stream import Acknowledgement, UpdateStream
from messor.protos import v0

STARTING = Update(b"1" * 16, v0.TASK_STARTING, b"starting")
RUNNING = Update(b"2" * 16, v0.TASK_RUNNING, b"running")
FINISHED = Update(b"3" * 16, v0.TASK_FINISHED, b"finished")


def test_only_the_head_is_sent_and_the_next_follows_its_acknowledgement() -> None:
    """The master must see updates in the executor's order (trap 24)."""
    stream = UpdateStream()
    stream.receive(STARTING)
    stream.receive(RUNNING)
    assert stream.head == STARTING
    assert stream.acknowledge(STARTING.uuid) is Acknowledgement.ACCEPTED
    assert stream.head == RUNNING


def test_an_update_received_twice_is_kept_once() -> None:
    """An executor that missed our acknowledgement sends again."""
    stream = UpdateStream()
    assert stream.receive(STARTING)
    assert not stream.receive(STARTING)
    assert list(stream.pending) == [STARTING]


def test_an_update_is_a_duplicate_even_after_its_acknowledgement() -> None:
    """Late repetitions must not start the life of a task anew."""
    stream = UpdateStream()
    stream.receive(STARTING)
    stream.acknowledge(STARTING.uuid)
    assert not stream.receive(STARTING)
    assert stream.head is None


def test_an_acknowledgement_out_of_order_is_dropped() -> None:
    """Only the head can be acknowledged."""
    stream = UpdateStream()
    stream.receive(STARTING)
    stream.receive(RUNNING)
    assert stream.acknowledge(RUNNING.uuid) is Acknowledgement.UNEXPECTED
    assert stream.head == STARTING


def test_a_second_acknowledgement_is_told_from_a_wrong_one() -> None:
    """Schedulers acknowledge resent updates twice; that is no error."""
    stream = UpdateStream()
    stream.receive(STARTING)
    stream.acknowledge(STARTING.uuid)
    assert stream.acknowledge(STARTING.uuid) is Acknowledgement.DUPLICATE


def test_the_stream_is_over_when_a_terminal_update_is_acknowledged() -> None:
    """Not when it is received: until then it must be resent."""
    stream = UpdateStream()
    stream.receive(FINISHED)
    assert not stream.is_terminated
    stream.acknowledge(FINISHED.uuid)
    assert stream.is_terminated


def test_replaying_a_file_gives_the_same_stream() -> None:
    """After a restart the first unacknowledged update is the head again."""
    stream = UpdateStream()
    stream.replay(
        [
            Replayed(STARTING, STARTING.uuid),
            Replayed(RUNNING, RUNNING.uuid),
            Replayed(None, STARTING.uuid),
            Replayed(None, b"x" * 16),
        ]
    )
    assert stream.head == RUNNING
    assert stream.knows(STARTING.uuid)
