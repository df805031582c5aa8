"""Outgoing libprocess messages: one connection per remote address, links, and the news that a linked peer is gone.

A process never sends over a connection it accepted (protocols a.4). Messages to one address are ordered and leave in
one write per turn of the loop; what comes back (202s) is read and thrown away. A connection that somebody linked stays
until it breaks, which every linking actor is told; any other closes after a while of silence.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from typing import TYPE_CHECKING, cast

from messor.errors import ConfigurationError
from messor.runtime.directory import Directory
from messor.wire.libprocess import encode_message
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor
    from messor.runtime.host import HttpConnection

log = logging.getLogger(__name__)

Address = tuple[str, int]

BUFFER_LIMIT = 512 << 20
"""Bytes a peer may lag behind before its connection is given up."""

IDLE_SECONDS = 5.0
"""How long a connection nobody linked stays open after its last message."""

CONNECT_SECONDS = 30.0
"""How long connecting may take; a host that drops packets must become an exited event some day."""


class Peers:
    """The libprocess side of the Network port."""

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Directory, ip: str, port: int) -> None:
        """Send as a process whose UPIDs carry ip and port."""
        self.ip = ip
        self.port = port
        self._loop = loop
        self._directory = directory
        self._peers: dict[Address, Peer] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._dirty: list[Peer] = []
        self._local: deque[tuple[Upid, str, str, bytes]] = deque()
        self._local_links: dict[str, set[tuple[str, Upid]]] = {}
        """By the id of a linked local actor: (id of the linking one, the peer's UPID)."""
        self._closed = False
        directory.terminated.append(self._terminated)

    # --- the port ----------------------------------------------------------------------------------------------------

    def send(self, sender: Upid, receiver: Upid, name: str, body: bytes) -> None:
        """Send one message, at most once, in order per receiver's process; dropped when nobody can be there."""
        if receiver.port == self.port and receiver.ip == self.ip:
            if not self._local:
                self._loop.call_soon(self._deliver_local)
            self._local.append((sender, receiver.id, name, body))
            return
        if self._closed or not receiver.is_reachable:
            log.debug("Dropping %s to %s: nobody can be there", name, receiver)
            return
        address = receiver.address
        peer = self._peers.get(address) or self._open(address)
        if not peer.out:
            if not self._dirty:
                self._loop.call_soon(self._flush)
            self._dirty.append(peer)
        peer.out.append(encode_message(sender, receiver, name, body))

    def link(self, sender: Upid, peer: Upid, *, reconnect: bool = False) -> None:
        """Keep a connection to peer's process; its end calls the sending actor's ``exited(peer)`` once."""
        if peer.address == (self.ip, self.port):
            self._link_local(sender, peer)
            return
        if self._closed:
            return
        if not peer.is_reachable:
            self._loop.call_soon(self._tell, sender.id, peer)
            return
        connection = self._peers.get(peer.address)
        if connection is None:
            connection = self._open(peer.address)
        elif reconnect:
            connection = self._replace(connection)
        connection.links.setdefault(peer, set()).add(sender.id)

    def unlink(self, sender: Upid, peer: Upid) -> None:
        """Stop being told; a connection without links closes when idle."""
        for links in self._local_links.values():
            links.discard((sender.id, peer))
        connection = self._peers.get(peer.address)
        if connection is not None and peer in connection.links:
            connection.links[peer].discard(sender.id)
            if not connection.links[peer]:
                del connection.links[peer]
            connection.rest_later()

    def resolve(self, host: str) -> str:
        """Turn a host name into IPv4 text; raises ConfigurationError when it is unknown. Blocks while it asks."""
        try:
            return socket.gethostbyname(host)
        except OSError as error:
            raise ConfigurationError(f"Failed to resolve '{host}': {error.strerror or error}") from error

    def http(self, host: str, port: int) -> HttpConnection:
        """Make a client connection; nothing is opened yet."""
        from messor.runtime.http_client import ClientConnection  # executors that only speak v0 never load it

        return ClientConnection(host, port)

    async def close(self, seconds: float = 1.0) -> None:
        """Send what is queued, then close every connection; nobody is told. Takes at most that many seconds."""
        self._flush()
        self._closed = True
        for peer in list(self._peers.values()):
            peer.links.clear()
        deadline = self._loop.time() + seconds
        if self._connecting:
            await asyncio.wait(self._connecting, timeout=seconds)  # what is queued shall still leave
        for task in list(self._connecting):
            task.cancel()
        ends = [peer.close() for peer in self._peers.values()]
        self._peers.clear()
        waiting = [end for end in ends if end is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=max(0.0, deadline - self._loop.time()))

    # --- local actors ------------------------------------------------------------------------------------------------

    def _deliver_local(self) -> None:
        """Deliver what was sent up to now; what that sends comes in the next turn."""
        batch, self._local = self._local, deque()
        for sender, receiver, name, body in batch:
            actor = self._directory.actors.get(receiver)
            if actor is None:
                log.debug("Dropping %s to %s: there is no such actor here", name, receiver)
            else:
                actor.deliver(sender, name, body)

    def _link_local(self, sender: Upid, peer: Upid) -> None:
        if peer.id in self._directory.actors:
            self._local_links.setdefault(peer.id, set()).add((sender.id, peer))
        else:
            self._loop.call_soon(self._tell, sender.id, peer)

    def _terminated(self, actor: Actor) -> None:
        for linker, peer in self._local_links.pop(actor.name, set()):
            self._loop.call_soon(self._tell, linker, peer)
        for connection in list(self._peers.values()):
            for peer in list(connection.links):
                self.unlink(actor.upid, peer)

    def _tell(self, linker: str, peer: Upid) -> None:
        actor = self._directory.actors.get(linker)
        if actor is not None:
            actor.deliver_exited(peer)

    # --- connections -------------------------------------------------------------------------------------------------

    def _open(self, address: Address) -> Peer:
        peer = Peer(self, self._loop, address)
        self._peers[address] = peer
        self._connect(peer)
        return peer

    def _connect(self, peer: Peer) -> None:
        task = self._loop.create_task(self._connected(peer))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self, peer: Peer) -> None:
        host, port = peer.address
        try:
            await asyncio.wait_for(self._loop.create_connection(lambda: peer, host, port), CONNECT_SECONDS)
        except (OSError, TimeoutError) as error:
            log.debug("Failed to connect to %s:%d: %s", host, port, error)
            self.lost(peer)
        except asyncio.CancelledError:
            peer.close()
            raise

    def _replace(self, old: Peer) -> Peer:
        """Make a fresh connection in place of one that may be half dead; nobody hears of it (RECONNECT)."""
        new = Peer(self, self._loop, old.address)
        new.links, old.links = old.links, {}
        new.out, old.out = old.out, []
        new.early, old.early = old.early, []
        if old in self._dirty:
            self._dirty[self._dirty.index(old)] = new
        self._peers[old.address] = new
        old.close()
        self._connect(new)
        return new

    def retire(self, peer: Peer) -> None:
        """Forget a connection that is about to be closed here: what is sent or linked from now on needs another one."""
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]

    def lost(self, peer: Peer) -> None:
        """Forget a broken connection and tell those who linked it."""
        if self._peers.get(peer.address) is not peer:
            return
        del self._peers[peer.address]
        peer.out.clear()
        links, peer.links = peer.links, {}
        for upid, linkers in links.items():
            for linker in sorted(linkers):
                self._tell(linker, upid)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            peer.flush()


class Peer(asyncio.Protocol):
    """One outgoing connection."""

    def __init__(self, peers: Peers, loop: asyncio.AbstractEventLoop, address: Address) -> None:
        """Start unconnected."""
        self.address = address
        self.links: dict[Upid, set[str]] = {}
        """Linked UPIDs of this address, and the ids of the local actors that want to know."""
        self.out: list[bytes] = []
        """Messages of this turn."""
        self.early: list[bytes] = []
        """Messages that wait for the connection."""
        self._peers = peers
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._early_size = 0
        self._paused = False
        self._closed = False
        self._end: asyncio.Future[None] | None = None
        self._last_use = loop.time()
        self._resting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what waited for the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports only look like it
        if self._closed:
            self._transport.abort()
            return
        if self.early:
            self._transport.writelines(self.early)
            self.early = []
        self.rest_later()

    def data_received(self, data: bytes) -> None:
        """Throw away the answers; nobody waits for them."""

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  (how it broke does not matter)
        """Tell the others."""
        self._transport = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        if not self._closed:
            self._closed = True
            self._peers.lost(self)

    def pause_writing(self) -> None:
        """Remember that the peer lags behind."""
        self._paused = True

    def resume_writing(self) -> None:
        """Remember that it caught up."""
        self._paused = False

    def flush(self) -> None:
        """Write this turn's messages."""
        out, self.out = self.out, []
        if not out:
            return
        self._last_use = self._loop.time()
        transport = self._transport
        if transport is None:
            self.early += out
            self._early_size += sum(map(len, out))
            if self._early_size > BUFFER_LIMIT:
                self._give_up()
            return
        transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._paused and transport.get_write_buffer_size() > BUFFER_LIMIT:
            self._give_up()

    def _give_up(self) -> None:
        """Break a connection that takes nothing; those who linked it are told."""
        log.warning("Giving up the connection to %s:%d: it does not take what it is sent", *self.address)
        if self._transport is not None:
            self._transport.abort()
        else:
            self._closed = True
            self.early.clear()
            self._peers.lost(self)

    def rest_later(self) -> None:
        """Close the connection after a while of silence unless somebody links it."""
        if not self.links and self._resting is None and self._transport is not None:
            self._resting = self._loop.call_later(IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        self._resting = None
        if self.links or self._transport is None:
            return
        if self._loop.time() - self._last_use < IDLE_SECONDS or self._transport.get_write_buffer_size():
            self.rest_later()
        else:
            self._peers.retire(self)
            self.close()

    def close(self) -> asyncio.Future[None] | None:
        """Close after what was written; nobody is told. Gives the future of the end, None when there is nothing."""
        self._closed = True
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._transport is None:
            return None
        self._end = self._loop.create_future()
        self._transport.close()
        return self._end
