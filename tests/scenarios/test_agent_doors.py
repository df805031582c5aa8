"""The agent's HTTP doors, answer by answer as recorded from the real thing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from messor.errors import NotNow
from messor.protos import internal, v0, v1_executor
from messor.runtime.http import Request, Response
from messor.wire.recordio import RecordDecoder
from support.agent_desk import SILENT, AgentDesk
from support.builders import executor_info

EXECUTOR_API = "/api/v1/executor"
UUID = base64.b64encode(b"0123456789abcdef").decode()


@pytest.fixture
def desk() -> Iterator[AgentDesk]:
    """An agent with a task whose executor has not reported."""
    desk = AgentDesk()
    desk.run("t")
    yield desk
    desk.close()


class Stream:
    """Collects what the agent writes to an executor's stream."""

    def __init__(self, response: Response) -> None:
        """Take over the reply's body."""
        assert response.status == 200, response.body
        self.media_type = response.headers["Content-Type"]
        self.chunks: list[bytes] = []
        self.ended = False
        response.body.attach(self)

    def write_chunk(self, data: bytes) -> None:
        """Keep a chunk."""
        self.chunks.append(data)

    def end(self) -> None:
        """Note the end."""
        self.ended = True

    def records(self) -> list[bytes]:
        """Cut what came into records."""
        return RecordDecoder().feed(b"".join(self.chunks))

    def events(self) -> list[dict[str, Any]]:
        """Read JSON events."""
        return [json.loads(record) for record in self.records()]


def call(kind: str, **more: Any) -> dict[str, Any]:
    """Make a call of executor ``e`` of framework ``F``."""
    return {"type": kind, "executor_id": {"value": "e"}, "framework_id": {"value": "F"}, **more}


def update(**status: Any) -> dict[str, Any]:
    """Make an UPDATE call; fields of the status can be replaced or, by None, left out."""
    whole = {"task_id": {"value": "t"}, "state": "TASK_RUNNING", "source": "SOURCE_EXECUTOR", "uuid": UUID, **status}
    return call("UPDATE", update={"status": {key: value for key, value in whole.items() if value is not None}})


def subscribe(desk: AgentDesk) -> Stream:
    """Subscribe in JSON."""
    stream = Stream(desk.call(EXECUTOR_API, call("SUBSCRIBE", subscribe={})))
    desk.world.advance(0.1)
    return stream


def text(response: Response) -> tuple[int, str]:
    """Give status and text."""
    assert isinstance(response.body, bytes)
    return response.status, response.body.decode()


# --- the executor API ------------------------------------------------------------------------------------------------


def test_a_subscribed_executor_gets_its_description_and_its_tasks(desk: AgentDesk) -> None:
    """Each event is one record in one chunk; the type CUSTOM is added by nobody."""
    stream = subscribe(desk)
    assert [event["type"] for event in stream.events()] == ["SUBSCRIBED", "LAUNCH"]
    subscribed = stream.events()[0]["subscribed"]
    assert list(subscribed) == ["executor_info", "framework_info", "agent_info", "container_id"]
    assert subscribed["executor_info"]["framework_id"] == {"value": "F"}
    assert subscribed["agent_info"]["id"] == {"value": desk.id}
    assert stream.events()[1]["launch"]["task"]["agent_id"] == {"value": desk.id}
    assert len(stream.chunks) == 2


def test_an_update_is_acknowledged_on_the_stream(desk: AgentDesk) -> None:
    """Also the second time, when it is not forwarded."""
    stream = subscribe(desk)
    assert text(desk.call(EXECUTOR_API, update())) == (202, "")
    assert text(desk.call(EXECUTOR_API, update())) == (202, "")
    acknowledged = {"type": "ACKNOWLEDGED", "acknowledged": {"task_id": {"value": "t"}, "uuid": UUID}}
    assert stream.events()[2:] == [acknowledged, acknowledged]
    assert len(desk.updates()) == 1


def test_kills_messages_and_shutdown_are_events(desk: AgentDesk) -> None:
    """As recorded, byte for byte."""
    stream = subscribe(desk)
    desk.master.kill_task(desk.upid, "F", "t")
    desk.world.settle()
    message = internal.FrameworkToExecutorMessage(data=b"to executor")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = desk.id, "F", "e"
    desk.master.send(desk.upid, message)
    desk.world.settle()
    desk.master.shut_down_framework(desk.upid, "F")
    desk.world.settle()
    assert stream.chunks[2:] == [
        b'48\n{"type":"KILL","kill":{"task_id":{"value":"t"}}}',
        b'56\n{"type":"MESSAGE","message":{"data":"dG8gZXhlY3V0b3I="}}',
        b'19\n{"type":"SHUTDOWN"}',
    ]


def test_a_second_subscription_closes_the_first_stream(desk: AgentDesk) -> None:
    """And what the executor does not know of was lost on the way."""
    first = subscribe(desk)
    second = subscribe(desk)
    assert first.ended
    assert [event["type"] for event in second.events()] == ["SUBSCRIBED"]
    assert desk.told() == ("TASK_DROPPED", "REASON_SLAVE_RESTARTED", "Task launched during agent restart")


def test_protobuf_both_ways(desk: AgentDesk) -> None:
    """The other media type."""
    made = v1_executor.Call(type=v1_executor.Call.SUBSCRIBE)
    made.framework_id.value, made.executor_id.value = "F", "e"
    made.subscribe.SetInParent()
    media = "application/x-protobuf"
    stream = Stream(
        desk.request("POST", "/slave(1)" + EXECUTOR_API, made.SerializeToString(), content_type=media, accept=media)
    )
    event = v1_executor.Event.FromString(stream.records()[0])
    assert (stream.media_type, event.type) == (media, v1_executor.Event.SUBSCRIBED)


def test_a_message_reaches_the_scheduler(desk: AgentDesk) -> None:
    """By the master, since the framework speaks HTTP."""
    subscribe(desk)
    assert text(desk.call(EXECUTOR_API, call("MESSAGE", message={"data": "dXA="}))) == (202, "")
    assert desk.master.last(internal.ExecutorToFrameworkMessage).data == b"up"


def test_heartbeats_come_every_thirty_minutes(desk: AgentDesk) -> None:
    """Minutes, not seconds (trap 28)."""
    stream = subscribe(desk)
    before = len(stream.chunks)
    desk.world.advance(1799)
    assert len(stream.chunks) == before
    desk.world.advance(2)
    assert stream.chunks[-1] == b'20\n{"type":"HEARTBEAT"}'


def test_unacknowledged_updates_come_with_the_subscription(desk: AgentDesk) -> None:
    """What the old agent process did not take."""
    status = {"task_id": {"value": "t"}, "state": "TASK_RUNNING", "source": "SOURCE_EXECUTOR", "uuid": UUID}
    value = call("SUBSCRIBE", subscribe={"unacknowledged_updates": [{"status": status}]})
    Stream(desk.call(EXECUTOR_API, value))
    assert [status.uuid for status in desk.updates()] == [b"0123456789abcdef"]


VALIDATION = "Failed to validate Executor::Call: "


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (update(), (403, "Executor is not subscribed")),
        (call("HEARTBEAT"), (202, "")),
        ({**call("HEARTBEAT"), "framework_id": {"value": "nope"}}, (202, "")),
        ({**call("MESSAGE", message={"data": ""}), "framework_id": {"value": "x"}}, (400, "Framework cannot be found")),
        ({**call("SUBSCRIBE", subscribe={}), "executor_id": {"value": "x"}}, (400, "Executor cannot be found")),
        (update(uuid=None), (400, VALIDATION + "Expecting 'uuid' to be present")),
        (update(uuid="AAAA"), (400, VALIDATION + "Not a valid UUID")),
        (
            update(source="SOURCE_MASTER"),
            (
                400,
                VALIDATION + "Received Call from executor e of framework F with invalid source, "
                "expecting 'SOURCE_EXECUTOR'",
            ),
        ),
        (
            update(state="TASK_STAGING"),
            (400, VALIDATION + "Received TASK_STAGING from executor e of framework F which is not allowed"),
        ),
        (
            update(executor_id={"value": "other"}),
            (400, VALIDATION + "ExecutorID in Call: e does not match ExecutorID in TaskStatus: other"),
        ),
        (call("UPDATE"), (400, VALIDATION + "Expecting 'update' to be present")),
        (call("MESSAGE"), (400, VALIDATION + "Expecting 'message' to be present")),
        (call("SUBSCRIBE"), (400, VALIDATION + "Expecting 'subscribe' to be present")),
        (call("FOO"), (400, VALIDATION + "Expecting 'type' to be present")),
        (
            call("UPDATE", update={}),
            (400, "Failed to convert JSON into Call protobuf: Missing required fields: update.status"),
        ),
        (
            {"type": "HEARTBEAT", "framework_id": {"value": "F"}},
            (400, "Failed to convert JSON into Call protobuf: Missing required fields: executor_id"),
        ),
    ],
)
def test_calls_are_refused_in_the_recorded_words(
    desk: AgentDesk, value: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Third-party executors match on status and text."""
    assert text(desk.call(EXECUTOR_API, value)) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (400, "Expecting 'Content-Type' to be present")),
        (
            {"content_type": "text/plain"},
            (415, "Expecting 'Content-Type' of application/json or application/x-protobuf"),
        ),
        ({"content_type": "application/x-protobuf"}, (400, "Failed to parse body into Call protobuf")),
        (
            {"content_type": "application/json", "accept": "text/html"},
            (406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"),
        ),
    ],
)
def test_media_types_are_checked_in_the_recorded_words(
    desk: AgentDesk, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Before anything is done."""
    body = json.dumps(call("SUBSCRIBE", subscribe={})).encode()
    assert text(desk.request("POST", EXECUTOR_API, body, **headers)) == expected


def test_only_post_is_allowed(desk: AgentDesk) -> None:
    """As recorded."""
    response = desk.request("GET", EXECUTOR_API)
    assert (response.status, response.headers["Allow"]) == (405, "POST")


def test_a_recovering_agent_answers_503() -> None:
    """Until it knows its executors."""
    desk = AgentDesk(start=False)
    desk.start()
    with pytest.raises(NotNow, match=r"^Agent has not finished recovery$"):
        desk.agent.endpoints[EXECUTOR_API].call(Request("POST", EXECUTOR_API, {}))
    desk.close()


# --- operators -------------------------------------------------------------------------------------------------------


def test_state_has_the_recorded_keys_in_order(desk: AgentDesk) -> None:
    """Web pages and exporters read it (U14)."""
    state = desk.show("/state")
    keys = [key for key in state if key not in ("git_sha", "build_date", "build_time", "build_user")]
    assert keys == [
        "version",
        "start_time",
        "id",
        "pid",
        "hostname",
        "capabilities",
        "resources",
        "reserved_resources",
        "unreserved_resources",
        "reserved_resources_full",
        "unreserved_resources_full",
        "reserved_resources_allocated",
        "unreserved_resources_allocated",
        "resource_providers",
        "attributes",
        "master_hostname",
        "flags",
        "frameworks",
        "completed_frameworks",
    ]
    assert state["resources"] == {"disk": 10000, "mem": 4096, "gpus": 0, "cpus": 4, "ports": "[31000-32000]"}
    assert desk.show("/slave(1)/state")["pid"] == "slave(1)@10.0.0.2:5051"


def test_state_shows_a_task_as_recorded(desk: AgentDesk) -> None:
    """Queued, then running, with its statuses."""
    (framework,) = desk.show("/state")["frameworks"]
    (executor,) = framework["executors"]
    assert executor["queued_tasks"][0]["id"] == "t"
    assert list(executor)[:6] == ["id", "name", "source", "container", "directory", "resources"]
    desk.update(desk.executor())
    (executor,) = desk.show("/state")["frameworks"][0]["executors"]
    (task,) = executor["tasks"]
    assert list(task) == [
        "id",
        "name",
        "framework_id",
        "executor_id",
        "slave_id",
        "state",
        "resources",
        "role",
        "statuses",
    ]
    assert task["statuses"][0]["state"] == "TASK_RUNNING"
    assert "executor_pid" not in task["statuses"][0]["container_status"]


def test_a_completed_framework_is_shown(desk: AgentDesk) -> None:
    """With its tasks, until fifty others completed (G14)."""
    executor = desk.executor()
    desk.update(executor, state=v0.TASK_FINISHED)
    desk.acknowledge()
    desk.master.shut_down_framework(desk.upid, "F")
    desk.world.advance(6)
    (framework,) = desk.show("/state")["completed_frameworks"]
    assert [task["state"] for task in framework["completed_executors"][0]["completed_tasks"]] == ["TASK_FINISHED"]


def test_flags_health_and_containers(desk: AgentDesk) -> None:
    """Small endpoints (U14, U15)."""
    assert desk.show("/flags")["flags"]["executor_registration_timeout"] == "1mins"
    assert text(desk.request("GET", "/health")) == (200, "")
    desk.executor()
    (container,) = desk.show("/containers")
    assert list(container) == [
        "container_id",
        "executor_id",
        "executor_name",
        "framework_id",
        "source",
        "statistics",
        "status",
    ]
    assert desk.show("/containers?container_id=nope") == []
    (statistics,) = desk.show("/monitor/statistics")
    assert list(statistics) == ["executor_id", "executor_name", "framework_id", "source", "statistics"]
    assert desk.show("/containerizer/debug") == {"pending": []}
    assert desk.request("GET", "/monitor/statistics.json").status == 404


def answer(desk: AgentDesk, kind: str, **more: Any) -> dict[str, Any]:
    """Make an operator call and read its answer."""
    response = desk.call("/api/v1", {"type": kind, **more})
    assert response.status == 200, response.body
    assert isinstance(response.body, bytes)
    value: dict[str, Any] = json.loads(response.body)
    assert value["type"] == kind
    return value


def test_operator_calls_about_state(desk: AgentDesk) -> None:
    """Tasks by where they are, empty lists included (O19)."""
    tasks = answer(desk, "GET_TASKS")["get_tasks"]
    assert list(tasks) == ["pending_tasks", "queued_tasks", "launched_tasks", "terminated_tasks", "completed_tasks"]
    assert [task["task_id"]["value"] for task in tasks["queued_tasks"]] == ["t"]
    assert answer(desk, "GET_STATE")["get_state"]["get_tasks"] == tasks
    executors = answer(desk, "GET_EXECUTORS")["get_executors"]
    assert [one["executor_info"]["executor_id"]["value"] for one in executors["executors"]] == ["e"]
    assert executors["completed_executors"] == []
    frameworks = answer(desk, "GET_FRAMEWORKS")["get_frameworks"]
    assert [one["framework_info"]["id"]["value"] for one in frameworks["frameworks"]] == ["F"]
    assert answer(desk, "GET_AGENT")["get_agent"]["agent_info"]["id"] == {"value": desk.id}
    assert answer(desk, "GET_OPERATIONS") == {"type": "GET_OPERATIONS", "get_operations": {}}
    assert answer(desk, "GET_RESOURCE_PROVIDERS")["get_resource_providers"] == {}
    desk.executor()
    (container,) = answer(desk, "GET_CONTAINERS")["get_containers"]["containers"]
    assert container["executor_name"] == ""


def test_operator_calls_about_the_process(desk: AgentDesk) -> None:
    """What probes ask (O18)."""
    assert answer(desk, "GET_HEALTH")["get_health"] == {"healthy": True}
    flags = {flag["name"]: flag.get("value", "") for flag in answer(desk, "GET_FLAGS")["get_flags"]["flags"]}
    assert flags == desk.show("/flags")["flags"]
    assert answer(desk, "GET_VERSION")["get_version"]["version_info"]["version"]
    assert answer(desk, "GET_LOGGING_LEVEL")["get_logging_level"] == {"level": 0}
    metrics = answer(desk, "GET_METRICS", get_metrics={})["get_metrics"]["metrics"]
    assert {"name": "slave/registered", "value": 1.0} in metrics


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, (400, "Failed to validate agent::Call: Expecting 'type' to be present")),
        ({"type": "FOO"}, (400, "Failed to validate agent::Call: Expecting 'type' to be present")),
        ({"type": "UNKNOWN"}, (501, "501 Not Implemented.")),
        ({"type": "GET_METRICS"}, (400, "Failed to validate agent::Call: Expecting 'get_metrics' to be present")),
        ({"type": "LIST_FILES", "list_files": {"path": "/nope"}}, (404, "")),
        ({"type": "PRUNE_IMAGES"}, (200, "")),
    ],
)
def test_operator_calls_are_refused_in_the_recorded_words(
    desk: AgentDesk, value: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Tools match on status and text."""
    assert text(desk.call("/api/v1", value)) == expected


RESOURCE_METRICS = {
    f"slave/{name}_{kind}{what}"
    for name in ("cpus", "gpus", "mem", "disk")
    for kind in ("", "revocable_")
    for what in ("total", "used", "percent")
}


def test_all_recorded_metrics_exist(desk: AgentDesk) -> None:
    """Dashboards ask for each of them (X11, X12)."""
    wanted = RESOURCE_METRICS | {
        "containerizer/fetcher/task_fetches_failed",
        "containerizer/fetcher/task_fetches_succeeded",
        "containerizer/mesos/container_destroy_errors",
        "gc/path_removals_failed",
        "gc/path_removals_pending",
        "gc/path_removals_succeeded",
        "slave/container_launch_errors",
        "slave/executor_directory_max_allowed_age_secs",
        "slave/executors_preempted",
        "slave/executors_registering",
        "slave/executors_running",
        "slave/executors_terminated",
        "slave/executors_terminating",
        "slave/frameworks_active",
        "slave/invalid_framework_messages",
        "slave/invalid_status_updates",
        "slave/recovery_errors",
        "slave/recovery_time_secs",
        "slave/registered",
        "slave/tasks_failed",
        "slave/tasks_finished",
        "slave/tasks_gone",
        "slave/tasks_killed",
        "slave/tasks_killing",
        "slave/tasks_lost",
        "slave/tasks_running",
        "slave/tasks_staging",
        "slave/tasks_starting",
        "slave/uptime_secs",
        "slave/valid_framework_messages",
        "slave/valid_status_updates",
    }
    snapshot = desk.host.metrics.snapshot()
    assert wanted - set(snapshot) == set()
    assert (snapshot["slave/cpus_used"], snapshot["slave/tasks_staging"]) == (1.1, 1)
    desk.update(desk.executor())
    snapshot = desk.host.metrics.snapshot()
    assert (snapshot["slave/tasks_staging"], snapshot["slave/tasks_running"]) == (0, 1)
    assert snapshot["slave/executors_running"] == 1


def test_a_task_group_is_delivered_whole(desk: AgentDesk) -> None:
    """In one event or message, and killed whole while it is queued (G16)."""
    message = internal.RunTaskGroupMessage(
        framework=desk.agent.tables.frameworks["F"].info, executor=executor_info("g", SILENT), launch_executor=True
    )
    for name in ("g1", "g2"):
        task = message.task_group.tasks.add(name=name)
        task.task_id.value, task.slave_id.value = name, desk.id
    desk.master.send(desk.upid, message)
    desk.world.advance(0.1)
    executor = desk.executor("g")
    group = executor.last(internal.RunTaskGroupMessage).task_group
    assert [task.task_id.value for task in group.tasks] == ["g1", "g2"]


def test_a_queued_task_group_is_killed_whole(desk: AgentDesk) -> None:
    """A group runs together or not at all."""
    message = internal.RunTaskGroupMessage(
        framework=desk.agent.tables.frameworks["F"].info, executor=executor_info("g", SILENT), launch_executor=True
    )
    for name in ("g1", "g2"):
        task = message.task_group.tasks.add(name=name)
        task.task_id.value, task.slave_id.value = name, desk.id
    desk.master.send(desk.upid, message)
    desk.world.advance(0.1)
    desk.master.kill_task(desk.upid, "F", "g2")
    desk.world.settle()
    assert [(status.task_id.value, status.state) for status in desk.updates()] == [
        ("g1", v0.TASK_KILLED),
        ("g2", v0.TASK_KILLED),
    ]


def test_statistics_are_measured_twice_a_second_at_most(desk: AgentDesk) -> None:
    """Measuring costs; whoever asks more often waits (U15)."""
    desk.show("/monitor/statistics")
    found: list[Response] = []

    async def ask() -> None:
        found.append(await desk.host.directory.serve(Request("GET", "/monitor/statistics", {})))

    desk.host.tasks.spawn(ask(), "a second request")
    desk.world.settle()
    assert found == []
    desk.world.advance(0.6)
    assert [response.status for response in found] == [200]
