"""A master with access control lists: who is refused what, and what others are shown of the cluster (K7, K8).

Who asks is said in a header here: how that is proved is another matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from messor.protos import acls, internal, v0, v0_scheduler
from messor.runtime.http import Pipe, Request, Response
from messor.runtime.process_actors import LoggingActor, MetricsActor
from messor.wire.json_codec import message_from
from messor.wire.recordio import RecordDecoder
from support import builders
from support.fakes import FakeAgent, FakeScheduler

from .conftest import Cluster, text_of

ANY: dict[str, Any] = {"type": "ANY"}
NONE: dict[str, Any] = {"type": "NONE"}
FORBIDDEN = "403 Forbidden."


def some(*values: str) -> dict[str, Any]:
    """Make an entity."""
    return {"values": list(values)}


def only(who: str, field: str, *values: str) -> list[dict[str, Any]]:
    """Make rules that allow somebody some things, or all, and nobody else anything."""
    return [
        {"principals": some(who), field: some(*values) if values else ANY},
        {"principals": NONE, field: ANY},
    ]


class Guarded(Cluster):
    """A master that heeds rules."""

    def __init__(self, lists: dict[str, Any], **flags: Any) -> None:
        """lists: as in the JSON of ``--acls``."""
        super().__init__(acls=message_from(lists, acls.ACLs), **flags)
        self.host.directory.authenticate = self._believe
        self.host.spawn(MetricsActor({}))
        self.host.spawn(LoggingActor())
        self.world.settle()

    def agent(self, **info: Any) -> FakeAgent:
        """Start an agent of today."""
        self._machines += 1
        ip = f"10.0.0.{self._machines}"
        agent = FakeAgent(self.master.upid, builders.agent_info(ip, **info))
        self.machines[ip] = self.world.start(f"agent-{self._machines}", ip, 5051)
        self.machines[ip].spawn(agent)
        message = internal.RegisterSlaveMessage(slave=agent.info, version="1.11.0")
        for kind in v0.SlaveInfo.Capability.Type.values():
            if kind:
                message.agent_capabilities.add().type = v0.SlaveInfo.Capability.Type.Name(kind)
        agent.link(self.master.upid)
        agent.send(self.master.upid, message)
        self.world.settle()
        return agent

    @staticmethod
    def _believe(request: Request, realm: str) -> None:
        request.principal = request.headers.get("who")

    def status(self, path: str, who: str = "", method: str = "GET", body: bytes = b"") -> tuple[int, str]:
        """Ask as somebody; gives status and text."""
        answer = self._answer(Request(method, *self._split(path), headers_of(who), body))
        return answer.status, text_of(answer)

    @staticmethod
    def _split(path: str) -> tuple[str, ...]:
        return (path,)

    def _answer(self, request: Request) -> Response:
        answer = self.host.directory.answer(request)
        if not isinstance(answer, Response):
            answer = self.world.run(answer)
        self.world.settle()
        return answer

    def call(self, kind: str, who: str = "", **body: Any) -> tuple[int, str]:
        """Make an operator call as somebody; gives status and text."""
        value = {"type": kind, **({kind.lower(): body} if body else {})}
        headers = {**headers_of(who), "content-type": "application/json", "accept": "application/json"}
        answer = self._answer(Request("POST", "/api/v1", headers, json.dumps(value).encode()))
        return answer.status, text_of(answer)

    def seen(self, path: str, who: str = "") -> Any:
        """Get JSON as somebody."""
        path, _, query = path.partition("?")
        answer = self._answer(Request("GET", path, headers_of(who), b"", query))
        assert answer.status == 200, text_of(answer)
        return json.loads(text_of(answer))

    def answered(self, kind: str, who: str = "", **body: Any) -> Any:
        """Make an operator call that is answered."""
        status, text = self.call(kind, who, **body)
        assert status == 200, text
        return json.loads(text)[kind.lower()]


def headers_of(who: str) -> dict[str, str]:
    """Say who asks."""
    return {"who": who} if who else {}


@pytest.fixture
def guard() -> Iterator[Callable[..., Guarded]]:
    """Make clusters that are checked and closed at the end."""
    made: list[Guarded] = []

    def make(flags: dict[str, Any] | None = None, /, **lists: Any) -> Guarded:
        made.append(Guarded(lists, **(flags or {})))
        return made[-1]

    yield make
    for cluster in made:
        cluster.world.check()
        cluster.world.close()


# --- frameworks ------------------------------------------------------------------------------------------------------


def test_frameworks_register_with_roles_they_may_have(guard: Callable[..., Guarded]) -> None:
    """Others are told in an error; all roles of a framework must be allowed."""
    cluster = guard(register_frameworks=only("alice", "roles", "a", "b/%"))
    good = cluster.scheduler(principal="alice", roles=["a", "b/c"], capabilities=["multi_role"])
    assert good.info.id.value
    for principal, roles in (("alice", ["a", "b"]), ("bob", ["a"]), ("", ["a"])):
        bad = cluster.scheduler(principal=principal, roles=roles, capabilities=["multi_role"])
        text = bad.last(internal.FrameworkErrorMessage).message
        assert text == f"Not authorized to register framework  with roles {{ {', '.join(roles)} }}"
        assert not bad.info.id.value


def subscribe(cluster: Guarded, who: str, **info: Any) -> tuple[Response, list[dict[str, Any]]]:
    """Subscribe over HTTP; gives the reply and its events."""
    described = {"user": "root", "name": "n", "failover_timeout": 1000.0, **info}
    body = {"type": "SUBSCRIBE", "subscribe": {"framework_info": described}}
    if "id" in info:
        body["framework_id"] = info["id"]
    headers = {**headers_of(who), "content-type": "application/json", "accept": "application/json"}
    answer = cluster.host.directory.answer(Request("POST", "/api/v1/scheduler", headers, json.dumps(body).encode()))
    assert isinstance(answer, Response)
    return answer, events_of(answer)


class Reader:
    """Collects what is written into a stream."""

    def __init__(self, pipe: Pipe) -> None:
        """Begin with what was written already."""
        self.decoder = RecordDecoder()
        self.events: list[dict[str, Any]] = []
        self.ended = False
        pipe.attach(self)

    def write_chunk(self, data: bytes) -> None:
        """Take a chunk."""
        self.events += [json.loads(record) for record in self.decoder.feed(data)]

    def end(self) -> None:
        """Note the end."""
        self.ended = True


def events_of(answer: Response) -> list[dict[str, Any]]:
    """Read the events of a stream, now and later."""
    assert isinstance(answer.body, Pipe)
    return Reader(answer.body).events


def test_http_frameworks_are_refused_with_an_event_and_updates_with_403(guard: Callable[..., Guarded]) -> None:
    """The principal is the one that was authenticated, where FrameworkInfo does not say."""
    cluster = guard(register_frameworks=only("alice", "roles", "a"))
    _, heard = subscribe(cluster, "bob", role="a")
    assert [event["type"] for event in heard] == ["ERROR"]
    assert heard[0]["error"]["message"] == "Not authorized to register framework  with roles { a }"
    answer, heard = subscribe(cluster, "alice", role="a")
    assert heard[0]["type"] == "SUBSCRIBED"
    framework_id = heard[0]["subscribed"]["framework_id"]
    info = {
        "user": "root",
        "name": "n",
        "role": "b",
        "principal": "alice",
        "id": framework_id,
        "failover_timeout": 1000,
    }
    call = {"type": "UPDATE_FRAMEWORK", "framework_id": framework_id, "update_framework": {"framework_info": info}}
    headers = {"who": "alice", "content-type": "application/json"}
    headers["mesos-stream-id"] = answer.headers["Mesos-Stream-Id"]
    refused = cluster.ask("/api/v1/scheduler", "POST", json.dumps(call).encode(), headers)
    assert refused.status == 403
    name = framework_id["value"]
    assert text_of(refused) == f"Not authorized to register framework {name} with roles {{ b }}"
    assert cluster.master.state.frameworks[name].info.role == "a"


def accept(cluster: Guarded, scheduler: FakeScheduler, *operations: v0.Offer.Operation) -> None:
    """Accept the latest offer."""
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
    call.accept.offer_ids.add().CopyFrom(scheduler.offers()[-1].id)
    call.accept.operations.extend(operations)
    scheduler.call(call)
    cluster.world.settle()


def told(scheduler: FakeScheduler) -> list[tuple[str, str, str]]:
    """Give (state, reason, message) of all statuses."""
    names = v0.TaskStatus.Reason
    return [(v0.TaskState.Name(one.state), names.Name(one.reason), one.message) for one in scheduler.statuses()]


def test_tasks_run_as_users_they_may_run_as(guard: Callable[..., Guarded]) -> None:
    """Others end in TASK_ERROR, each for itself; what they would have used comes back."""
    cluster = guard(run_tasks=only("alice", "users", "joe"))
    agent = cluster.agent()
    scheduler = cluster.scheduler(principal="alice", user="root")
    launch = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH)
    for task_id, user in (("good", "joe"), ("bad", "jim"), ("default", "")):
        task = builders.task(task_id, agent_id=agent.id, text="cpus:0.1;mem:32")
        if user:
            task.command.user = user
        launch.launch.task_infos.append(task)
    accept(cluster, scheduler, launch)
    head, framework_id = "Principal 'alice' no authorized to launch task", scheduler.info.id.value
    assert told(scheduler) == [
        ("TASK_ERROR", "REASON_TASK_UNAUTHORIZED", f"{head} bad of framework {framework_id} under user 'jim'"),
        ("TASK_ERROR", "REASON_TASK_UNAUTHORIZED", f"{head} default of framework {framework_id} under user 'root'"),
    ]
    assert [message.task.task_id.value for message in agent.received(internal.RunTaskMessage)] == ["good"]


def test_a_group_runs_as_a_whole_or_not_at_all(guard: Callable[..., Guarded]) -> None:
    """All its tasks are refused for one."""
    cluster = guard(run_tasks=only("alice", "users", "joe"))
    agent = cluster.agent()
    scheduler = cluster.scheduler(principal="alice", user="joe")
    group = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH_GROUP)
    group.launch_group.executor.CopyFrom(builders.executor_info("e", text="cpus:0.1;mem:32;disk:1"))
    for task_id in ("good", "bad"):
        task = builders.task(task_id, agent_id=agent.id, text="cpus:0.1;mem:32")
        if task_id == "bad":
            task.command.user = "jim"
        group.launch_group.task_group.tasks.append(task)
    accept(cluster, scheduler, group)
    why = f"Task 'bad' is not authorized tolaunch task bad of framework {scheduler.info.id.value} under user 'jim'"
    assert told(scheduler) == [("TASK_ERROR", "REASON_TASK_GROUP_UNAUTHORIZED", why)] * 2
    assert agent.received(internal.RunTaskGroupMessage) == []


def test_operations_of_frameworks_need_leave(guard: Callable[..., Guarded], caplog: pytest.LogCaptureFixture) -> None:
    """A forbidden one is dropped, and what stands behind it is done."""
    cluster = guard(
        reserve_resources=[
            {"principals": some("alice"), "roles": some("a")},
            {"principals": NONE, "roles": some("b")},
        ],
        create_volumes=[{"principals": NONE, "roles": ANY}],
    )
    agent = cluster.agent()
    able = ["multi_role", "reservation_refinement"]
    scheduler = cluster.scheduler(principal="alice", roles=["a", "b"], capabilities=able)
    role = scheduler.offers()[-1].allocation_info.role
    reserve = v0.Offer.Operation(type=v0.Offer.Operation.RESERVE)
    resource = reserve.reserve.resources.add(name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=8))
    resource.allocation_info.role = role
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=role, principal="alice")
    create = v0.Offer.Operation(type=v0.Offer.Operation.CREATE)
    volume = create.create.volumes.add()
    volume.CopyFrom(resource)
    volume.disk.persistence.id = "v"
    volume.disk.persistence.principal = "alice"
    volume.disk.volume.container_path = "v"
    volume.disk.volume.mode = v0.Volume.RW
    assert role == "a"
    with caplog.at_level("WARNING"):
        accept(cluster, scheduler, reserve, create)
    held = cluster.master.state.agents[agent.id].total
    assert "a" in held.reservations()
    assert not any(kind.is_persistent_volume for kind in held.kinds())
    assert "Principal 'alice' no authorized to perform action CREATE_VOLUME on object {" in caplog.text


# --- agents ----------------------------------------------------------------------------------------------------------


def test_agents_register_where_they_may_with_reservations_they_may_make(guard: Callable[..., Guarded]) -> None:
    """Others are not answered, as they may come back with other settings."""
    cluster = guard(reserve_resources=[{"principals": NONE, "roles": some("secret")}])
    assert cluster.agent(text="cpus:1;mem:100").id
    assert not cluster.agent(text="cpus(secret):1;mem:100").id
    nobody = guard(register_agents=[{"principals": NONE, "agents": ANY}])
    assert not nobody.agent().id
    assert not nobody.master.state.agents


def test_an_agent_that_may_not_come_back_is_not_answered(guard: Callable[..., Guarded]) -> None:
    """Nor is it shut down: its tasks live on."""
    cluster = guard(register_agents=[{"principals": NONE, "agents": ANY}])
    agent = cluster.agent()
    agent.info.id.value = "old-S0"
    agent.reregister()
    cluster.world.settle()
    assert agent.names() == []


# --- operators -------------------------------------------------------------------------------------------------------

MACHINE = {"hostname": "10.0.0.2", "ip": "10.0.0.2"}
WINDOW = {"machine_ids": [MACHINE], "unavailability": {"start": {"nanoseconds": 1}}}


def reserved(name: str = "cpus", role: str = "a", by: str = "alice", **more: Any) -> dict[str, Any]:
    """Make a reserved scalar."""
    reservation = {"type": "DYNAMIC", "role": role, "principal": by}
    return {"name": name, "type": "SCALAR", "scalar": {"value": 1.0}, "reservations": [reservation], **more}


VOLUME = reserved(
    "disk", disk={"persistence": {"id": "v", "principal": "alice"}, "volume": {"mode": "RW", "container_path": "d"}}
)

AGENT = "cpus:4;mem:100;disk:100"
WITH_RESERVATION = f"{AGENT};disk(a):50"

GUARDED_CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("reserve_resources", "roles", "RESERVE_RESOURCES", {"agent_id": "AGENT", "resources": [reserved(by="bob")]}),
    (
        "unreserve_resources",
        "reserver_principals",
        "UNRESERVE_RESOURCES",
        {"agent_id": "AGENT", "resources": [reserved()]},
    ),
    ("create_volumes", "roles", "CREATE_VOLUMES", {"agent_id": "AGENT", "volumes": ["VOLUME-BOB"]}),
    ("update_quotas", "roles", "UPDATE_QUOTA", {"force": True, "quota_configs": [{"role": "q"}]}),
    (
        "update_quotas",
        "roles",
        "SET_QUOTA",
        {
            "quota_request": {
                "role": "q",
                "force": True,
                "guarantee": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}],
            }
        },
    ),
    ("update_weights", "roles", "UPDATE_WEIGHTS", {"weight_infos": [{"role": "w", "weight": 2.0}]}),
    (
        "update_maintenance_schedules",
        "machines",
        "UPDATE_MAINTENANCE_SCHEDULE",
        {"schedule": {"windows": [WINDOW]}},
    ),
    ("teardown_frameworks", "framework_principals", "TEARDOWN", {"framework_id": "FRAMEWORK"}),
    ("drain_agents", "agents", "DRAIN_AGENT", {"agent_id": "AGENT"}),
    ("mark_agents_gone", "agents", "DRAIN_AGENT", {"agent_id": "AGENT", "mark_gone": True}),
    ("deactivate_agents", "agents", "DEACTIVATE_AGENT", {"agent_id": "AGENT"}),
    ("reactivate_agents", "agents", "REACTIVATE_AGENT", {"agent_id": "AGENT"}),
    ("mark_agents_gone", "agents", "MARK_AGENT_GONE", {"agent_id": "AGENT"}),
    ("set_log_level", "level", "SET_LOGGING_LEVEL", {"level": 1, "duration": {"nanoseconds": 1000000000}}),
    ("view_flags", "flags", "GET_FLAGS", {}),
]


def filled(cluster: Guarded, body: Any, agent: FakeAgent, scheduler: FakeScheduler) -> Any:
    """Put ids into a body."""
    by_bob = json.loads(json.dumps(VOLUME).replace('"alice"', '"bob"'))
    names = {"AGENT": {"value": agent.id}, "FRAMEWORK": {"value": scheduler.info.id.value}, "VOLUME-BOB": by_bob}
    if isinstance(body, dict):
        return {key: filled(cluster, value, agent, scheduler) for key, value in body.items()}
    if isinstance(body, list):
        return [filled(cluster, value, agent, scheduler) for value in body]
    return names.get(body, body) if isinstance(body, str) else body


@pytest.mark.parametrize(("name", "field", "kind", "body"), GUARDED_CALLS)
def test_operators_need_leave_for_what_they_do(
    guard: Callable[..., Guarded], name: str, field: str, kind: str, body: dict[str, Any]
) -> None:
    """403 and no more words for the others; for who has it nothing changes."""
    cluster = guard(**{name: only("alice", field)})
    agent = cluster.agent(text=AGENT if name == "reserve_resources" else WITH_RESERVATION)
    scheduler = cluster.scheduler(principal="f")
    given = filled(cluster, body, agent, scheduler)
    assert cluster.call(kind, "bob", **given) == (403, FORBIDDEN)
    assert cluster.call(kind, "", **given)[0] in (400, 403)
    mine = json.loads(json.dumps(given).replace('"bob"', '"alice"'))
    status, text = cluster.call(kind, "alice", **mine)
    assert status != 403, text
    if kind == "REACTIVATE_AGENT":
        assert (status, text) == (400, "Agent is not deactivated")
    elif kind == "UNRESERVE_RESOURCES":
        assert status == 409  # nothing was reserved
    elif kind == "CREATE_VOLUMES":
        assert status in (202, 409)
    else:
        assert status in (200, 202), text
    cluster.world.advance(2)  # the log is as before again


def test_destroying_volumes_needs_leave_to_destroy_their_makers(guard: Callable[..., Guarded]) -> None:
    """Resizing them needs leave for their role."""
    cluster = guard(
        destroy_volumes=only("alice", "creator_principals", "alice"),
        resize_volumes=only("alice", "roles", "a"),
        unreserve_resources=only("alice", "reserver_principals", "alice"),
    )
    agent = cluster.agent(text="cpus:4;mem:100;disk:100")
    on = {"agent_id": {"value": agent.id}}
    assert cluster.call("RESERVE_RESOURCES", "alice", **on, resources=[reserved("disk")])[0] == 202
    assert cluster.call("CREATE_VOLUMES", "alice", **on, volumes=[VOLUME])[0] == 202
    addition = reserved("disk")
    assert cluster.call("GROW_VOLUME", "bob", volume=VOLUME, addition=addition, **on) == (403, FORBIDDEN)
    assert cluster.call("SHRINK_VOLUME", "bob", volume=VOLUME, subtract={"value": 0.5}, **on) == (403, FORBIDDEN)
    assert cluster.call("DESTROY_VOLUMES", "bob", **on, volumes=[VOLUME]) == (403, FORBIDDEN)
    assert cluster.call("UNRESERVE_RESOURCES", "bob", **on, resources=[reserved("disk")]) == (403, FORBIDDEN)
    assert cluster.call("DESTROY_VOLUMES", "alice", **on, volumes=[VOLUME])[0] == 202


GUARDED_PATHS: list[tuple[str, str, str, str, str]] = [
    ("teardown_frameworks", "framework_principals", "POST", "/teardown", "frameworkId=FRAMEWORK"),
    ("reserve_resources", "roles", "POST", "/reserve", "slaveId=AGENT&resources=RESOURCES"),
    ("unreserve_resources", "reserver_principals", "POST", "/unreserve", "slaveId=AGENT&resources=RESOURCES"),
    ("create_volumes", "roles", "POST", "/create-volumes", "slaveId=AGENT&volumes=VOLUMES"),
    ("update_weights", "roles", "PUT", "/weights", '[{"role":"w","weight":2.0}]'),
    (
        "update_quotas",
        "roles",
        "POST",
        "/quota",
        '{"role":"q","force":true,"guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}',
    ),
    ("update_maintenance_schedules", "machines", "POST", "/maintenance/schedule", json.dumps({"windows": [WINDOW]})),
    ("view_flags", "flags", "GET", "/flags", ""),
    ("get_endpoints", "paths", "GET", "/metrics/snapshot", ""),
    ("get_endpoints", "paths", "GET", "/logging/toggle", ""),
]


@pytest.mark.parametrize(("name", "field", "method", "path", "body"), GUARDED_PATHS)
def test_the_older_endpoints_need_the_same_leave(
    guard: Callable[..., Guarded], name: str, field: str, method: str, path: str, body: str
) -> None:
    """403 for the others."""
    cluster = guard(**{name: only("alice", field)})
    agent = cluster.agent(text=AGENT if name == "reserve_resources" else WITH_RESERVATION)
    scheduler = cluster.scheduler(principal="f")

    def asked(who: str) -> tuple[int, str]:
        mine = json.loads(json.dumps([reserved(), VOLUME]).replace('"alice"', f'"{who}"'))
        given = body.replace("AGENT", agent.id).replace("FRAMEWORK", scheduler.info.id.value)
        given = given.replace("RESOURCES", quote(json.dumps(mine[:1]))).replace("VOLUMES", quote(json.dumps(mine[1:])))
        return cluster.status(path, who, method, given.encode())

    assert asked("bob") == (403, FORBIDDEN)
    assert asked("alice")[0] in (200, 202, 409)


def test_machines_go_down_and_up_for_who_may_do_that(guard: Callable[..., Guarded]) -> None:
    """Through the API and through the endpoints; the schedule and the status are shown in part."""
    rules = {
        name: only("alice", "machines")
        for name in ("start_maintenances", "stop_maintenances", "get_maintenance_schedules", "get_maintenance_statuses")
    }
    cluster = guard(**rules)
    assert cluster.call("UPDATE_MAINTENANCE_SCHEDULE", "bob", schedule={"windows": [WINDOW]})[0] == 200
    assert cluster.seen("/maintenance/schedule", "alice") == {"windows": [WINDOW]}
    assert cluster.seen("/maintenance/schedule", "bob") == {}
    assert cluster.answered("GET_MAINTENANCE_SCHEDULE", "bob") == {"schedule": {}}
    assert cluster.answered("GET_MAINTENANCE_SCHEDULE", "alice") == {"schedule": {"windows": [WINDOW]}}
    machines = json.dumps([MACHINE]).encode()
    assert cluster.status("/machine/down", "bob", "POST", machines) == (403, FORBIDDEN)
    assert cluster.call("START_MAINTENANCE", "bob", machines=[MACHINE]) == (403, FORBIDDEN)
    assert cluster.call("START_MAINTENANCE", "alice", machines=[MACHINE])[0] == 200
    assert cluster.seen("/maintenance/status", "alice") == {"down_machines": [MACHINE]}
    assert cluster.seen("/maintenance/status", "bob") == {}
    assert cluster.answered("GET_MAINTENANCE_STATUS", "bob") == {"status": {}}
    assert cluster.status("/machine/up", "bob", "POST", machines) == (403, FORBIDDEN)
    assert cluster.call("STOP_MAINTENANCE", "bob", machines=[MACHINE]) == (403, FORBIDDEN)
    assert cluster.status("/machine/up", "alice", "POST", machines)[0] == 200


def test_quotas_and_weights_are_shown_of_roles_that_may_be_seen(guard: Callable[..., Guarded]) -> None:
    """And changed in part by nobody: all roles of a change must be allowed."""
    cluster = guard(
        get_quotas=only("alice", "roles", "a"),
        view_roles=only("alice", "roles", "a"),
        update_quotas=only("alice", "roles", "a", "b"),
    )
    configs = [{"role": role, "limits": {"cpus": {"value": 1}}} for role in ("a", "b")]
    assert cluster.call("UPDATE_QUOTA", "bob", quota_configs=configs) == (403, FORBIDDEN)
    more = [*configs, {"role": "c"}]
    assert cluster.call("UPDATE_QUOTA", "alice", quota_configs=more) == (403, FORBIDDEN)
    assert cluster.master.state.quotas == {}
    assert cluster.call("UPDATE_QUOTA", "alice", quota_configs=configs)[0] == 200
    assert [one["role"] for one in cluster.seen("/quota", "alice")["configs"]] == ["a"]
    assert cluster.seen("/quota", "bob") == {}
    assert cluster.answered("GET_QUOTA", "bob") == {"status": {}}
    assert cluster.status("/quota/a", "bob", "DELETE") == (403, FORBIDDEN)
    assert cluster.call("REMOVE_QUOTA", "bob", role="a") == (403, FORBIDDEN)
    assert cluster.call("REMOVE_QUOTA", "alice", role="a")[0] == 200
    weights = [{"role": "a", "weight": 2.0}, {"role": "b", "weight": 3.0}]
    assert cluster.call("UPDATE_WEIGHTS", "bob", weight_infos=weights)[0] == 200
    assert [one["role"] for one in cluster.seen("/weights", "alice")] == ["a"]
    assert cluster.seen("/weights", "bob") == []
    assert cluster.answered("GET_WEIGHTS", "alice") == {"weight_infos": [weights[0]]}


# --- what is seen ----------------------------------------------------------------------------------------------------


@pytest.fixture
def seen(guard: Callable[..., Guarded]) -> Guarded:
    """Give a cluster of two users' frameworks, where alice sees joe's only, the auditor all, others nothing."""

    def rule(field: str, *values: str) -> list[dict[str, Any]]:
        return [{"principals": some("auditor"), field: ANY}, *only("alice", field, *values)]

    cluster = guard(
        view_frameworks=rule("users", "joe", "jim"),
        view_tasks=rule("users", "joe"),
        view_executors=rule("users", "joe"),
        view_roles=rule("roles", "a"),
        view_flags=only("auditor", "flags"),
    )
    agent = cluster.agent(text="cpus:8;mem:8192;disk:100;cpus(a):1;cpus(b):1;mem(b):10")
    for number, user in enumerate(("joe", "jim", "eve")):
        scheduler = cluster.scheduler(name=user, user=user, roles=["a"])
        cluster.world.advance(6)
        executor = builders.executor_info(f"e-{user}", text="cpus:0.1")
        cluster.launch(scheduler, agent, f"t{number}", text="cpus:0.1;mem:32", executor=executor)
    return cluster


def names(found: list[dict[str, Any]]) -> list[str]:
    """Name frameworks."""
    return [one["name"] for one in found]


def test_frameworks_tasks_and_executors_are_shown_by_user(seen: Guarded) -> None:
    """Of a framework that is seen, tasks may not be."""
    for path in ("/state", "/frameworks"):
        assert names(seen.seen(path, "alice")["frameworks"]) == ["joe", "jim"]
        assert names(seen.seen(path, "auditor")["frameworks"]) == ["joe", "jim", "eve"]
        assert seen.seen(path)["frameworks"] == []
        joe, jim = seen.seen(path, "alice")["frameworks"]
        assert [one["id"] for one in joe["tasks"]] == ["t0"]
        assert [one["executor_id"] for one in joe["executors"]] == ["e-joe"]
        assert (jim["tasks"], jim["executors"]) == ([], [])
    assert names(seen.seen("/state-summary", "alice")["frameworks"]) == ["joe", "jim"]
    assert [one["id"] for one in seen.seen("/tasks", "alice")["tasks"]] == ["t0"]
    assert len(seen.seen("/tasks", "auditor")["tasks"]) == 3
    assert seen.seen("/tasks")["tasks"] == []


def test_flags_are_shown_with_the_state_to_who_may_see_them(seen: Guarded) -> None:
    """To others the state has none."""
    assert "flags" in seen.seen("/state", "auditor")
    assert "flags" not in seen.seen("/state", "alice")
    assert seen.status("/flags", "alice") == (403, FORBIDDEN)
    assert seen.status("/flags", "auditor", "POST")[0] == 405


def test_roles_are_shown_by_name_everywhere(seen: Guarded) -> None:
    """What is reserved for others is left out."""
    assert [one["name"] for one in seen.seen("/roles", "alice")["roles"]] == ["a"]
    assert {"a", "b"} <= {one["name"] for one in seen.seen("/roles", "auditor")["roles"]}
    for path in ("/state", "/slaves", "/state-summary"):
        (agent,) = seen.seen(path, "alice")["slaves"]
        assert list(agent["reserved_resources"]) == ["a"]
        (agent,) = seen.seen(path, "auditor")["slaves"]
        assert list(agent["reserved_resources"]) == ["a", "b"]
    (agent,) = seen.seen("/slaves")["slaves"]
    assert agent["reserved_resources_full"] == {}
    assert agent["used_resources_full"] == []
    (agent,) = seen.seen("/slaves", "alice")["slaves"]
    assert list(agent["reserved_resources_full"]) == ["a"]
    assert len(agent["used_resources_full"]) > 0


def test_operator_calls_show_the_same(seen: Guarded) -> None:
    """One by one and all at once."""
    found = seen.answered("GET_FRAMEWORKS", "alice")
    assert [one["framework_info"]["name"] for one in found["frameworks"]] == ["joe", "jim"]
    assert [one["task_id"]["value"] for one in seen.answered("GET_TASKS", "alice")["tasks"]] == ["t0"]
    executors = seen.answered("GET_EXECUTORS", "alice")["executors"]
    assert [one["executor_info"]["executor_id"]["value"] for one in executors] == ["e-joe"]
    (agent,) = seen.answered("GET_AGENTS", "alice")["agents"]
    for resources in (agent["total_resources"], agent["agent_info"]["resources"]):
        assert "b" not in json.dumps([one.get("reservations") for one in resources])
    assert [one["name"] for one in seen.answered("GET_ROLES", "alice")["roles"]] == ["a"]
    state = seen.answered("GET_STATE", "alice")
    assert len(state["get_frameworks"]["frameworks"]) == 2
    assert len(state["get_tasks"]["tasks"]) == 1
    assert len(seen.answered("GET_STATE", "auditor")["get_tasks"]["tasks"]) == 3
    assert seen.answered("GET_STATE")["get_frameworks"]["frameworks"] == []


def test_operations_are_shown_to_who_sees_all_they_consume(seen: Guarded) -> None:
    """What was reserved for a role they do not see is hidden."""
    agent_id = next(iter(seen.master.state.agents))
    resource = reserved("disk", "b", "alice")
    call = ("RESERVE_RESOURCES", "alice")
    assert seen.call(*call, agent_id={"value": agent_id}, resources=[resource])[0] == 202
    undone = seen.call("UNRESERVE_RESOURCES", "alice", agent_id={"value": agent_id}, resources=[resource])
    assert undone[0] == 202
    assert len(seen.answered("GET_OPERATIONS", "auditor")["operations"]) == 2
    assert len(seen.answered("GET_OPERATIONS", "alice")["operations"]) == 1


def test_events_are_told_to_who_may_see_what_they_are_about(seen: Guarded) -> None:
    """From the snapshot on."""
    heard = {who: stream(seen, who) for who in ("alice", "auditor")}
    assert len(heard["alice"][0]["subscribed"]["get_state"]["get_frameworks"]["frameworks"]) == 2
    scheduler = seen.scheduler(name="eve2", user="eve", roles=["a"])
    other = seen.scheduler(name="joe2", user="joe", roles=["a"])
    agent = seen.agent(text="cpus:1;mem:100;cpus(b):1")
    seen.world.advance(6)
    latest = next(one for one in (scheduler, other) if any(offer.slave_id == agent.info.id for offer in one.offers()))
    seen.launch(latest, agent, "new", text="cpus:0.1;mem:32")
    seen.report(latest, agent, "new", v0.TASK_RUNNING)

    def about(who: str, kind: str) -> list[dict[str, Any]]:
        return [event[kind.lower()] for event in heard[who] if event["type"] == kind]

    def added(who: str) -> list[str]:
        return [one["framework"]["framework_info"]["name"] for one in about(who, "FRAMEWORK_ADDED")]

    assert added("auditor") == ["eve2", "joe2"]
    assert added("alice") == ["joe2"]
    is_seen = latest is other
    assert len(about("auditor", "TASK_ADDED")) == len(about("auditor", "TASK_UPDATED")) == 1
    assert len(about("alice", "TASK_ADDED")) == len(about("alice", "TASK_UPDATED")) == int(is_seen)
    (shown,) = about("alice", "AGENT_ADDED")
    assert "reservations" not in json.dumps(shown["agent"]["total_resources"])
    (shown,) = about("auditor", "AGENT_ADDED")
    assert "reservations" in json.dumps(shown["agent"]["total_resources"])


def stream(cluster: Guarded, who: str) -> list[dict[str, Any]]:
    """Read the operators' events as somebody."""
    headers = {"who": who, "content-type": "application/json", "accept": "application/json"}
    answer = cluster.host.directory.answer(Request("POST", "/api/v1", headers, b'{"type":"SUBSCRIBE"}'))
    assert isinstance(answer, Response)
    return events_of(answer)


def test_the_allocator_answers_those_who_see_everything(seen: Guarded) -> None:
    """Its answers name everybody; agents that constraints exclude are listed by framework."""
    for asked in ("/allocator/why?about=joe", "/allocator/shares", "/allocator/fit?role=a&resources=cpus:1"):
        path, _, query = asked.partition("?")
        refused = seen.host.directory.answer(Request("GET", path, {"who": "alice"}, b"", query))
        assert isinstance(refused, Response)
        assert refused.status == 403
        assert seen.seen(f"{path}?{query}", "auditor")
    assert len(seen.seen("/allocator/offer_constraints_debug", "alice")["frameworks"]) == 2
    assert len(seen.seen("/allocator/offer_constraints_debug", "auditor")["frameworks"]) == 3


def test_with_rules_that_allow_everything_nothing_changes(guard: Callable[..., Guarded]) -> None:
    """An empty list of rules is one."""
    cluster = guard()
    cluster.fill()
    assert cluster.master.authorization.is_on
    assert cluster.master.authorization.viewer(None) is None
    assert len(cluster.seen("/state")["frameworks"]) == 1
    assert cluster.status("/flags")[0] == 200


def test_a_masters_own_authorizer_is_asked_everything(guard: Callable[..., Guarded]) -> None:
    """Named by a flag; rules do not count then."""
    cluster = guard({"authorizers": "support.own_authorizer:Forbidding"})
    assert not cluster.agent().id
    assert cluster.seen("/state", "alice")["frameworks"] == []
    assert cluster.call("UPDATE_WEIGHTS", "alice", weight_infos=[{"role": "w", "weight": 2.0}]) == (403, FORBIDDEN)
