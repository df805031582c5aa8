"""filesystem/posix: persistent volumes as symbolic links in the sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from messor.errors import ContainerError
from messor.protos import v0
from messor.runtime.host import Disk


class VolumeLink(NamedTuple):
    """One persistent volume of a container."""

    path: str
    """Where in the sandbox it shows."""

    target: str
    """Where it really is."""


def volume_links(resources: Iterable[v0.Resource], sandbox: str, work_folder: str) -> list[VolumeLink]:
    """Say which links the sandbox needs for these resources. Raises ContainerError for a path outside the sandbox."""
    links: list[VolumeLink] = []
    for resource in resources:
        if not resource.disk.HasField("persistence"):
            continue
        path = resource.disk.volume.container_path
        if path.startswith("/") or ".." in path.split("/") or not path.strip("./"):
            raise ContainerError(
                f"Failed to launch container: The container path '{path}' of the volume is not inside the sandbox"
            )
        links.append(VolumeLink(f"{sandbox}/{path}", volume_folder(resource, work_folder)))
    return links


def volume_folder(resource: v0.Resource, work_folder: str) -> str:
    """Give the folder of a persistent volume: a MOUNT disk is one volume, a PATH disk or the work folder holds many."""
    source = resource.disk.source
    if source.type == v0.Resource.DiskInfo.Source.MOUNT and source.HasField("mount"):
        return _below(work_folder, source.mount.root)
    root = _below(work_folder, source.path.root) if source.HasField("path") else work_folder
    # Roles of a hierarchy are no folders of one another; no role has a space in its name.
    role = _role(resource).replace("/", " ")
    return f"{root}/volumes/roles/{role}/{resource.disk.persistence.id}"


def _below(work_folder: str, root: str) -> str:
    """Give the root of a disk; relative ones are below the work folder."""
    return os.path.join(work_folder, root).rstrip("/")


def bring_up_to_date(disk: Disk, sandbox: str, wanted: Sequence[VolumeLink], existing: Sequence[VolumeLink]) -> None:
    """Make new links and remove those no longer wanted. Raises ContainerError where something else is in the way.

    The sandbox belongs to its task: a link of the task's that leads out of it is not followed.
    """
    for link in existing:
        if link not in wanted and disk.read_link(link.path) == link.target:
            disk.remove(link.path)
    for link in wanted:
        if link in existing or disk.read_link(link.path) == link.target:
            continue
        parent = os.path.realpath(os.path.dirname(link.path))
        if os.path.commonpath([parent, os.path.realpath(sandbox)]) != os.path.realpath(sandbox):
            raise ContainerError(
                f"Failed to launch container: The container path '{link.path}' of the volume is not inside the sandbox"
            )
        if disk.exists(link.path):
            raise ContainerError(
                f"Failed to launch container: There is already something at '{link.path}' where a volume belongs"
            )
        disk.make_folder(link.target)
        disk.make_folder(link.path.rpartition("/")[0])
        disk.link(link.target, link.path)


def own_tree(folder: str, uid: int, gid: int) -> None:
    """Give a volume to its container's user; nothing to do where it is theirs already. Raises ContainerError."""
    try:
        if os.stat(folder).st_uid == uid:
            return
        os.chown(folder, uid, gid)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.lchown(os.path.join(parent, name), uid, gid)
    except OSError as error:
        raise ContainerError(
            f"Failed to launch container: Failed to chown the volume at '{folder}': {error.strerror}"
        ) from error


def _role(resource: v0.Resource) -> str:
    """Give the role a volume is kept for: that of the innermost reservation, in either format."""
    if resource.reservations:
        return resource.reservations[-1].role
    return resource.role or "*"
