"""Proving who we are to a master: the actor ``crammd5-authenticatee(N)``, and trying until it is settled (S42)."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from messor.errors import ConfigurationError
from messor.protos.mesos.authentication.authentication_pb2 import (
    AuthenticateMessage,
    AuthenticationCompletedMessage,
    AuthenticationErrorMessage,
    AuthenticationFailedMessage,
    AuthenticationMechanismsMessage,
    AuthenticationStartMessage,
    AuthenticationStepMessage,
)
from messor.runtime.actor import Actor
from messor.runtime.handlers import on
from messor.security.cram_md5 import Client, ClientError
from messor.security.credentials import Credential
from messor.wire.upid import NOBODY, Upid

if TYPE_CHECKING:
    from messor.runtime.host import Host, Timer

log = logging.getLogger(__name__)

PREFIX = "crammd5-authenticatee"


class Outcome(enum.Enum):
    """How an attempt ended."""

    PROVEN = "the master believes it"
    REFUSED = "the master does not believe it"
    FAILED = "there was no verdict"


class Authenticatee(Actor):
    """Makes one attempt, and afterwards notices that the connection it was made on broke."""

    def __init__(
        self,
        name: str,
        client: Upid,
        master: Upid,
        credential: Credential,
        ended: Callable[[Outcome, str], object],
        broke: Callable[[], object],
    ) -> None:
        """client: on whose behalf. ended: told the outcome and why, once. broke: told that a proof is void."""
        super().__init__(name)
        self._client = client
        self._master = master
        self._session = NOBODY
        self._exchange = Client(credential)
        self._ended: Callable[[Outcome, str], object] | None = ended
        self._broke: Callable[[], object] | None = broke

    def started(self) -> None:
        """Ask to be authenticated."""
        self.link(self._master)
        self.send(self._master, AuthenticateMessage(pid=str(self._client)))

    def exited(self, peer: Upid) -> None:
        """The master went away, and what it believed with it."""
        if self._ended is not None:
            self._end(Outcome.FAILED, f"the link to {peer} broke")
        elif self._broke is not None:
            self._broke()

    def stopping(self) -> None:
        """Tell nobody any more."""
        self._ended = self._broke = None
        self.host.network.unlink(self.upid, self._master)

    @on(AuthenticationMechanismsMessage)
    def offered(self, sender: Upid, message: AuthenticationMechanismsMessage) -> None:
        """The master's session says what it can do."""
        try:
            mechanism = self._exchange.choose(message.mechanisms)
        except ClientError as error:
            self._end(Outcome.FAILED, str(error))
            return
        self._session = sender
        self.send(sender, AuthenticationStartMessage(mechanism=mechanism, data=b""))

    @on(AuthenticationStepMessage)
    def challenged(self, sender: Upid, message: AuthenticationStepMessage) -> None:
        """The challenge came."""
        if sender != self._session:
            self.ignore(message, f"it is from {sender}, not from {self._session}")
            return
        try:
            answer = self._exchange.answer(message.data)
        except ClientError as error:
            self._end(Outcome.FAILED, str(error))
            return
        self.send(sender, AuthenticationStepMessage(data=answer))

    @on(AuthenticationCompletedMessage)
    def completed(self, sender: Upid, message: AuthenticationCompletedMessage) -> None:
        """The master believes it."""
        if sender != self._session:
            self.ignore(message, f"it is from {sender}, not from {self._session}")
            return
        try:
            self._exchange.completed()
        except ClientError as error:
            self._end(Outcome.FAILED, str(error))
            return
        self._end(Outcome.PROVEN, "")

    @on(AuthenticationFailedMessage)
    def failed(self, sender: Upid, message: AuthenticationFailedMessage) -> None:
        """The master does not believe it."""
        if sender == self._session:
            self._end(Outcome.REFUSED, f"{sender} refused the credentials")
        else:
            self.ignore(message, f"it is from {sender}, not from {self._session}")

    @on(AuthenticationErrorMessage)
    def broken(self, sender: Upid, message: AuthenticationErrorMessage) -> None:
        """The exchange failed; the master itself says so when it has no authenticator."""
        if sender in (self._session, self._master):
            self._end(Outcome.FAILED, message.error)
        else:
            self.ignore(message, f"it is from {sender}, not from {self._session}")

    def _end(self, outcome: Outcome, why: str) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(outcome, why)


class Patience(NamedTuple):
    """How long attempts may take, in seconds: a random time in [shortest, shortest + factor·2ⁿ], at most longest."""

    factor: float = 1.0
    shortest: float = 5.0
    longest: float = 60.0


class Authentication:
    """Keeps a client authenticated with a master: one attempt after the other until there is a verdict."""

    def __init__(
        self,
        host: Host,
        client: Upid,
        credential: Credential | Callable[[], Credential],
        *,
        proven: Callable[[], object],
        refused: Callable[[], object],
        lacking: Callable[[str], object] | None = None,
        patience: Patience | None = None,
    ) -> None:
        """credential: may be a callable, asked at every attempt (S71). proven, refused: told the master's verdict.

        lacking: told why when the callable raises ConfigurationError, which ends the attempts.
        """
        self._host = host
        self._client = client
        self._credential = credential
        self._proven = proven
        self._refused = refused
        self._lacking = lacking
        self._patience = patience or Patience()
        self._attempts = 0
        self._actor: Authenticatee | None = None
        self._timer: Timer | None = None
        self._master = NOBODY
        self._is_proven = False

    def is_proven_to(self, master: Upid) -> bool:
        """Whether that master believes us, over a connection that still stands."""
        return self._is_proven and self._master == master

    def is_under_way_with(self, master: Upid) -> bool:
        """Whether that master is being convinced."""
        return not self._is_proven and self._actor is not None and self._master == master

    def begin(self, master: Upid) -> None:
        """Convince a master; what was proved to another, or to this one before, is forgotten."""
        self.stop()
        self._master = master
        self._attempts = 0
        self._try()

    def stop(self) -> None:
        """Forget the master."""
        self._end_attempt()
        self._is_proven = False
        self._master = NOBODY

    def _end_attempt(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._actor is not None:
            actor, self._actor = self._actor, None
            self._host.directory.terminate(actor)

    def _try(self) -> None:
        self._end_attempt()
        directory = self._host.directory
        try:
            credential = self._credential() if callable(self._credential) else self._credential
        except ConfigurationError as error:
            if self._lacking is None:
                raise
            self._lacking(str(error))
            return
        log.info("Authenticating with master %s", self._master)
        self._timer = self._host.clock.after(self._next_timeout(), self._timed_out)
        actor = self._actor = Authenticatee(
            directory.numbered(PREFIX), self._client, self._master, credential, self._ended, self._broke
        )
        directory.spawn(actor)

    def _next_timeout(self) -> float:
        factor, shortest, longest = self._patience
        limit = min(shortest + factor * 2**self._attempts, longest)
        self._attempts = min(self._attempts + 1, 30)
        return self._host.chance.random.uniform(min(shortest, limit), limit)

    def _timed_out(self) -> None:
        self._timer = None
        log.warning("Failed to authenticate with master %s: Authentication timed out", self._master)
        self._try()

    def _ended(self, outcome: Outcome, why: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if outcome is Outcome.PROVEN:
            log.info("Successfully authenticated with master %s", self._master)
            self._is_proven = True
            self._attempts = 0
            self._proven()
        elif outcome is Outcome.REFUSED:
            log.error("Master %s refused authentication", self._master)
            self._refused()
        else:
            log.warning("Failed to authenticate with master %s: %s", self._master, why)
            # At once would be a busy loop where the failure comes at once too.
            pause = self._host.chance.random.uniform(0, min(self._patience.factor * 2**self._attempts, 60.0))
            self._attempts += 1
            self._timer = self._host.clock.after(pause, self._try)

    def _broke(self) -> None:
        self._end_attempt()
        self._is_proven = False
