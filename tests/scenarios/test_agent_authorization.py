"""An agent with access control lists: as whom tasks run, who looks into sandboxes, what others are shown (K7, K11)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messor.protos import acls, internal, v0
from messor.runtime.http import Request, Response
from messor.runtime.process_actors import LoggingActor, MetricsActor
from messor.runtime.virtual_files import VirtualFiles
from messor.wire.json_codec import message_from
from support import builders
from support.agent_desk import SILENT, AgentDesk

ANY: dict[str, Any] = {"type": "ANY"}
NONE: dict[str, Any] = {"type": "NONE"}
FORBIDDEN = (403, "403 Forbidden.")


def some(*values: str) -> dict[str, Any]:
    """Make an entity."""
    return {"values": list(values)}


def only(who: str, field: str, *values: str) -> list[dict[str, Any]]:
    """Make rules that allow somebody some things, or all, and nobody else anything."""
    return [{"principals": some(who), field: some(*values) if values else ANY}, {"principals": NONE, field: ANY}]


class Desk(AgentDesk):
    """An agent that heeds rules; who asks is said in a header."""

    def __init__(self, **lists: Any) -> None:
        """lists: as in the JSON of ``--acls``."""
        super().__init__(acls=message_from(lists, acls.ACLs))
        self.host.directory.authenticate = self._believe
        self.host.spawn(MetricsActor({}))
        self.host.spawn(LoggingActor())

    @staticmethod
    def _believe(request: Request, realm: str) -> None:
        request.principal = request.headers.get("who")

    def ask(self, path: str, who: str = "", method: str = "GET") -> tuple[int, str]:
        """Ask as somebody; gives status and text."""
        return told(self.request(method, path, **({"who": who} if who else {})))

    def seen(self, path: str, who: str = "") -> Any:
        """Get JSON as somebody."""
        status, text = self.ask(path, who)
        assert status == 200, text
        return json.loads(text)

    def make_call(self, kind: str, who: str = "", **body: Any) -> tuple[int, str]:
        """Make an operator call as somebody."""
        value = {"type": kind, **({kind.lower(): body} if body else {})}
        named = {"content_type": "application/json", "accept": "application/json", **({"who": who} if who else {})}
        return told(self.request("POST", "/slave(1)/api/v1", json.dumps(value).encode(), **named))

    def answered(self, kind: str, who: str = "") -> Any:
        """Make an operator call that is answered."""
        status, text = self.make_call(kind, who)
        assert status == 200, text
        return json.loads(text)[kind.lower()]

    def start_task(self, name: str, user: str, *, principal: str = "", task_user: str = "") -> None:
        """Send a task of a framework of a user, with an executor of its own."""
        framework = builders.framework_info(framework_id=f"F-{name}", user=user, principal=principal)
        executor = builders.executor_info(f"e-{name}", SILENT, text="cpus:0.1")
        task = builders.task(f"t-{name}", agent_id=self.id, executor=executor, text="cpus:0.1;mem:32")
        if task_user:
            task.executor.command.user = task_user
        self.master.run_task(self.upid, framework, task)
        self.world.advance(0.1)


def told(answer: Response) -> tuple[int, str]:
    """Give status and text."""
    body = answer.body
    assert isinstance(body, (bytes, list))
    return answer.status, (body if isinstance(body, bytes) else b"".join(body)).decode()


@pytest.fixture
def make() -> Iterator[Callable[..., Desk]]:
    """Make desks that are closed at the end."""
    made: list[Desk] = []

    def make(**lists: Any) -> Desk:
        made.append(Desk(**lists))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


# --- tasks -----------------------------------------------------------------------------------------------------------


def test_tasks_run_as_users_that_are_allowed_here(make: Callable[..., Desk]) -> None:
    """Whatever the master allowed; the framework's principal counts."""
    desk = make(run_tasks=only("alice", "users", "joe"))
    desk.start_task("good", "joe", principal="alice")
    assert "F-good" in desk.agent.tables.frameworks
    assert desk.updates() == []
    for name, user, principal, task_user in (
        ("jim", "jim", "alice", ""),
        ("root", "joe", "alice", "root"),
        ("bob", "joe", "bob", ""),
    ):
        desk.start_task(name, user, principal=principal, task_user=task_user)
        state, reason, message = desk.told()
        assert (state, reason) == ("TASK_ERROR", "REASON_TASK_UNAUTHORIZED")
        assert message.startswith(f'Framework F-{name} is not authorized to launch task name: "task"\n')
        assert f"F-{name}" not in desk.agent.tables.frameworks
        assert desk.updates()[-1].source == v0.TaskStatus.SOURCE_SLAVE


def test_a_group_is_refused_for_one_of_its_tasks(make: Callable[..., Desk]) -> None:
    """All of them end with the reason of groups."""
    desk = make(run_tasks=only("alice", "users", "joe"))
    message = internal.RunTaskGroupMessage(launch_executor=True)
    message.framework.CopyFrom(builders.framework_info(framework_id="F", user="joe", principal="alice"))
    message.executor.CopyFrom(builders.executor_info("e", SILENT, text="cpus:0.1;mem:32"))
    for name in ("good", "bad"):
        task = message.task_group.tasks.add()
        task.CopyFrom(builders.task(name, agent_id=desk.id, executor=message.executor))
        if name == "bad":
            task.executor.command.user = "root"
    desk.master.send(desk.upid, message)
    desk.world.advance(0.1)
    found = [(one.task_id.value, v0.TaskState.Name(one.state), one.reason) for one in desk.updates()]
    reason = v0.TaskStatus.REASON_TASK_GROUP_UNAUTHORIZED
    assert found == [("good", "TASK_ERROR", reason), ("bad", "TASK_ERROR", reason)]
    assert not desk.agent.tables.frameworks


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(make: Callable[..., Desk]) -> Desk:
    """Give an agent with tasks of joe's, jim's and eve's, where alice sees the first two frameworks and joe's task."""

    def rule(field: str, *values: str) -> list[dict[str, Any]]:
        return [{"principals": some("auditor"), field: ANY}, *only("alice", field, *values)]

    desk = make(
        view_frameworks=rule("users", "joe", "jim"),
        view_executors=rule("users", "joe"),
        view_tasks=rule("users", "joe"),
        view_containers=rule("users", "joe"),
        view_roles=rule("roles", "a"),
        view_flags=only("auditor", "flags"),
        set_log_level=only("auditor", "level"),
        prune_images=only("auditor", "images"),
        get_endpoints=only("alice", "paths", "/containers", "/monitor/statistics"),
    )
    for user in ("joe", "jim", "eve"):
        desk.start_task(user, user)
    return desk


def ids(found: list[dict[str, Any]]) -> list[str]:
    """List ids."""
    return [one["id"] for one in found]


def test_the_state_shows_frameworks_executors_and_tasks_by_user(busy: Desk) -> None:
    """And flags to who may see them."""
    state = busy.seen("/state", "alice")
    assert ids(state["frameworks"]) == ["F-joe", "F-jim"]
    joe, jim = state["frameworks"]
    assert ids(joe["executors"]) == ["e-joe"]
    assert ids(joe["executors"][0]["queued_tasks"]) == ["t-joe"]
    assert jim["executors"] == []
    assert "flags" not in state
    everything = busy.seen("/state", "auditor")
    assert ids(everything["frameworks"]) == ["F-joe", "F-jim", "F-eve"]
    assert "flags" in everything
    assert busy.seen("/state")["frameworks"] == []


def test_operator_calls_show_the_same(busy: Desk) -> None:
    """One by one and all at once."""
    found = busy.answered("GET_FRAMEWORKS", "alice")["frameworks"]
    assert [one["framework_info"]["id"]["value"] for one in found] == ["F-joe", "F-jim"]
    found = busy.answered("GET_EXECUTORS", "alice")["executors"]
    assert [one["executor_info"]["executor_id"]["value"] for one in found] == ["e-joe"]
    found = busy.answered("GET_TASKS", "alice")["queued_tasks"]
    assert [one["task_id"]["value"] for one in found] == ["t-joe"]
    state = busy.answered("GET_STATE", "alice")
    assert len(state["get_frameworks"]["frameworks"]) == 2
    assert len(state["get_tasks"]["queued_tasks"]) == 1
    assert len(busy.answered("GET_STATE", "auditor")["get_tasks"]["queued_tasks"]) == 3
    found = busy.answered("GET_CONTAINERS", "alice")["containers"]
    assert [one["executor_id"]["value"] for one in found] == ["e-joe"]
    assert len(busy.answered("GET_CONTAINERS", "auditor")["containers"]) == 3


def test_reservations_are_shown_by_role(make: Callable[..., Desk]) -> None:
    """Of roles that may be seen."""
    desk = make(view_roles=only("alice", "roles", "a"))
    desk.flags["resources"] = "cpus:1;cpus(a):1;cpus(b):1;mem:100;disk:100"
    desk.flags["work_dir"] = "/other"
    desk.restart()
    desk.host.directory.authenticate = desk._believe
    desk.world.advance(10)
    assert set(desk.seen("/state", "alice")["reserved_resources"]) == {"a"}
    assert set(desk.seen("/state", "alice")["reserved_resources_full"]) == {"a"}
    assert desk.seen("/state")["reserved_resources"] == {}


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/flags", "alice"),
        ("/containers", "auditor"),
        ("/monitor/statistics", "auditor"),
        ("/containerizer/debug", "alice"),
        ("/metrics/snapshot", "alice"),
        ("/logging/toggle", "alice"),
    ],
)
def test_endpoints_need_leave(busy: Desk, path: str, who: str) -> None:
    """By path, below the agent's name too."""
    assert busy.ask(path, who) == FORBIDDEN
    if not path.startswith(("/metrics", "/logging")):
        assert busy.ask(f"/slave(1){path}", who) == FORBIDDEN


def test_endpoints_answer_those_who_have_leave(busy: Desk) -> None:
    """With the containers that they may see; only reading is there to be allowed."""
    assert busy.ask("/flags", "auditor")[0] == 200
    assert [one["executor_id"] for one in busy.seen("/containers", "alice")] == ["e-joe"]
    assert busy.ask("/monitor/statistics", "alice")[0] == 200
    assert busy.ask("/containers", "alice", "POST")[0] == 405


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("GET_FLAGS", {}),
        ("SET_LOGGING_LEVEL", {"level": 0, "duration": {"nanoseconds": 0}}),
        ("PRUNE_IMAGES", {}),
    ],
)
def test_calls_need_leave(busy: Desk, kind: str, body: dict[str, Any]) -> None:
    """403 for the others."""
    assert busy.make_call(kind, "alice", **body) == FORBIDDEN
    assert busy.make_call(kind, "auditor", **body)[0] == 200


# --- sandboxes -------------------------------------------------------------------------------------------------------


def test_sandboxes_are_shown_by_the_user_of_their_executor(make: Callable[..., Desk]) -> None:
    """Of what the agent does not know any more, to those who may see any."""
    desk = make(
        access_sandboxes=[{"principals": some("auditor"), "users": ANY}, *only("alice", "users", "joe")],
    )
    desk.agent._files = files = VirtualFiles()
    sandboxes = desk.agent.sandboxes
    sandboxes._files = files
    desk.start_task("joe", "joe")
    desk.start_task("jim", "joe", task_user="jim")

    def may(who: str | None, path: str) -> bool:
        authorize = files.attached[path].authorize
        assert authorize is not None
        return authorize(who)

    joe, jim = (f"/frameworks/F-{name}/executors/e-{name}/runs/latest" for name in ("joe", "jim"))
    assert may("alice", joe)
    assert not may("alice", jim)
    assert not may("bob", joe)
    assert not may(None, joe)
    assert may("auditor", joe)
    assert may("auditor", jim)
    executor = desk.agent.tables.frameworks["F-joe"].executors["e-joe"]
    assert may("alice", executor.directory)
    del desk.agent.tables.frameworks["F-joe"]
    assert not may("alice", joe)
    assert may("auditor", joe)


def test_without_rules_everybody_may_do_everything() -> None:
    """And nothing is asked."""
    desk = AgentDesk()
    assert desk.agent.permissions.authorizer is None
    assert desk.host.directory.guards == {}
    desk.close()
