"""Principals and their secrets, from JSON files (K2). Secrets are never logged."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from messor.errors import ConfigurationError

log = logging.getLogger(__name__)

Secrets = Mapping[str, bytes]
"""Secrets by principal."""


class Credential(NamedTuple):
    """A principal and the secret that proves it."""

    principal: str
    secret: bytes

    def __repr__(self) -> str:
        """Show the principal only: credentials end in logs and tracebacks otherwise."""
        return f"Credential(principal={self.principal!r}, secret=***)"


def is_same(one: bytes, other: bytes) -> bool:
    """Compare secrets in a time that does not tell how much of them is equal."""
    import hmac  # costs a daemon's start ten milliseconds, and few daemons need it

    return hmac.compare_digest(one, other)


def read_credentials(path: str, flag: str = "credentials") -> dict[str, bytes]:
    """Read ``{"credentials": [{"principal": …, "secret": …}]}``; raises ConfigurationError that names the flag.

    A file that others may read is used, with a warning.
    """
    document = _read(path, flag, "credentials")
    entries = document.get("credentials", []) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _bad("Expecting a JSON object with an array 'credentials'", flag)
    return {credential.principal: credential.secret for credential in (_credential(one, flag) for one in entries)}


def read_credential(path: str, flag: str = "credential") -> Credential:
    """Read ``{"principal": …, "secret": …}``; raises ConfigurationError that names the flag."""
    return _credential(_read(path, flag, "credential"), flag)


def _read(path: str, flag: str, what: str) -> Any:
    path = path.removeprefix("file://")
    log.info("Loading %s for authentication from '%s'", what, path)
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except OSError as error:
        raise ConfigurationError(
            f"Failed to read {what} file '{path}': {error.strerror} (see --{flag} flag)"
        ) from error
    if mode & stat.S_IRWXO:
        log.warning(
            "Permissions on %s file '%s' are too open; it is recommended that your %s file is NOT accessible by others",
            what,
            path,
            what,
        )
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].partition("\n")[0]
        raise _bad(f"syntax error at line {error.lineno} near: {rest}", flag) from error
    except UnicodeDecodeError as error:
        raise _bad("it is not UTF-8", flag) from error


def _credential(entry: Any, flag: str) -> Credential:
    if not isinstance(entry, dict):
        raise _bad("Expecting each credential to be a JSON object", flag)
    principal, secret = entry.get("principal"), entry.get("secret", "")
    if not isinstance(principal, str) or not principal:
        raise _bad("Expecting 'principal' to be a non-empty string", flag)
    if not isinstance(secret, str):
        raise _bad("Expecting 'secret' to be a string", flag)
    return Credential(principal, secret.encode())


def _bad(problem: str, flag: str) -> ConfigurationError:
    return ConfigurationError(f"Invalid json format: {problem} (see --{flag} flag)")
