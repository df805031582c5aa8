"""Files of the real world."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from messor.errors import DiskFailed, NotFound
from messor.runtime.disk import RealDisk


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Missing folders are made, nothing temporary stays."""
    disk = RealDisk()
    path = str(tmp_path / "a" / "b" / "file")
    disk.write(path, b"one")
    disk.write(path, b"two", sync=False)
    assert disk.read(path) == b"two"
    assert disk.list(str(tmp_path / "a" / "b")) == ["file"]


def test_appending_adds_to_the_end(tmp_path: Path) -> None:
    """The file and its folder are made on first use."""
    disk = RealDisk()
    path = str(tmp_path / "log" / "file")
    disk.append(path, b"abc")
    disk.append(path, b"def", sync=True)
    assert disk.read_range(path, 2, 3) == b"cde"
    assert disk.size(path) == 6
    disk.truncate(path, 4)
    assert disk.read(path) == b"abcd"


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    """Reading raises NotFound, listing is empty, removing is fine."""
    disk = RealDisk()
    path = str(tmp_path / "nothing")
    for attempt in (disk.read, disk.size, disk.modified):
        with pytest.raises(NotFound):
            attempt(path)
    assert disk.list(path) == []
    assert not disk.exists(path)
    disk.remove(path)


def test_what_cannot_be_done_raises(tmp_path: Path) -> None:
    """A folder cannot be read, a file cannot hold files."""
    disk = RealDisk()
    disk.write(str(tmp_path / "file"), b"")
    with pytest.raises(DiskFailed):
        disk.read(str(tmp_path))
    with pytest.raises((DiskFailed, NotFound)):
        disk.write(str(tmp_path / "file" / "below"), b"")


def test_trees_are_removed(tmp_path: Path) -> None:
    """A link to a folder is removed, not what it points to."""
    disk = RealDisk()
    disk.write(str(tmp_path / "tree" / "a" / "b"), b"x")
    disk.link("tree", str(tmp_path / "link"))
    disk.remove(str(tmp_path / "link"))
    assert disk.exists(str(tmp_path / "tree" / "a" / "b"))
    disk.remove(str(tmp_path / "tree"))
    assert disk.list(str(tmp_path)) == []


def test_links_are_replaced(tmp_path: Path) -> None:
    """The second link wins; reading a link tells where it points."""
    disk = RealDisk()
    path = str(tmp_path / "latest")
    disk.link("one", path)
    disk.link("two", path)
    assert disk.read_link(path) == "two"
    assert disk.read_link(str(tmp_path)) is None
    assert not disk.exists(path)
    assert os.listdir(tmp_path) == ["latest"]


def test_folders_are_made_once(tmp_path: Path) -> None:
    """Making what exists is fine."""
    disk = RealDisk()
    path = str(tmp_path / "x" / "y")
    disk.make_folder(path, 0o700)
    disk.make_folder(path)
    assert disk.is_folder(path)
    assert os.stat(path).st_mode & 0o777 == 0o700


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """Another holder is refused until the first one lets go."""
    first, second = RealDisk(), RealDisk()
    path = str(tmp_path / "lock")
    assert first.lock(path)
    assert first.lock(path)
    assert not second.lock(path)
    first.close()
    assert second.lock(path)
    second.close()


def test_what_is_written_belongs_to_its_writer_alone(tmp_path: Path) -> None:
    """Checkpoints hold what tasks were given, secrets included; logs and markers may be read by everybody."""
    disk = RealDisk()
    disk.write(str(tmp_path / "info"), b"secret")
    disk.append(str(tmp_path / "marker"), b"")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("info", "marker")] == [0o600, 0o644]
