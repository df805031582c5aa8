"""PATH and MOUNT disks: their roots, and the volumes on them (V8)."""

from __future__ import annotations

from typing import Any

import pytest

from messor.agent.capacity.disks import MOUNTS, prepare_disks
from messor.agent.operations.volumes import Volumes
from messor.errors import ConfigurationError
from messor.protos import v0
from messor.runtime.host import Disk
from messor.simulation.world import World

Source = v0.Resource.DiskInfo.Source


def new_disk() -> Disk:
    """Give the disk of a fresh machine with one mount, whose name has a space."""
    disk = World(0).start("agent", "10.0.0.2", 5051).disk
    disk.make_folder("/mnt/big disk")
    disk.make_folder("/mnt/plain")
    disk.write(MOUNTS, b"proc /proc proc rw 0 0\n/dev/sdb1 /mnt/big\\040disk ext4 rw 0 0\n")
    return disk


def disk_resource(kind: Source.Type, root: str | None, **volume: Any) -> v0.Resource:
    """Make disk of a kind, reserved for role ``a/b``, or a volume on it."""
    resource = v0.Resource(name="disk", type=v0.Value.SCALAR)
    resource.scalar.value = 100
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="a/b")
    resource.disk.source.type = kind
    part = resource.disk.source.path if kind == Source.PATH else resource.disk.source.mount
    part.SetInParent()
    if root is not None:
        part.root = root
    if volume:
        resource.disk.persistence.id = volume["name"]
        resource.disk.volume.container_path = "data"
    return resource


def test_roots_of_path_disks_are_made() -> None:
    """Relative ones below work_dir."""
    disk = new_disk()
    prepare_disks(disk, [disk_resource(Source.PATH, "/data/one"), disk_resource(Source.PATH, "two")], "/w")
    assert disk.is_folder("/data/one")
    assert disk.is_folder("/w/two")


def test_a_mount_is_found_in_the_table() -> None:
    """With its name unescaped."""
    prepare_disks(new_disk(), [disk_resource(Source.MOUNT, "/mnt/big disk")], "/w")


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (disk_resource(Source.PATH, None), "PATH disk root directory is not specified 'disk"),
        (disk_resource(Source.MOUNT, None), "MOUNT disk root directory is not specified 'disk"),
        (disk_resource(Source.MOUNT, "/mnt/nothing"), "with path '/mnt/nothing': no such path"),
        (disk_resource(Source.MOUNT, "/mnt/plain"), "Failed to find mount '/mnt/plain' in /proc/mounts"),
        (disk_resource(Source.RAW, None), "Unsupported 'DiskInfo.Source.Type' in 'disk"),
    ],
)
def test_an_agent_does_not_start_on_disks_that_are_none(resource: v0.Resource, text: str) -> None:
    """One readable line says why."""
    with pytest.raises(ConfigurationError) as raised:
        prepare_disks(new_disk(), [resource], "/w")
    assert text in str(raised.value)


def test_a_volume_of_a_path_disk_is_a_folder_below_its_root() -> None:
    """A role of a hierarchy is one folder, as in Mesos."""
    disk, made = new_disk(), [disk_resource(Source.PATH, "two", name="v1")]
    volumes = Volumes(disk, "/w")
    volumes.change([], made)
    disk.write("/w/two/volumes/roles/a b/v1/file", b"x")
    volumes.change(made, [])
    assert disk.list("/w/two/volumes/roles/a b") == []


def test_of_a_mount_disk_only_the_content_is_destroyed() -> None:
    """Its root is where something is mounted."""
    disk, made = new_disk(), [disk_resource(Source.MOUNT, "/mnt/big disk", name="v1")]
    volumes = Volumes(disk, "/w")
    volumes.change([], made)
    disk.write("/mnt/big disk/folder/file", b"x")
    volumes.change(made, [])
    assert disk.list("/mnt/big disk") == []
    assert disk.is_folder("/mnt/big disk")
