"""Actors and the components big actors are made of.

Order (DESIGN 4): messages from one peer are handled in arrival order. A plain ``def`` handler is done before the next
message is looked at. An ``async def`` handler is started, run to its first await, before the next message, and may
interleave with others at each await: *after an await, fetch records again by id; they may have moved on.*
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, EncodeError, Message

from messor.errors import LocalProtocolError
from messor.runtime.handlers import Endpoint, Handler, endpoint_table, message_table

if TYPE_CHECKING:
    from messor.runtime.host import Host
    from messor.wire.upid import Upid

log = logging.getLogger(__name__)

EXITED = "exited"
"""Stands for a message's name where the end of a link waits in line with messages; compared by identity."""


def missing_fields(message: Any) -> str:
    """Name the required fields that are not set, comma separated."""
    return ", ".join(message.FindInitializationErrors())


class Component:
    """A part of an actor: handlers that belong together and the few collaborators they need."""

    def ignore(self, what: object, why: str) -> None:
        """Drop a message: the one place that logs dropped ones."""
        name = what.DESCRIPTOR.full_name if isinstance(what, Message) else str(what)
        log.warning("Ignoring %s: %s", name, why)


class Actor(Component):
    """Something with a name on the wire that handles messages and serves endpoints."""

    host: Host
    upid: Upid

    def __init__(self, name: str) -> None:
        """Name it: ``master``, ``slave(1)``, ``scheduler-<uuid>``."""
        self.name = name
        self.handlers: dict[str, Handler] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self._waiting: deque[tuple[Upid, str, bytes]] = deque()
        self._draining = False
        self.after_message: Callable[[], None] | None = None
        """Called after every handled message; tests hang invariant checks here."""

    # --- what an actor overrides -------------------------------------------------------------------------------------

    def components(self) -> Iterable[Component]:
        """The parts whose handlers count as this actor's; called once, when it is bound."""
        return ()

    def started(self) -> None:
        """Begin: the actor is bound to its host and reachable."""

    def exited(self, peer: Upid) -> None:
        """Notice that the connection to a linked peer is gone."""

    def stopping(self) -> None:
        """End: cancel timers; nothing is delivered afterwards."""

    def unknown(self, sender: Upid, name: str, body: bytes) -> None:  # noqa: ARG002  (for overriding)
        """Drop a message nobody here handles (it was answered 202 already)."""
        log.warning("Dropping %s from %s: %s has no handler for it", name, sender, self.name)

    def invariants_hold(self) -> bool:
        """Whether the actor may go on after a handler raised; False ends the process."""
        return True

    # --- what an actor uses ------------------------------------------------------------------------------------------

    def send(self, receiver: Upid, message: Message) -> None:
        """Send one message; raises LocalProtocolError when required fields are missing."""
        name = message.DESCRIPTOR.full_name
        try:
            body = message.SerializeToString()
        except EncodeError as error:
            raise LocalProtocolError(f"{name} lacks {missing_fields(message)}") from error
        self.host.network.send(self.upid, receiver, name, body)

    def send_bytes(self, receiver: Upid, name: str, body: bytes) -> None:
        """Send a message that is encoded already; name is its full protobuf name."""
        self.host.network.send(self.upid, receiver, name, body)

    def link(self, peer: Upid, *, reconnect: bool = False) -> None:
        """Hear of the peer's end through ``exited``."""
        self.host.network.link(self.upid, peer, reconnect=reconnect)

    # --- what the directory calls ------------------------------------------------------------------------------------

    def bind(self, host: Host, upid: Upid) -> None:
        """Attach to a host and build the tables."""
        self.host = host
        self.upid = upid
        parts = [self, *self.components()]
        self.handlers = message_table(parts)
        self.endpoints = endpoint_table(parts)

    def deliver(self, sender: Upid, name: str, body: bytes) -> None:
        """Take one message from the network, in arrival order."""
        if self._draining:
            self._waiting.append((sender, name, body))
            return
        handler = self.handlers.get(name)
        if handler is None:
            self.unknown(sender, name, body)
            return
        _, _, call, with_bytes, is_async, parse = handler
        try:
            message = parse(body)
        except DecodeError:
            self.ignore(name, f"its body from {sender} cannot be parsed")
            return
        if not message.IsInitialized():
            self.ignore(name, f"it came from {sender} without required fields: {missing_fields(message)}")
            return
        if is_async:
            arguments = (sender, message, body) if with_bytes else (sender, message)
            self.host.tasks.spawn(self._guarded(handler, arguments), name)
            self._pause()
            return
        try:
            if with_bytes:
                call(sender, message, body)
            else:
                call(sender, message)
        except Exception as error:
            self._failed(handler, message, error)
        if self.after_message is not None:
            self.after_message()

    def deliver_exited(self, peer: Upid) -> None:
        """Take the news that a linked peer's connection ended, in order with its messages."""
        if self._draining:
            self._waiting.append((peer, EXITED, b""))
            return
        try:
            self.exited(peer)
        except Exception:
            log.exception("%s failed to notice the exit of %s", self.name, peer)
            self.host.metrics.handler_failures.increment()
            if not self.invariants_hold():
                self.host.exit(1, f"{self.name} is inconsistent after an exit; exiting so that fail-over can work")

    async def _guarded(self, handler: Handler, arguments: tuple[Any, ...]) -> None:
        try:
            await handler.call(*arguments)
        except Exception as error:
            self._failed(handler, arguments[1], error)
        if self.after_message is not None:
            self.after_message()

    def _failed(self, handler: Handler, message: Message, error: Exception) -> None:
        """Keep going after a bug if the books still balance; a broken actor must not serve (DESIGN 4)."""
        log.error("%s failed to handle %s: %s", self.name, handler.name, message, exc_info=error)
        self.host.metrics.handler_failures.increment()
        if not self.invariants_hold():
            self.host.exit(1, f"{self.name} is inconsistent after {handler.name}; exiting so that fail-over can work")

    def _pause(self) -> None:
        """Let a started coroutine run to its first await before the next message.

        The loop runs what was scheduled in order: a drain scheduled now comes right after the coroutine's first step.
        """
        self._draining = True
        self.host.clock.after(0, self._drain)

    def _drain(self) -> None:
        self._draining = False
        while self._waiting and not self._draining:
            sender, name, body = self._waiting.popleft()
            if name is EXITED:
                self.deliver_exited(sender)
            else:
                self.deliver(sender, name, body)
