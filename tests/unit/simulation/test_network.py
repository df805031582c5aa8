"""The simulated network: order, loss, partitions, links, and repeatability."""

from __future__ import annotations

import pytest

from messor.protos import internal
from messor.runtime.actor import Actor
from messor.runtime.handlers import on
from messor.simulation.host import SimulatedHost
from messor.simulation.world import SimulationFailed, World
from messor.wire.upid import Upid


class Counter(Actor):
    """Remember what came, in order."""

    def __init__(self, name: str) -> None:
        """Start with nothing."""
        super().__init__(name)
        self.received: list[str] = []
        self.lost: list[Upid] = []

    @on(internal.SubmitSchedulerRequest)
    def came(self, sender: Upid, message: internal.SubmitSchedulerRequest) -> None:
        """Note it."""
        if message.name == "explode":
            raise ZeroDivisionError
        self.received.append(message.name)

    def exited(self, peer: Upid) -> None:
        """Note that too."""
        self.lost.append(peer)


class Pair:
    """Two processes on two machines, one actor each."""

    def __init__(self, seed: int = 0) -> None:
        """Start both."""
        self.world = World(seed)
        self.hosts = [self.start(0), self.start(1)]
        self.actors = [self.spawn(host) for host in self.hosts]

    def start(self, number: int) -> SimulatedHost:
        """Start a process."""
        return self.world.start(f"host-{number}", f"10.0.0.{number + 1}", 5050)

    def spawn(self, host: SimulatedHost) -> Counter:
        """Start an actor in it."""
        actor = Counter("counter")
        host.spawn(actor)
        return actor

    def say(self, *names: str) -> None:
        """Send from the first to the second."""
        for name in names:
            self.actors[0].send(self.actors[1].upid, internal.SubmitSchedulerRequest(name=name))


@pytest.fixture
def pair() -> Pair:
    """Give two connected actors."""
    return Pair()


def test_messages_between_two_processes_keep_their_order(pair: Pair) -> None:
    """As on one TCP connection, whatever the latency of each."""
    names = [str(number) for number in range(200)]
    pair.say(*names)
    pair.world.settle()
    assert pair.actors[1].received == names


def test_a_dropped_message_does_not_arrive_and_the_next_does(pair: Pair) -> None:
    """``drop`` takes as many as it was told to."""
    watch = pair.world.network.drop(internal.SubmitSchedulerRequest, times=2)
    pair.say("a", "b", "c")
    pair.world.settle()
    assert pair.actors[1].received == ["c"]
    assert [message.name for message in watch.messages] == ["a", "b"]


def test_expect_collects_what_was_delivered(pair: Pair) -> None:
    """Tests wait for a message and look into it."""
    watch = pair.world.network.expect(internal.SubmitSchedulerRequest, to=pair.actors[1].upid, sender="counter")
    elsewhere = pair.world.network.expect(internal.SubmitSchedulerRequest, to="nobody")
    pair.say("a")
    pair.world.run_until(lambda: watch)
    assert [message.name for message in watch.messages] == ["a"]
    assert not elsewhere


def test_a_partition_loses_messages_until_it_heals(pair: Pair) -> None:
    """Also those that were in flight when it began."""
    pair.say("in flight")
    pair.world.network.partition([pair.hosts[0]], [pair.hosts[1]])
    pair.say("into the void")
    pair.world.settle()
    pair.world.network.heal()
    pair.say("afterwards")
    pair.world.settle()
    assert pair.actors[1].received == ["afterwards"]


def test_a_partition_may_also_delay_as_tcp_does(pair: Pair) -> None:
    """Everything arrives in order when it heals."""
    pair.world.network.retransmits = True
    pair.world.network.partition([pair.hosts[0]], [pair.hosts[1]])
    pair.say("a", "b")
    pair.world.advance(30)
    assert pair.actors[1].received == []
    pair.world.network.heal()
    pair.say("c")
    pair.world.settle()
    assert pair.actors[1].received == ["a", "b", "c"]


def test_what_is_in_flight_when_a_partition_heals_does_not_overtake_what_was_held(pair: Pair) -> None:
    """TCP delivers in the order sent."""
    pair.world.network.retransmits = True
    pair.world.network.partition([pair.hosts[0]], [pair.hosts[1]])
    pair.say("held")
    pair.world.advance(30)
    pair.say("in flight")
    pair.world.network.heal()
    pair.say("afterwards")
    pair.world.settle()
    assert pair.actors[1].received == ["held", "in flight", "afterwards"]


def test_between_severed_machines_everything_is_lost_until_both_notice(pair: Pair) -> None:
    """That is how long it takes TCP to give a connection up."""
    pair.actors[0].link(pair.actors[1].upid)
    pair.actors[1].link(pair.actors[0].upid)
    pair.world.network.retransmits = True
    pair.say("in flight")
    pair.world.network.sever(pair.hosts[0], pair.hosts[1])
    pair.say("lost")
    pair.world.advance(30)
    assert (pair.actors[0].lost, pair.actors[1].lost) == ([], [])
    pair.world.network.mend()
    pair.world.settle()
    assert pair.actors[0].lost == [pair.actors[1].upid]
    assert pair.actors[1].lost == [pair.actors[0].upid]
    pair.say("afterwards")
    pair.world.settle()
    assert pair.actors[1].received == ["afterwards"]


def test_a_message_may_be_lost_with_its_connection(pair: Pair) -> None:
    """The sender hears of the end of the connection, not of the message."""
    pair.actors[0].link(pair.actors[1].upid)
    watch = pair.world.network.break_at(internal.SubmitSchedulerRequest)
    pair.say("a")
    pair.world.settle()
    pair.say("b")
    pair.world.settle()
    assert [message.name for message in watch.messages] == ["a"]
    assert pair.actors[0].lost == [pair.actors[1].upid]
    assert pair.actors[1].received == ["b"]


def test_a_one_way_partition_lets_the_other_direction_through(pair: Pair) -> None:
    """Half-broken networks exist."""
    pair.world.network.partition([pair.hosts[0]], [pair.hosts[1]], one_way=True)
    pair.say("lost")
    pair.actors[1].send(pair.actors[0].upid, internal.SubmitSchedulerRequest(name="back"))
    pair.world.settle()
    assert (pair.actors[0].received, pair.actors[1].received) == (["back"], [])


def test_the_end_of_a_linked_process_is_noticed_once(pair: Pair) -> None:
    """Linking twice still gives one exited event."""
    pair.actors[0].link(pair.actors[1].upid)
    pair.actors[0].link(pair.actors[1].upid)
    pair.world.settle()
    pair.hosts[1].crash()
    pair.world.settle()
    assert pair.actors[0].lost == [pair.actors[1].upid]


def test_messages_sent_before_a_crash_arrive_before_its_notice(pair: Pair) -> None:
    """The end of a connection comes after its bytes."""
    pair.actors[1].link(pair.actors[0].upid)
    pair.say("last words")
    pair.hosts[0].crash()
    pair.world.settle()
    assert pair.actors[1].received == ["last words"]
    assert pair.actors[1].lost == [pair.actors[0].upid]


def test_linking_a_dead_process_ends_at_once(pair: Pair) -> None:
    """Connection refused is an exit too."""
    pair.hosts[1].crash()
    pair.actors[0].link(pair.actors[1].upid)
    pair.world.settle()
    assert pair.actors[0].lost == [pair.actors[1].upid]


def test_a_power_failure_is_noticed_only_by_talking_to_the_next_process(pair: Pair) -> None:
    """A half-open link: the restarted peer answers with a reset, and that message is lost."""
    pair.actors[0].link(pair.actors[1].upid)
    pair.world.settle()
    pair.hosts[1].crash(silent=True)
    again = pair.spawn(pair.start(1))
    pair.world.advance(3600)
    assert pair.actors[0].lost == []
    pair.say("to the old one")
    pair.world.settle()
    pair.say("to the new one")
    pair.world.settle()
    assert pair.actors[0].lost == [pair.actors[1].upid]
    assert again.received == ["to the new one"]


def test_reconnecting_replaces_a_half_open_link_without_a_notice(pair: Pair) -> None:
    """What the master does when a peer registers again (protocols a.4)."""
    pair.actors[0].link(pair.actors[1].upid)
    pair.world.settle()
    pair.hosts[1].crash(silent=True)
    again = pair.spawn(pair.start(1))
    pair.actors[0].link(again.upid, reconnect=True)
    pair.say("hello")
    pair.world.settle()
    assert (pair.actors[0].lost, again.received) == ([], ["hello"])


def test_a_reset_is_noticed_by_both_sides(pair: Pair) -> None:
    """Both had linked the other."""
    pair.actors[0].link(pair.actors[1].upid)
    pair.actors[1].link(pair.actors[0].upid)
    pair.world.settle()
    pair.world.network.reset(pair.hosts[0], pair.hosts[1])
    pair.world.settle()
    assert pair.actors[0].lost == [pair.actors[1].upid]
    assert pair.actors[1].lost == [pair.actors[0].upid]


def test_an_unanswered_connection_fails_after_its_timeout(pair: Pair) -> None:
    """A link made during a partition is given up."""
    pair.world.network.partition([pair.hosts[0]], [pair.hosts[1]])
    pair.actors[0].link(pair.actors[1].upid)
    pair.world.advance(pair.world.network.connect_timeout + 1)
    assert pair.actors[0].lost == [pair.actors[1].upid]


def test_a_frozen_process_handles_everything_when_it_goes_on(pair: Pair) -> None:
    """SIGSTOP loses nothing; timers that fell due meanwhile fire late."""
    fired: list[float] = []
    pair.hosts[1].clock.after(5, lambda: fired.append(pair.world.time))
    pair.hosts[1].freeze()
    pair.say("a", "b")
    pair.world.advance(60)
    assert (pair.actors[1].received, fired) == ([], [])
    pair.hosts[1].thaw()
    pair.world.settle()
    assert pair.actors[1].received == ["a", "b"]
    assert fired[0] >= 60


def test_actors_of_one_process_notice_each_other_s_end(pair: Pair) -> None:
    """Links inside a process have no socket that could break."""
    second = Counter("second")
    pair.hosts[0].spawn(second)
    pair.actors[0].link(second.upid)
    pair.hosts[0].directory.terminate(second)
    pair.world.settle()
    assert pair.actors[0].lost == [second.upid]


def test_timers_of_a_dead_process_do_not_fire(pair: Pair) -> None:
    """Its memory is gone."""
    fired: list[int] = []
    pair.hosts[0].clock.after(5, fired.append, 1)
    pair.hosts[0].crash()
    pair.world.advance(10)
    assert fired == []


def test_a_handler_that_raises_fails_the_run(pair: Pair) -> None:
    """A bug in a handler is never only a line in a log."""
    pair.say("explode")
    with pytest.raises(SimulationFailed, match=r"seed 0, trace [0-9a-f]{32}"):
        pair.world.settle()


def test_an_invariant_is_checked_after_every_message(pair: Pair) -> None:
    """It sees the state between two messages that arrive together."""
    seen: list[int] = []
    pair.world.invariants.append(lambda: seen.append(len(pair.actors[1].received)))
    pair.say("a", "b", "c")
    pair.world.settle()
    assert seen == [1, 2, 3]


def test_equal_seeds_give_equal_traces_and_others_do_not() -> None:
    """The hash is a function of the seed."""
    hashes = []
    for seed in (1, 1, 2):
        pair = Pair(seed)
        pair.world.network.loss = 0.3
        pair.world.network.duplication = 0.3
        pair.say(*"abcdefgh")
        pair.world.settle()
        hashes.append(pair.world.trace.hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_story_tells_what_concerns_one_subject(pair: Pair) -> None:
    """It decodes messages and leaves the others out."""
    pair.say("task-7", "task-8")
    pair.world.settle()
    story = pair.world.story("task-7")
    assert "SubmitSchedulerRequest" in story
    assert 'name: "task-7"' in story
    assert "task-8" not in story
