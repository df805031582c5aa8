"""The operator's stream of events, as recorded."""

from __future__ import annotations

import json
from typing import Any

from messor.protos import v0, v1_master
from messor.wire.media_types import PROTOBUF
from messor.wire.recordio import RecordDecoder


class Reader:
    """Reads a stream as a client would."""

    def __init__(self, response: Any) -> None:
        """Attach to a streaming answer."""
        assert response.status == 200
        self.pipe = response.body
        self.media_type = response.headers["Content-Type"]
        self.records: list[bytes] = []
        self.ended = False
        self._decoder = RecordDecoder()
        self.pipe.attach(self)

    def write_chunk(self, data: bytes) -> None:
        """Take a chunk: exactly one event."""
        records = self._decoder.feed(data)
        assert len(records) == 1
        self.records += records

    def end(self) -> None:
        """Take the end."""
        self.ended = True

    def events(self) -> list[Any]:
        """Give the JSON events so far and forget them."""
        records, self.records = self.records, []
        return [json.loads(record) for record in records]


def subscribe(cluster: Any, **headers: str) -> Reader:
    """Begin a stream."""
    return Reader(cluster.operate({"type": "SUBSCRIBE"}, **headers))


def test_a_stream_begins_with_the_state_and_a_heartbeat(cluster: Any) -> None:
    """Lists of an empty cluster are shown empty; then a heartbeat every fifteen seconds."""
    cluster.world.settle()
    reader = subscribe(cluster)
    subscribed, heartbeat = reader.events()
    assert subscribed == {
        "type": "SUBSCRIBED",
        "subscribed": {
            "get_state": {
                "get_tasks": {"tasks": [], "unreachable_tasks": [], "completed_tasks": []},
                "get_executors": {"executors": []},
                "get_frameworks": {"frameworks": [], "completed_frameworks": []},
                "get_agents": {"agents": [], "recovered_agents": []},
            },
            "heartbeat_interval_seconds": 15.0,
        },
    }
    assert heartbeat == {"type": "HEARTBEAT"}
    cluster.world.advance(31)
    assert reader.events() == [{"type": "HEARTBEAT"}] * 2


def test_agents_frameworks_and_tasks_are_told_as_they_come_and_go(cluster: Any) -> None:
    """In the recorded shapes."""
    cluster.world.settle()
    reader = subscribe(cluster)
    reader.events()
    agent = cluster.agent()
    (added,) = reader.events()
    assert added["type"] == "AGENT_ADDED"
    assert added["agent_added"]["agent"]["pid"] == "slave(1)@10.0.0.2:5051"
    assert "checkpoint" not in added["agent_added"]["agent"]["agent_info"]
    scheduler = cluster.scheduler(name="watched")
    (added,) = reader.events()
    assert list(added["framework_added"]["framework"]) == [
        "framework_info",
        "active",
        "connected",
        "recovered",
        "registered_time",
        "reregistered_time",
        "unregistered_time",
    ]
    cluster.world.advance(2)
    cluster.launch(scheduler, agent, "w1")
    (added,) = reader.events()
    assert added["type"] == "TASK_ADDED"
    assert added["task_added"]["task"]["state"] == "TASK_STAGING"
    cluster.report(scheduler, agent, "w1", v0.TASK_RUNNING)
    (updated,) = reader.events()
    assert list(updated["task_updated"]) == ["framework_id", "status", "state"]
    assert updated["task_updated"]["state"] == updated["task_updated"]["status"]["state"] == "TASK_RUNNING"
    cluster.operate({"type": "TEARDOWN", "teardown": {"framework_id": {"value": scheduler.info.id.value}}})
    cluster.world.settle()
    killed, removed = reader.events()
    assert killed["task_updated"]["state"] == "TASK_KILLED"
    assert removed["framework_removed"]["framework_info"]["name"] == "watched"
    agent.unregister()
    cluster.world.settle()
    (removed,) = reader.events()
    assert removed == {"type": "AGENT_REMOVED", "agent_removed": {"agent_id": {"value": agent.id}}}


def test_a_stream_may_be_in_protobuf(busy: Any) -> None:
    """Framed the same way."""
    reader = subscribe(busy, accept=PROTOBUF)
    assert reader.media_type == PROTOBUF
    first, second = (v1_master.Event.FromString(record) for record in reader.records)
    assert {task.task_id.value for task in first.subscribed.get_state.get_tasks.tasks} == {"run", "wait", "fin"}
    assert second.type == v1_master.Event.HEARTBEAT
    reader.records.clear()
    busy.report(busy.first_scheduler, busy.first_agent, "wait", v0.TASK_RUNNING)
    (event,) = (v1_master.Event.FromString(record) for record in reader.records)
    assert event.task_updated.status.task_id.value == "wait"


def test_the_oldest_reader_makes_place(cluster: Any) -> None:
    """Beyond --max_operator_event_stream_subscribers; one that left does not count."""
    cluster.world.settle()
    cluster.master.event_stream.most = 2
    first, second = subscribe(cluster), subscribe(cluster)
    second.pipe.reader_gone()
    third = subscribe(cluster)
    assert not first.ended
    fourth = subscribe(cluster)
    assert (first.ended, third.ended, fourth.ended) == (True, False, False)
    assert cluster.host.metrics.snapshot()["master/operator_event_stream_subscribers"] == 2.0
    cluster.world.advance(16)
    assert [event["type"] for event in fourth.events()] == ["SUBSCRIBED", "HEARTBEAT", "HEARTBEAT"]
    assert len(second.records) == 2


def test_streams_end_with_the_master(cluster: Any) -> None:
    """So that readers look for another one."""
    cluster.world.settle()
    reader = subscribe(cluster)
    cluster.host.directory.terminate(cluster.master)
    assert reader.ended
