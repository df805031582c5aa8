"""The program ``messor master``: flags, a node, the master on it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence

from messor import MESOS_VERSION, __version__
from messor.coordination.create import create_group, open_session
from messor.coordination.urls import parse_zookeeper_url
from messor.errors import ConfigurationError
from messor.master.authentication import load_secrets
from messor.master.flags import MasterFlags
from messor.master.master import NAME, Master
from messor.master.registry.stores import NEED_QUORUM, shared_storage
from messor.runtime.address import choose_address
from messor.runtime.flags import Usage, load, texts, warnings
from messor.runtime.logging import configure
from messor.runtime.node import Node
from messor.security.authorizer import Action

log = logging.getLogger(__name__)

PROGRAM = "mesos-master"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a master until it is stopped; gives the exit status. argv includes the program's name."""
    try:
        flags = load(MasterFlags, sys.argv if argv is None else argv, os.environ, PROGRAM)
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
    log.info("Messor %s, speaking Mesos %s", __version__, MESOS_VERSION)
    log.info("Flags at startup: %s", " ".join(f'--{name}="{text}"' for name, text in texts(flags).items()))
    for warning in warnings(flags):
        log.warning("%s", warning)
    node = Node(address, hostname=flags.hostname, hostname_lookup=flags.hostname_lookup)
    return node.run(lambda node: set_up(node, flags, flags.external_log_file or logs.path))


def set_up(node: Node, flags: MasterFlags, log_file: str | None = None) -> Master:
    """Start a master on a node; raises ConfigurationError. log_file: shown as its log."""
    master = build(node, flags)
    if log_file is not None:
        node.files.attach("/master/log", log_file, lambda who: master.authorization.may(who, Action.ACCESS_MESOS_LOG))
    node.directory.delegate = NAME
    if flags.firewall_rules is not None:
        node.directory.closed = frozenset(flags.firewall_rules.disabled_endpoints.paths)
    node.directory.spawn(master)
    if node.network.ip.startswith("127."):
        log.warning(
            "Master bound to loopback interface! Cannot communicate with remote schedulers or agents."
            " You might want to set '--ip' flag to a routable IP address."
        )
    return master


def build(node: Node, flags: MasterFlags) -> Master:
    """Make a master, alone or among several (``--zk``); raises ConfigurationError."""
    try:
        secrets = load_secrets(flags)
        if flags.zk is None:
            return Master(node, flags, secrets=secrets)
        if flags.registry == "replicated_log" and flags.quorum is None:
            raise ConfigurationError(NEED_QUORUM)
        if not flags.zk.startswith("zk://"):
            raise ConfigurationError(f"Failed to create a master contender: Failed to parse '{flags.zk}'")
        try:
            url = parse_zookeeper_url(flags.zk)
        except ConfigurationError as error:
            raise ConfigurationError(f"Failed to create a master contender: {error}") from error
        session = open_session(node, url, flags.zk_session_timeout)
        storage = shared_storage(flags, node, session, url)
        return Master(node, flags, storage, create_group(node, session, url), secrets)
    except ConfigurationError as error:
        raise ConfigurationError(f"EXIT with status 1: {error}") from error


def discovered_ip(flags: MasterFlags) -> str | None:
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
