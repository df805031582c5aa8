"""Where persistent volumes are and how they get into sandboxes."""

from __future__ import annotations

import pytest

from messor.containers.isolators.filesystem_posix import VolumeLink, volume_links
from messor.errors import ContainerError
from messor.protos import v0


def volume(path: str = "data", **fields: str) -> v0.Resource:
    """Make a persistent volume ``id``."""
    made = v0.Resource(name="disk", type="SCALAR", **fields)
    made.scalar.value = 1
    made.disk.persistence.id = "id"
    made.disk.volume.container_path = path
    made.disk.volume.mode = v0.Volume.RW
    return made


def test_a_volume_of_the_root_disk_is_below_the_work_folder_by_role() -> None:
    """Both reservation formats name the role."""
    old = volume(role="ads")
    new = volume()
    new.reservations.add(type="STATIC", role="ads")
    new.reservations.add(type="DYNAMIC", role="ads/sub")
    assert volume_links([old], "/s", "/work") == [VolumeLink("/s/data", "/work/volumes/roles/ads/id")]
    assert volume_links([new], "/s", "/work") == [VolumeLink("/s/data", "/work/volumes/roles/ads sub/id")]


def test_a_mount_disk_is_the_volume_and_a_path_disk_holds_it() -> None:
    """MOUNT disks are given whole."""
    mount = volume(role="r")
    mount.disk.source.type = v0.Resource.DiskInfo.Source.MOUNT
    mount.disk.source.mount.root = "/mnt/a"
    path = volume(role="r")
    path.disk.source.type = v0.Resource.DiskInfo.Source.PATH
    path.disk.source.path.root = "/mnt/b"
    assert volume_links([mount], "/s", "/work")[0].target == "/mnt/a"
    assert volume_links([path], "/s", "/work")[0].target == "/mnt/b/volumes/roles/r/id"


def test_other_resources_need_no_link() -> None:
    """Plain disk space is no volume."""
    assert volume_links([v0.Resource(name="disk", type="SCALAR")], "/s", "/work") == []


@pytest.mark.parametrize("path", ["/etc", "../out", "a/../../b", ".", ""])
def test_a_volume_outside_the_sandbox_is_refused(path: str) -> None:
    """The link would replace somebody's files."""
    with pytest.raises(ContainerError, match="is not inside the sandbox"):
        volume_links([volume(path)], "/s", "/work")
