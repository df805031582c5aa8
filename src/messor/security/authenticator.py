"""The actor that asks one client for proof: ``crammd5-authenticator-session(N)`` (protocols b.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from messor.protos.mesos.authentication.authentication_pb2 import (
    AuthenticationCompletedMessage,
    AuthenticationErrorMessage,
    AuthenticationFailedMessage,
    AuthenticationMechanismsMessage,
    AuthenticationStartMessage,
    AuthenticationStepMessage,
)
from messor.runtime.actor import Actor
from messor.runtime.handlers import on
from messor.security.cram_md5 import MECHANISM, Challenge, Failed, Proven, Refused, Server, Verdict
from messor.security.credentials import Secrets
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

PREFIX = "crammd5-authenticator-session"

End = Proven | Refused | Failed


class AuthenticatorSession(Actor):
    """Runs one exchange with one authenticatee."""

    def __init__(
        self, name: str, authenticatee: Upid, secrets: Secrets, challenge: bytes, ended: Callable[[End], object]
    ) -> None:
        """ended: told the outcome, once."""
        super().__init__(name)
        self._authenticatee = authenticatee
        self._server = Server(secrets, challenge)
        self._ended: Callable[[End], object] | None = ended

    def started(self) -> None:
        """Say what this side can do."""
        self.link(self._authenticatee)
        self.send(self._authenticatee, AuthenticationMechanismsMessage(mechanisms=[MECHANISM]))

    def exited(self, peer: Upid) -> None:
        """Give up on a client that went away."""
        self._end(Failed(f"Failed to communicate with authenticatee {peer}"))

    def stopping(self) -> None:
        """Tell nobody any more."""
        self._ended = None
        self.host.network.unlink(self.upid, self._authenticatee)

    @on(AuthenticationStartMessage)
    def chosen(self, sender: Upid, message: AuthenticationStartMessage) -> None:
        """The client chose a mechanism."""
        if self._is_expected(sender, message):
            self._answer(self._server.start(message.mechanism, message.data))

    @on(AuthenticationStepMessage)
    def answered(self, sender: Upid, message: AuthenticationStepMessage) -> None:
        """The client answered the challenge."""
        if self._is_expected(sender, message):
            self._answer(self._server.step(message.data))

    def _is_expected(self, sender: Upid, message: object) -> bool:
        if sender != self._authenticatee:
            self.ignore(message, f"it is from {sender}, not from {self._authenticatee}")
            return False
        return True

    def _answer(self, verdict: Verdict) -> None:
        match verdict:
            case Challenge(data):
                self.send(self._authenticatee, AuthenticationStepMessage(data=data))
                return
            case Proven():
                self.send(self._authenticatee, AuthenticationCompletedMessage())
            case Refused(why):
                log.warning("Authentication failure of %s: %s", self._authenticatee, why)
                self.send(self._authenticatee, AuthenticationFailedMessage())
            case Failed(error):
                log.error("Authentication error of %s: %s", self._authenticatee, error)
                self.send(self._authenticatee, AuthenticationErrorMessage(error=error))
        self._end(verdict)

    def _end(self, end: End) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(end)
