"""Recorded conversations with random damage: the codecs refuse, in words, and never fail in any other way."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from messor.errors import InvalidRequest, ProtocolError
from messor.protos import internal, v1_executor, v1_master, v1_scheduler
from messor.wire import legacy_scheduler
from messor.wire.json_codec import from_json, to_json
from messor.wire.libprocess import message_sender, split_path
from messor.wire.media_types import accepts
from messor.wire.recordio import RecordDecoder, encode_record
from messor.wire.versions import devolve
from messor.wire.zookeeper_nodes import decode_master, decode_member, parse_node_name
from support.recordings import literals, section, text_lines

BODIES = [line.encode() for line in text_lines("scheduler_events_json.txt") + text_lines("executor_events_json.txt")]
BODIES += [body for _, body, _ in literals("json_errors.txt")]
MESSAGES = section("libprocess_messages.txt", "1.12")
KINDS: tuple[Any, ...] = (v1_scheduler.Event, v1_scheduler.Call, v1_executor.Event, v1_executor.Call, v1_master.Call)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**64,
    1e300,
    "",
    "x",
    "1",
    "true",
    "\ud800",
    [],
    [None],
    {},
    {"value": 5},
)
ROUNDS = 1500


def damaged_bytes(chance: random.Random, data: bytes) -> bytes:
    """Change, cut out, double or insert a few bytes."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(result) + 1)
        end = at + chance.choice((0, 1, 1, 2, 7))
        result[at:end] = chance.choice((b"", chance.randbytes(1), b'"', b"{", b"[", b"\\u", bytes(result[at:end]) * 2))
    return bytes(result)


def damaged_value(chance: random.Random, value: Any) -> Any:
    """Replace something inside parsed JSON."""
    if chance.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
        return chance.choice(VALUES)
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [damaged_value(chance, item) if index == at else item for index, item in enumerate(value)]
    key = chance.choice(list(value))
    return {name: damaged_value(chance, item) if name == key else item for name, item in value.items()}


def refuses_or_reads(work: Callable[[], object]) -> None:
    """Let the work succeed or refuse; anything else fails the test."""
    try:
        work()
    except (InvalidRequest, ProtocolError) as error:
        str(error).encode()  # goes into a reply


@pytest.mark.parametrize("seed", range(3))
def test_damaged_json_is_read_or_refused(seed: int) -> None:
    """Whatever it was meant to be; what is read can be written and translated."""
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        body = chance.choice(BODIES)
        if chance.random() < 0.5:
            body = damaged_bytes(chance, body)
        else:
            try:
                body = json.dumps(damaged_value(chance, json.loads(body))).encode()
            except ValueError:
                continue
        kind = chance.choice(KINDS)
        refuses_or_reads(lambda body=body, kind=kind: to_json(devolve(from_json(body, kind))))  # type: ignore[misc]


def test_too_many_levels_are_refused() -> None:
    """In lists, in objects, and in messages that hold themselves."""
    for body in (
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"acknowledge":' * 900 + b"1" + b"}" * 900,
        b'{"type":"ACCEPT","accept":{"operations":{"launch":{"task_infos":{"executor":{"container":{"docker":'
        + b'{"parent":' * 300
        + b"{}"
        + b"}" * 307,
    ):
        with pytest.raises(InvalidRequest):
            from_json(body, v1_scheduler.Call)
    nested = b'{"container_id":' + b'{"value":"c","parent":' * 300 + b'{"value":"c"}' + b"}" * 301
    status = b'{"type":"UPDATE","update":{"status":{"task_id":{"value":"t"},"state":"TASK_LOST","container_status":'
    event = status + nested + b"}}}"
    with pytest.raises(InvalidRequest, match="too deeply"):
        devolve(from_json(event, v1_scheduler.Event))


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_update_is_an_event_or_no_message_at_all(seed: int) -> None:
    """The protobuf parser decides; what it lets through can be projected."""
    chance = random.Random(seed)
    data = next(body for body in MESSAGES if b"StatusUpdateMessage" in body.partition(b" HTTP")[0])
    body = data.partition(b"\r\n\r\n")[2].partition(b"\r\n")[2][:-7]
    assert internal.StatusUpdateMessage.FromString(body).IsInitialized()
    for _ in range(ROUNDS):
        damaged = damaged_bytes(chance, body)
        try:
            message = internal.StatusUpdateMessage.FromString(damaged)
        except DecodeError:
            continue
        if message.IsInitialized():
            legacy_scheduler.event_json(message, damaged)


def test_damaged_heads_frames_and_nodes_are_refused_in_words() -> None:
    """Paths, headers, records, ZooKeeper nodes."""
    chance = random.Random(7)
    record = encode_record(b'{"type":"HEARTBEAT"}') * 3
    node = b'{"id":"m","ip":16777343,"port":5050,"pid":"master@127.0.0.1:5050","hostname":"h"}'
    for _ in range(ROUNDS):
        text = damaged_bytes(chance, b"libprocess/slave(1)@127.0.0.1:5051").decode("latin-1")
        message_sender({"user-agent": text, "libprocess-from": text})
        accepts(damaged_bytes(chance, b"application/json;q=0.5, */*").decode("latin-1"), "application/json")
        path = damaged_bytes(chance, b"/slave(1)/mesos.internal.PingSlaveMessage")
        refuses_or_reads(lambda path=path: split_path(path))  # type: ignore[misc]
        data = damaged_bytes(chance, record)
        refuses_or_reads(lambda data=data: RecordDecoder().feed(data))  # type: ignore[misc]
        data = damaged_bytes(chance, node)
        refuses_or_reads(lambda data=data: decode_master(data, "json.info"))  # type: ignore[misc]
        refuses_or_reads(lambda data=data: decode_master(data, "info"))  # type: ignore[misc]
        refuses_or_reads(lambda data=data: decode_member(data))  # type: ignore[misc]
        parse_node_name(damaged_bytes(chance, b"json.info_0000000012").decode("latin-1"))
