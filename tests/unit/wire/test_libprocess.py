"""libprocess messages: recognising them and finding whom they are for."""

from __future__ import annotations

import pytest

from messor.errors import RemoteProtocolError
from messor.wire.libprocess import encode_message, message_sender, split_path
from messor.wire.upid import NOBODY, Upid, parse_upid


def test_an_empty_body_is_sent_without_any_body_header() -> None:
    """Receivers take a request without length and encoding for one without body."""
    data = encode_message(Upid("master", "1.2.3.4", 5050), Upid("slave(1)", "5.6.7.8", 5051), "mesos.internal.X", b"")
    assert data == (
        b"POST /slave(1)/mesos.internal.X HTTP/1.1\r\nUser-Agent: libprocess/master@1.2.3.4:5050\r\n"
        b"Libprocess-From: master@1.2.3.4:5050\r\nConnection: Keep-Alive\r\nHost: 5.6.7.8:5051\r\n\r\n"
    )


def test_a_body_is_one_chunk_with_its_length_in_hex() -> None:
    """However long it is."""
    data = encode_message(Upid("a", "1.2.3.4", 1), Upid("b", "1.2.3.4", 2), "x.Y", b"z" * 300)
    assert data.endswith(b"Transfer-Encoding: chunked\r\n\r\n12c\r\n" + b"z" * 300 + b"\r\n0\r\n\r\n")


def test_either_header_alone_marks_a_message() -> None:
    """compactor sends only the first, mesos-go and pesos only the second."""
    sender = parse_upid("x@127.0.0.1:1")
    assert message_sender({"user-agent": "libprocess/x@127.0.0.1:1"}) == sender
    assert message_sender({"user-agent": "Go-http-client/1.1", "libprocess-from": "x@127.0.0.1:1"}) == sender
    assert message_sender({"user-agent": "curl/8"}) is None
    assert message_sender({}) is None


def test_a_sender_that_cannot_be_read_is_nobody() -> None:
    """The real thing answers such a message 202 like any other."""
    for text in ("libprocess/garbage", "libprocess/"):
        assert message_sender({"user-agent": text}) == NOBODY
    assert message_sender({"libprocess-from": "garbage"}) == NOBODY


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/master/mesos.scheduler.Call", ("master", "mesos.scheduler.Call")),
        (b"/slave(1)/a.B", ("slave(1)", "a.B")),
        (b"/slave%281%29/a.B", ("slave(1)", "a.B")),
        (b"//master/a.B", ("master", "a.B")),
        (b"/foo.Bar", ("foo.Bar", "")),
        (b"/", ("", "")),
    ],
)
def test_a_path_names_the_receiver_and_the_message(path: bytes, found: tuple[str, str]) -> None:
    """The id is percent-decoded."""
    assert split_path(path) == found


def test_a_path_without_a_slash_is_refused() -> None:
    """The connection is closed then."""
    with pytest.raises(RemoteProtocolError):
        split_path(b"master/a.B")
