"""Reading the agent's replies."""

from __future__ import annotations

import pytest

from messor.errors import RemoteProtocolError
from messor.executors.command.replies import ReplyReader

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nDate: x\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_pipelined_replies_come_out_in_order_however_they_arrive() -> None:
    """Bodies by length, one byte at a time or all at once."""
    data = ACCEPTED + REFUSED + ACCEPTED
    expected = [(202, b""), (400, b"bad"), (202, b"")]
    whole, bit_by_bit = ReplyReader(), ReplyReader()
    whole.feed(data)
    for index in range(len(data)):
        bit_by_bit.feed(data[index : index + 1])
    assert whole.finished == expected
    assert bit_by_bit.finished == expected


def test_an_endless_body_is_read_as_it_comes() -> None:
    """Events are chunks; the reply never finishes."""
    reader = ReplyReader()
    reader.feed(STREAM + b"5\r\nhel")
    assert (reader.status, reader.take_body()) == (200, b"hel")
    reader.feed(b"lo\r\nA;x=y\r\n0123456789\r\n")
    assert reader.take_body() == b"lo0123456789"
    assert not reader.finished


def test_a_chunked_body_ends_with_the_empty_chunk() -> None:
    """What follows is the next reply."""
    reader = ReplyReader()
    for piece in (STREAM + b"2\r\nab\r\n0\r", b"\n\r\n" + ACCEPTED):
        reader.feed(piece)
    assert reader.finished == [(200, b"ab"), (202, b"")]


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH\r\n\r\n", STREAM + b"zz\r\n", b"x" * 70_000])
def test_what_is_no_http_is_refused(data: bytes) -> None:
    """Somebody else may listen on the agent's old port."""
    with pytest.raises(RemoteProtocolError):
        ReplyReader().feed(data)
