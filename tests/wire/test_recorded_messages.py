"""libprocess messages as recorded: what we send is what they send, what they send we read."""

from __future__ import annotations

import pytest

from messor.protos import internal, v0_scheduler
from messor.wire.libprocess import encode_message, message_sender, split_path
from messor.wire.upid import Upid
from support.recordings import section

FILE = "libprocess_messages.txt"
NEWEST = section(FILE, "1.12")
FOREIGN = section(FILE, "1.11") + section(FILE, "another")


def parts(request: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Split a recorded request into path, headers and body."""
    head, _, rest = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip().decode()
    if headers.get("transfer-encoding") == "chunked":
        size, _, rest = rest.partition(b"\r\n")
        rest = rest[: int(size, 16)]
    return first.split(b" ")[1], headers, rest


def message_type(name: str) -> type:
    """Find the class of a message name."""
    if name == "mesos.scheduler.Call":
        return v0_scheduler.Call
    return getattr(internal, name.removeprefix("mesos.internal."))


@pytest.mark.parametrize("request_bytes", NEWEST, ids=lambda data: data.split(b" ")[1].decode())
def test_a_message_is_encoded_as_the_real_thing_encodes_it(request_bytes: bytes) -> None:
    """Take a recorded request apart and put it together again, byte for byte."""
    path, headers, body = parts(request_bytes)
    receiver, name = split_path(path)
    sender = message_sender(headers)
    assert sender is not None
    ip, _, port = headers["host"].partition(":")
    assert encode_message(sender, Upid(receiver, ip, int(port)), name, body) == request_bytes


@pytest.mark.parametrize("request_bytes", NEWEST + FOREIGN, ids=lambda data: data.split(b" ")[1].decode())
def test_a_recorded_body_reads_and_writes_to_the_same_bytes(request_bytes: bytes) -> None:
    """Parse the recorded protobuf, nothing of it unknown, and serialise it again."""
    path, headers, body = parts(request_bytes)
    _, name = split_path(path)
    message = message_type(name).FromString(body)
    assert message.SerializeToString() == body
    assert message.IsInitialized()
    assert message_sender(headers) is not None


def test_an_implementation_in_go_is_recognised_by_libprocess_from_alone() -> None:
    """Its User-Agent is its own."""
    for request_bytes in section(FILE, "another"):
        _, headers, _ = parts(request_bytes)
        assert not headers["user-agent"].startswith("libprocess/")
        assert str(message_sender(headers)) == headers["libprocess-from"]
