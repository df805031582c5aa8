"""What pymesos' users can rely on without a cluster, private names that subclasses and mocks use included.

Run by pytest with the module under test on the path: once with pymesos 0.3.15, once with ours. Tables: a call, its
arguments, and the body that must be sent; an event, and the callback it must cause.
"""

import json
import uuid
from unittest import mock

import pytest
from http_parser.http import HttpParser
from pymesos import (
    Executor,
    MesosExecutorDriver,
    MesosOperatorAgentDriver,
    MesosOperatorMasterDriver,
    MesosSchedulerDriver,
    OperatorMaster,
    Scheduler,
    decode_data,
    encode_data,
)

FRAMEWORK = {"value": "F"}
OFFERS = [{"value": "O1"}, {"value": "O2"}]
AGENT = {"value": "A"}
TASK = {"value": "t"}
EXECUTOR = {"value": "E"}
OPERATION = {"type": "RESERVE", "reserve": {"resources": []}}
FILTERS = {"refuse_seconds": 7}
STATUS = {"agent_id": AGENT, "task_id": TASK, "uuid": "dQ=="}
OPERATION_STATUS = {"operation_id": {"value": "op"}, "agent_id": AGENT, "uuid": "dQ=="}


# --- schedulers ------------------------------------------------------------------------------------------------------


@pytest.fixture
def scheduler():
    return mock.Mock()


@pytest.fixture
def driver(scheduler):
    made = MesosSchedulerDriver(scheduler, {"id": dict(FRAMEWORK), "name": "f"}, "master:5050")
    made._send = mock.Mock()
    made._stream_id = "stream"
    made._started = True
    made._master = "master:5050"
    made.version = "1.11.0"
    return made


LAUNCH = {"type": "LAUNCH", "launch": {"task_infos": [{"name": "t"}]}}

SCHEDULER_CALLS = [
    ("acceptOffers", (OFFERS, [OPERATION]), "ACCEPT", {"offer_ids": OFFERS, "operations": [OPERATION]}),
    (
        "acceptOffers",
        (OFFERS[0], [OPERATION], FILTERS),
        "ACCEPT",
        {"offer_ids": OFFERS[:1], "operations": [OPERATION], "filters": FILTERS},
    ),
    ("acceptOffers", (OFFERS, []), "DECLINE", {"offer_ids": OFFERS}),
    ("launchTasks", (OFFERS, [{"name": "t"}]), "ACCEPT", {"offer_ids": OFFERS, "operations": [LAUNCH]}),
    ("launchTasks", (OFFERS, [], FILTERS), "DECLINE", {"offer_ids": OFFERS, "filters": FILTERS}),
    ("declineOffer", (OFFERS[0],), "DECLINE", {"offer_ids": OFFERS[:1]}),
    ("acceptInverseOffers", (OFFERS,), "ACCEPT_INVERSE_OFFERS", {"inverse_offer_ids": OFFERS}),
    (
        "declineInverseOffer",
        (OFFERS[0], FILTERS),
        "DECLINE_INVERSE_OFFERS",
        {"inverse_offer_ids": OFFERS[:1], "filters": FILTERS},
    ),
    ("reviveOffers", (), "REVIVE", None),
    ("reviveOffers", (("a", "b"),), "REVIVE", {"roles": ["a", "b"]}),
    ("suppressOffers", (), "SUPPRESS", None),
    ("suppressOffers", (["a"],), "SUPPRESS", {"roles": ["a"]}),
    ("killTask", (TASK,), "KILL", {"task_id": TASK}),
    ("acknowledgeStatusUpdate", (dict(STATUS, state="TASK_LOST"),), "ACKNOWLEDGE", STATUS),
    (
        "acknowledgeOperationStatusUpdate",
        (OPERATION_STATUS,),
        "ACKNOWLEDGE_OPERATION_STATUS",
        OPERATION_STATUS,
    ),
    ("reconcileTasks", ([{"task_id": TASK, "state": "TASK_RUNNING"}],), "RECONCILE", {"tasks": [{"task_id": TASK}]}),
    ("reconcileTasks", ([],), "RECONCILE", {"tasks": []}),
    (
        "reconcileOperations",
        ([{"operation_id": {"value": "op"}, "agent_id": AGENT, "more": 1}],),
        "RECONCILE_OPERATIONS",
        {"operations": [{"operation_id": {"value": "op"}, "agent_id": AGENT}]},
    ),
    (
        "sendFrameworkMessage",
        (EXECUTOR, AGENT, "aGk="),
        "MESSAGE",
        {"executor_id": EXECUTOR, "agent_id": AGENT, "data": "aGk="},
    ),
    ("requestResources", ([{"agent_id": AGENT}],), "REQUEST", {"requests": [{"agent_id": AGENT}]}),
]


@pytest.mark.parametrize(("name", "arguments", "kind", "body"), SCHEDULER_CALLS)
def test_a_scheduler_call_is_sent_as_the_v1_api_wants_it(driver, name, arguments, kind, body):
    assert getattr(driver, name)(*arguments) is None
    expected = {"type": kind, "framework_id": FRAMEWORK}
    if body is not None:
        expected[kind.lower()] = body
    driver._send.assert_called_once_with(expected)


@pytest.mark.parametrize(("name", "arguments"), [row[:2] for row in SCHEDULER_CALLS if row[0] != "acceptInverseOffers"])
def test_a_scheduler_call_while_disconnected_sends_nothing(driver, name, arguments):
    driver._stream_id = None
    assert not driver.connected
    getattr(driver, name)(*arguments)
    driver._send.assert_not_called()


def test_acknowledgements_need_a_uuid(driver):
    driver.acknowledgeStatusUpdate({"agent_id": AGENT, "task_id": TASK})
    driver.acknowledgeOperationStatusUpdate({"uuid": "dQ=="})
    driver._send.assert_not_called()


def test_teardown_names_the_framework_and_forgets_it(driver):
    driver._teardown()
    driver._send.assert_called_once_with({"type": "TEARDOWN", "framework_id": FRAMEWORK})
    assert driver.framework_id is None


SCHEDULER_EVENTS = [
    ("OFFERS", {"offers": [{"id": OFFERS[0]}]}, "resourceOffers", ([{"id": OFFERS[0]}],)),
    ("INVERSE_OFFERS", {"inverse_offers": [{"id": OFFERS[0]}]}, "inverseOffers", ([{"id": OFFERS[0]}],)),
    ("RESCIND", {"offer_id": OFFERS[0]}, "offerRescinded", (OFFERS[0],)),
    ("RESCIND_INVERSE_OFFER", {"inverse_offer_id": OFFERS[0]}, "inverseOfferRescinded", (OFFERS[0],)),
    ("UPDATE", {"status": {"task_id": TASK}}, "statusUpdate", ({"task_id": TASK},)),
    ("UPDATE_OPERATION_STATUS", {"status": {"state": "X"}}, "operationStatusUpdate", ({"state": "X"},)),
    (
        "MESSAGE",
        {"executor_id": EXECUTOR, "agent_id": AGENT, "data": "aGk="},
        "frameworkMessage",
        (EXECUTOR, AGENT, "aGk="),
    ),
    ("FAILURE", {"agent_id": AGENT}, "slaveLost", (AGENT,)),
    (
        "FAILURE",
        {"agent_id": AGENT, "executor_id": EXECUTOR, "status": 9},
        "executorLost",
        (EXECUTOR, AGENT, 9),
    ),
    ("ERROR", {"message": "no"}, "error", ("no",)),
]


@pytest.mark.parametrize("use_addict", [False, True])
@pytest.mark.parametrize(("kind", "body", "name", "arguments"), SCHEDULER_EVENTS)
def test_an_event_becomes_a_callback(scheduler, kind, body, name, arguments, use_addict):
    made = MesosSchedulerDriver(scheduler, {}, "master:5050", use_addict=use_addict)
    made._started = True
    made.version = "1.11.0"
    made.on_event({"type": kind, kind.lower(): body})
    getattr(scheduler, name).assert_called_once_with(made, *arguments)
    assert len(scheduler.method_calls) == 1
    if use_addict and kind == "RESCIND":
        assert scheduler.offerRescinded.call_args[0][1].value == "O1"


def test_heartbeats_and_nonsense_are_survived(driver, scheduler):
    driver.on_event({"type": "HEARTBEAT"})
    scheduler.processHeartBeat.assert_called_once_with(driver)
    driver.on_event({"type": "SOMETHING_NEW", "something_new": {}})
    driver.on_event({"type": "UPDATE"})
    driver.on_event({})
    assert len(scheduler.method_calls) == 1


def test_registration_is_a_reregistration_when_the_id_was_known(scheduler):
    made = MesosSchedulerDriver(scheduler, {}, "master:5050")
    made.version, made._master, made._started = "1.11.0", "master:5050", True
    master = {"hostname": "master", "port": 5050, "version": "1.11.0"}
    made.on_event({"type": "SUBSCRIBED", "subscribed": {"framework_id": FRAMEWORK}})
    scheduler.registered.assert_called_once_with(made, FRAMEWORK, master)
    made.on_event({"type": "SUBSCRIBED", "subscribed": {"framework_id": FRAMEWORK}})
    scheduler.reregistered.assert_called_once_with(made, master)
    assert made.framework_id == "F"


def request_of(made):
    """Parse what a driver subscribes with."""
    data = made.gen_request()
    parser = HttpParser(0)
    assert parser.execute(data, len(data)) == len(data)
    assert parser.is_message_complete()
    body = json.loads(parser.recv_body().decode())
    headers = {name.upper(): value for name, value in parser.get_headers().items()}
    length = headers.pop("CONTENT-LENGTH")
    assert data.endswith(data[-int(length) :])
    assert headers.pop("HOST") == made.master
    assert headers.pop("ACCEPT") == headers.pop("CONTENT-TYPE") == "application/json"
    assert headers.pop("CONNECTION") == "close"
    return parser.get_method(), parser.get_url(), headers, body


def test_a_scheduler_subscribes_with_its_description(driver):
    method, url, headers, body = request_of(driver)
    assert (method, url, headers) == ("POST", "/api/v1/scheduler", {})
    assert body["type"] == "SUBSCRIBE"
    assert body["framework_id"] == FRAMEWORK
    assert body["subscribe"]["framework_info"] == {
        "id": FRAMEWORK,
        "name": "f",
        "failover_timeout": 100,
        "capabilities": [{"type": "GPU_RESOURCES"}],
    }


def test_what_a_framework_says_itself_is_kept(scheduler):
    capabilities = [{"type": "PARTITION_AWARE"}, {"type": "GPU_RESOURCES"}]
    framework = {"failover_timeout": 0, "capabilities": capabilities}
    made = MesosSchedulerDriver(scheduler, framework, "m", principal="me", secret="s")
    assert made.framework == {"failover_timeout": 0, "capabilities": capabilities[:1]}
    made._master, made.version = "m:1", "1.0.0"
    assert made.framework["capabilities"] == capabilities
    assert request_of(made)[2] == {"AUTHORIZATION": "Basic bWU6cw=="}


SENDERS = [
    (lambda: MesosSchedulerDriver(mock.Mock(), {}, "m:1"), "/api/v1/scheduler"),
    (lambda: MesosOperatorMasterDriver("m:1", mock.Mock()), "/api/v1/operator"),
]


@pytest.mark.parametrize(("make", "path"), SENDERS)
def test_calls_go_through_send_and_its_connection(make, path):
    made = make()
    reply = mock.Mock(status=200, read=mock.Mock(return_value=b'{"x": 1}'))
    connection = mock.Mock(getresponse=mock.Mock(return_value=reply))
    made._get_conn = mock.Mock(return_value=connection)
    assert made._send({}) == {"x": 1}
    (method, url), settings = connection.request.call_args
    assert (method, url) == ("POST", path)
    assert settings["body"] == b"{}"
    assert settings["headers"]["Content-Type"] == "application/json"
    reply.read.return_value = b""
    assert made._send({}) == {}
    reply.status = 400
    with pytest.raises(RuntimeError):
        made._send({})


# --- executors -------------------------------------------------------------------------------------------------------


@pytest.fixture
def executor_driver(monkeypatch):
    for name, value in (
        ("MESOS_LOCAL", "1"),
        ("MESOS_AGENT_ENDPOINT", "agent:5051"),
        ("MESOS_FRAMEWORK_ID", "F"),
        ("MESOS_EXECUTOR_ID", "E"),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "1.5secs"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MESOS_CHECKPOINT", raising=False)
    made = MesosExecutorDriver(mock.Mock())
    made._master, made._started = "agent:5051", True
    return made


def test_an_executor_reads_its_environment(executor_driver):
    assert executor_driver.framework_id == FRAMEWORK
    assert executor_driver.executor_id == EXECUTOR
    assert executor_driver.grace_shutdown_period == pytest.approx(1.5)
    assert not executor_driver.checkpoint
    _, url, headers, body = request_of(executor_driver)
    assert (url, headers) == ("/api/v1/executor", {})
    assert body == {
        "type": "SUBSCRIBE",
        "framework_id": FRAMEWORK,
        "executor_id": EXECUTOR,
        "subscribe": {"unacknowledged_tasks": [], "unacknowledged_updates": []},
    }


def test_an_executors_updates_are_completed(executor_driver):
    executor_driver._send = mock.Mock()
    status = {"task_id": TASK, "state": "TASK_RUNNING"}
    executor_driver.sendStatusUpdate(status)
    ((body,), _) = executor_driver._send.call_args
    assert body["type"] == "UPDATE"
    assert (body["framework_id"], body["executor_id"]) == (FRAMEWORK, EXECUTOR)
    sent = body["update"]["status"]
    assert (sent["task_id"], sent["state"], sent["source"]) == (TASK, "TASK_RUNNING", "SOURCE_EXECUTOR")
    assert len(decode_data(sent["uuid"])) == 16
    assert sent["timestamp"] > 0
    executor_driver.sendFrameworkMessage("aGk=")
    assert executor_driver._send.call_args[0][0]["message"] == {"data": "aGk="}


EXECUTOR_EVENTS = [
    ("LAUNCH", {"task": {"task_id": TASK}}, "launchTask", ({"task_id": TASK},)),
    ("LAUNCH_GROUP", {"task_group": {"tasks": [{"task_id": TASK}]}}, "launchTaskGroup", ([{"task_id": TASK}],)),
    ("KILL", {"task_id": TASK}, "killTask", (TASK,)),
    ("MESSAGE", {"data": "aGk="}, "frameworkMessage", ("aGk=",)),
    ("ERROR", {"message": "no"}, "error", ("no",)),
    ("SHUTDOWN", None, "shutdown", ()),
]


@pytest.mark.parametrize(("kind", "body", "name", "arguments"), EXECUTOR_EVENTS)
def test_an_executors_event_becomes_a_callback(executor_driver, kind, body, name, arguments):
    executor_driver.on_event({"type": kind, kind.lower(): body} if body else {"type": kind})
    getattr(executor_driver.executor, name).assert_called_once_with(executor_driver, *arguments)


def test_an_executor_registers_once_and_reregisters_after(executor_driver):
    infos = ({"executor_id": EXECUTOR}, {"id": FRAMEWORK}, {"id": AGENT})
    event = dict(zip(("executor_info", "framework_info", "agent_info"), infos))
    for _ in range(2):
        executor_driver.on_event({"type": "SUBSCRIBED", "subscribed": event})
    executor_driver.executor.registered.assert_called_once_with(executor_driver, *infos)
    executor_driver.executor.reregistered.assert_called_once_with(executor_driver, infos[2])


def test_an_acknowledged_update_is_forgotten(executor_driver):
    identifier = uuid.uuid4()
    executor_driver.updates[identifier] = executor_driver.tasks["t"] = {}
    event = {"task_id": TASK, "uuid": encode_data(identifier.bytes)}
    executor_driver.on_event({"type": "ACKNOWLEDGED", "acknowledged": event})
    assert executor_driver.updates == executor_driver.tasks == {}


# --- operators -------------------------------------------------------------------------------------------------------

NANOS = {"nanoseconds": 5}
MACHINES = [{"hostname": "h", "ip": "1.2.3.4"}]
PLACE = {"agent_id": AGENT, "resources": [1]}
VOLUMES = {"agent_id": AGENT, "volumes": [1]}
NESTED = {"container_id": {"value": "C", "parent": {"value": "P"}}}
PARENT = ("C", "P")

DAEMON_CALLS = [
    ("getHealth", (), None),
    ("getFlags", (), None),
    ("getVersion", (), None),
    ("getMetrics", (5,), {"timeout": NANOS}),
    ("getLoggingLevel", (), None),
    ("setLoggingLevel", (2, 5), {"level": 2, "duration": NANOS}),
    ("listFiles", ("/x",), {"path": "/x"}),
    ("readFile", ("/x", 3, 4), {"path": "/x", "length": 3, "offset": 4}),
    ("getState", (), None),
    ("getFrameworks", (), None),
    ("getExecutors", (), None),
    ("getTasks", (), None),
]
MASTER_CALLS = [
    *DAEMON_CALLS,
    ("getAgents", (), None),
    ("getRoles", (), None),
    ("getWeights", (), None),
    ("updateWeights", ([{"role": "r", "weight": 2, "more": 1}],), {"weight_infos": [{"role": "r", "weight": 2}]}),
    ("getMaster", (), None),
    ("reserveResources", ("A", [1]), PLACE),
    ("unreserveResources", ("A", [1]), PLACE),
    ("createVolumes", ("A", [1]), VOLUMES),
    ("destroyVolumes", ("A", [1]), VOLUMES),
    ("getMaintenanceStatus", (), None),
    ("getMaintenanceSchedule", (), None),
    ("updateMaintenanceSchedule", ([1],), {"schedule": {"windows": [1]}}),
    ("startMaintenance", (MACHINES,), {"machines": MACHINES}),
    ("stopMaintenance", (MACHINES,), {"machines": MACHINES}),
    ("getQuota", (), None),
    ("setQuota", ({"role": "r"},), {"quota_request": {"role": "r"}}),
    ("removeQuota", ("r",), {"role": "r"}),
    ("markAgentGone", ("A",), {"agent_id": AGENT}),
]
AGENT_CALLS = [
    *DAEMON_CALLS,
    ("getContainers", (), {"show_nested": False, "show_standalone": False}),
    ("getContainers", (True, True), {"show_nested": True, "show_standalone": True}),
    ("launchNestedContainer", ({"x": 1},), {"x": 1}),
    ("waitNestedContainer", ("C",), {"container_id": {"value": "C"}}),
    ("waitNestedContainer", PARENT, NESTED),
    ("killNestedContainer", PARENT, NESTED),
    ("removeNestedContainer", PARENT, NESTED),
    ("addResourceProviderConfig", ({"x": 1},), {"info": {"x": 1}}),
    ("updateResourceProviderConfig", ({"x": 1},), {"info": {"x": 1}}),
    ("removeResourceProviderConfig", ("t", "n"), {"type": "t", "name": "n"}),
    ("pruneImages", (), None),
    ("pruneImages", ([1],), {"excluded_images": [1]}),
]


def wire_name(name):
    """GET_HEALTH of getHealth."""
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name)


def check_operator(made, name, arguments, body):
    made._send = mock.Mock()
    getattr(made, name)(*arguments)
    expected = {"type": wire_name(name)}
    if body is not None:
        expected[wire_name(name).lower()] = body
    made._send.assert_called_once_with(expected)


@pytest.mark.parametrize(("name", "arguments", "body"), MASTER_CALLS)
def test_a_masters_operator_call_is_sent_as_the_v1_api_wants_it(name, arguments, body):
    check_operator(MesosOperatorMasterDriver("m:1", mock.Mock()), name, arguments, body)


@pytest.mark.parametrize(("name", "arguments", "body"), AGENT_CALLS)
def test_an_agents_operator_call_is_sent_as_the_v1_api_wants_it(name, arguments, body):
    check_operator(MesosOperatorAgentDriver("m:1"), name, arguments, body)


def test_streams_of_containers_ask_for_recordio():
    made = MesosOperatorAgentDriver("m:1")
    made._send = mock.Mock()
    made.launchNestedContainerSession({"x": 1})
    assert made._send.call_args[1]["headers"]["Accept"] == "application/recordio"
    made.attachContainerOutput("C")
    ((body,), settings) = made._send.call_args
    assert body["attach_container_output"] == {"container_id": {"value": "C"}}
    assert settings["headers"] == {"Accept": "application/recordio", "Message-Accept": "application/json"}
    made.attachContainerInput("C", [{"type": "DATA", "data": {"type": "STDIN", "data": "aGk="}}])
    ((records,), _) = made._send.call_args
    found = []
    while records:
        length, _, records = records.partition("\n")
        found.append(json.loads(records[: int(length)])["attach_container_input"]["type"])
        records = records[int(length) :]
    assert found == ["CONTAINER_ID", "PROCESS_IO"]
    with pytest.raises(ValueError):
        made.attachContainerInput("C", [{"type": "OTHER"}])


OPERATOR_EVENTS = [
    ("TASK_ADDED", {"task": {"x": 1}}, "taskAdded", {"x": 1}),
    ("TASK_UPDATED", {"state": "X"}, "taskUpdated", {"state": "X"}),
    ("FRAMEWORK_ADDED", {"framework": {"x": 1}}, "frameworkAdded", {"x": 1}),
    ("FRAMEWORK_UPDATED", {"framework": {"x": 1}}, "frameworkUpdated", {"x": 1}),
    ("FRAMEWORK_REMOVED", {"framework_info": {"x": 1}}, "frameworkRemoved", {"x": 1}),
    ("AGENT_ADDED", {"agent": {"x": 1}}, "agentAdded", {"x": 1}),
    ("AGENT_REMOVED", {"agent_id": AGENT}, "agentRemoved", "A"),
]


@pytest.mark.parametrize(("kind", "body", "name", "argument"), OPERATOR_EVENTS)
def test_an_operators_event_becomes_a_callback(kind, body, name, argument):
    operator = mock.Mock()
    made = MesosOperatorMasterDriver("m:1", operator)
    made._started = True
    made.on_event({"type": kind, kind.lower(): body})
    getattr(operator, name).assert_called_once_with(argument)


# --- the rest --------------------------------------------------------------------------------------------------------


def test_every_callback_has_a_default():
    for kind, count in ((Scheduler, 14), (Executor, 9), (OperatorMaster, 7)):
        names = [name for name in vars(kind) if not name.startswith("_")]
        assert len(names) == count, names


def test_data_is_base64():
    assert encode_data(b"\x00\xff") == "AP8="
    assert decode_data("AP8=") == b"\x00\xff"
