"""Which store the flags mean."""

from __future__ import annotations

import logging

from messor.errors import ConfigurationError, DiskFailed, NotFound, RegistryFailed
from messor.master.flags import MasterFlags
from messor.runtime.host import Host
from messor.storage.in_memory import InMemoryStorage
from messor.storage.versioned import Storage

log = logging.getLogger(__name__)

FILE = "registry.sqlite"
LOCK = "master.lock"


def open_storage(flags: MasterFlags, host: Host) -> Storage:
    """Open the store; raises ConfigurationError with a readable line when that cannot be done."""
    if flags.registry == "in_memory":
        return InMemoryStorage()
    if flags.registry == "replicated_log":
        log.warning("There is no replicated log; --registry=replicated_log means --registry=sqlite here")
    if flags.work_dir is None:
        raise ConfigurationError(f"--work_dir needed for {flags.registry.replace('_', ' ')} based registry")
    folder = flags.work_dir.rstrip("/") or "/"
    try:
        host.disk.make_folder(folder)
        is_ours = host.disk.lock(f"{folder}/{LOCK}")
    except (DiskFailed, NotFound) as error:
        raise ConfigurationError(f"Failed to create work directory '{folder}': {error}") from error
    if not is_ours:
        raise ConfigurationError(f"The work directory '{folder}' is in use by another master")
    from messor.storage.sqlite import SqliteStorage  # sqlite3 takes 10 ms to import: only who needs it pays

    try:
        return SqliteStorage(f"{folder}/{FILE}", host.tasks)
    except RegistryFailed as error:
        raise ConfigurationError(str(error)) from error
