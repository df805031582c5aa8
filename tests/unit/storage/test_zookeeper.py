"""The registry in ZooKeeper: compare and set, large values in chunks, and answers that got lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from messor.coordination.in_memory import Ensemble
from messor.coordination.session import LastingSession
from messor.errors import RegistryFailed
from messor.simulation.world import World
from messor.storage.versioned import Variable
from messor.storage.zookeeper import CHUNK, ZooKeeperStorage

PATH = "/mesos/log_replicas"


@pytest.fixture
def world() -> Iterator[World]:
    """Give a world, and close it."""
    made = World(5)
    yield made
    made.close()


@pytest.fixture
def ensemble() -> Ensemble:
    """Give an ensemble."""
    return Ensemble()


class Master:
    """A process with a store."""

    def __init__(self, world: World, ensemble: Ensemble, number: int) -> None:
        """Start it."""
        self.host = world.start(f"master-{number}", f"10.0.0.{number}", 5050)
        self.session = LastingSession(self.host, ensemble.connector(self.host, 10.0))
        self.storage = ZooKeeperStorage(self.session, PATH, self.host.chance.uuid)


def stored(variable: Variable | None) -> Variable:
    """Say that something was stored."""
    assert variable is not None
    return variable


@pytest.mark.parametrize("size", [0, 10, CHUNK - 1, CHUNK, 3 * CHUNK + 5])
def test_a_value_of_any_size_is_fetched_as_it_was_stored(world: World, ensemble: Ensemble, size: int) -> None:
    """By any master; replacing it leaves no chunks behind."""
    first, second = Master(world, ensemble, 1), Master(world, ensemble, 2)
    value = bytes(index % 251 for index in range(size))
    empty = world.run(first.storage.fetch("registry"))
    assert empty == Variable("registry", b"", 0)
    one = stored(world.run(first.storage.store(empty, value)))
    two = stored(world.run(first.storage.store(one, value + b"!")))
    assert world.run(second.storage.fetch("registry")) == two
    assert two.value == value + b"!"
    chunks = -(-len(two.value) // CHUNK) if len(two.value) >= CHUNK else 0
    assert len(ensemble.children(PATH)) == 1 + chunks


def test_a_deposed_leader_cannot_store(world: World, ensemble: Ensemble) -> None:
    """Whoever recovered after it wrote meanwhile; its chunks are removed again."""
    old, new = Master(world, ensemble, 1), Master(world, ensemble, 2)
    read = stored(world.run(old.storage.store(world.run(old.storage.fetch("registry")), b"old")))
    stored(world.run(new.storage.store(world.run(new.storage.fetch("registry")), b"new")))
    assert world.run(old.storage.store(read, b"x" * CHUNK)) is None
    assert world.run(old.storage.fetch("registry")).value == b"new"
    assert ensemble.children(PATH) == ["registry"]


def test_two_masters_cannot_both_store_the_first_value(world: World, ensemble: Ensemble) -> None:
    """The second one hears that it came too late."""
    one, two = Master(world, ensemble, 1), Master(world, ensemble, 2)
    nothing = Variable("registry", b"", 0)
    assert world.run(one.storage.store(nothing, b"1")) is not None
    assert world.run(two.storage.store(nothing, b"2")) is None


@pytest.mark.parametrize("has_value", [False, True])
def test_a_write_whose_answer_got_lost_counts(world: World, ensemble: Ensemble, has_value: bool) -> None:
    """A leader must not end because of a broken connection, when its write worked."""
    master = Master(world, ensemble, 1)
    before = world.run(master.storage.fetch("registry"))
    if has_value:
        before = stored(world.run(master.storage.store(before, b"before")))
    results: list[Variable | None] = []

    async def store() -> None:
        results.append(await master.storage.store(before, b"after"))

    master.host.tasks.spawn(store(), "store")
    path = f"{PATH}/registry"
    world.run_until(lambda: path in ensemble.nodes and ensemble.nodes[path].data == b"0after")
    session = ensemble.sessions[master.session.id]
    session.cut_off()
    session.reconnect()
    world.run_until(lambda: results)
    assert stored(results[0]).value == b"after"
    assert world.run(master.storage.fetch("registry")) == results[0]


def test_what_something_else_wrote_is_not_taken_for_a_registry(world: World, ensemble: Ensemble) -> None:
    """Leading with an empty registry would lose everything."""
    master = Master(world, ensemble, 1)
    master.session.start()
    world.run(master.session.make_path(f"{PATH}/registry"))
    with pytest.raises(RegistryFailed, match="not written by this version"):
        world.run(master.storage.fetch("registry"))


def test_chunks_that_others_left_are_removed_but_not_those_of_who_leads_next(world: World, ensemble: Ensemble) -> None:
    """A master that was killed while it wrote leaves chunks that nobody names."""
    master = Master(world, ensemble, 1)
    one = stored(world.run(master.storage.store(world.run(master.storage.fetch("registry")), b"x" * CHUNK)))
    names = (f"registry-{one.version}-left-0", f"registry-{one.version + 1}-next-0", "registry-notes", "other-0-x-0")
    for name in names:
        ensemble.create(f"{PATH}/{name}", b"", 0, sequence=False)
    later = Master(world, ensemble, 2)
    two = stored(world.run(later.storage.store(world.run(later.storage.fetch("registry")), b"y" * CHUNK)))
    left = set(ensemble.children(PATH))
    assert {"registry", *names[1:]} <= left
    assert len(left) == len(names) + 1
    assert world.run(later.storage.fetch("registry")) == two
