"""The registrar: batches, order, and what happens when the store fails."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import Broken, Conflict, RegistryFailed
from messor.master.registry import edits
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.protos import v0
from messor.simulation.host import SimulatedHost
from messor.simulation.world import World
from messor.storage.in_memory import InMemoryStorage
from messor.storage.versioned import Variable
from support import builders

MASTER = v0.MasterInfo(id="M", ip=1, port=5050)


class SlowStorage(InMemoryStorage):
    """A store that takes a second, counts, and fails when told to."""

    def __init__(self) -> None:
        """Start healthy."""
        super().__init__()
        self.host: SimulatedHost | None = None
        self.seconds = 1.0
        self.error: Exception | None = None
        self.stores = 0

    async def store(self, variable: Variable, value: bytes) -> Variable | None:
        """Store after a while."""
        assert self.host is not None
        self.stores += 1
        await self.host.tasks.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return await super().store(variable, value)


class Bench:
    """A registrar on a simulated host."""

    def __init__(self) -> None:
        """Start it, unrecovered."""
        self.world = World(0)
        self.host = self.world.start("master", "10.0.0.1", 5050)
        self.storage = SlowStorage()
        self.storage.host = self.host
        self.registrar = Registrar(host=self.host, storage=self.storage, fetch_timeout=60, store_timeout=20)
        self.outcomes: list[Any] = []

    def recover(self) -> None:
        """Read and note the leader."""
        self.storage.seconds = 0.0
        self.world.run(self.registrar.recover(MASTER))
        self.storage.seconds = 1.0
        self.storage.stores = 0

    def ask(self, edit: edits.Edit) -> None:
        """Ask for an edit and keep what comes of it."""

        async def wait() -> None:
            try:
                self.outcomes.append(await self.registrar.apply(edit))
            except Conflict as conflict:
                self.outcomes.append(conflict)

        self.host.tasks.spawn(wait(), "asker")


@pytest.fixture
def bench() -> Any:
    """Give a bench, closed afterwards."""
    bench = Bench()
    yield bench
    bench.world.close()


def admit(number: int) -> edits.Edit:
    """Make an edit."""
    return edits.admit(builders.agent_info(agent_id=f"S{number}"))


def test_recovering_notes_the_leader_in_the_store(bench: Bench) -> None:
    """Whoever reads the store next sees who led last."""
    bench.recover()
    stored = bench.world.run(bench.storage.fetch("registry"))
    assert Contents.decode(stored.value).rest.master.info.id == "M"


def test_an_edit_before_recovery_is_a_bug(bench: Bench) -> None:
    """It would replace a registry that was never read."""
    with pytest.raises(Broken):
        bench.registrar.apply(admit(1))


def test_an_edit_comes_true_only_when_it_is_stored(bench: Bench) -> None:
    """Nobody may act on what a failover would forget."""
    bench.recover()
    bench.ask(admit(1))
    bench.world.advance(0.5)
    assert bench.outcomes == []
    assert not bench.registrar.contents.admitted
    bench.world.advance(0.6)
    assert bench.outcomes == [True]
    assert list(bench.registrar.contents.admitted) == ["S1"]


def test_edits_that_arrive_during_a_store_are_stored_together(bench: Bench) -> None:
    """A thousand agents that arrive at once cost a few stores, not a thousand."""
    bench.recover()
    bench.ask(admit(0))
    bench.world.advance(0.5)
    for number in range(1, 1000):
        bench.ask(admit(number))
    bench.world.advance(2)
    assert bench.storage.stores == 2
    assert bench.outcomes == [True] * 1000


def test_one_edit_that_cannot_be_leaves_the_others_of_its_batch_alone(bench: Bench) -> None:
    """Conflicts are told to who asked for them."""
    bench.recover()
    for edit in (admit(1), admit(1), edits.remove("S9"), admit(2)):
        bench.ask(edit)
    bench.world.advance(2)
    assert [outcome if outcome is True else type(outcome) for outcome in bench.outcomes] == [
        True,
        Conflict,
        Conflict,
        True,
    ]
    assert list(bench.registrar.contents.admitted) == ["S1", "S2"]


def test_edits_that_change_nothing_cost_no_store(bench: Bench) -> None:
    """Agents that re-register unchanged are the common case after a failover."""
    bench.recover()
    bench.ask(admit(1))
    bench.world.advance(2)
    bench.storage.stores = 0
    bench.ask(edits.mark_reachable(builders.agent_info(agent_id="S1")))
    bench.world.advance(2)
    assert bench.outcomes == [True, False]
    assert bench.storage.stores == 0


@pytest.mark.parametrize(
    ("error", "seconds", "message"),
    [
        (RegistryFailed("disk full"), 1.0, "Failed to update registry: disk full"),
        (None, 30.0, "Failed to update registry: Failed to perform store within 20secs"),
    ],
)
def test_a_store_that_fails_ends_the_process(
    bench: Bench, error: Exception | None, seconds: float, message: str
) -> None:
    """What was promised to others could be forgotten: another master must take over (trap 30)."""
    bench.recover()
    bench.storage.error = error
    bench.storage.seconds = seconds
    bench.ask(admit(1))
    bench.world.advance(40)
    assert bench.host.exit_status == 1
    assert bench.host.exit_message == message
    assert bench.outcomes == []


def test_a_second_leader_ends_the_first(bench: Bench) -> None:
    """A version mismatch means that somebody else leads."""
    bench.recover()
    other = bench.world.run(bench.storage.fetch("registry"))
    bench.world.run(InMemoryStorage.store(bench.storage, other, b""))
    bench.ask(admit(1))
    bench.world.advance(2)
    assert bench.host.exit_message == "Failed to update registry: version mismatch"


def test_a_registry_that_cannot_be_read_ends_the_process(bench: Bench) -> None:
    """A leader without its registry would forget who was admitted."""
    bench.storage._variables["registry"] = Variable("registry", b"\xff\xff", 1)
    bench.host.tasks.spawn(bench.registrar.recover(MASTER))
    bench.world.advance(1)
    assert bench.host.exit_status == 1
    assert bench.host.exit_message.startswith("Failed to recover registrar:")
