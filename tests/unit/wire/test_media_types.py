"""Content-Type and Accept as recorded."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest, NotAcceptable, UnsupportedMedia
from messor.wire.media_types import (
    JSON,
    PROTOBUF,
    request_type,
    response_type,
    streaming_request_type,
    streaming_response_type,
)


def test_content_type_is_compared_as_a_whole() -> None:
    """A charset makes it another type."""
    assert request_type({"content-type": JSON}) == JSON
    assert request_type({"content-type": PROTOBUF}) == PROTOBUF
    with pytest.raises(UnsupportedMedia, match="application/json or application/x-protobuf"):
        request_type({"content-type": "application/json; charset=utf-8"})
    with pytest.raises(InvalidRequest, match="Expecting 'Content-Type' to be present"):
        request_type({})


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (PROTOBUF, PROTOBUF),
        ("application/json;q=0.1, application/x-protobuf;q=0.9", JSON),
        ("application/json;q=0, application/x-protobuf", PROTOBUF),
        ("text/html, application/json", JSON),
    ],
)
def test_json_is_answered_wherever_it_is_allowed(accept: str | None, found: str) -> None:
    """Quality only says yes or no."""
    assert response_type({} if accept is None else {"accept": accept}) == found


@pytest.mark.parametrize("accept", ["text/html", "application/recordio", "application/json;q=0.0"])
def test_an_accept_without_json_and_protobuf_is_refused(accept: str) -> None:
    """With 406."""
    with pytest.raises(
        NotAcceptable, match="Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"
    ):
        response_type({"accept": accept})


def test_a_recordio_answer_holds_what_message_accept_allows() -> None:
    """JSON when it does not say."""
    recordio = {"accept": "application/recordio"}
    assert streaming_response_type(recordio) == (JSON, True)
    assert streaming_response_type({**recordio, "message-accept": PROTOBUF}) == (PROTOBUF, True)
    assert streaming_response_type({"accept": JSON}) == (JSON, False)
    with pytest.raises(NotAcceptable, match="Expecting 'Message-Accept' to allow"):
        streaming_response_type({**recordio, "message-accept": "text/html"})


def test_a_recordio_request_needs_a_message_content_type() -> None:
    """And a plain one must not have it."""
    recordio = {"content-type": "application/recordio"}
    assert streaming_request_type({**recordio, "message-content-type": JSON}) == (JSON, True)
    assert streaming_request_type({"content-type": PROTOBUF}) == (PROTOBUF, False)
    with pytest.raises(InvalidRequest, match="to be set for streaming requests"):
        streaming_request_type(recordio)
    with pytest.raises(UnsupportedMedia, match="Expecting 'Message-Content-Type' of"):
        streaming_request_type({**recordio, "message-content-type": "text/plain"})
    with pytest.raises(UnsupportedMedia, match="to be not set for non-streaming requests"):
        streaming_request_type({"content-type": JSON, "message-content-type": JSON})
