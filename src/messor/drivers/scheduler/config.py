"""A driver described as one object: mesos-go's ``DriverConfig`` (S69-S71).

config = DriverConfig(scheduler, framework, "zk://zk1:2181/mesos", binding_address="10.0.0.7", binding_port=9090)
driver = MesosSchedulerDriver.from_config(config)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from messor.drivers.own import own
from messor.drivers.scheduler.interfaces import Transport
from messor.errors import ConfigurationError
from messor.protos import v0
from messor.runtime.address import Address, choose_address

HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class CredentialHandler:
    """Gives a username and a password when a master asks for them, not before (S71).

    Each may be a value or something to call, at every authentication: a vault's token that changes is no problem.
    """

    username: str | Callable[[], str]
    password: str | bytes | Callable[[], str | bytes]

    def __call__(self) -> v0.Credential:
        """Give both as they are now; raises ConfigurationError for an empty username."""
        name = self.username() if callable(self.username) else self.username
        secret = self.password() if callable(self.password) else self.password
        if not name:
            raise ConfigurationError("credential_handler gave no username; expecting the principal to authenticate as")
        return v0.Credential(principal=name, secret=secret.decode() if isinstance(secret, bytes) else secret)


@dataclass(slots=True)
class DriverConfig:
    """What a scheduler driver is made of; scheduler, framework and master are required."""

    scheduler: Any = None
    framework: Any = None
    """A FrameworkInfo; its user and hostname are filled when empty, its id means failover."""
    master: str = ""
    credential: Any = None
    """A Credential to authenticate with."""
    credential_handler: Callable[[], v0.Credential] | None = None
    """Gives the Credential when it is needed; instead of ``credential``. See CredentialHandler.

    mesos-go's WithAuthContext is not needed: the mechanism is the one the master's authenticator offers.
    """
    hostname_override: str = ""
    """What FrameworkInfo.hostname becomes when it is empty, instead of this machine's name."""
    binding_address: str | None = None
    """IPv4 address to listen on for the master's messages; without it what LIBPROCESS_IP says, or all."""
    binding_port: int | None = None
    """Port to listen on; without it what LIBPROCESS_PORT says, or any that is free."""
    published_address: str | None = None
    """IPv4 address under which the master reaches this driver, when it is not the one listened on."""
    published_port: int | None = None
    implicit_acknowledgements: bool = True
    suppressed_roles: Sequence[str] = ()
    transport: str | Callable[[], Transport] | None = None
    """``libprocess``, ``http`` or ``http+json``, or what makes a transport (mesos-go's NewMessenger)."""
    raise_errors: bool = False
    """Whether calls in the wrong state raise DriverNotRunning instead of only returning the status (S76)."""

    def check(self) -> None:
        """Raise ConfigurationError for the first field that makes no sense, naming it and what it should be."""
        if self.scheduler is None:
            raise ConfigurationError(
                "DriverConfig.scheduler is missing: expecting an object with a Scheduler's callbacks"
            )
        if self.framework is None:
            raise ConfigurationError("DriverConfig.framework is missing: expecting a FrameworkInfo")
        if not isinstance(self.framework, Message):
            kind = type(self.framework).__name__
            raise ConfigurationError(f"DriverConfig.framework is a {kind}: expecting a FrameworkInfo")
        if not isinstance(self.master, str) or not self.master.strip():
            raise ConfigurationError("DriverConfig.master is missing: expecting 'host:port', 'zk://…' or 'file://…'")
        if self.credential is not None and self.credential_handler is not None:
            raise ConfigurationError("DriverConfig.credential and credential_handler are both set: expecting one")
        if self.credential is not None and not isinstance(self.credential, Message):
            kind = type(self.credential).__name__
            raise ConfigurationError(f"DriverConfig.credential is a {kind}: expecting a Credential")
        if self.credential_handler is not None and not callable(self.credential_handler):
            raise ConfigurationError("DriverConfig.credential_handler cannot be called: expecting a CredentialHandler")
        for name in ("binding_port", "published_port"):
            port = getattr(self, name)
            if port is not None and (not isinstance(port, int) or not 0 <= port <= HIGHEST_PORT):
                raise ConfigurationError(f"DriverConfig.{name} is {port!r}: expecting a port, 0 to {HIGHEST_PORT}")

    def described(self) -> v0.FrameworkInfo:
        """Give the framework's description with the hostname overridden."""
        info = v0.FrameworkInfo()
        info.CopyFrom(own(v0.FrameworkInfo, self.framework, partial=True))
        if not info.hostname and self.hostname_override:
            info.hostname = self.hostname_override
        return info

    def address(self) -> Address | None:
        """Give the address to listen on, None to let the environment say; raises ConfigurationError."""
        wishes = (self.binding_address, self.binding_port, self.published_address, self.published_port)
        if all(wish is None for wish in wishes):
            return None
        ip, port, advertise_ip, advertise_port = wishes
        try:
            return choose_address({}, ip=ip, port=port, advertise_ip=advertise_ip, advertise_port=advertise_port)
        except ConfigurationError as error:
            text = f"DriverConfig.binding_address or published_address is no IPv4 address: {error}"
            raise ConfigurationError(text) from error
