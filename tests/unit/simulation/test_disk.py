"""Files in memory: paths, links, locks, and what a crash leaves."""

from __future__ import annotations

from random import Random

import pytest

from messor.errors import DiskFailed, NotFound
from messor.simulation.disk import Files, SimulatedDisk


@pytest.fixture
def files() -> Files:
    """Give an empty machine."""
    return Files(lambda: 1000.0)


@pytest.fixture
def disk(files: Files) -> SimulatedDisk:
    """Give a process on that machine."""
    return SimulatedDisk(files)


def test_a_written_file_reads_back_and_makes_its_folders(disk: SimulatedDisk) -> None:
    """Writers need not make folders first."""
    disk.write("/work/meta/slave.info", b"abc")
    assert disk.read("/work/meta/slave.info") == b"abc"
    assert disk.is_folder("/work/meta")
    assert disk.list("/work") == ["meta"]


def test_a_crash_keeps_what_was_synced_only(files: Files, disk: SimulatedDisk) -> None:
    """A file that was never synced is gone, one that was synced before is as it was then."""
    disk.write("/a", b"old")
    disk.write("/a", b"new", sync=False)
    disk.write("/b", b"never", sync=False)
    files.lose_unsynced(Random(1))
    assert disk.read("/a") == b"old"
    assert not disk.exists("/b")


def test_a_crash_tears_an_unsynced_tail(files: Files, disk: SimulatedDisk) -> None:
    """Appended bytes that were not synced survive in part, as readers of logs must expect."""
    disk.append("/log", b"synced;", sync=True)
    disk.append("/log", b"0123456789")
    files.lose_unsynced(Random(3))
    left = disk.read("/log")
    assert left.startswith(b"synced;")
    assert len(left) < len(b"synced;0123456789")


def test_links_are_followed_by_all_but_read_link(disk: SimulatedDisk) -> None:
    """``latest`` links lead to the folder they name, absolute or relative."""
    disk.write("/work/runs/1/pid", b"7")
    disk.link("1", "/work/runs/latest")
    disk.link("/work/runs", "/elsewhere")
    assert disk.read("/elsewhere/latest/pid") == b"7"
    assert disk.read_link("/work/runs/latest") == "1"
    assert disk.list("/work/runs") == ["1", "latest"]


def test_removing_a_link_leaves_its_target(disk: SimulatedDisk) -> None:
    """Collecting a ``latest`` link must not collect the run."""
    disk.write("/runs/1/pid", b"7")
    disk.link("1", "/runs/latest")
    disk.remove("/runs/latest")
    assert disk.exists("/runs/1/pid")


def test_a_dangling_link_counts_as_nothing(disk: SimulatedDisk) -> None:
    """As on a real disk."""
    disk.link("/nowhere", "/link")
    assert not disk.exists("/link")
    with pytest.raises(NotFound):
        disk.read("/link")


def test_a_link_that_leads_to_itself_is_an_error(disk: SimulatedDisk) -> None:
    """It must not hang the reader."""
    disk.link("/b", "/a")
    disk.link("/a", "/b")
    with pytest.raises(DiskFailed):
        disk.read("/a")


def test_a_tree_is_removed_as_a_whole(disk: SimulatedDisk) -> None:
    """Nothing below it stays, nothing beside it goes."""
    disk.write("/t/a/b", b"")
    disk.write("/tt", b"")
    disk.remove("/t")
    assert disk.list("/") == ["tt"]


def test_a_lock_lasts_as_long_as_its_process(files: Files, disk: SimulatedDisk) -> None:
    """A second agent is refused until the first one is dead."""
    second = SimulatedDisk(files)
    assert disk.lock("/work/lock")
    assert disk.lock("/work/lock")
    assert not second.lock("/work/lock")
    disk.detach()
    assert second.lock("/work/lock")


def test_a_dead_process_changes_nothing(disk: SimulatedDisk) -> None:
    """Its last coroutines may still unwind, but not write."""
    disk.detach()
    disk.write("/a", b"")
    assert not disk.exists("/a")


def test_a_full_disk_refuses_writes_and_still_reads(files: Files, disk: SimulatedDisk) -> None:
    """Every writer must face this error some day."""
    disk.write("/a", b"1")
    files.full = True
    with pytest.raises(DiskFailed, match="No space left"):
        disk.append("/a", b"2")
    assert disk.read("/a") == b"1"
