"""Which store the flags mean."""

from __future__ import annotations

from messor.coordination.session import LastingSession
from messor.coordination.urls import ZooKeeperUrl
from messor.errors import ConfigurationError, DiskFailed, NotFound, RegistryFailed
from messor.master.flags import MasterFlags
from messor.runtime.host import Host
from messor.storage.in_memory import InMemoryStorage
from messor.storage.versioned import Storage
from messor.storage.zookeeper import ZooKeeperStorage

FILE = "registry.sqlite"
LOCK = "master.lock"

FOLDER = "log_replicas"
"""Beside the candidates, under the name of Mesos' own replicated log: detectors of others know to pass over it."""

NEED_QUORUM = "Need to specify --quorum for replicated log based registry when using ZooKeeper"


def open_storage(flags: MasterFlags, host: Host) -> Storage:
    """Open the store; raises ConfigurationError with a readable line when that cannot be done."""
    if flags.registry == "in_memory":
        return InMemoryStorage()
    if flags.registry == "zookeeper":
        raise ConfigurationError("--zk needed for zookeeper based registry")
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


def shared_storage(flags: MasterFlags, host: Host, sessions: LastingSession, url: ZooKeeperUrl) -> Storage:
    """Open the store of a master among several; raises ConfigurationError for one that only this master would see."""
    if flags.registry == "in_memory":
        return InMemoryStorage()
    if flags.registry == "sqlite":
        raise ConfigurationError("--registry=sqlite is this machine's only; masters with --zk need replicated_log")
    if flags.registry == "replicated_log" and flags.quorum is None:
        raise ConfigurationError(NEED_QUORUM)
    return ZooKeeperStorage(sessions, f"{url.path}/{FOLDER}", host.chance.uuid)
