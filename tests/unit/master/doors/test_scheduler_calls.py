"""/api/v1/scheduler: status codes and texts in the order the original checks, as recorded from it."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import NotLeading, NotNow
from messor.protos import v0_scheduler, v1_scheduler
from messor.runtime.http import Request
from messor.wire.recordio import RecordDecoder
from support.master_desk import SCHEDULER, Desk, Stream

EXPECT_TYPE = "Expecting 'Content-Type' of application/json or application/x-protobuf"
PARSE = "Failed to parse body into JSON: "
VALIDATE = "Failed to validate scheduler::Call: "
CONVERT = "Failed to convert JSON into Call protobuf: "
PARTS = [
    "accept", "decline", "kill", "shutdown", "acknowledge", "reconcile", "message", "request", "update_framework",
    "accept_inverse_offers", "decline_inverse_offers", "reconcile_operations", "acknowledge_operation_status",
]  # fmt: skip

BODIES: list[tuple[str, bytes, str, int, str]] = [
    ("malformed", b'{"type":', "application/json", 400, PARSE + "syntax error at line 1 near: "),
    ("array", b"[]", "application/json", 400, CONVERT + "Expecting a JSON object"),
    ("no type", b"{}", "application/json", 400, VALIDATE + "Expecting 'type' to be present"),
    ("unknown type", b'{"type":"NO_SUCH"}', "application/json", 400, VALIDATE + "Expecting 'type' to be present"),
    ("type as number", b'{"type":11}', "application/json", 400,
     CONVERT + "Not expecting a JSON number for field 'type'"),
    ("no framework id", b'{"type":"REVIVE"}', "application/json", 400,
     VALIDATE + "Expecting 'framework_id' to be present"),
    ("empty framework id", b'{"type":"REVIVE","framework_id":{}}', "application/json", 400,
     CONVERT + "Missing required fields: framework_id.value"),
    ("unknown framework", b'{"type":"REVIVE","framework_id":{"value":"x"}}', "application/json", 400,
     "Framework cannot be found"),
    ("charset", b'{"type":"REVIVE"}', "application/json; charset=utf-8", 415, EXPECT_TYPE),
    ("upper case", b'{"type":"REVIVE"}', "Application/JSON", 415, EXPECT_TYPE),
    ("text", b'{"type":"REVIVE"}', "text/plain", 415, EXPECT_TYPE),
    ("JSON as protobuf", b'{"type":"REVIVE"}', "application/x-protobuf", 400,
     "Failed to parse body into Call protobuf"),
    ("garbage", b"\xff\xff\xff\xff", "application/x-protobuf", 400, "Failed to parse body into Call protobuf"),
    ("empty protobuf", b"", "application/x-protobuf", 400, VALIDATE + "Expecting 'type' to be present"),
    ("unknown number", b"\n\x03\n\x01x\x10c", "application/x-protobuf", 400,
     VALIDATE + "Expecting 'type' to be present"),
    ("kill of nothing", b'{"type":"KILL","framework_id":{"value":"x"},"kill":{}}', "application/json", 400,
     CONVERT + "Missing required fields: kill.task_id"),
]  # fmt: skip


def refusal(desk: Desk, *arguments: Any, **named: Any) -> tuple[int, str]:
    """Post something that is refused; gives status and text."""
    response = desk.post(*arguments, **named)
    assert isinstance(response.body, bytes)
    return response.status, response.body.decode()


@pytest.mark.parametrize(
    ("body", "media", "status", "text"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_bad_body_is_refused(body: bytes, media: str, status: int, text: str) -> None:
    """Media type, syntax, fields, then validity."""
    assert refusal(Desk(), body, content_type=media) == (status, text)


def test_a_content_type_is_needed() -> None:
    """Without a Content-Type nothing is read."""
    desk = Desk()
    request = Request("POST", "/api/v1/scheduler", {}, b"{}")
    with pytest.raises(Exception, match="Expecting 'Content-Type' to be present"):
        desk.calls.serve(request)


@pytest.mark.parametrize("part", PARTS)
def test_a_call_needs_its_part(part: str) -> None:
    """Each call that means nothing without its part says which part is missing."""
    body = {"type": part.upper(), "framework_id": {"value": "x"}}
    assert refusal(Desk(), body) == (400, f"{VALIDATE}Expecting '{part}' to be present")


@pytest.mark.parametrize(
    ("uuid", "text"),
    [("AAAA", "Not a valid UUID"), ("", "Not a valid UUID"), ("AAECAwQFBgcICQoLDA0ODw==", "Not a valid UUID")],
)
def test_a_uuid_has_sixteen_bytes_and_a_version(uuid: str, text: str) -> None:
    """Acknowledgements with another UUID are refused at the door."""
    acknowledge = {"agent_id": {"value": "a"}, "task_id": {"value": "t"}, "uuid": uuid}
    body = {"type": "ACKNOWLEDGE", "framework_id": {"value": "x"}, "acknowledge": acknowledge}
    assert refusal(Desk(), body) == (400, VALIDATE + text)


def test_who_leads_is_asked_first() -> None:
    """A master that does not serve says so before it looks at anything else, then the method counts."""
    desk = Desk()
    desk.gate.error = NotNow("Master has not finished recovery")
    assert refusal(desk, b"garbage") == (503, "Master has not finished recovery")
    desk.gate.error = NotLeading("//other:5050/master/api/v1/scheduler")
    response = desk.post(b"garbage")
    assert (response.status, response.headers["Location"]) == (307, "//other:5050/master/api/v1/scheduler")
    desk.gate.error = None
    with pytest.raises(Exception, match=r"Expecting one of \{ 'POST' \}, but received 'GET'"):
        desk.calls.serve(Request("GET", "/api/v1/scheduler", {}))


def test_a_stream_begins_with_subscribed_and_a_heartbeat() -> None:
    """Two records, each one chunk, and the stream id every later call needs (M1)."""
    desk = Desk()
    framework, stream = desk.subscribe()
    assert stream.response.headers == {"Mesos-Stream-Id": stream.id, "Content-Type": "application/json"}
    subscribed, heartbeat = stream.events()
    assert subscribed["subscribed"]["framework_id"] == {"value": framework.id}
    assert subscribed["subscribed"]["heartbeat_interval_seconds"] == 15.0
    assert subscribed["subscribed"]["master_info"]["id"] == "M"
    assert heartbeat == {"type": "HEARTBEAT"}
    assert desk.call(framework, stream, "REVIVE").status == 202


@pytest.mark.parametrize(
    ("accept", "media"),
    [("*/*", "json"), ("application/*", "json"), ("application/x-protobuf", "x-protobuf"),
     ("application/json;q=0.1, application/x-protobuf;q=0.9", "json")],
)  # fmt: skip
def test_the_stream_is_in_what_accept_allows(accept: str, media: str) -> None:
    """JSON when allowed, else protobuf."""
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "x"}}}
    assert Desk().post(call, accept=accept).headers["Content-Type"] == f"application/{media}"


@pytest.mark.parametrize("accept", ["text/html", "application/recordio"])
def test_a_stream_nobody_can_read_is_refused(accept: str) -> None:
    """SUBSCRIBE and RECONCILE_OPERATIONS look at Accept, other calls do not."""
    desk = Desk()
    text = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"
    call: dict[str, Any] = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "x"}}}
    assert refusal(desk, call, accept=accept) == (406, text)
    framework, stream = desk.subscribe()
    call = {"type": "RECONCILE_OPERATIONS", "framework_id": {"value": framework.id}, "reconcile_operations": {}}
    assert refusal(desk, call, stream.id, accept=accept) == (406, text)
    call = {"type": "REVIVE", "framework_id": {"value": framework.id}}
    assert desk.post(call, stream.id, accept=accept).status == 202


def test_the_stream_id_must_be_the_framework_s() -> None:
    """Missing, stale and foreign ids are refused, and SUBSCRIBE must have none (trap 27)."""
    desk = Desk()
    framework, stream = desk.subscribe()
    _, other = desk.subscribe()
    revive = {"type": "REVIVE", "framework_id": {"value": framework.id}}
    assert refusal(desk, revive) == (400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")
    assert refusal(desk, revive, other.id) == (
        400,
        (
            f"The stream ID '{other.id}' included in this request didn't match the stream ID currently associated with"
            f" framework ID {framework.id}"
        ),
    )
    subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "x"}}}
    assert refusal(desk, subscribe, stream.id) == (
        400, "Subscribe calls should not include the 'Mesos-Stream-Id' header",
    )  # fmt: skip


def test_only_a_connected_http_framework_may_call() -> None:
    """403 for frameworks that are disconnected or connected by pid."""
    desk = Desk()
    framework, stream = desk.subscribe(failover_timeout=60.0)
    stream.pipe.reader_gone()
    revive = {"type": "REVIVE", "framework_id": {"value": framework.id}}
    assert refusal(desk, revive, stream.id) == (403, "Framework is not subscribed")
    by_pid = desk.subscribe_pid()
    revive = {"type": "REVIVE", "framework_id": {"value": by_pid.id}}
    assert refusal(desk, revive, stream.id) == (403, "Framework is not connected via HTTP")


def test_another_principal_s_framework_is_not_touched() -> None:
    """400 with both names, as recorded; on SUBSCRIBE the principal is filled in where it is missing."""
    desk = Desk()
    framework, stream = desk.subscribe(principal="alice")
    request = Request(
        "POST", "/", {"content-type": "application/json", "mesos-stream-id": stream.id},
        b'{"type":"REVIVE","framework_id":{"value":"M-0000"}}',
    )  # fmt: skip
    request.principal = "bob"
    with pytest.raises(
        Exception, match="Authenticated principal 'bob' does not match principal 'alice' set in `FrameworkInfo`"
    ):
        desk.calls.serve(request)
    request = Request(
        "POST", "/", {"content-type": "application/json"},
        b'{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"x"}}}',
    )  # fmt: skip
    request.principal = "bob"
    desk.calls.serve(request)
    assert desk.state.frameworks["M-0001"].info.principal == "bob"
    assert framework.info.principal == "alice"


def test_protobuf_calls_are_read_as_they_are() -> None:
    """A v1 SUBSCRIBE in protobuf keeps its suppressed roles, whose number differs in v0 (protocols c.7)."""
    desk = Desk()
    call = v1_scheduler.Call(type=v1_scheduler.Call.SUBSCRIBE)
    call.subscribe.framework_info.user = "root"
    call.subscribe.framework_info.name = "x"
    call.subscribe.suppressed_roles.append("*")
    media = "application/x-protobuf"
    stream = Stream(desk.post(call.SerializeToString(), content_type=media, accept=media))
    (framework,) = desk.state.frameworks.values()
    assert framework.suppressed_roles == {"*"}
    event = v1_scheduler.Event.FromString(stream.records[0])
    assert event.subscribed.framework_id.value == framework.id
    assert stream.records[1] == b"\x08\x08"
    kill = v1_scheduler.Call(type=v1_scheduler.Call.KILL)
    kill.framework_id.value = framework.id
    kill.kill.task_id.value = "x"
    kill.kill.agent_id.value = "a"
    assert desk.post(kill.SerializeToString(), stream.id, content_type=media).status == 202
    assert v1_scheduler.Event.FromString(stream.records[2]).update.status.task_id.value == "x"
    lacking = v1_scheduler.Call(type=v1_scheduler.Call.KILL)
    lacking.kill.SetInParent()
    response = desk.post(lacking.SerializePartialToString(), stream.id, content_type=media)
    assert response.body == b"Failed to parse body into Call protobuf"


def test_a_string_that_is_no_text_is_refused() -> None:
    """Bytes that are not UTF-8 cannot be ids; over HTTP the body counts as unreadable, messages are dropped."""
    desk = Desk()
    framework = desk.subscribe_pid()
    call = v0_scheduler.Call(type=v0_scheduler.Call.KILL)
    call.framework_id.value = framework.id
    call.kill.task_id.value = "XX"
    body = call.SerializeToString().replace(b"XX", b"\xff\xfe")
    response = desk.post(body, content_type="application/x-protobuf")
    assert (response.status, response.body) == (400, b"Failed to parse body into Call protobuf")
    sent = len(desk.host.network.messages)
    desk.messages.received(SCHEDULER, v0_scheduler.Call.FromString(body), body)
    assert len(desk.host.network.messages) == sent


def test_unknown_calls_are_not_implemented() -> None:
    """A call of type UNKNOWN, which ends the original, is answered 501."""
    desk = Desk()
    framework, stream = desk.subscribe()
    assert desk.call(framework, stream, "UNKNOWN").status == 501


def test_heartbeats_come_every_fifteen_seconds_to_every_stream() -> None:
    """One timer serves all streams; a closed one gets nothing and is forgotten (M3)."""
    desk = Desk()
    _, first = desk.subscribe()
    desk.host.clock.advance(5)
    _, second = desk.subscribe()
    for stream in (first, second):
        stream.forget()
    desk.host.clock.advance(10)
    assert (len(first.records), len(second.records)) == (1, 0)
    desk.host.clock.advance(35)
    assert (len(first.records), len(second.records)) == (3, 3)
    first.pipe.reader_gone()
    desk.host.clock.advance(15)
    assert (len(first.records), len(second.records)) == (3, 4)
    desk.heartbeats.stop()
    desk.host.clock.advance(60)
    assert len(second.records) == 4


def test_heartbeats_can_come_more_often() -> None:
    """--heartbeat_interval changes the beat and what SUBSCRIBED says about it."""
    desk = Desk(heartbeat_interval=1.0)
    _, stream = desk.subscribe()
    assert stream.events("SUBSCRIBED")[0]["subscribed"]["heartbeat_interval_seconds"] == 1.0
    desk.host.clock.advance(3.5)
    assert len(stream.events("HEARTBEAT")) == 4


def test_inverse_offers_and_operations_nobody_made_are_ignored() -> None:
    """202 and silence, as for anything that is no longer valid (M2)."""
    desk = Desk()
    framework, stream = desk.subscribe()
    stream.forget()
    unknown = {"inverse_offer_ids": [{"value": "x"}]}
    uuid = "Dw4NDAsKSQiHBgUEAwIBAA=="
    acknowledge = {"agent_id": {"value": "a"}, "uuid": uuid, "operation_id": {"value": "o"}}
    for kind, part in (
        ("ACCEPT_INVERSE_OFFERS", unknown),
        ("DECLINE_INVERSE_OFFERS", unknown),
        ("ACKNOWLEDGE_OPERATION_STATUS", acknowledge),
        ("REQUEST", {"requests": []}),
    ):
        assert desk.call(framework, stream, kind, **{kind.lower(): part}).status == 202
    assert stream.events() == []
    assert desk.allocator.named("request_resources") == [(framework.id, [])]


def test_every_event_is_one_chunk() -> None:
    """Records are framed by their length alone and never split or joined."""
    desk = Desk()
    _, stream = desk.subscribe()
    decoder = RecordDecoder()
    assert stream.records
    assert decoder.is_idle


def test_calls_of_strangers_are_dropped() -> None:
    """A Call that is not from the framework's pid does nothing (protocols b.1)."""
    desk = Desk()
    framework = desk.subscribe_pid()
    call = v0_scheduler.Call(type=v0_scheduler.Call.TEARDOWN)
    call.framework_id.value = framework.id
    desk.messages.call(SCHEDULER._replace(port=1), call)
    assert framework.id in desk.state.frameworks
    desk.messages.call(SCHEDULER, call)
    assert framework.id not in desk.state.frameworks
