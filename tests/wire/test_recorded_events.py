"""Events as recorded: our JSON is theirs, and what we project from internal messages is what they send."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import InvalidRequest
from messor.protos import internal, v1_executor, v1_scheduler
from messor.wire import legacy_scheduler
from messor.wire.json_codec import from_json, to_json
from messor.wire.versions import devolve
from support.recordings import literals, text_lines

SCHEDULER_JSON = text_lines("scheduler_events_json.txt")
EXECUTOR_JSON = text_lines("executor_events_json.txt")
SCHEDULER_PROTOBUF = literals("scheduler_events_protobuf.txt")
CALLS = {"scheduler": v1_scheduler.Call, "executor": v1_executor.Call}


def name_of(line: str) -> str:
    """Name a test after its event."""
    return line.split('"')[3]


@pytest.mark.parametrize("line", SCHEDULER_JSON, ids=name_of)
def test_a_scheduler_event_is_written_in_json_as_recorded(line: str) -> None:
    """Read a recorded event and write it again."""
    event = from_json(line.encode(), v1_scheduler.Event)
    assert normal(to_json(event).decode()) == normal(line)


@pytest.mark.parametrize("line", EXECUTOR_JSON, ids=name_of)
def test_an_executor_event_is_written_in_json_as_recorded(line: str) -> None:
    """Read a recorded event and write it again."""
    event = from_json(line.encode(), v1_executor.Event)
    assert normal(to_json(event).decode()) == normal(line)


@pytest.mark.parametrize(
    "line", [line for line in SCHEDULER_JSON if name_of(line) in ("UPDATE", "OFFERS")], ids=name_of
)
def test_an_update_or_offer_sent_by_the_master_becomes_the_recorded_event(line: str) -> None:
    """Go back from the event to the internal message, and forth."""
    event = from_json(line.encode(), v1_scheduler.Event)
    message: Any
    if event.type == v1_scheduler.Event.OFFERS:
        message = internal.ResourceOffersMessage(offers=[devolve(offer) for offer in event.offers.offers])
        message.pids.extend(f"slave({index})@127.0.0.1:5051" for index in range(len(message.offers)))
    else:
        status = devolve(event.update.status)
        message = internal.StatusUpdateMessage(pid="slave(1)@127.0.0.1:5051")
        message.update.status.CopyFrom(status)
        message.update.framework_id.value = "f"
        message.update.timestamp = status.timestamp
        message.update.uuid = status.uuid
    body = message.SerializeToString()
    assert normal(legacy_scheduler.event_json(message, body).decode()) == normal(line)
    assert v1_scheduler.Event.FromString(legacy_scheduler.event_bytes(message, body)) == event


@pytest.mark.parametrize("data", SCHEDULER_PROTOBUF, ids=lambda data: data[:2].hex())
def test_a_recorded_protobuf_event_reads_and_writes_to_the_same_bytes(data: bytes) -> None:
    """Parse a recorded event and serialise it again."""
    assert v1_scheduler.Event.FromString(data).SerializeToString() == data


@pytest.mark.parametrize(("api", "body", "text"), literals("json_errors.txt"))
def test_a_wrong_body_is_refused_in_the_recorded_words(api: str, body: bytes, text: str) -> None:
    """The client sees which of its fields is wrong, and how."""
    with pytest.raises(InvalidRequest) as caught:
        from_json(body, CALLS[api])
    assert str(caught.value) == text


def normal(line: str) -> str:
    """Write doubles in the shortest form: Mesos sometimes writes one digit too many."""
    import json

    return json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False)
