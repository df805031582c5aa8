"""Messages between agent and zygote."""

from __future__ import annotations

from messor.containers.native.zygote_wire import Decoder, encode


def test_messages_come_out_whole_however_the_bytes_arrive() -> None:
    """A socket cuts wherever it likes."""
    messages = [{"do": "launch", "environment": {"A": "ü" * 300}}, {"do": "stop"}, {}]
    data = b"".join(map(encode, messages))
    assert Decoder().feed(data) == messages
    decoder = Decoder()
    assert [message for index in range(len(data)) for message in decoder.feed(data[index : index + 1])] == messages
