"""Single things in v0 JSON, byte for byte as recorded."""

from __future__ import annotations

import json

from messor.master.doors.fragments import (
    attributes_dict,
    executor_dict,
    resources_dict,
    task_fragment,
)
from messor.master.state.framework import ExecutorRecord
from messor.master.state.task import TaskRecord
from messor.model.resources import Resources
from messor.protos import v0
from messor.wire.json_codec import dumps, from_json

TASK = (
    b'{"id":"run","name":"run","framework_id":"f-0002","executor_id":"","slave_id":"m-S0","state":"TASK_RUNNING",'
    b'"resources":{"disk":0.0,"mem":32.0,"gpus":0.0,"cpus":0.1},"role":"golden","statuses":[{"state":"TASK_STARTING",'
    b'"timestamp":1795187625.262699,"container_status":{"container_id":{"value":"9e80277a"},"network_infos":'
    b'[{"ip_addresses":[{"protocol":"IPv4","ip_address":"127.0.0.1"}]}]}},{"state":"TASK_RUNNING","timestamp":'
    b'1795187625.263382,"container_status":{"container_id":{"value":"9e80277a"},"network_infos":[{"ip_addresses":'
    b'[{"protocol":"IPv4","ip_address":"127.0.0.1"}]}]}}],"labels":[{"key":"a","value":"b"}],"discovery":'
    b'{"visibility":"CLUSTER","name":"svc","ports":{"ports":[{"number":8080,"name":"http","protocol":"tcp"}]}},'
    b'"health_check":{"delay_seconds":15.0,"interval_seconds":1.0,"timeout_seconds":20.0,"consecutive_failures":3,'
    b'"grace_period_seconds":10.0,"type":"COMMAND","command":{"shell":true,"value":"true"}}}'
)

EXECUTOR = (
    b'{"executor_id":"cust-ex","name":"custom executor","framework_id":"f-0002","command":{"value":"sleep 2000",'
    b'"argv":[],"uris":[]},"resources":{"disk":0.0,"mem":32.0,"gpus":0.0,"cpus":0.1},"role":"golden",'
    b'"slave_id":"m-S0"}'
)


def small() -> Resources:
    """Give what a small task uses."""
    cpus = v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=0.1))
    mem = v0.Resource(name="mem", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=32))
    return Resources.of([cpus, mem]).allocated_to("golden")


def recorded_task() -> TaskRecord:
    """Make the record that the recorded JSON is about."""
    shown = json.loads(TASK)
    base = v0.Task(name="run", task_id=v0.TaskID(value="run"), framework_id=v0.FrameworkID(value="f-0002"))
    base.slave_id.value = "m-S0"
    base.labels.labels.add(key="a", value="b")
    base.discovery.CopyFrom(from_json(json.dumps(shown["discovery"]).encode(), v0.DiscoveryInfo))
    base.health_check.CopyFrom(from_json(json.dumps(shown["health_check"]).encode(), v0.HealthCheck))
    record = TaskRecord("run", "f-0002", "m-S0", "", small(), base.SerializePartialToString())
    for status in shown["statuses"]:
        message = from_json(json.dumps({"task_id": {"value": "run"}, **status}).encode(), v0.TaskStatus)
        message.container_status.executor_pid = 11998  # known, but not shown here
        message.uuid = b"u" * 16
        record.add_status(message.state, message.SerializeToString())
        record.state = message.state
    return record


def test_a_task_is_written_as_recorded() -> None:
    """With less of each status than the scheduler was told."""
    assert task_fragment(recorded_task()) == TASK


def test_a_task_is_written_once_until_it_changes() -> None:
    """Whoever changes it forgets the text."""
    record = recorded_task()
    assert task_fragment(record) is task_fragment(record)
    record.state = v0.TASK_KILLED
    record.fragment = None
    assert b'"state":"TASK_KILLED"' in task_fragment(record)


def test_an_executor_is_written_as_recorded() -> None:
    """Its command's lists even when they are empty."""
    info = v0.ExecutorInfo(executor_id=v0.ExecutorID(value="cust-ex"), name="custom executor")
    info.command.value = "sleep 2000"
    assert dumps(executor_dict(ExecutorRecord("m-S0", "f-0002", info, small()))) == EXECUTOR


def test_revocable_resources_have_a_name_of_their_own() -> None:
    """So that nobody adds them to the lasting ones."""
    lasting = v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=1.5))
    revocable = v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=2))
    revocable.revocable.SetInParent()
    ports = v0.Resource(name="ports", type=v0.Value.RANGES)
    ports.ranges.range.add(begin=1, end=5)
    zones = v0.Resource(name="zones", type=v0.Value.SET, set=v0.Value.Set(item=["a"]))
    assert resources_dict([Resources.of([lasting, revocable, zones]), Resources.of([lasting, ports])]) == {
        "disk": 0.0,
        "mem": 0.0,
        "gpus": 0.0,
        "cpus": 3.0,
        "cpus_revocable": 2.0,
        "ports": "[1-5]",
        "zones": "{a}",
    }


def test_attributes_are_numbers_or_text() -> None:
    """As the agent was told them."""
    rack = v0.Attribute(name="rack", type=v0.Value.TEXT, text=v0.Value.Text(value="r1"))
    size = v0.Attribute(name="num", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=4.5))
    span = v0.Attribute(name="rng", type=v0.Value.RANGES)
    span.ranges.range.add(begin=1, end=10)
    assert attributes_dict([rack, size, span]) == {"rack": "r1", "num": 4.5, "rng": "[1-10]"}
