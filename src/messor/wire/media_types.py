"""Which media type a request is in and which the answer may be in, as the HTTP APIs of Mesos decide it.

Content-Type is compared as a whole string: ``application/json; charset=utf-8`` is refused (recorded). Accept knows
wildcards and quality values, but a quality only says yes or no: when both kinds are welcome the answer is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping

from messor.errors import InvalidRequest, NotAcceptable, UnsupportedMedia

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
RECORDIO = "application/recordio"

MESSAGE_TYPES = (JSON, PROTOBUF)


def accepts(accept: str | None, media_type: str) -> bool:
    """Tell whether an Accept header (None when absent) allows media_type."""
    if not accept:
        return True
    kind = media_type.partition("/")[0] + "/*"
    for part in accept.split(","):
        name, *parameters = part.replace(" ", "").split(";")
        if name in (media_type, "*/*", kind) and not any(map(_is_refusal, parameters)):
            return True
    return False


def _is_refusal(parameter: str) -> bool:
    """Tell ``q=0`` and ``q=0.000``."""
    key, _, value = parameter.partition("=")
    if key != "q":
        return False
    try:
        return float(value) <= 0
    except ValueError:
        return False


def request_type(headers: Mapping[str, str]) -> str:
    """Give the media type of a complete request body: JSON or PROTOBUF.

    Raises InvalidRequest (400) without a Content-Type and UnsupportedMedia (415) for any other one.
    """
    content_type = headers.get("content-type", "")
    if content_type in MESSAGE_TYPES:
        return content_type
    if not content_type:
        raise InvalidRequest("Expecting 'Content-Type' to be present")
    raise UnsupportedMedia("Expecting 'Content-Type' of application/json or application/x-protobuf")


def streaming_request_type(headers: Mapping[str, str]) -> tuple[str, bool]:
    """Give the media type of a request's message or messages, and whether they arrive as a RecordIO stream.

    For the operator API of the agent. Raises InvalidRequest (400) without a Content-Type and UnsupportedMedia (415)
    when Content-Type or Message-Content-Type is not one of those the API reads.
    """
    content_type = headers.get("content-type")
    message_type = headers.get("message-content-type")
    if content_type == RECORDIO:
        if message_type is None:
            raise InvalidRequest("Expecting 'Message-Content-Type' to be set for streaming requests")
        if message_type not in MESSAGE_TYPES:
            raise UnsupportedMedia("Expecting 'Message-Content-Type' of application/json or application/x-protobuf")
        return message_type, True
    found = request_type(headers)
    if message_type is not None:
        raise UnsupportedMedia("Expecting 'Message-Content-Type' to be not set for non-streaming requests")
    return found, False


def response_type(headers: Mapping[str, str]) -> str:
    """Give the media type of an answer or event stream: JSON when allowed, else PROTOBUF.

    Raises NotAcceptable (406) when the asker takes neither.
    """
    accept = headers.get("accept")
    if not accept or accepts(accept, JSON):
        return JSON
    if accepts(accept, PROTOBUF):
        return PROTOBUF
    raise NotAcceptable("Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")


def streaming_response_type(headers: Mapping[str, str]) -> tuple[str, bool]:
    """Give the media type of an answer's messages, and whether it is labelled RecordIO.

    A client asks for a labelled stream with ``Accept: application/recordio`` and chooses what is inside by
    Message-Accept, JSON when it does not say. Raises NotAcceptable (406).
    """
    accept = headers.get("accept")
    if accept and accepts(accept, RECORDIO) and not (accepts(accept, JSON) or accepts(accept, PROTOBUF)):
        wanted = headers.get("message-accept")
        for media_type in MESSAGE_TYPES:
            if accepts(wanted, media_type):
                return media_type, True
        raise NotAcceptable("Expecting 'Message-Accept' to allow application/json or application/x-protobuf")
    return response_type(headers), False
