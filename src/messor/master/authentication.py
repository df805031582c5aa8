"""Who frameworks and agents are: authenticating them over libprocess (K1), and who asks over HTTP (K3).

What is proved belongs to a client's UPID and is forgotten when the connection to it breaks. Subscriptions and
registrations that arrive while their sender is being authenticated wait for the verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from messor.errors import ConfigurationError, InvalidRequest, RemoteProtocolError
from messor.master.flags import MasterFlags
from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.protos import v0
from messor.protos.mesos.authentication.authentication_pb2 import AuthenticateMessage, AuthenticationErrorMessage
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.runtime.host import Host, Promise, Timer
from messor.security.authenticator import PREFIX, AuthenticatorSession, End
from messor.security.cram_md5 import Proven
from messor.security.credentials import Secrets, read_credentials
from messor.security.http_basic import BasicAuthentication
from messor.wire.upid import Upid, parse_upid

log = logging.getLogger(__name__)

NO_AUTHENTICATOR = "No authenticator loaded"

CRAM_MD5 = "crammd5"
BASIC = "basic"


class _Attempt:
    """One client that is being authenticated."""

    def __init__(self, session: AuthenticatorSession, timer: Timer) -> None:
        self.session = session
        self.timer = timer
        self.waiting: list[Callable[[], object]] = []
        """What to do once the client is authenticated; forgotten if it is not."""
        self.promises: list[Promise[None]] = []
        """Kept whatever the verdict is."""


class Authentication(Component):
    """Knows which clients proved who they are."""

    def __init__(
        self,
        *,
        host: Host,
        upid: Upid,
        flags: MasterFlags,
        outbox: Outbox,
        metrics: MasterMetrics,
        secrets: Secrets | None,
    ) -> None:
        """secrets: of principals; without them nobody can be authenticated."""
        self.host = host
        self.upid = upid
        self.flags = flags
        self.outbox = outbox
        self.principals: dict[Upid, str] = {}
        """Of authenticated clients."""
        self._secrets = secrets if secrets is not None else {}
        self._attempts: dict[Upid, _Attempt] = {}
        self._asked = metrics.counter("messages_authenticate")

    # --- the exchange ------------------------------------------------------------------------------------------------

    @on(AuthenticateMessage)
    def authenticate(self, sender: Upid, message: AuthenticateMessage) -> None:
        """Begin to authenticate a client; the sender is its authenticatee."""
        self._asked.increment()
        try:
            client = parse_upid(message.pid)
        except RemoteProtocolError as error:
            self.ignore(message, f"it came from {sender} for a bad pid: {error}")
            return
        # Whoever asks again lost its connection, or the verdict: what was proved before does not count any more.
        self.principals.pop(client, None)
        if not self.flags.authenticators:
            log.error("Received authentication request from %s but no authenticator is loaded", client)
            self.outbox.to_pid(sender, AuthenticationErrorMessage(error=NO_AUTHENTICATOR))
            return
        log.info("Authenticating %s", client)
        former = self._attempts.pop(client, None)
        session = AuthenticatorSession(
            self.host.directory.numbered(PREFIX),
            sender,
            self._secrets,
            self._challenge(),
            lambda end: self._ended(client, session, end),
        )
        attempt = _Attempt(
            session, self.host.clock.after(self.flags.authentication_v0_timeout, self._timed_out, client, session)
        )
        if former is not None:
            self._close(former)
            attempt.waiting, attempt.promises = former.waiting, former.promises
        self._attempts[client] = attempt
        self.host.directory.spawn(session)

    def _challenge(self) -> bytes:
        number = int.from_bytes(self.host.chance.uuid_bytes()[8:], "big")
        return f"<{number}.{int(self.host.clock.now())}@{self.host.hostname}>".encode()

    def _timed_out(self, client: Upid, session: AuthenticatorSession) -> None:
        log.warning("Authentication of %s timed out", client)
        self._settle(client, session, None)

    def _ended(self, client: Upid, session: AuthenticatorSession, end: End) -> None:
        if isinstance(end, Proven):
            log.info("Successfully authenticated principal '%s' at %s", end.principal, client)
        self._settle(client, session, end.principal if isinstance(end, Proven) else None)

    def _settle(self, client: Upid, session: AuthenticatorSession, principal: str | None) -> None:
        attempt = self._attempts.get(client)
        if attempt is None or attempt.session is not session:
            return
        del self._attempts[client]
        # Not at once: the session may be in the middle of a message.
        attempt.timer.cancel()
        self.host.clock.after(0, self._close, attempt)
        if principal is not None:
            self.principals[client] = principal
            self.host.network.link(self.upid, client)
            for call in attempt.waiting:
                call()
        for promise in attempt.promises:
            promise.set_result(None)

    def _close(self, attempt: _Attempt) -> None:
        attempt.timer.cancel()
        self.host.directory.terminate(attempt.session)

    # --- who is who --------------------------------------------------------------------------------------------------

    def exited(self, client: Upid) -> None:
        """Forget a client whose connection broke."""
        self.principals.pop(client, None)

    def stopping(self) -> None:
        """Let all attempts go."""
        for attempt in self._attempts.values():
            self._close(attempt)
        self._attempts.clear()

    def postpone(self, client: Upid, call: Callable[[], object]) -> bool:
        """Have something done once a client is authenticated; False when that is not under way: do it now."""
        attempt = self._attempts.get(client)
        if attempt is None:
            return False
        log.info("Queuing up what %s asks for because authentication is still in progress", client)
        attempt.waiting.append(call)
        return True

    async def settled(self, client: Upid) -> None:
        """Wait for the verdict on a client, if one is to come."""
        while (attempt := self._attempts.get(client)) is not None:
            promise: Promise[None] = self.host.tasks.promise()
            attempt.promises.append(promise)
            await promise

    def check_framework(self, info: v0.FrameworkInfo, client: Upid) -> None:
        """Check that a framework is who it says, and note it where it does not say; raises InvalidRequest."""
        principal = self.principals.get(client)
        if self.flags.authenticate_frameworks and principal is None:
            raise InvalidRequest(f"Framework at {client} is not authenticated")
        if principal is not None and info.HasField("principal") and info.principal != principal:
            raise InvalidRequest(
                f"Framework principal '{info.principal}' does not match authenticated principal '{principal}'"
            )
        if principal is not None and not info.HasField("principal"):
            log.warning("Setting 'principal' of framework '%s' to the authenticated '%s'", info.name, principal)
            info.principal = principal

    def check_agent(self, client: Upid) -> None:
        """Check that an agent proved who it is, if it must; raises InvalidRequest."""
        if self.flags.authenticate_agents and client not in self.principals:
            raise InvalidRequest("it is not authenticated")


def load_secrets(flags: MasterFlags) -> Secrets | None:
    """Read ``--credentials``; raises ConfigurationError for a bad file and flags that contradict each other."""
    secrets = read_credentials(flags.credentials) if flags.credentials is not None else None
    if flags.authenticators not in ("", CRAM_MD5):
        raise ConfigurationError(
            f"Authenticator '{flags.authenticators}' not found. Check the spelling (compare to '{CRAM_MD5}') or verify"
            " that the authenticator was loaded successfully (see --modules)"
        )
    return secrets


def http_authentication(flags: MasterFlags, secrets: Secrets | None) -> BasicAuthentication | None:
    """Make what finds out who asks over HTTP; None when everybody may. Raises ConfigurationError."""
    realms: dict[str, tuple[str, Secrets]] = {}
    for word, is_on, authenticators in (
        ("readwrite", flags.authenticate_http_readwrite, flags.http_authenticators),
        ("readonly", flags.authenticate_http_readonly, flags.http_authenticators),
        ("scheduler", flags.authenticate_http_frameworks, flags.http_framework_authenticators),
    ):
        if not is_on:
            continue
        if authenticators is None:
            raise ConfigurationError(
                "Missing `--http_framework_authenticators` flag. This must be used in conjunction with"
                " `--authenticate_http_frameworks`"
            )
        name = f"mesos-master-{word}"
        if authenticators != BASIC:
            raise ConfigurationError(
                f"HTTP authenticator '{authenticators}' not found. Check the spelling (compare to '{BASIC}') or verify"
                " that the authenticator was loaded successfully (see --modules)"
            )
        if secrets is None:
            raise ConfigurationError(
                f"Failed to create HTTP authenticator module '{BASIC}': No credentials provided for the default"
                f" '{BASIC}' HTTP authenticator for realm '{name}'"
            )
        realms[word] = (name, secrets)
    return BasicAuthentication(realms) if realms else None
