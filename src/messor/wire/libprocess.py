"""libprocess messages as HTTP requests: what every actor of a cluster says to every other.

Encoding writes the exact bytes of Apache Mesos (protocols a.1): one chunk, and no body headers at all when there is no
body. Recognising is lenient (a.2): other implementations send only one of the two sender headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from messor.errors import RemoteProtocolError
from messor.wire.upid import NOBODY, Upid, parse_upid

AGENT_PREFIX = "libprocess/"
"""How the User-Agent of a libprocess peer begins."""


def encode_message(sender: Upid, receiver: Upid, name: str, body: bytes) -> bytes:
    """Write one message as an HTTP request; ``name`` is the full protobuf name, body the serialised message."""
    target, sender_lines = _head(sender, receiver)
    if not body:
        return b"%b%b%b\r\n" % (target, _name(name), sender_lines)
    return b"%b%b%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
        target,
        _name(name),
        sender_lines,
        len(body),
        body,
    )


@lru_cache(maxsize=65536)
def _head(sender: Upid, receiver: Upid) -> tuple[bytes, bytes]:
    """Give what stands before and after the message name; the same for all messages of a pair of actors."""
    who = str(sender)
    lines = (
        f" HTTP/1.1\r\nUser-Agent: {AGENT_PREFIX}{who}\r\nLibprocess-From: {who}\r\n"
        f"Connection: Keep-Alive\r\nHost: {receiver.ip}:{receiver.port}\r\n"
    )
    return f"POST /{receiver.id}/".encode(), lines.encode()


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    """Encode a message name once."""
    return name.encode()


def message_sender(headers: Mapping[str, str]) -> Upid | None:
    """Tell who sent a POST when it is a libprocess message, else None; header names are lower case.

    The User-Agent wins over Libprocess-From. A sender that cannot be read is NOBODY: the message is answered 202 like
    any other (recorded), and whoever handles it drops it because nobody may say such a thing.
    """
    agent = headers.get("user-agent")
    if agent is not None and agent.startswith(AGENT_PREFIX):
        text = agent[len(AGENT_PREFIX) :]
    else:
        origin = headers.get("libprocess-from")
        if origin is None:
            return None
        text = origin
    try:
        return parse_upid(text)
    except RemoteProtocolError:
        return NOBODY


@lru_cache(maxsize=16384)
def split_path(path: bytes) -> tuple[str, str]:
    """Split ``/slave(1)/mesos.internal.X`` into the receiver's id, percent-decoded, and the message name.

    Either may be empty, which no actor and no message is called. Raises RemoteProtocolError when the path does not
    begin with a slash.
    """
    if not path.startswith(b"/"):
        raise RemoteProtocolError(f"Expecting a path that begins with '/' but got {path!r}")
    receiver, _, name = path.lstrip(b"/").partition(b"/")
    try:
        return unquote_to_bytes(receiver).decode(), name.decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"Expecting UTF-8 in the path {path!r}") from error
