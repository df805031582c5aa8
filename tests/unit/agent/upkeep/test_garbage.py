"""Old sandboxes go when their time comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from messor.agent.flags import AgentFlags
from messor.agent.metrics import AgentMetrics
from messor.agent.state.tables import Tables
from messor.agent.upkeep.disk_usage import DiskWatch
from messor.agent.upkeep.garbage import Garbage
from messor.simulation.world import World
from support import builders


class Desk:
    """A garbage collection that keeps paths for a thousand seconds."""

    def __init__(self) -> None:
        """Start with two folders."""
        self.world = World(1)
        self.host = self.world.start("agent", "10.0.0.1", 5051)
        self.metrics = AgentMetrics(self.host.metrics, Tables(builders.agent_info(), b"v" * 16), self.host.clock)
        self.garbage = Garbage(self.host, self.metrics, 1000.0)
        for path in ("/a", "/b"):
            self.host.disk.write(f"{path}/file", b"x")

    def exists(self) -> list[str]:
        """Name what is still there."""
        return [path for path in ("/a", "/b") if self.host.disk.exists(f"{path}/file")]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A garbage collection."""
    desk = Desk()
    yield desk
    desk.world.close()


def test_a_path_is_removed_so_long_after_its_last_change(desk: Desk) -> None:
    """Not after it was condemned: an old sandbox found at start need not wait again."""
    desk.world.advance(400)
    desk.garbage.condemn("/a")
    desk.world.advance(599)
    assert desk.exists() == ["/a", "/b"]
    desk.world.advance(2)
    assert desk.exists() == ["/b"]
    assert desk.metrics.gc_succeeded.value == 1


def test_a_path_that_is_used_again_is_kept(desk: Desk) -> None:
    """An executor id may come back."""
    desk.garbage.condemn("/a")
    desk.garbage.keep("/a")
    desk.world.advance(2000)
    assert desk.exists() == ["/a", "/b"]


def test_a_path_condemned_twice_is_removed_once(desk: Desk) -> None:
    """The later verdict counts."""
    removed: list[str] = []
    desk.garbage.condemn("/a", lambda: removed.append("first"))
    desk.garbage.keep("/a")
    desk.garbage.condemn("/a", lambda: removed.append("second"))
    desk.world.advance(2000)
    assert removed == ["second"]


def test_pruning_takes_the_oldest_first(desk: Desk) -> None:
    """As the disk fills, what is old goes before its time."""
    desk.garbage.condemn("/a")
    desk.world.advance(500)
    desk.host.disk.write("/b/file", b"y")
    desk.host.disk.make_folder("/b")
    desk.garbage.condemn("/b")
    desk.garbage.prune(500)
    desk.world.settle()
    assert "/a" not in desk.exists()


@pytest.mark.parametrize(("usage", "age"), [(0.0, 900.0), (0.5, 400.0), (0.95, 0.0)])
def test_the_fuller_the_disk_the_shorter_sandboxes_are_kept(desk: Desk, usage: float, age: float) -> None:
    """gc_delay times what is left above the headroom (G12)."""
    flags = AgentFlags(work_dir="/w", gc_delay=1000.0)
    watch = DiskWatch(desk.host, flags, desk.metrics, desk.garbage, lambda: usage)
    watch.start()
    assert desk.metrics.max_allowed_age == pytest.approx(age)
    watch.stop()
