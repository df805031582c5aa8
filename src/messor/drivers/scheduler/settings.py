"""What every face of a scheduler takes the same way: a transport's name, a credential, the environment (S45)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import Message

from messor.drivers.own import own
from messor.drivers.scheduler.http_transport import JSON, PROTOBUF, HttpTransport
from messor.drivers.scheduler.interfaces import Transport
from messor.drivers.scheduler.libprocess_transport import LibprocessTransport
from messor.errors import ConfigurationError, InvalidRequest
from messor.model.durations import parse_duration
from messor.protos import v0
from messor.security.authenticatee import Patience
from messor.security.credentials import Credential

TRANSPORTS = ("libprocess", "http", "http+json")

CRAM_MD5 = "crammd5"

CredentialSource = Credential | Callable[[], Credential]


class Settings(NamedTuple):
    """What the environment says."""

    backoff_factor: float
    """MESOS_REGISTRATION_BACKOFF_FACTOR, in seconds."""
    patience: Patience
    """MESOS_AUTHENTICATION_BACKOFF_FACTOR, _TIMEOUT_MIN and _TIMEOUT_MAX."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read MESOS_* variables; raises ConfigurationError that names the variable and says what it should be."""
    name = environ.get("MESOS_AUTHENTICATEE", CRAM_MD5)
    if name != CRAM_MD5:
        raise ConfigurationError(
            f"Authenticatee '{name}' not found. Check the spelling (compare to '{CRAM_MD5}') or verify that the"
            " authenticatee was loaded successfully (see --modules)"
        )
    return Settings(
        _duration(environ, "MESOS_REGISTRATION_BACKOFF_FACTOR", "2secs"),
        Patience(
            _duration(environ, "MESOS_AUTHENTICATION_BACKOFF_FACTOR", "1secs"),
            _duration(environ, "MESOS_AUTHENTICATION_TIMEOUT_MIN", "5secs"),
            _duration(environ, "MESOS_AUTHENTICATION_TIMEOUT_MAX", "1mins"),
        ),
    )


def make_transport(name: str, settings: Settings, credential: CredentialSource | None = None) -> Transport:
    """Make a transport; raises ConfigurationError for an unknown name."""
    if name not in TRANSPORTS:
        raise ConfigurationError(f"Unknown transport '{name}'; expecting one of {', '.join(TRANSPORTS)}")
    if name == "libprocess":
        return LibprocessTransport(credential, settings.patience)
    return HttpTransport(JSON if name == "http+json" else PROTOBUF, credential)


def own_credential(given: Any) -> CredentialSource | None:
    """Take a credential as a Mesos message, a (principal, secret) pair, or a callable that gives one when needed (S71).

    Raises TypeError or ConfigurationError that says what is wrong.
    """
    if given is None:
        return None
    if callable(given):
        return lambda: _asked_credential(given)
    return _one_credential(given)


def _asked_credential(give: Callable[[], Any]) -> Credential:
    """Ask for a credential; whatever goes wrong is a ConfigurationError, as nobody would catch it in the loop."""
    try:
        return _one_credential(give())
    except Exception as error:
        raise ConfigurationError(f"There is no credential to prove: {error!r}") from error


def _one_credential(given: Any) -> Credential:
    if isinstance(given, Message):
        message = own(v0.Credential, given)
        principal, secret = message.principal, message.secret
    elif isinstance(given, tuple) and len(given) == 2:
        principal, secret = given
    else:
        text = f"expecting a mesos.Credential or a pair of principal and secret, not {type(given).__name__}"
        raise TypeError(text)
    if not isinstance(principal, str) or not principal:
        raise ConfigurationError("credential.principal must be a non-empty string")
    return Credential(principal, secret.encode() if isinstance(secret, str) else bytes(secret))


def _duration(environ: Mapping[str, str], name: str, default: str) -> float:
    text = environ.get(name, default)
    try:
        return parse_duration(text)
    except InvalidRequest as error:
        raise ConfigurationError(f"{name}='{text}' is not a duration such as '{default}': {error}") from error
