"""Master strings and what is made of them (S36, S38, S39)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from messor.coordination.candidates import PERIOD, CandidatesDetector
from messor.coordination.create import create_detector, parse_candidates
from messor.coordination.detector import GroupDetector
from messor.coordination.standalone import StandaloneDetector, master_info
from messor.coordination.urls import ZooKeeperUrl, parse_master_url
from messor.errors import ConfigurationError, MesosError, NotNow
from messor.protos import v0
from messor.runtime.actor import Actor
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response
from messor.simulation.host import SimulatedHost
from messor.simulation.world import World
from messor.wire.upid import Upid


@pytest.fixture
def world() -> Iterator[World]:
    """Give a world, and close it."""
    made = World(3)
    yield made
    made.close()


@pytest.fixture
def host(world: World) -> SimulatedHost:
    """Give a process."""
    return world.start("client", "10.0.0.9", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1:5050", Upid("master", "10.0.0.1", 5050)),
        ("master@10.0.0.1:5050", Upid("master", "10.0.0.1", 5050)),
        (" 10.0.0.1:5050\n", Upid("master", "10.0.0.1", 5050)),
        ("zk://a:1,b:2/mesos", ZooKeeperUrl("a:1,b:2", "/mesos", None)),
        ("zk://a:1/x/y/", ZooKeeperUrl("a:1", "/x/y", None)),
        ("zk://user:pa@ss@a:1,b:2/mesos", ZooKeeperUrl("a:1,b:2", "/mesos", "user:pa@ss")),
    ],
)
def test_an_address_is_read(text: str, expected: object) -> None:
    """In all its forms."""
    assert parse_master_url(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Failed to parse ''"),
        ("nonsense", "Failed to parse 'nonsense'"),
        ("a:", "Failed to parse 'a:'"),
        ("zk://a:1", r"Expecting a \(chroot\) path for ZooKeeper \('/' is not supported\)"),
        ("zk://a:1/", r"Expecting a \(chroot\) path for ZooKeeper \('/' is not supported\)"),
        ("zk:///mesos", "Expecting 'zk://"),
        ("zk://user@a:1/mesos", "Expecting 'zk://"),
    ],
)
def test_a_bad_address_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    """That says what is expected."""
    with pytest.raises(ConfigurationError, match=sentence):
        parse_master_url(text)


def test_each_form_gets_its_detector(host: SimulatedHost) -> None:
    """One that is simply known, one that is looked up, one that is asked for, one that is appointed."""
    assert isinstance(create_detector(host, None), StandaloneDetector)
    assert isinstance(create_detector(host, "10.0.0.1:5050"), StandaloneDetector)
    assert isinstance(create_detector(host, "zk://10.0.0.1:2181/mesos"), GroupDetector)
    assert isinstance(create_detector(host, "http://10.0.0.1:5050,http://10.0.0.2:5050/"), CandidatesDetector)


def test_a_file_holds_an_address_and_not_another_file(host: SimulatedHost) -> None:
    """Its content is trimmed and read as any other address (trap 35)."""
    host.disk.write("/etc/mesos", b" zk://10.0.0.1:2181/mesos\n\n")
    host.disk.write("/etc/loop", b"file:///etc/mesos")
    assert isinstance(create_detector(host, "file:///etc/mesos"), GroupDetector)
    assert isinstance(create_detector(host, "/etc/mesos"), GroupDetector)
    for bad in ("file:///etc/loop", "file:///no/such"):
        with pytest.raises(ConfigurationError, match=bad.removeprefix("file://")):
            create_detector(host, bad)


def test_a_list_of_masters_is_read() -> None:
    """With or without the scheme; what is no list is left to others."""
    assert parse_candidates("http://a:1,b:2,http://c:3/") == [
        Upid("master", name, port) for name, port in (("a", 1), ("b", 2), ("c", 3))
    ]
    assert parse_candidates("a:1") is None
    assert parse_candidates("zk://a:1,b:2/mesos") is None
    with pytest.raises(ConfigurationError):
        parse_candidates("a:1,,b:2")


def test_an_appointed_leader_is_told_to_whoever_knows_another(host: SimulatedHost, world: World) -> None:
    """Waiting calls are answered when the leader changes, and when it is gone (S39, S40)."""
    detector = StandaloneDetector(host)
    first, second = (master_info(host, Upid("master", f"10.0.0.{n}", 5050)) for n in (1, 2))

    async def story() -> list[v0.MasterInfo | None]:
        answers = []
        waiting = host.tasks.promise()

        async def wait(previous: v0.MasterInfo | None) -> None:
            waiting.set_result(await detector.detect(previous))

        host.tasks.spawn(wait(None), "wait")
        await host.tasks.sleep(0)
        detector.appoint(None)
        await host.tasks.sleep(1)
        assert not waiting.done()
        detector.appoint(first)
        answers.append(await waiting)
        detector.appoint(second)
        answers.append(await detector.detect(first))
        detector.appoint(None)
        answers.append(await detector.detect(second))
        return answers

    assert world.run(story()) == [first, second, None]


class Knowing(Actor):
    """A master that knows who leads."""

    def __init__(self, leader: str | None) -> None:
        """leader: what it answers."""
        super().__init__("master")
        self.leader = leader

    @endpoint("/redirect")
    def redirect(self, request: Request) -> Response:
        """Answer as a master does."""
        if self.leader is None:
            raise NotNow("No leader elected")
        return Response(307, headers={"Location": f"//{self.leader}"})


def test_masters_are_asked_until_one_knows_who_leads(world: World, host: SimulatedHost) -> None:
    """The first is dead, the second knows nobody, the third names the fourth; then that changes."""
    masters = []
    for number, leader in ((2, None), (3, "10.0.0.4:5050")):
        master = Knowing(leader)
        machine = world.start(f"master-{number}", f"10.0.0.{number}", 5050)
        machine.spawn(master)
        machine.directory.delegate = "master"
        masters.append(master)
    detector = CandidatesDetector(host, [Upid("master", f"10.0.0.{n}", 5050) for n in (1, 2, 3)])
    leaders: list[str | None] = []

    async def follow() -> None:
        leader: v0.MasterInfo | None = None
        try:
            while True:
                leader = await detector.detect(leader)
                leaders.append(leader.pid if leader is not None else None)
        except MesosError:
            leaders.append("failed")

    host.tasks.spawn(follow(), "follow")
    world.advance(1)
    assert leaders == ["master@10.0.0.4:5050"]
    masters[0].leader = "10.0.0.2:5050"
    world.advance(PERIOD + 1)
    assert leaders[1:] == ["master@10.0.0.2:5050"]
    masters[0].leader = masters[1].leader = None
    world.advance(PERIOD + 1)
    assert leaders[2:] == [None]
    detector.close()
