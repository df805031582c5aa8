"""The disks beside the agent's own: PATH roots are made, MOUNT roots must be mount points (V8)."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from messor.errors import ConfigurationError, DiskFailed, NotFound
from messor.model.resource import resource_text
from messor.protos import v0

if TYPE_CHECKING:
    from messor.runtime.host import Disk

MOUNTS = "/proc/mounts"
Source = v0.Resource.DiskInfo.Source

_ESCAPE = re.compile(r"\\([0-7]{3})")


def prepare_disks(disk: Disk, resources: Iterable[v0.Resource], work_dir: str) -> None:
    """Make or check the roots of an agent's disks; relative ones are below work_dir. Raises ConfigurationError."""
    for resource in resources:
        if not resource.disk.HasField("source"):
            continue
        source = resource.disk.source
        if source.type == Source.PATH:
            _make_path(disk, resource, work_dir)
        elif source.type == Source.MOUNT:
            _check_mount(disk, resource, work_dir)
        else:
            raise ConfigurationError(f"Unsupported 'DiskInfo.Source.Type' in '{resource_text(resource)}'")


def _make_path(disk: Disk, resource: v0.Resource, work_dir: str) -> None:
    path = resource.disk.source.path
    if not path.HasField("root"):
        raise ConfigurationError(f"PATH disk root directory is not specified '{resource_text(resource)}'")
    root = os.path.join(work_dir, path.root)
    try:
        disk.make_folder(root)
    except (DiskFailed, NotFound) as error:  # a file may be where a folder above it should be
        raise ConfigurationError(f"Failed to create DiskInfo path directory '{root}': {error}") from error


def _check_mount(disk: Disk, resource: v0.Resource, work_dir: str) -> None:
    mount = resource.disk.source.mount
    if not mount.HasField("root"):
        raise ConfigurationError(f"MOUNT disk root directory is not specified '{resource_text(resource)}'")
    root = os.path.join(work_dir, mount.root)
    if not disk.is_folder(root):
        raise ConfigurationError(
            f"Failed to determine `realpath` for DiskInfo mount in resource '{resource_text(resource)}' with path"
            f" '{root}': no such path"
        )
    root = os.path.realpath(root)
    if root not in _mount_points(disk):
        raise ConfigurationError(f"Failed to find mount '{root}' in {MOUNTS}")


def _mount_points(disk: Disk) -> set[str]:
    try:
        table = disk.read(MOUNTS).decode(errors="surrogateescape")
    except NotFound:
        return set()
    return {_ESCAPE.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[1]) for line in table.splitlines()}
