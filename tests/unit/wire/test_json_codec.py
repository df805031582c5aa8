"""JSON as Mesos writes and reads it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from messor.errors import InvalidRequest
from messor.protos import v0, v1, v1_master, v1_quota, v1_scheduler
from messor.wire.json_codec import Fragment, dumps, from_dict, from_json, message_from, number, to_dict, to_json


def test_fields_are_written_in_order_of_declaration_not_of_number() -> None:
    """TaskStatus.data (3) is declared after reason (10)."""
    status = v1.TaskStatus(task_id=v1.TaskID(value="t"), state=v1.TASK_LOST, data=b"x", message="m")
    status.source = v1.TaskStatus.SOURCE_AGENT
    assert list(to_dict(status)) == ["task_id", "state", "message", "source", "data"]


def test_bytes_are_base64_and_64_bit_integers_are_numbers() -> None:
    """Unlike in protobuf's own JSON, where the latter are strings."""
    status = v1.TaskStatus(task_id=v1.TaskID(value="t"), state=v1.TASK_RUNNING, uuid=bytes(16))
    assert b'"uuid":"AAAAAAAAAAAAAAAAAAAAAA=="' in to_json(status)
    assert to_json(v1.DurationInfo(nanoseconds=2**62)) == b'{"nanoseconds":4611686018427387904}'
    assert to_json(v1.Value.Range(begin=1, end=2**64 - 1)) == b'{"begin":1,"end":18446744073709551615}'


def test_an_unset_field_with_a_default_is_written_unless_it_is_deprecated() -> None:
    """FrameworkInfo shows failover_timeout and checkpoint, but not role."""
    info = v1.FrameworkInfo(user="u", name="n")
    assert to_json(info) == b'{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false}'
    info.role = "r"
    assert to_json(info).endswith(b'"checkpoint":false,"role":"r"}')


def test_empty_repeated_fields_are_left_out_and_unknown_enum_numbers_too() -> None:
    """A newer peer's enum value leaves no trace."""
    assert to_json(v1.Offer.Operation.Launch()) == b"{}"
    unknown = v1.MasterInfo.Capability.FromString(b"\x08\x63")
    assert to_json(unknown) == b"{}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (15.0, "15.0"),
        (0.0, "0.0"),
        (-0.5, "-0.5"),
        (0.1, "0.1"),
        (1795181989.16519, "1795181989.16519"),
        (1e15, "1000000000000000.0"),
        (1e16, "10000000000000000.0"),
        (1.2345678901234568e17, "123456789012345680.0"),
        (1e22, "1e22"),
        (1.5e300, "1.5e300"),
        (1e-5, "0.00001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'),
        (math.nan, '"NaN"'),
    ],
)
def test_a_double_always_has_a_fraction_or_an_exponent(value: float, text: str) -> None:
    """And reads back as the same number."""
    assert dumps(number(value)).decode() == text
    assert to_json(v1.Value.Scalar(value=value)).decode() == f'{{"value":{text}}}'


def test_maps_are_objects() -> None:
    """In both directions, with plain and with message values."""
    text = b'{"role":"r","guarantees":{"cpus":{"value":1.0}},"limits":{}}'
    config = from_json(text, v1_quota.QuotaConfig)
    assert config.guarantees["cpus"].value == 1.0
    assert to_dict(config) == {"role": "r", "guarantees": {"cpus": {"value": 1.0}}}
    endless = from_json(b'{"role":"r","limits":{"mem":{"value":"Infinity"}}}', v1_quota.QuotaConfig)
    assert math.isinf(endless.limits["mem"].value)


def test_prepared_fragments_go_in_as_they_are() -> None:
    """What is already JSON is not written twice."""
    assert dumps({"tasks": [Fragment(b'{"id":"a"}')]}) == b'{"tasks":[{"id":"a"}]}'


def test_nulls_and_unknown_keys_are_ignored() -> None:
    """Some clients send every field they know, null where it is unset."""
    task = from_json(b'{"value":"t","colour":"blue","extra":null}', v1.TaskID)
    assert task.value == "t"
    offer = from_json(b'{"decline":{"offer_ids":[null,{"value":"o"}],"filters":null}}', v1_scheduler.Call)
    assert [each.value for each in offer.decline.offer_ids] == ["o"]
    assert not offer.decline.HasField("filters")


def test_a_bare_value_is_taken_as_a_list_of_one() -> None:
    """For messages and for plain values."""
    container = from_json(b'{"type":"MESOS","network_infos":{"name":"n"}}', v1.ContainerInfo)
    assert [network.name for network in container.network_infos] == ["n"]
    info = from_json(b'{"user":"u","name":"n","roles":"X"}', v1.FrameworkInfo)
    assert list(info.roles) == ["X"]


def test_numbers_and_booleans_may_be_strings_and_integers_may_be_doubles() -> None:
    """As several Python clients send them."""
    command = from_json(b'{"shell":"true","value":"x"}', v1.CommandInfo)
    assert command.shell is True
    assert from_json(b'{"value":"1.5"}', v1.Value.Scalar).value == 1.5
    assert from_json(b'{"value":32}', v1.Value.Scalar).value == 32.0
    assert from_json(b'{"begin":31000.0,"end":"31010"}', v1.Value.Range).end == 31010


def test_an_unknown_enum_name_leaves_the_field_unset() -> None:
    """Which is an error only where the field is required."""
    assert not from_json(b'{"type":"NEW"}', v1.FrameworkInfo.Capability).HasField("type")
    with pytest.raises(InvalidRequest, match="Missing required fields: type"):
        from_json(b'{"name":"cpus","type":"NEW"}', v1.Resource)


def test_an_empty_object_sets_the_field() -> None:
    """``"reconcile": {}`` is a reconcile of everything, not a call without a body."""
    assert from_json(b'{"type":"RECONCILE","reconcile":{}}', v1_scheduler.Call).HasField("reconcile")
    assert from_json(b'{"reconcile":{"unheard":1}}', v1_scheduler.Call).HasField("reconcile")


def test_base64_is_read_with_and_without_padding() -> None:
    """Padding ends the text; what follows is not looked at."""
    for text in ("aGk=", "aGk"):
        message = from_dict({"agent_id": {"value": "a"}, "executor_id": {"value": "e"}, "data": text}, _message())
        assert message.data == b"hi"


def _message() -> Any:
    """Give the type with the bytes field that clients fill."""
    return v1_scheduler.Call.Message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"type": True}, "Not expecting a JSON boolean for field 'type'"),
        ({"kill": []}, "Not expecting a JSON array for field 'kill'"),
        ({"framework_id": {"value": {}}}, "Not expecting a JSON object for field 'value'"),
        ({"decline": {"offer_ids": ["x"]}}, "Not expecting a JSON string for field 'offer_ids'"),
        (
            {"subscribe": {"framework_info": {"checkpoint": "maybe"}}},
            "Failed to parse 'maybe' as a JSON boolean for field 'checkpoint': syntax error at line 1 near: maybe",
        ),
        (
            {"subscribe": {"framework_info": {"failover_timeout": "true"}}},
            "Failed to parse 'true' as a JSON number for field 'failover_timeout': Unexpected JSON type parsed",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(value: Any, text: str) -> None:
    """In the words of Mesos."""
    with pytest.raises(InvalidRequest) as caught:
        message_from(value, v1_scheduler.Call)
    assert str(caught.value) == text


def test_integers_beyond_their_field_are_refused() -> None:
    """Instead of wrapping around as in C++."""
    with pytest.raises(InvalidRequest, match="out of range"):
        from_json(b'{"id":"m","ip":4294967296,"port":5050}', v1.MasterInfo)
    with pytest.raises(InvalidRequest, match="out of range"):
        from_json(b'{"nanoseconds":1e300}', v1.DurationInfo)


def test_what_is_written_reads_back_as_the_same_message() -> None:
    """For a message with most kinds of fields."""
    call = v1_master.Call(type=v1_master.Call.DRAIN_AGENT)
    call.drain_agent.agent_id.value = "S0"
    call.drain_agent.max_grace_period.seconds = 2
    assert to_json(call) == (
        b'{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"S0"},"max_grace_period":{"seconds":2},"mark_gone":false}}'
    )
    back = from_json(to_json(call), v1_master.Call)
    assert back.drain_agent.max_grace_period.seconds == 2


def test_v0_messages_are_written_under_their_own_names() -> None:
    """The old endpoints speak of slaves."""
    status = v0.TaskStatus(task_id=v0.TaskID(value="t"), state=v0.TASK_LOST, slave_id=v0.SlaveID(value="s"))
    status.reason = v0.TaskStatus.REASON_SLAVE_REMOVED
    assert to_json(status).endswith(b'"reason":"REASON_SLAVE_REMOVED","slave_id":{"value":"s"}}')
