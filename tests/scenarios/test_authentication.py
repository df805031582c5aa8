"""Authentication over libprocess in virtual time: who must prove what, when, and when it is forgotten (K1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from messor.coordination.standalone import StandaloneDetector, master_info
from messor.drivers.scheduler.libprocess_transport import LibprocessTransport
from messor.drivers.scheduler.session import SchedulerSession
from messor.master.flags import MasterFlags
from messor.master.master import Master
from messor.protos import internal, v0, v0_scheduler
from messor.protos.mesos.authentication.authentication_pb2 import (
    AuthenticateMessage,
    AuthenticationCompletedMessage,
    AuthenticationErrorMessage,
    AuthenticationFailedMessage,
    AuthenticationMechanismsMessage,
    AuthenticationStartMessage,
    AuthenticationStepMessage,
)
from messor.security.authenticatee import Patience
from messor.security.cram_md5 import response_to
from messor.security.credentials import Credential
from messor.simulation.host import SimulatedHost
from messor.simulation.world import World
from messor.storage.in_memory import InMemoryStorage
from messor.wire.upid import Upid
from support.fakes import FakeAgent, Recorder

MASTER = Upid("master", "10.0.0.1", 5050)
SECRETS = {"alice": b"s1", "agents": b"s2"}
ALICE = Credential("alice", b"s1")


class Scene:
    """A master that wants proof."""

    def __init__(self) -> None:
        """Start it."""
        self.world = World(4)
        self.storage = InMemoryStorage()
        self.machines = 0
        self.start_master()

    def start_master(self) -> None:
        """Start a master process on what the registry holds."""
        self.host = self.world.start("master", MASTER.ip, MASTER.port)
        flags = MasterFlags(registry="in_memory", authenticate_frameworks=True, authenticate_agents=True)
        self.master = Master(self.host, flags, storage=self.storage, secrets=SECRETS)
        self.host.spawn(self.master)
        self.world.settle()

    def machine(self) -> SimulatedHost:
        """Start a process on a machine of its own."""
        self.machines += 1
        return self.world.start(f"client-{self.machines}", f"10.0.2.{self.machines}")

    def client(self, credential: Credential | None = ALICE) -> Client:
        """Start a framework of the real driver's session."""
        return Client(self, credential)


class Client:
    """A driver session and what it hears."""

    def __init__(self, scene: Scene, credential: Credential | None) -> None:
        """Start it."""
        self.heard: list[str] = []
        self.errors: list[str] = []
        self.host = scene.machine()
        info = v0.FrameworkInfo(user="root", name="x", failover_timeout=1000)
        self.session = SchedulerSession(
            "scheduler(1)",
            info,
            StandaloneDetector(self.host, master_info(self.host, MASTER)),
            LibprocessTransport(credential, Patience(1.0, 5.0, 60.0)),
            self,  # type: ignore[arg-type]  # it listens to everything
        )
        self.host.spawn(self.session)

    def failed(self, message: str) -> None:
        """Keep the error."""
        self.errors.append(message)

    def __getattr__(self, name: str) -> Any:
        """Keep any other event."""
        return lambda *arguments: self.heard.append(name)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Give a scene, and close it."""
    made = Scene()
    yield made
    made.world.close()


def test_a_framework_that_proves_it_is_registered(scene: Scene) -> None:
    """At once: the whole exchange takes no waiting."""
    client = scene.client()
    scene.world.advance(1)
    assert client.heard[0] == "registered"
    assert scene.master.authentication.principals == {client.session.upid: "alice"}


@pytest.mark.parametrize("credential", [Credential("alice", b"no"), Credential("nobody", b"s1")])
def test_a_framework_that_cannot_prove_it_is_aborted(scene: Scene, credential: Credential) -> None:
    """With the documented error (S42), once."""
    client = scene.client(credential)
    scene.world.advance(300)
    assert client.errors == ["Master refused authentication"]
    assert client.heard == []


def test_a_framework_that_does_not_try_is_refused(scene: Scene) -> None:
    """In the recorded words."""
    client = scene.client(None)
    scene.world.advance(1)
    assert client.errors == [f"Framework at {client.session.upid} is not authenticated"]


def test_a_restarted_master_is_convinced_again(scene: Scene) -> None:
    """A proof is good for one connection only."""
    client = scene.client()
    scene.world.advance(1)
    scene.host.kill()
    scene.start_master()
    scene.world.run_until(lambda: "reregistered" in client.heard, within=120)
    assert client.errors == []
    assert scene.master.authentication.principals == {client.session.upid: "alice"}


def test_what_was_proved_is_forgotten_when_the_connection_breaks(scene: Scene) -> None:
    """Somebody else may get the same address."""
    client = scene.client()
    scene.world.advance(1)
    client.host.kill()
    scene.world.advance(1)
    assert scene.master.authentication.principals == {}


class Peer(Recorder):
    """An authenticatee and a scheduler played by hand."""

    def authenticate(self, client: Upid) -> None:
        """Ask to be authenticated."""
        self.send(MASTER, AuthenticateMessage(pid=str(client)))

    def session(self) -> Upid:
        """Give the master's session."""
        return self.last_sender(AuthenticationMechanismsMessage)

    def choose(self) -> None:
        """Choose the mechanism."""
        self.send(self.session(), AuthenticationStartMessage(mechanism="CRAM-MD5", data=b""))

    def prove(self) -> None:
        """Answer the challenge."""
        challenge = self.last(AuthenticationStepMessage).data
        self.send(self.session(), AuthenticationStepMessage(data=response_to(challenge, ALICE)))

    def subscribe(self, principal: str = "") -> None:
        """Subscribe a framework."""
        call = v0_scheduler.Call(type=v0_scheduler.Call.SUBSCRIBE)
        call.subscribe.framework_info.user, call.subscribe.framework_info.name = "root", "x"
        if principal:
            call.subscribe.framework_info.principal = principal
        self.send(MASTER, call)


@pytest.fixture
def peers(scene: Scene) -> tuple[Peer, Peer]:
    """Give an authenticatee and the scheduler it speaks for."""
    host = scene.machine()
    authenticatee, scheduler = Peer("crammd5-authenticatee(1)"), Peer("scheduler(1)")
    host.spawn(authenticatee)
    host.spawn(scheduler)
    return authenticatee, scheduler


def test_the_exchange_is_the_recorded_one(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """Mechanisms, start, challenge, answer, completed; the session has the recorded name (protocols b.2)."""
    authenticatee, scheduler = peers
    authenticatee.authenticate(scheduler.upid)
    scene.world.settle()
    assert str(authenticatee.session()) == "crammd5-authenticator-session(1)@10.0.0.1:5050"
    assert list(authenticatee.last(AuthenticationMechanismsMessage).mechanisms) == ["CRAM-MD5"]
    authenticatee.choose()
    scene.world.settle()
    challenge = authenticatee.last(AuthenticationStepMessage).data
    assert challenge.startswith(b"<")
    assert challenge.endswith(b"@master>")
    authenticatee.prove()
    scene.world.settle()
    assert authenticatee.names()[-1] == "AuthenticationCompletedMessage"
    assert scene.master.authentication.principals == {scheduler.upid: "alice"}


def test_a_subscription_waits_for_the_verdict(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """What came too early is not refused (b.2)."""
    authenticatee, scheduler = peers
    authenticatee.authenticate(scheduler.upid)
    scheduler.subscribe()
    scene.world.settle()
    authenticatee.choose()
    scene.world.settle()
    assert scheduler.names() == []
    authenticatee.prove()
    scene.world.settle()
    assert scheduler.names() == ["FrameworkRegisteredMessage"]


def test_a_framework_is_who_it_proved_to_be(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """A principal in its description must be the proven one."""
    authenticatee, scheduler = peers
    authenticatee.authenticate(scheduler.upid)
    scene.world.settle()
    authenticatee.choose()
    scene.world.settle()
    authenticatee.prove()
    scheduler.subscribe("bob")
    scene.world.settle()
    message = scheduler.last(internal.FrameworkErrorMessage).message
    assert message == "Framework principal 'bob' does not match authenticated principal 'alice'"
    scheduler.subscribe("alice")
    scene.world.settle()
    assert scheduler.names()[-1] == "FrameworkRegisteredMessage"


def test_asking_again_voids_what_was_proved_before(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """And a first attempt that is still under way; its session is gone."""
    authenticatee, scheduler = peers
    for _ in range(2):
        authenticatee.authenticate(scheduler.upid)
        scene.world.settle()
    assert str(authenticatee.session()).startswith("crammd5-authenticator-session(2)@")
    assert [name for name in scene.host.directory.actors if name.startswith("crammd5")] == [
        "crammd5-authenticator-session(2)"
    ]
    authenticatee.choose()
    scene.world.settle()
    authenticatee.prove()
    scene.world.settle()
    assert scene.master.authentication.principals == {scheduler.upid: "alice"}
    authenticatee.authenticate(scheduler.upid)
    scene.world.settle()
    assert scene.master.authentication.principals == {}


def test_a_client_that_says_nothing_is_given_up(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """After --authentication_v0_timeout; what waited for it is refused like anything else."""
    authenticatee, scheduler = peers
    authenticatee.authenticate(scheduler.upid)
    scene.world.advance(14.9)
    assert any(name.startswith("crammd5") for name in scene.host.directory.actors)
    scene.world.advance(0.2)
    assert not any(name.startswith("crammd5") for name in scene.host.directory.actors)
    scheduler.subscribe()
    scene.world.settle()
    assert "is not authenticated" in scheduler.last(internal.FrameworkErrorMessage).message


def test_messages_out_of_order_are_an_error(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """In the words of the original; nobody is authenticated by them."""
    authenticatee, scheduler = peers
    authenticatee.authenticate(scheduler.upid)
    scene.world.settle()
    authenticatee.send(authenticatee.session(), AuthenticationStepMessage(data=b"alice x"))
    scene.world.settle()
    error = authenticatee.last(AuthenticationErrorMessage).error
    assert error == "Unexpected authentication 'step' received"
    assert scene.master.authentication.principals == {}


def test_an_agent_must_prove_it_too(scene: Scene) -> None:
    """One that did not is ignored without a word, as recorded; asking goes on."""
    agent = FakeAgent(MASTER, name="slave(1)")
    host = scene.machine()
    host.spawn(agent)
    agent.register()
    scene.world.advance(1)
    assert agent.names() == []
    scene.master.authentication.principals[agent.upid] = "agents"
    agent.register()
    scene.world.advance(1)
    assert "SlaveRegisteredMessage" in agent.names()


def test_a_bad_credential_is_refused_by_failed_not_by_error(scene: Scene, peers: tuple[Peer, Peer]) -> None:
    """Drivers abort at one and try again at the other."""
    authenticatee, scheduler = peers
    authenticatee.authenticate(scheduler.upid)
    scene.world.settle()
    authenticatee.choose()
    scene.world.settle()
    authenticatee.send(authenticatee.session(), AuthenticationStepMessage(data=b"bob c5905ebe57275d29cdf174ae60994f75"))
    scene.world.settle()
    assert authenticatee.received(AuthenticationFailedMessage)
    assert not authenticatee.received(AuthenticationCompletedMessage)


class Stubborn(Recorder):
    """A master that never gets to a verdict."""

    def answer(self, sender: Upid, message: Any) -> None:
        """Complain that there is no authenticator."""
        if isinstance(message, AuthenticateMessage):
            self.send(sender, AuthenticationErrorMessage(error="No authenticator loaded"))


@pytest.mark.parametrize("kind", [Recorder, Stubborn])
def test_an_attempt_without_a_verdict_is_repeated_in_growing_intervals(kind: type[Recorder]) -> None:
    """Whether the master is silent or answers with errors: never a busy loop, never an end."""
    scene = Scene()
    scene.host.kill()
    master = kind("master")
    scene.world.start("master", MASTER.ip, MASTER.port).spawn(master)
    client = scene.client()
    scene.world.advance(600)
    asked = master.names().count("AuthenticateMessage")
    assert 10 <= asked <= 110
    assert master.names().count("Call") == 0
    assert client.errors == []
    client.host.kill()
    scene.world.close()


class Asking(Recorder):
    """A master that challenges and keeps the answers."""

    def answer(self, sender: Upid, message: Any) -> None:
        """Go through the exchange."""
        if isinstance(message, AuthenticateMessage):
            self.send(sender, AuthenticationMechanismsMessage(mechanisms=["CRAM-MD5"]))
        elif isinstance(message, AuthenticationStartMessage):
            self.send(sender, AuthenticationStepMessage(data=b"<3100624060.20082@vm>"))
        elif isinstance(message, AuthenticationStepMessage):
            self.send(sender, AuthenticationCompletedMessage())


def test_a_driver_says_what_was_recorded(scene: Scene) -> None:
    """Byte by byte: for whom, an empty but present first answer, the digest, then SUBSCRIBE from the scheduler."""
    scene.host.kill()
    master = Asking("master")
    scene.world.start("master", MASTER.ip, MASTER.port).spawn(master)
    client = scene.client(Credential("p1", b"s1"))
    scene.world.advance(1)
    names = ["AuthenticateMessage", "AuthenticationStartMessage", "AuthenticationStepMessage", "Call"]
    assert master.names()[:4] == names
    asked, started, stepped, subscribed = master.envelopes[:4]
    assert AuthenticateMessage.FromString(asked.body).pid == str(client.session.upid)
    assert started.body == b"\n\x08CRAM-MD5\x12\x00"
    assert stepped.body == b"\n#" + response_to(b"<3100624060.20082@vm>", Credential("p1", b"s1"))
    assert asked.sender.id == started.sender.id == stepped.sender.id == "crammd5-authenticatee(1)"
    assert subscribed.sender == client.session.upid
