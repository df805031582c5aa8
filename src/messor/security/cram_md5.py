"""CRAM-MD5 (RFC 2195) as two state machines without IO (K1).

The server sends a challenge that never occurred before; the client answers with its principal and the HMAC-MD5 of the
challenge under its secret. Nothing more is proved, and nothing is encrypted.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

from messor.security.credentials import Credential, Secrets, is_same

MECHANISM = "CRAM-MD5"

UNKNOWN_SECRET = b"\0"
"""Stands in for the secret of an unknown principal, so that the time taken tells nothing."""


def response_to(challenge: bytes, credential: Credential) -> bytes:
    """Answer a challenge."""
    return f"{credential.principal} ".encode() + _digest(credential.secret, challenge)


def _digest(secret: bytes, challenge: bytes) -> bytes:
    import hmac  # costs a daemon's start ten milliseconds, and few daemons need it

    return hmac.digest(secret, challenge, "md5").hex().encode()


# --- the server's half ------------------------------------------------------------------------------------------------


class Challenge(NamedTuple):
    """Send this and wait for the answer."""

    data: bytes


class Proven(NamedTuple):
    """The client is who it says."""

    principal: str


class Refused(NamedTuple):
    """The client is not."""

    why: str


class Failed(NamedTuple):
    """The exchange made no sense; it says nothing about the client."""

    error: str


Verdict = Challenge | Proven | Refused | Failed


class _ServerState(enum.Enum):
    STARTING = "waiting for the mechanism"
    STEPPING = "waiting for the answer"
    DONE = "done"


class Server:
    """One exchange, as seen by who asks for proof."""

    def __init__(self, secrets: Secrets, challenge: bytes) -> None:
        """challenge: must be new in every exchange, or an answer that was overheard could be used again."""
        self._secrets = secrets
        self._challenge = challenge
        self._state = _ServerState.STARTING

    def start(self, mechanism: str, data: bytes) -> Verdict:
        """Take the client's choice of a mechanism."""
        if self._state is not _ServerState.STARTING:
            return self._failed("Unexpected authentication 'start' received")
        if mechanism != MECHANISM:
            return self._failed(f"Unsupported authentication mechanism '{mechanism}'")
        if data:
            return self._failed(f"{MECHANISM} does not allow a client to begin")
        self._state = _ServerState.STEPPING
        return Challenge(self._challenge)

    def step(self, data: bytes) -> Verdict:
        """Take the client's answer."""
        if self._state is not _ServerState.STEPPING:
            return self._failed("Unexpected authentication 'step' received")
        self._state = _ServerState.DONE
        name, space, digest = data.rpartition(b" ")
        if not space:
            return self._failed("Expecting a principal and a digest")
        try:
            principal = name.decode()
        except UnicodeDecodeError:
            return self._failed("Expecting the principal to be UTF-8")
        secret = self._secrets.get(principal)
        expected = _digest(secret if secret is not None else UNKNOWN_SECRET, self._challenge)
        if not is_same(expected, digest) or secret is None:
            return Refused("wrong secret" if secret is not None else "unknown principal")
        return Proven(principal)

    def _failed(self, error: str) -> Failed:
        self._state = _ServerState.DONE
        return Failed(error)


# --- the client's half ------------------------------------------------------------------------------------------------


class ClientError(Exception):
    """The server does not keep to the protocol."""


class _ClientState(enum.Enum):
    READY = "waiting for mechanisms"
    STARTING = "waiting for the challenge"
    STEPPING = "waiting for the verdict"
    DONE = "done"


class Client:
    """One exchange, as seen by who proves itself. Its methods raise ClientError when the server breaks the rules."""

    def __init__(self, credential: Credential) -> None:
        """Take who to be."""
        self._credential = credential
        self._state = _ClientState.READY

    def choose(self, mechanisms: Sequence[str]) -> str:
        """Choose one of the server's mechanisms."""
        self._expect(_ClientState.READY, _ClientState.STARTING, "mechanisms")
        if MECHANISM not in mechanisms:
            raise ClientError(f"the server offers {', '.join(mechanisms) or 'nothing'}, not {MECHANISM}")
        return MECHANISM

    def answer(self, challenge: bytes) -> bytes:
        """Answer the challenge."""
        self._expect(_ClientState.STARTING, _ClientState.STEPPING, "step")
        return response_to(challenge, self._credential)

    def completed(self) -> None:
        """Take that the server believes it."""
        self._expect(_ClientState.STEPPING, _ClientState.DONE, "completed")

    def _expect(self, now: _ClientState, then: _ClientState, what: str) -> None:
        if self._state is not now:
            raise ClientError(f"Unexpected authentication '{what}' received: {self._state.value}")
        self._state = then
