"""The network between simulated processes: envelopes with latency, loss, duplication and partitions from one seed.

Messages between two processes keep their order, as on one TCP connection. A partition loses messages silently and holds
back what TCP would retransmit: the end of a connection and HTTP bytes, which arrive when it heals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from messor.errors import ConfigurationError
from messor.protos.pool import Default
from messor.simulation.http import ClientConnection
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor
    from messor.runtime.http import Request
    from messor.simulation.host import SimulatedHost
    from messor.simulation.http import Exchange
    from messor.simulation.loop import SimulatedLoop
    from messor.simulation.trace import Trace

Address = tuple[str, int]


class Envelope(NamedTuple):
    """One libprocess message on its way."""

    sender: Upid
    receiver: Upid
    name: str
    """Full protobuf name."""
    body: bytes


class Watch:
    """Envelopes that match a message, a receiver and a sender; what ``expect`` and ``drop`` return."""

    def __init__(self, name: str, to: object, sender: object, times: int | None) -> None:
        """Match from now on; times: how many to take, None for all that come."""
        self.name = name
        self.to = to
        self.sender = sender
        self.times = times
        self.envelopes: list[Envelope] = []

    def __bool__(self) -> bool:
        """Whether any came."""
        return bool(self.envelopes)

    @property
    def messages(self) -> list[Any]:
        """Those that came, decoded."""
        return [decode(envelope) for envelope in self.envelopes]

    def takes(self, envelope: Envelope) -> bool:
        """Count an envelope if it matches and there is room."""
        if self.times is not None and len(self.envelopes) >= self.times:
            return False
        if envelope.name != self.name or not (_is(envelope.receiver, self.to) and _is(envelope.sender, self.sender)):
            return False
        self.envelopes.append(envelope)
        return True


class Connection:
    """A persistent connection from one process to another, and who wants to hear of its end."""

    __slots__ = ("peer", "watchers")

    def __init__(self, peer: SimulatedHost | None) -> None:
        """peer: the process it was made to, None while it could not be made."""
        self.peer = peer
        self.watchers: dict[tuple[Upid, Upid], None] = {}


class Network:
    """All processes of a simulation and everything between them."""

    def __init__(self, loop: SimulatedLoop, random: Random, trace: Trace) -> None:
        """Start with a healthy network."""
        self.loop = loop
        self.random = random
        self.trace = trace
        self.latency = (0.0005, 0.002)
        """Shortest and longest one-way time in seconds."""
        self.loss = 0.0
        """Share of messages that vanish."""
        self.duplication = 0.0
        """Share of messages that arrive twice."""
        self.retransmits = False
        """Whether a partition delays messages until it heals, as TCP does when it is short, instead of losing them."""
        self.connect_timeout = 20.0
        """Seconds until a connection that nobody answers counts as failed."""
        self.processes: dict[Address, SimulatedHost] = {}
        self.names: dict[str, str] = {}
        self.exchanges: dict[Exchange, None] = {}
        self.observers: list[Callable[[Envelope], None]] = []
        """Told of each message after it was handled."""
        self.senders: list[Callable[[Envelope], None]] = []
        """Told of each message when it is sent."""
        self.requesters: list[Callable[[ClientConnection, Request], None]] = []
        """Told of each HTTP request when it is sent."""
        self._connections: dict[tuple[Address, Address], Connection] = {}
        self._last: dict[tuple[Address, Address], float] = {}
        self._cut: dict[tuple[str, str], None] = {}
        self._severed: dict[tuple[str, str], None] = {}
        """Machines between which everything is lost until the connections break."""
        self._breaking: list[Watch] = []
        self._repeated: list[int] = []
        """How many HTTP requests to let pass before the next one that arrives twice."""
        self._held: list[tuple[Address, Address, Callable[..., object], tuple[Any, ...]]] = []
        self._late: dict[tuple[Address, Address], int] = {}
        """How much that was held back is still to arrive: what is on its way must not overtake it."""
        self._expected: list[Watch] = []
        self._dropped: list[Watch] = []
        self._duplicated: list[Watch] = []

    # --- what tests say -----------------------------------------------------------------------------------------------

    def expect(self, message: type[Message] | str, *, to: object = None, sender: object = None) -> Watch:
        """Collect the messages of a type that are delivered from now on; to, sender: a UPID or an actor's id."""
        watch = Watch(_name(message), to, sender, None)
        self._expected.append(watch)
        return watch

    def drop(
        self, message: type[Message] | str, *, times: int | None = 1, to: object = None, sender: object = None
    ) -> Watch:
        """Lose the next messages of a type; times: how many, None for all until ``deliver_all``."""
        watch = Watch(_name(message), to, sender, times)
        self._dropped.append(watch)
        return watch

    def duplicate(
        self, message: type[Message] | str, *, times: int | None = 1, to: object = None, sender: object = None
    ) -> Watch:
        """Let the next messages of a type arrive twice; times: how many, None for all until ``deliver_all``."""
        watch = Watch(_name(message), to, sender, times)
        self._duplicated.append(watch)
        return watch

    def break_at(
        self, message: type[Message] | str, *, times: int | None = 1, to: object = None, sender: object = None
    ) -> Watch:
        """Lose the next messages of a type between machines as networks do: with the connection; both sides notice."""
        watch = Watch(_name(message), to, sender, times)
        self._breaking.append(watch)
        return watch

    def repeat_request(self, after: int = 0) -> None:
        """Let an HTTP request arrive twice, as proxies do that try again; after: how many to let pass before it."""
        self._repeated.append(after)

    def deliver_all(self) -> None:
        """Forget every ``drop``, ``break_at``, ``duplicate`` and ``repeat_request``."""
        self._dropped.clear()
        self._breaking.clear()
        self._duplicated.clear()
        self._repeated.clear()

    def sever(self, one: object, other: object, *, one_way: bool = False) -> None:
        """Lose everything that two machines send each other until ``mend``; one_way: only what the first sends."""
        first, second = self._machine(one), self._machine(other)
        self._severed[first, second] = None
        if not one_way:
            self._severed[second, first] = None
        self.fault("sever", f"{first}>{second}" if one_way else f"{first} {second}")

    def mend(self) -> None:
        """Let severed machines notice that their connections broke, and make new ones."""
        severed, self._severed = self._severed, {}
        for pair in dict.fromkeys(tuple(sorted(pair)) for pair in severed):
            self.reset(*pair)

    def partition(self, one: Iterable[object], other: Iterable[object], *, one_way: bool = False) -> None:
        """Cut two groups of machines off each other; one_way: only what the first sends is lost."""
        others = [self._machine(machine) for machine in other]
        for machine in one:
            for peer in others:
                self._cut[self._machine(machine), peer] = None
                if not one_way:
                    self._cut[peer, self._machine(machine)] = None
        self.fault("partition", ", ".join(f"{source}>{target}" for source, target in self._cut))

    def heal(self) -> None:
        """End all partitions; what TCP held back arrives."""
        self._cut.clear()
        self.fault("heal", "")
        held, self._held = self._held, []
        for source, target, call, arguments in held:
            self._carry_late(source, target, call, arguments)

    def reset(self, one: object, other: object) -> None:
        """Break every connection between two machines, as a firewall's RST does; both sides notice."""
        pair = {self._machine(one), self._machine(other)}
        self.fault("reset", " ".join(sorted(pair)))
        for (source, target), connection in list(self._connections.items()):
            if {source[0], target[0]} == pair and source[0] != target[0]:
                self._break(source, target, connection)
        for exchange in list(self.exchanges):
            if {exchange.client.address[0], exchange.target[0]} == pair:
                exchange.reset()

    def reset_http(self, process: SimulatedHost) -> None:
        """Break every HTTP connection that a process made; both sides notice."""
        self.fault("reset", process.name)
        for exchange in list(self.exchanges):
            if exchange.client is process:
                exchange.reset()

    def repeats(self) -> bool:
        """Tell whether the HTTP request that just arrived arrives twice."""
        for position, left in enumerate(self._repeated):
            if left == 0:
                del self._repeated[position]
                return True
            self._repeated[position] = left - 1
        return False

    def fault(self, what: str, detail: str) -> None:
        """Put something that the test did into the trace."""
        self.trace.record(self.loop.time(), "fault", what, detail, "")

    def is_cut(self, source: Address, target: Address) -> bool:
        """Whether nothing gets from one machine to the other now."""
        return (source[0], target[0]) in self._cut

    # --- what hosts do ------------------------------------------------------------------------------------------------

    def join(self, host: SimulatedHost) -> None:
        """Open a process's port."""
        if host.address in self.processes:
            raise ValueError(f"{host.address} is in use")
        self.processes[host.address] = host
        self.names[host.hostname] = host.address[0]

    def leave(self, host: SimulatedHost, *, silent: bool) -> None:
        """Take a process off; silent: no other machine is told, as when this one loses power."""
        if self.processes.get(host.address) is host:
            del self.processes[host.address]
        for (source, target), connection in list(self._connections.items()):
            if source == host.address:
                del self._connections[source, target]
            elif target == host.address and (not silent or source[0] == target[0]):
                self.carry(target, source, self._ended, source, target, connection)
        for exchange in list(self.exchanges):
            exchange.process_died(host, silent=silent)

    def resolve(self, name: str, port: int) -> Address:
        """Find the address behind a host name or ip."""
        return (self.names.get(name, name), port)

    def send(self, host: SimulatedHost, envelope: Envelope) -> None:
        """Take a message from a process."""
        target = envelope.receiver.address
        if not envelope.receiver.is_reachable:
            return
        for sender in self.senders:
            sender(envelope)
        for watch in self._dropped:
            if watch.takes(envelope):
                self._lose(envelope)
                return
        if self._breaking and host.address[0] != target[0] and self._breaks(host, envelope):
            return
        lost = self.loss and host.address != target and self.random.random() < self.loss
        if lost or (self.is_cut(host.address, target) and not self.retransmits):
            self._lose(envelope)
            return
        copies = 2 if self.duplication and self.random.random() < self.duplication else 1
        if [watch for watch in self._duplicated if watch.takes(envelope)]:
            copies = 2
        for _ in range(copies):
            if self.retransmits:
                self.carry(host.address, target, self._arrive, host, envelope)
            else:
                self.loop.deliver_at(self.arrival(host.address, target), self._arrive, host, envelope)

    def _breaks(self, host: SimulatedHost, envelope: Envelope) -> bool:
        for watch in self._breaking:
            if watch.takes(envelope):
                self._lose(envelope)
                self.reset(host, envelope.receiver.ip)
                return True
        return False

    def link(self, host: SimulatedHost, sender: Upid, peer: Upid, *, reconnect: bool) -> None:
        """Keep a connection; see the port."""
        if not peer.is_reachable:
            return
        pair = (host.address, peer.address)
        known = self._connections.get(pair)
        process = self.processes.get(peer.address)
        connection = known or Connection(process)
        if known is None:
            self._connections[pair] = connection
            if self.is_cut(*pair) or self.is_cut(peer.address, host.address):
                connection.peer = None
                self.loop.call_later(self.connect_timeout, self._give_up, host.address, peer.address, connection)
            elif process is None:
                self.carry(peer.address, host.address, self._ended, host.address, peer.address, connection)
        elif reconnect:
            self._forget_held(*pair)
            connection = self._connections[pair] = Connection(process)
            connection.watchers.update(known.watchers)
            if process is None:
                self.carry(peer.address, host.address, self._ended, host.address, peer.address, connection)
        connection.watchers[sender, peer] = None

    def unlink(self, host: SimulatedHost, sender: Upid, peer: Upid) -> None:
        """Stop telling."""
        connection = self._connections.get((host.address, peer.address))
        if connection is not None:
            connection.watchers.pop((sender, peer), None)

    def carry(self, source: Address, target: Address, call: Callable[..., object], *arguments: Any) -> None:
        """Do something at the other end after the network's delay; held back while there is a partition."""
        self.loop.deliver_at(self.arrival(source, target), self._carried, source, target, call, arguments)

    def arrival(self, source: Address, target: Address) -> float:
        """When the next thing sent arrives: after a random delay, never before an earlier one between these two."""
        low, high = self.latency if source[0] != target[0] else (0.0001, 0.0002)
        when = self.loop.time() + low + (high - low) * self.random.random()
        when = max(when, self._last.get((source, target), 0.0))
        self._last[source, target] = when
        return when

    # --- arrivals -----------------------------------------------------------------------------------------------------

    def is_severed(self, source: Address, target: Address) -> bool:
        """Whether what one machine sends the other is lost now."""
        return (source[0], target[0]) in self._severed

    def _arrive(self, source: SimulatedHost, envelope: Envelope) -> None:
        target = envelope.receiver.address
        if self.is_cut(source.address, target) or self.is_severed(source.address, target):
            self._lose(envelope)
            return
        process = self.processes.get(target)
        connection = self._connections.get((source.address, target))
        if process is not None and process.is_frozen:
            process.hold(self._arrive, source, envelope)
            return
        if connection is not None and connection.peer is not process:
            if connection.peer is None and process is not None:
                connection.peer = process
            else:
                self._lose(envelope)
                self.carry(target, source.address, self._ended, source.address, target, connection)
                return
        actor = process.directory.find(envelope.receiver.id) if process is not None else None
        if process is None or actor is None:
            self._lose(envelope)
            return
        self._record("message", envelope)
        for watch in self._expected:
            watch.takes(envelope)
        actor.deliver(envelope.sender, envelope.name, envelope.body)
        for observer in self.observers:
            observer(envelope)
        process.after_event()

    def _carried(
        self, source: Address, target: Address, call: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        if self.is_cut(source, target):
            self._held.append((source, target, call, arguments))
        elif (source, target) in self._late:
            self._carry_late(source, target, call, arguments)
        else:
            self._carried_at_once(source, target, call, arguments)

    def _carry_late(
        self, source: Address, target: Address, call: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        self._late[source, target] = self._late.get((source, target), 0) + 1
        self.loop.deliver_at(self.arrival(source, target), self._carried_late, source, target, call, arguments)

    def _carried_late(
        self, source: Address, target: Address, call: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        left = self._late.pop((source, target)) - 1
        if left:
            self._late[source, target] = left
        if self.is_cut(source, target):
            self._held.append((source, target, call, arguments))
        else:
            self._carried_at_once(source, target, call, arguments)

    def _carried_at_once(
        self, source: Address, target: Address, call: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        process = self.processes.get(target)
        if process is not None and process.is_frozen:
            process.hold(self._carried_at_once, source, target, call, arguments)
        else:
            call(*arguments)

    def _break(self, source: Address, target: Address, connection: Connection) -> None:
        self.carry(target, source, self._ended, source, target, connection)

    def _give_up(self, source: Address, target: Address, connection: Connection) -> None:
        if connection.peer is None and (self.is_cut(source, target) or self.is_cut(target, source)):
            self._ended(source, target, connection)

    def _ended(self, source: Address, target: Address, connection: Connection) -> None:
        """Tell the watchers of a connection, unless it was replaced or its owner is gone."""
        if self._connections.get((source, target)) is not connection:
            return
        del self._connections[source, target]
        self._forget_held(source, target)
        process = self.processes.get(source)
        if process is None:
            return
        for sender, peer in connection.watchers:
            actor = process.directory.find(sender.id)
            if actor is not None:
                self.trace.record(self.loop.time(), "exited", str(peer), str(sender), "")
                actor.deliver_exited(peer)
                process.after_event()

    def _forget_held(self, source: Address, target: Address) -> None:
        """Lose the messages that a connection which is over still held."""
        self._held = [held for held in self._held if held[:2] != (source, target) or held[2] != self._arrive]

    def _lose(self, envelope: Envelope) -> None:
        self._record("dropped", envelope)

    def _record(self, kind: str, envelope: Envelope) -> None:
        self.trace.record(
            self.loop.time(), kind, str(envelope.sender), str(envelope.receiver), envelope.name, envelope.body
        )

    def _machine(self, machine: object) -> str:
        """Give the ip of a host, an actor's UPID, a host name or an ip."""
        address = getattr(machine, "address", None)
        if address is not None:
            return str(address[0])
        return self.names.get(str(machine), str(machine))


class NetworkPort:
    """The Network port of one process; a dead process's port does nothing."""

    def __init__(self, network: Network, host: SimulatedHost) -> None:
        """Speak for a process."""
        self.ip, self.port = host.address
        self._network = network
        self._host = host
        self._local: dict[tuple[Upid, Upid], None] = {}
        """Links between actors of this process: the end of the actor is their end."""

    def send(self, sender: Upid, receiver: Upid, name: str, body: bytes) -> None:
        """Send one message."""
        if self._host.is_alive:
            self._network.send(self._host, Envelope(sender, receiver, name, body))

    def link(self, sender: Upid, peer: Upid, *, reconnect: bool = False) -> None:
        """Keep a connection."""
        if not self._host.is_alive:
            return
        if peer.address == self._host.address:
            self._local[sender, peer] = None
        else:
            self._network.link(self._host, sender, peer, reconnect=reconnect)

    def unlink(self, sender: Upid, peer: Upid) -> None:
        """Stop being told."""
        self._local.pop((sender, peer), None)
        self._network.unlink(self._host, sender, peer)

    def resolve(self, host: str) -> str:
        """Find the ip of a simulated host by its name."""
        ip = self._network.resolve(host, 0)[0]
        if not all(part.isdigit() for part in ip.split(".")):
            raise ConfigurationError(f"Failed to resolve '{host}'")
        return ip

    def terminated(self, actor: Actor) -> None:
        """Tell actors of this process that one they linked has ended."""
        for sender, peer in [known for known in self._local if known[1] == actor.upid]:
            del self._local[sender, peer]
            watcher = self._host.directory.find(sender.id)
            if watcher is not None:
                self._host.clock.after(0, watcher.deliver_exited, peer)

    def http(self, host: str, port: int) -> ClientConnection:
        """Make a client connection."""
        return ClientConnection(self._network, self._host, self._network.resolve(host, port))


def decode(envelope: Envelope) -> Any:
    """Parse an envelope's message."""
    return GetMessageClass(Default().FindMessageTypeByName(envelope.name)).FromString(envelope.body)


def _name(message: type[Message] | str) -> str:
    return message if isinstance(message, str) else str(message.DESCRIPTOR.full_name)


def _is(upid: Upid, wanted: object) -> bool:
    return wanted is None or wanted == upid or wanted in (upid.id, str(upid))
