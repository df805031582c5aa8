"""Groups, contenders and detectors on an ensemble in memory, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from messor.coordination.contender import GroupContender
from messor.coordination.detector import GroupDetector
from messor.coordination.group import SessionGroup
from messor.coordination.in_memory import Ensemble
from messor.coordination.interfaces import SessionListener
from messor.coordination.session import LastingSession
from messor.coordination.standalone import master_info
from messor.errors import ConnectionLost, MesosError, NotAuthorized
from messor.protos import v0
from messor.simulation.world import World
from messor.wire.upid import Upid
from messor.wire.zookeeper_nodes import encode_master

PATH = "/clusters/mesos"
TIMEOUT = 10.0


class Member:
    """A process with a session, a candidate and a detector."""

    def __init__(self, world: World, ensemble: Ensemble, number: int) -> None:
        """Start it."""
        self.host = world.start(f"master-{number}", f"10.0.0.{number}", 5050)
        self.session = LastingSession(self.host, ensemble.connector(self.host, TIMEOUT))
        self.group = SessionGroup(self.host, self.session, PATH)
        self.info = master_info(self.host, Upid("master", f"10.0.0.{number}", 5050))
        self.contender = GroupContender(self.group, self.info)
        self.detector = GroupDetector(self.host, self.group)
        self.leaders: list[str | None] = []
        self.losses: list[bool] = []
        self.error: MesosError | None = None

    def contend(self) -> Member:
        """Become a candidate and remember how that ends."""
        self.host.tasks.spawn(self._contend(), "contend")
        return self

    async def _contend(self) -> None:
        self.losses.append(await (await self.contender.contend()))

    def detect(self) -> Member:
        """Remember every leader."""
        self.host.tasks.spawn(self._detect(), "detect")
        return self

    async def _detect(self) -> None:
        leader: v0.MasterInfo | None = None
        try:
            while True:
                leader = await self.detector.detect(leader)
                self.leaders.append(leader.hostname if leader is not None else None)
        except MesosError as error:
            self.error = error

    @property
    def leader(self) -> str | None:
        """Whom it takes for the leader."""
        return self.leaders[-1] if self.leaders else None


@pytest.fixture
def world() -> Iterator[World]:
    """Give a world, and close it."""
    made = World(3)
    yield made
    made.close()


@pytest.fixture
def ensemble() -> Ensemble:
    """Give an ensemble."""
    return Ensemble()


def candidates(ensemble: Ensemble) -> list[str]:
    """List the candidates' nodes."""
    return sorted(ensemble.children(PATH))


def test_the_first_candidate_leads_and_everybody_sees_it(world: World, ensemble: Ensemble) -> None:
    """The path is made with its parents; a node holds the MasterInfo in JSON."""
    first = Member(world, ensemble, 1).contend().detect()
    world.advance(1)
    second = Member(world, ensemble, 2).contend().detect()
    watcher = Member(world, ensemble, 3).detect()
    world.advance(1)
    assert candidates(ensemble) == ["json.info_0000000000", "json.info_0000000001"]
    assert [one.leader for one in (first, second, watcher)] == ["10.0.0.1"] * 3
    assert ensemble.get(f"{PATH}/json.info_0000000000").data == encode_master(first.info)


def test_when_the_leader_leaves_the_next_one_leads_at_once(world: World, ensemble: Ensemble) -> None:
    """A session that is closed takes its node with it."""
    first = Member(world, ensemble, 1).contend()
    world.advance(1)
    second = Member(world, ensemble, 2).contend().detect()
    world.advance(1)
    first.group.close()
    world.advance(0.1)
    assert second.leaders == ["10.0.0.1", "10.0.0.2"]
    assert second.losses == []


def test_a_node_in_the_old_format_counts_as_well(world: World, ensemble: Ensemble) -> None:
    """Before 0.24 masters wrote protobuf (H14)."""
    watcher = Member(world, ensemble, 3).detect()
    world.advance(1)
    info = v0.MasterInfo(id="old", ip=1, port=5050, hostname="old-master", pid="master@10.0.0.9:5050")
    ensemble.create(f"{PATH}/info_", info.SerializeToString(), 0, sequence=True)
    ensemble.create(f"{PATH}/log_replicas", b"", 0, sequence=False)
    ensemble.create(f"{PATH}/", b"log-replica(1)@10.0.0.9:5050", 0, sequence=True)
    world.advance(1)
    assert watcher.leaders == ["old-master"]


def test_a_leader_that_writes_nonsense_is_no_leader(world: World, ensemble: Ensemble) -> None:
    """It is logged, and detection goes on."""
    watcher = Member(world, ensemble, 3).detect()
    world.advance(1)
    path = ensemble.create(f"{PATH}/json.info_", b"{", 0, sequence=True)
    member = Member(world, ensemble, 1).contend()
    world.advance(1)
    assert watcher.leader is None
    ensemble.delete(path)
    world.advance(1)
    assert watcher.leader == member.info.hostname


def test_an_expired_session_ends_a_candidacy_and_another_one_can_begin(world: World, ensemble: Ensemble) -> None:
    """Nobody leads between the two."""
    member = Member(world, ensemble, 1).contend().detect()
    world.advance(1)
    ensemble.sessions[member.session.id].expire()
    world.settle()
    assert member.losses == [False]
    assert member.leaders == ["10.0.0.1", None]
    member.contend()
    world.advance(1)
    assert member.leader == "10.0.0.1"
    assert candidates(ensemble) == ["json.info_0000000001"]


def test_who_cannot_reach_the_ensemble_gives_its_session_up_in_time(world: World, ensemble: Ensemble) -> None:
    """No sooner than the session timeout, and no later (H15)."""
    member = Member(world, ensemble, 1).contend().detect()
    world.advance(1)
    ensemble.stop()
    world.advance(TIMEOUT - 0.1)
    assert member.losses == []
    assert member.leader == "10.0.0.1"
    world.advance(0.2)
    assert member.losses == [False]
    assert member.leader is None
    member.contend()
    world.advance(5)
    ensemble.start()
    world.advance(TIMEOUT)
    assert member.leader == "10.0.0.1"


def test_a_short_break_changes_nothing(world: World, ensemble: Ensemble) -> None:
    """A session outlives its connection."""
    member = Member(world, ensemble, 1).contend().detect()
    world.advance(1)
    ensemble.stop()
    world.advance(TIMEOUT / 2)
    ensemble.start()
    world.advance(TIMEOUT)
    assert member.losses == []
    assert member.leaders == ["10.0.0.1"]


def test_a_membership_taken_away_is_noticed(world: World, ensemble: Ensemble) -> None:
    """An operator removed the node."""
    member = Member(world, ensemble, 1).contend()
    world.advance(1)
    ensemble.delete(f"{PATH}/json.info_0000000000")
    world.advance(1)
    assert member.losses == [False]


def test_a_cancelled_membership_is_not_lost(world: World, ensemble: Ensemble) -> None:
    """Cancelling tells True; cancelling twice False."""
    member = Member(world, ensemble, 1)

    async def story() -> tuple[bool, bool, bool]:
        joined = await member.group.join(b"x", "json.info")
        lost = member.group.lost(joined)
        return await member.group.cancel(joined), await lost, await member.group.cancel(joined)

    assert world.run(story()) == (True, True, False)
    assert candidates(ensemble) == []


def test_a_join_whose_answer_got_lost_does_not_stand_twice(world: World, ensemble: Ensemble) -> None:
    """The node that was made all the same is found by its session and content."""
    member = Member(world, ensemble, 1)
    member.session.start()
    world.run(member.session.make_path(PATH))
    member.contend()
    world.run_until(lambda: ensemble.nodes.get(f"{PATH}/json.info_0000000000"))
    session = ensemble.sessions[member.session.id]
    session.cut_off()
    session.reconnect()
    world.advance(5)
    assert candidates(ensemble) == ["json.info_0000000000"]
    assert member.losses == []


def test_whoever_may_not_read_the_path_hears_of_it(world: World, ensemble: Ensemble) -> None:
    """A refusal is final: waiting would not help (S40)."""

    class Closed:
        """A session that may do nothing."""

        id = 1
        timeout = TIMEOUT

        def __init__(self, listener: SessionListener) -> None:
            host.clock.after(0, listener.connected)

        def close(self, *, wait: bool = False) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            async def refuse(*arguments: object, **options: object) -> None:
                raise NotAuthorized("ZooKeeper does not let us use it")

            return refuse

    host = world.start("client", "10.0.0.7", 1)
    detector = GroupDetector(host, SessionGroup(host, LastingSession(host, Closed), PATH))
    with pytest.raises(NotAuthorized):
        world.run(detector.detect())
    with pytest.raises(NotAuthorized):
        world.run(detector.detect())


def test_a_closed_session_runs_nothing(world: World, ensemble: Ensemble) -> None:
    """What comes too late fails instead of hanging."""
    member = Member(world, ensemble, 1)
    member.session.start()
    world.advance(1)
    member.session.close()
    with pytest.raises(ConnectionLost):
        world.run(member.session.make_path("/x"))


def test_operations_wait_for_a_connection(world: World, ensemble: Ensemble) -> None:
    """And are repeated when it breaks meanwhile."""
    ensemble.stop()
    member = Member(world, ensemble, 1)
    member.session.start()
    making = member.host.tasks.spawn(member.session.make_path("/a/b/c"), "make")
    world.advance(30)
    assert not making.done()
    ensemble.start()
    world.advance(1)
    assert making.done()
    assert "/a/b/c" in ensemble.nodes


def test_an_ensemble_that_does_not_answer_is_complained_about(
    world: World, ensemble: Ensemble, caplog: pytest.LogCaptureFixture
) -> None:
    """Again and again, until it does."""
    ensemble.stop()
    member = Member(world, ensemble, 1).contend()
    world.advance(TIMEOUT * 2.5)
    assert caplog.messages.count("No connection to ZooKeeper yet; still trying") == 2
    ensemble.start()
    world.advance(TIMEOUT * 3)
    assert caplog.messages.count("No connection to ZooKeeper yet; still trying") == 2
    assert member.losses == []
