"""JSON bodies of the endpoints from before the operator API."""

from __future__ import annotations

from typing import Any

from messor.errors import InvalidRequest
from messor.wire.json_codec import parse_json


def parse_body(body: bytes, kind: type, sentence: str) -> Any:
    """Read JSON of one kind; raises InvalidRequest with the sentence, ``{body}`` and ``{why}`` filled in."""
    try:
        found = parse_json(body)
        if not isinstance(found, kind):
            raise InvalidRequest("Unexpected JSON type parsed")
    except InvalidRequest as error:
        why = str(error).removeprefix("Failed to parse body into JSON: ")
        text = body.decode("utf-8", "replace")
        raise InvalidRequest(sentence.replace("{why}", why).replace("{body}", text)) from None
    return found
