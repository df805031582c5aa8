"""The program ``messor agent``: flags, a node, the agent on it."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from messor.agent.agent import NAME, Agent
from messor.agent.capacity.totals import Machine
from messor.agent.flags import AgentFlags
from messor.coordination.create import create_detector
from messor.errors import ConfigurationError, ContainerError
from messor.runtime.address import choose_address
from messor.runtime.flags import Usage, load, warnings
from messor.runtime.logging import configure
from messor.runtime.node import Node
from messor.security.authorizer import Action
from messor.security.credentials import Credential, read_credential, read_credentials
from messor.security.http_basic import BasicAuthentication

if TYPE_CHECKING:
    from messor.containers.native.containerizer import NativeContainerizer

log = logging.getLogger(__name__)

PROGRAM = "mesos-agent"
CRAM_MD5 = "crammd5"
BASIC = "basic"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def main(argv: Sequence[str] | None = None) -> int:
    """Run an agent until it is stopped; gives the exit status. argv includes the program's name."""
    try:
        flags = load(AgentFlags, sys.argv if argv is None else argv, os.environ, PROGRAM)
        if flags.master is None:
            raise ConfigurationError("EXIT with status 1: Missing required option `--master` or `--master_detector`")
        flags.work_dir = os.path.abspath(flags.work_dir)
        flags.runtime_dir = os.path.abspath(flags.runtime_dir)
        address = choose_address(
            os.environ,
            ip=flags.ip if flags.ip is not None else discovered_ip(flags),
            port=flags.port,
            advertise_ip=flags.advertise_ip,
            advertise_port=flags.advertise_port,
        )
        logs = configure(PROGRAM, log_dir=flags.log_dir, quiet=flags.quiet, level=flags.logging_level)
    except Usage as usage:
        sys.stdout.write(f"{usage}\n")
        return 0
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in warnings(flags):
        log.warning("%s", warning)
    node = Node(address, hostname=flags.hostname, hostname_lookup=flags.hostname_lookup)
    return node.run(lambda node: set_up(node, flags, flags.external_log_file or logs.path))


def set_up(node: Node, flags: AgentFlags, log_file: str | None = None) -> Agent:
    """Start an agent on a node; raises ConfigurationError. log_file: shown as its log."""
    # Imported late: a wrong flag should be told before the containers' half of the code is loaded.
    from messor.containers.native.containerizer import NativeContainerizer

    containerizer = NativeContainerizer(
        node,
        runtime_dir=flags.runtime_dir,
        work_dir=flags.work_dir,
        frameworks_home=flags.frameworks_home,
        fetcher_cache_dir=flags.fetcher_cache_dir,
        fetcher_stall_timeout=flags.fetcher_stall_timeout,
        hadoop_home=str(flags.hadoop_home) if flags.hadoop_home else os.environ.get("HADOOP_HOME"),
    )
    try:
        detector = create_detector(node, flags.master or "", flags.zk_session_timeout)
    except ConfigurationError as error:
        raise ConfigurationError(f"EXIT with status 1: Failed to create a master detector: {error}") from error
    try:
        credential = load_credential(flags)
        node.directory.authenticate = http_authentication(flags)
    except ConfigurationError as error:
        raise ConfigurationError(f"EXIT with status 1: {error}") from error
    agent = Agent(
        node,
        flags,
        containerizer,
        detector,
        machine=this_machine(flags.work_dir),
        boot_id=read_boot_id(),
        own_folder=own_folder if os.geteuid() == 0 else None,
        libprocess_ip=flags.ip or os.environ.get("LIBPROCESS_IP"),
        measure_disk=lambda: disk_fraction(flags.work_dir),
        files=node.files,
        finished=lambda: node.tasks.spawn(_leave(node, containerizer), "leave"),
        credential=credential,
    )
    if log_file is not None:
        node.files.attach("/slave/log", log_file, lambda who: agent.permissions.may(who, Action.ACCESS_MESOS_LOG))
    node.directory.delegate = NAME
    if flags.firewall_rules is not None:
        node.directory.closed = frozenset(flags.firewall_rules.disabled_endpoints.paths)
    node.directory.spawn(agent)
    node.directory.terminated.append(lambda actor: containerizer.detach() if actor is agent else None)
    node.on_signal(signal.SIGUSR1, lambda: agent.retire("Received SIGUSR1 signal; unregistering and shutting down"))
    return agent


def load_credential(flags: AgentFlags) -> Credential | None:
    """Read ``--credential``; raises ConfigurationError for a bad file or an unknown way to prove it."""
    if flags.credential is None:
        return None
    if flags.authenticatee != CRAM_MD5:
        raise ConfigurationError(
            f"Authenticatee '{flags.authenticatee}' not found. Check the spelling (compare to '{CRAM_MD5}') or verify"
            " that the authenticatee was loaded successfully (see --modules)"
        )
    return read_credential(flags.credential)


def http_authentication(flags: AgentFlags) -> BasicAuthentication | None:
    """Make what finds out who asks over HTTP; None when everybody may. Raises ConfigurationError."""
    secrets = read_credentials(flags.http_credentials, "http_credentials") if flags.http_credentials else None
    realms = {}
    for word, is_on in (
        ("readwrite", flags.authenticate_http_readwrite),
        ("readonly", flags.authenticate_http_readonly),
    ):
        if not is_on:
            continue
        name = f"mesos-agent-{word}"
        if flags.http_authenticators not in (None, BASIC):
            raise ConfigurationError(
                f"HTTP authenticator '{flags.http_authenticators}' not found. Check the spelling (compare to '{BASIC}')"
                " or verify that the authenticator was loaded successfully (see --modules)"
            )
        if secrets is None:
            raise ConfigurationError(
                f"Failed to create HTTP authenticator module '{BASIC}': No credentials provided for the default"
                f" '{BASIC}' HTTP authenticator for realm '{name}'"
            )
        realms[word] = (name, secrets)
    return BasicAuthentication(realms) if realms else None


async def _leave(node: Node, containerizer: NativeContainerizer) -> None:
    """End the process after everything was killed."""
    await containerizer.shut_down()
    node.request_stop()


def this_machine(work_dir: str) -> Machine:
    """Find out what this machine has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(cpus=os.cpu_count() or 1, memory=memory, disk=shutil.disk_usage(_existing(work_dir)).total)


def disk_fraction(work_dir: str) -> float:
    """Tell how full the file system under work_dir is, from 0 to 1; raises OSError."""
    usage = shutil.disk_usage(_existing(work_dir))
    return usage.used / usage.total


def _existing(path: str) -> str:
    """Find the deepest folder of a path that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def read_boot_id() -> str:
    """Give an id that changes with every boot, nothing where the system has none."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def own_folder(folder: str, user: str) -> None:
    """Give a folder to a system user and its group; raises ContainerError when there is no such user."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ContainerError(f"No such user '{user}'") from None
    os.chown(folder, entry.pw_uid, entry.pw_gid)


def discovered_ip(flags: AgentFlags) -> str | None:
    """Ask ``--ip_discovery_command`` for the address to listen on; raises ConfigurationError."""
    command = flags.ip_discovery_command
    if command is None:
        return None
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0 or not done.stdout.strip():
        raise ConfigurationError(f"Failed to discover the IP address: '{command}' exited with {done.returncode}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
