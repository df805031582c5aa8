"""The folders of persistent volumes: made when a volume is, and destroyed with all that is in them (V5, V8)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from messor.containers.isolators.filesystem_posix import volume_folder
from messor.protos import v0

if TYPE_CHECKING:
    from messor.runtime.host import Disk

log = logging.getLogger(__name__)

Source = v0.Resource.DiskInfo.Source


class Volumes:
    """Makes and destroys folders."""

    def __init__(self, disk: Disk, work_dir: str) -> None:
        """Relative roots of disks are below work_dir, as are volumes of the agent's own disk."""
        self._disk = disk
        self._work_dir = work_dir

    def change(self, before: Iterable[v0.Resource], after: Iterable[v0.Resource]) -> None:
        """Make what is new and destroy what is gone; fine if that happened already. Raises DiskFailed."""
        old, new = self._folders(before), self._folders(after)
        for folder in new:
            if folder not in old:
                self._disk.make_folder(folder)
        for folder, resource in old.items():
            if folder not in new:
                self._destroy(folder, resource)

    def _folders(self, resources: Iterable[v0.Resource]) -> dict[str, v0.Resource]:
        return {
            volume_folder(resource, self._work_dir): resource
            for resource in resources
            if resource.disk.HasField("persistence")
        }

    def _destroy(self, folder: str, resource: v0.Resource) -> None:
        """Destroy a volume; of a MOUNT disk only the content, as its root is a mount point."""
        log.info("Deleting persistent volume '%s' at '%s'", resource.disk.persistence.id, folder)
        if resource.disk.source.type != Source.MOUNT:
            self._disk.remove(folder)
            return
        for name in self._disk.list(folder):
            self._disk.remove(f"{folder}/{name}")
