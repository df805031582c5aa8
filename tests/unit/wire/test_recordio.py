"""RecordIO framing."""

from __future__ import annotations

import pytest

from messor.errors import RemoteProtocolError
from messor.wire.recordio import RecordDecoder, encode_record

RECORDS = [b'{"type":"HEARTBEAT"}', b"", b"12\n34", bytes(300)]


def test_records_survive_any_cutting_of_the_stream() -> None:
    """Also in the middle of a length."""
    data = b"".join(encode_record(record) for record in RECORDS)
    for size in (1, 2, 3, 7, 1000):
        decoder = RecordDecoder()
        found = [record for start in range(0, len(data), size) for record in decoder.feed(data[start : start + size])]
        assert found == RECORDS
        assert decoder.is_idle


def test_a_stream_cut_inside_a_record_is_not_idle() -> None:
    """So the reader can tell a complete end from a broken one."""
    decoder = RecordDecoder()
    assert decoder.feed(b"5\nhel") == []
    assert not decoder.is_idle


@pytest.mark.parametrize("data", [b"xx\n{}", b"-1\n", b"\n", b"5 \nhello", b"9" * 40])
def test_a_length_that_is_no_number_ends_the_stream_for_good(data: bytes) -> None:
    """Nobody can tell where the next record begins."""
    decoder = RecordDecoder()
    with pytest.raises(RemoteProtocolError, match="Failed to decode length"):
        decoder.feed(data)
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"5\nhello")


def test_a_record_beyond_the_limit_is_refused() -> None:
    """Before any of it is stored."""
    with pytest.raises(RemoteProtocolError, match="more than 10"):
        RecordDecoder(limit=10).feed(b"11\n")
