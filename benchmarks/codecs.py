"""Time what the wire codecs do most often; microseconds per call, best of five. Run it as it stands."""

from __future__ import annotations

import timeit
from collections.abc import Callable

from messor.protos import internal, v1_scheduler
from messor.wire import legacy_scheduler
from messor.wire.json_codec import from_json, to_json
from messor.wire.libprocess import encode_message, split_path
from messor.wire.recordio import RecordDecoder, encode_record
from messor.wire.upid import parse_upid
from messor.wire.versions import devolve, evolve

UPDATE = (
    b'{"type":"UPDATE","update":{"status":{"task_id":{"value":"t-ok"},"state":"TASK_FINISHED",'
    b'"message":"Command exited with status 0","source":"SOURCE_EXECUTOR",'
    b'"agent_id":{"value":"053d08f0-3675-4011-b640-54f0e5a8cc8e-S0"},"executor_id":{"value":"t-ok"},'
    b'"timestamp":1795185554.982071,"uuid":"evPrUiJNTpyajaSkPib3XA==","container_status":{"container_id":'
    b'{"value":"985ae041-2801-4c9e-be09-09344aeb55af"},"network_infos":[{"ip_addresses":[{"protocol":"IPv4",'
    b'"ip_address":"127.0.0.1"}]}],"executor_pid":11485}}}}'
)
ACKNOWLEDGE = (
    b'{"framework_id":{"value":"053d08f0-3675-4011-b640-54f0e5a8cc8e-0000"},"type":"ACKNOWLEDGE","acknowledge":'
    b'{"agent_id":{"value":"053d08f0-3675-4011-b640-54f0e5a8cc8e-S0"},"task_id":{"value":"t-ok"},'
    b'"uuid":"xl+d4P2/T6yQZ6gSQlt8LQ=="}}'
)
ACCEPT = (
    b'{"framework_id":{"value":"053d08f0-3675-4011-b640-54f0e5a8cc8e-0000"},"type":"ACCEPT","accept":{"offer_ids":'
    b'[{"value":"053d08f0-3675-4011-b640-54f0e5a8cc8e-O0"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":'
    b'[{"name":"t-ok","task_id":{"value":"t-ok"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},'
    b'{"name":"mem","type":"SCALAR","scalar":{"value":32}}],"command":{"value":"sleep 1"},'
    b'"agent_id":{"value":"053d08f0-3675-4011-b640-54f0e5a8cc8e-S0"}}]}}],"filters":{"refuse_seconds":0.0}}}'
)


def show(name: str, call: Callable[[], object], number: int = 20_000) -> None:
    """Print the time of one call."""
    best = min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6
    print(f"{name:<44} {best:8.2f} µs")


def main() -> None:
    """Run all of them."""
    event = from_json(UPDATE, v1_scheduler.Event)
    status = devolve(event.update.status)
    update = internal.StatusUpdateMessage(pid="slave(1)@127.0.0.1:5051")
    update.update.framework_id.value = "053d08f0-3675-4011-b640-54f0e5a8cc8e-0000"
    update.update.status.CopyFrom(status)
    update.update.slave_id.CopyFrom(status.slave_id)
    update.update.executor_id.CopyFrom(status.executor_id)
    update.update.timestamp = status.timestamp
    update.update.uuid = status.uuid
    body = update.SerializeToString()
    master, agent = parse_upid("master@127.0.0.1:5050"), parse_upid("slave(1)@127.0.0.1:5051")
    call = from_json(ACKNOWLEDGE, v1_scheduler.Call)
    name = "mesos.internal.StatusUpdateMessage"
    path = b"/slave(1)/mesos.internal.StatusUpdateMessage"
    record = encode_record(UPDATE)
    decoder = RecordDecoder()
    show("encode a libprocess message", lambda: encode_message(master, agent, name, body))
    show("split a message path", lambda: split_path(path))
    show("parse a StatusUpdateMessage", lambda: internal.StatusUpdateMessage.FromString(body))
    show("StatusUpdateMessage to Event, protobuf", lambda: legacy_scheduler.event_bytes(update, body))
    show("StatusUpdateMessage to Event, JSON", lambda: legacy_scheduler.event_json(update, body))
    show("Event UPDATE to JSON", lambda: to_json(event))
    show("ACKNOWLEDGE from JSON", lambda: from_json(ACKNOWLEDGE, v1_scheduler.Call))
    show("ACKNOWLEDGE v1 to v0", lambda: devolve(call))
    show("ACCEPT with one task from JSON", lambda: from_json(ACCEPT, v1_scheduler.Call))
    show("TaskStatus v0 to v1", lambda: evolve(status))
    show("frame a record", lambda: encode_record(UPDATE))
    show("unframe a record", lambda: decoder.feed(record))


if __name__ == "__main__":
    main()
