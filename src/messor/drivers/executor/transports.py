"""How an executor may talk to its agent."""

from __future__ import annotations

from messor.drivers.executor.environment import ExecutorEnvironment
from messor.drivers.executor.http_transport import JSON, PROTOBUF, HttpExecutorTransport
from messor.drivers.executor.interfaces import ExecutorTransport
from messor.drivers.executor.libprocess_transport import LibprocessExecutorTransport
from messor.errors import ConfigurationError

TRANSPORTS = ("libprocess", "http", "http+json")


def check_transport(name: str) -> None:
    """Raise ConfigurationError for an unknown transport."""
    if name not in TRANSPORTS:
        raise ConfigurationError(f"Unknown transport '{name}'; expecting one of {', '.join(TRANSPORTS)}")


def make_transport(name: str, environment: ExecutorEnvironment) -> ExecutorTransport:
    """Make a transport; raises ConfigurationError for an unknown name."""
    check_transport(name)
    if name == "libprocess":
        return LibprocessExecutorTransport(environment)
    return HttpExecutorTransport(environment, JSON if name == "http+json" else PROTOBUF)
