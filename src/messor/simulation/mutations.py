"""Broken copies of good messages: what a careless or hostile peer might send.

Each message or request to a master or agent may be followed by a mutated copy of itself, from the same sender.
Whatever it says, it must be refused, ignored or obeyed as if it were meant, and never make a handler raise or the books
differ.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from messor.runtime.http import Request
from messor.simulation.http import ClientConnection
from messor.simulation.network import Envelope, decode

if TYPE_CHECKING:
    from messor.simulation.network import Network

ODD_TEXTS = ("", "/", "..", "a/b", "\n", "x" * 300, "*", "@", "0", "é", "-1")
ODD_HEADERS = ("", "application/json", "application/x-protobuf", "text/html", "*/*", "application/recordio", "\t", "é")
ODD_NUMBERS = (0, 1, -1, 2**31 - 1, -(2**31), 255)
ODD_FLOATS = (0.0, -1.0, 1e300, float("nan"), float("inf"), 0.0001)


OBEYED = frozenset(
    f"mesos.internal.{name}" for name in ("SlaveRegisteredMessage", "SlaveReregisteredMessage", "ShutdownMessage")
)
"""What an agent believes its master without a question, even if it means its end."""


class Mutator:
    """Sends mutated copies of some messages."""

    def __init__(self, network: Network, seed: int, share: float) -> None:
        """share: of messages that get such a copy."""
        self.network = network
        self.random = Random(f"mutations/{seed}")  # noqa: S311  (repeatable on purpose)
        self.share = share
        self.count = 0
        self._is_sending = False
        network.senders.append(self._sent)
        network.requesters.append(self._requested)

    def _sent(self, envelope: Envelope) -> None:
        to_us = envelope.receiver.id == "master" or envelope.receiver.id.startswith("slave")
        if self._is_sending or not to_us or envelope.name in OBEYED or self.random.random() >= self.share:
            return
        host = self.network.processes.get(envelope.sender.address)
        if host is None:
            return
        self._is_sending = True
        self.count += 1
        body = self.mutated(envelope)
        self.network.send(host, Envelope(envelope.sender, envelope.receiver, envelope.name, body))
        self._is_sending = False

    def _requested(self, connection: ClientConnection, request: Request) -> None:
        if self._is_sending or b"SUBSCRIBE" in request.body or self.random.random() >= self.share:
            return
        self.count += 1
        headers = dict(request.headers)
        body = request.body
        match self.random.randrange(4):
            case 0:
                headers.pop(self.random.choice(sorted(headers)), None)
            case 1:
                headers[self.random.choice(sorted(headers))] = self.random.choice(ODD_HEADERS)
            case _:
                body = self.bytes_changed(body)
        method = self.random.choice(("POST", "POST", "POST", "GET", "PUT", "HEAD"))
        path = self.random.choice((request.path, request.path, request.path + "/x", "/api/v1", "/state", "//"))
        self._is_sending = True
        copy = Request(method, path, headers, body, request.query_text, request.client)
        ClientConnection(self.network, connection.host, connection.target).send(copy)
        self._is_sending = False

    def mutated(self, envelope: Envelope) -> bytes:
        """Change a message's fields, or its bytes; a master's text is checked where it enters the cluster."""
        if self.random.random() < 0.3 and envelope.sender.id != "master":
            return self.bytes_changed(envelope.body)
        try:
            message = decode(envelope)
        except DecodeError:
            return self.bytes_changed(envelope.body)
        for _ in range(self.random.randint(1, 3)):
            self.change(message)
        changed: bytes = message.SerializePartialToString()
        return changed

    def bytes_changed(self, body: bytes) -> bytes:
        """Flip, cut, insert or repeat bytes."""
        data = bytearray(body)
        match self.random.randrange(4):
            case 0 if data:
                data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            case 1:
                del data[self.random.randint(0, len(data)) :]
            case 2:
                data[self.random.randint(0, len(data)) :] = self.random.randbytes(self.random.randint(1, 8))
            case _:
                data += bytes(data)
        return bytes(data)

    def change(self, message: Any) -> None:
        """Change one field somewhere in a message."""
        fields = message.DESCRIPTOR.fields
        if not fields:
            return
        field = self.random.choice(fields)
        value = getattr(message, field.name)
        if field.message_type is not None and self.random.random() < 0.8:
            if not field.is_repeated:
                self.change(value)
                return
            if len(value) and not field.message_type.GetOptions().map_entry:
                self.change(self.random.choice(value))
                return
        if self.random.random() < 0.3:
            message.ClearField(field.name)
        elif field.is_repeated:
            self._change_repeated(message, field, value)
        else:
            self._set(message, field)

    def _change_repeated(self, message: Any, field: Any, value: Any) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            message.ClearField(field.name)
        elif len(value):
            value.append(value[0])
        elif field.message_type is not None:
            value.add()

    def _set(self, message: Any, field: Any) -> None:
        if field.message_type is not None:
            getattr(message, field.name).SetInParent()
            return
        kinds = {
            field.CPPTYPE_STRING: ODD_TEXTS,
            field.CPPTYPE_DOUBLE: ODD_FLOATS,
            field.CPPTYPE_FLOAT: ODD_FLOATS,
            field.CPPTYPE_BOOL: (True, False),
        }
        if field.cpp_type == field.CPPTYPE_ENUM:
            setattr(message, field.name, self.random.choice(field.enum_type.values).number)
        elif field.type == field.TYPE_BYTES:
            setattr(message, field.name, self.random.randbytes(self.random.choice((0, 1, 16))))
        elif field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
            setattr(message, field.name, abs(self.random.choice(ODD_NUMBERS)))
        else:
            setattr(message, field.name, self.random.choice(kinds.get(field.cpp_type, ODD_NUMBERS)))
