"""Frameworks coming, failing over, changing and going, over HTTP and by pid."""

from __future__ import annotations

from typing import Any

import pytest

from messor.master.state.lifecycles import FrameworkState
from messor.model.resource_text import parse_resources
from messor.protos import internal, v0, v0_scheduler
from messor.protos.mesos.authentication.authentication_pb2 import AuthenticateMessage, AuthenticationErrorMessage
from messor.wire.upid import Upid
from support.builders import task as make_task
from support.master_desk import SCHEDULER, Desk, Stream

OTHER = Upid("scheduler(1)", "10.0.0.8", 9000)

NOT_A_ROLE = "'FrameworkInfo.role' is not a valid role: "
MULTI: list[dict[str, str]] = [{"type": "MULTI_ROLE"}]

REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"role": "a", "capabilities": MULTI}, {},
     "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"),
    ({"roles": ["a"]}, {}, "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"),
    ({"roles": ["a", "a"], "capabilities": MULTI}, {}, "'FrameworkInfo.roles' contains duplicate items: { a }"),
    ({"roles": ["/a"], "capabilities": MULTI}, {},
     "'FrameworkInfo.roles' contains invalid role: Role '/a' cannot start with a slash"),
    ({"role": "/a"}, {}, NOT_A_ROLE + "Role '/a' cannot start with a slash"),
    ({"role": "a/"}, {}, NOT_A_ROLE + "Role 'a/' cannot end with a slash"),
    ({"role": "a//b"}, {}, NOT_A_ROLE + "Role 'a//b' cannot contain two adjacent slashes"),
    ({"role": "."}, {}, NOT_A_ROLE + "Role '.' cannot include '.' as a component"),
    ({"role": "a/.."}, {}, NOT_A_ROLE + "Role 'a/..' cannot include '..' as a component"),
    ({"role": "a/*"}, {}, NOT_A_ROLE + "Role 'a/*' cannot include '*' as a component"),
    ({"role": "-x"}, {}, NOT_A_ROLE + "Role component '-x' is invalid because it starts with a dash"),
    ({"role": "a b"}, {},
     NOT_A_ROLE + "Role component 'a b' is invalid because it contains backspace or whitespace"),
    ({"role": ""}, {}, NOT_A_ROLE + "Role names cannot be the empty string"),
    ({"failover_timeout": 1e20}, {}, "The framework failover_timeout (1e+20) is invalid"),
    ({}, {"suppressed_roles": ["zz", "a"]}, "Suppressed roles { a, zz } are not contained in the set of roles"),
    ({}, {"offer_constraints": {"role_constraints": {"b": {"groups": []}}}},
     "Offer constraints specify `role_constraints` for a role 'b'not contained in the set of roles"),
    ({}, {"offer_constraints": {"role_constraints": {"*": {"groups": [{}]}}}},
     ("Offer constraints are not valid: 'OfferConstraints::RoleConstraints::groups' for role *contains an empty"
     " RoleConstraints::Group")),
    ({"offer_filters": {"*": {"min_allocatable_resources": {"quantities": [{}]}}}}, {},
     "Resource quantities must contain at least one quantity"),
]  # fmt: skip

ACCEPTED: list[dict[str, Any]] = [
    {"failover_timeout": -1.0},
    {"name": "", "user": ""},
    {"role": "é"},
    {"capabilities": [{"type": "NO_SUCH"}]},
    {"capabilities": [{}]},
    {"capabilities": MULTI},
    {"id": {"value": ""}},
    {"offer_filters": {"b": {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": 1}}}]}}}},
]


def subscribe_call(info: dict[str, Any], identifier: str | None = None, **more: Any) -> dict[str, Any]:
    """Make a SUBSCRIBE in JSON."""
    described = {"user": "root", "name": "x", **info}
    call: dict[str, Any] = {"type": "SUBSCRIBE", "subscribe": {"framework_info": described, **more}}
    if identifier is not None:
        described["id"] = call["framework_id"] = {"value": identifier}
    elif "id" in info:
        call["framework_id"] = info["id"]
    return call


@pytest.mark.parametrize(("info", "more", "text"), REFUSED)
def test_a_bad_framework_hears_why_inside_its_stream(info: dict[str, Any], more: dict[str, Any], text: str) -> None:
    """An ERROR event and the end of a 200 stream; a driver gets the same text as FrameworkErrorMessage (M7)."""
    desk = Desk()
    response = desk.post(subscribe_call(info, **more))
    stream = Stream(response)
    assert response.status == 200
    assert stream.events() == [{"type": "ERROR", "error": {"message": text}}]
    assert stream.ended
    assert not desk.state.frameworks


@pytest.mark.parametrize("info", ACCEPTED)
def test_lenient_as_the_original(info: dict[str, Any]) -> None:
    """What the original lets through is let through (errata)."""
    desk = Desk()
    assert Stream(desk.post(subscribe_call(info))).events("SUBSCRIBED")


def test_a_driver_hears_why_it_is_refused() -> None:
    """Over libprocess a refusal is a FrameworkErrorMessage."""
    desk = Desk(root_submissions=False)
    call = v0_scheduler.Call(type=v0_scheduler.Call.SUBSCRIBE)
    call.subscribe.framework_info.MergeFrom(v0.FrameworkInfo(user="root", name="x"))
    desk.messages.call(SCHEDULER, call)
    (error,) = desk.received(SCHEDULER, internal.FrameworkErrorMessage)
    assert error.message == "User 'root' is not allowed to run frameworks without --root_submissions set"


def test_a_driver_is_registered_once() -> None:
    """The same pid without an id gets the same answer again and is linked."""
    desk = Desk()
    framework = desk.subscribe_pid()
    assert desk.subscribe_pid() is framework
    first, second = desk.received(SCHEDULER, internal.FrameworkRegisteredMessage)
    assert first == second
    assert (first.framework_id.value, first.master_info.id) == ("M-0000", "M")
    assert desk.host.network.links == [SCHEDULER]
    ((identifier, info, used),) = desk.allocator.named("add_framework")
    assert (identifier, info.id.value, used) == (framework.id, framework.id, {})


def test_a_driver_that_registers_again_keeps_its_framework() -> None:
    """Same pid and id without force: offers are rescinded, the link renewed, agents told (protocols b.1)."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent()
    offer = desk.offer(framework, agent)
    desk.subscribe_pid(id=v0.FrameworkID(value=framework.id))
    (rescinded,) = desk.received(SCHEDULER, internal.RescindResourceOfferMessage)
    assert rescinded.offer_id.value == offer
    assert desk.received(SCHEDULER, internal.FrameworkReregisteredMessage)[0].framework_id.value == framework.id
    (told,) = desk.received(agent.pid, internal.UpdateFrameworkMessage)
    assert (told.framework_id.value, told.pid, told.framework_info) == (framework.id, str(SCHEDULER), framework.info)


@pytest.mark.parametrize("force", [False, True])
def test_another_driver_needs_force(force: bool) -> None:
    """Without force the newcomer is refused, with force the former one is told; offers vanish silently (M4)."""
    desk = Desk()
    framework = desk.subscribe_pid()
    desk.offer(framework, desk.agent())
    call = v0_scheduler.Call(type=v0_scheduler.Call.SUBSCRIBE)
    call.framework_id.value = framework.id
    call.subscribe.framework_info.MergeFrom(framework.info)
    call.subscribe.force = force
    desk.messages.call(OTHER, call)
    loser, winner = (SCHEDULER, OTHER) if force else (OTHER, SCHEDULER)
    assert framework.pid == winner
    assert [error.message for error in desk.received(loser, internal.FrameworkErrorMessage)] == [
        "Framework failed over"
    ]
    assert len(desk.received(OTHER, internal.FrameworkRegisteredMessage)) == force
    assert bool(framework.offers) != force
    assert desk.received(SCHEDULER, internal.RescindResourceOfferMessage) == []


def test_a_pid_can_have_one_framework() -> None:
    """A SUBSCRIBE for another id from a pid in use gets no answer."""
    desk = Desk()
    desk.subscribe_pid()
    sent = len(desk.host.network.messages)
    desk.subscribe_pid(id=v0.FrameworkID(value="other"))
    assert len(desk.host.network.messages) == sent


def test_the_newest_stream_wins() -> None:
    """The former stream gets an ERROR and ends, offers go without RESCIND, the old stream id is refused (M4)."""
    desk = Desk()
    framework, first = desk.subscribe(failover_timeout=60.0)
    desk.offer(framework, desk.agent())
    first.forget()
    second = Stream(desk.post(subscribe_call({"name": "new", "failover_timeout": 60.0}, framework.id)))
    assert first.events() == [{"type": "ERROR", "error": {"message": "Framework failed over"}}]
    assert first.ended
    assert [event["type"] for event in second.events()] == ["SUBSCRIBED", "HEARTBEAT"]
    assert not framework.offers
    assert framework.info.name == "new"
    first.pipe.reader_gone()
    assert framework.is_active
    assert desk.call(framework, second, "REVIVE").status == 202


def test_a_framework_nobody_knows_keeps_its_id() -> None:
    """After a master failover a framework subscribes with the id it has; so does one that agents told of."""
    desk = Desk()
    by_http = Stream(desk.post(subscribe_call({}, "old-1")))
    assert by_http.events("SUBSCRIBED")[0]["subscribed"]["framework_id"] == {"value": "old-1"}
    recovered = desk.recovery.recover(v0.FrameworkInfo(user="root", name="x", id=v0.FrameworkID(value="old-2")))
    assert recovered.is_recovered
    assert not recovered.is_connected
    desk.subscribe_pid(id=v0.FrameworkID(value="old-2"))
    assert recovered.is_active
    assert desk.received(SCHEDULER, internal.FrameworkRegisteredMessage)[0].framework_id.value == "old-2"
    assert desk.allocator.named("activate_framework") == [("old-1",), ("old-2",)]


def test_what_cannot_change_is_kept_or_refused() -> None:
    """Re-subscribing with another user or checkpoint is ignored, another principal is an error (M7)."""
    desk = Desk()
    framework, _ = desk.subscribe(principal="p")
    changed = {"user": "nobody", "checkpoint": True, "principal": "p"}
    desk.post(subscribe_call(changed, framework.id))
    assert (framework.info.user, framework.info.checkpoint) == ("root", False)
    stream = Stream(desk.post(subscribe_call({}, framework.id)))
    assert stream.events() == [
        {"type": "ERROR", "error": {"message": "Changing framework's principal is not allowed."}}
    ]


def test_suppression_at_subscribing_replaces() -> None:
    """Suppressed roles are what the last SUBSCRIBE said (A18)."""
    desk = Desk()
    framework, _ = desk.subscribe(["MULTI_ROLE"], roles=["a", "b"])
    info = {"roles": ["a", "b"], "capabilities": MULTI}
    desk.post(subscribe_call(info, framework.id, suppressed_roles=["b"]))
    assert framework.suppressed_roles == {"b"}
    desk.post(subscribe_call(info, framework.id))
    assert framework.suppressed_roles == set()
    assert [call[2] for call in desk.allocator.named("update_framework")] == [{"b"}, set()]


UPDATES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"user": "nobody"}, {}, ("FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported;"
     " attempted to update from 'root' to 'nobody'")),
    ({"checkpoint": True}, {}, ("FrameworkInfo update is not valid: Updating 'FrameworkInfo.checkpoint' is unsupported;"
     " attempted to update from 'false' to 'true'")),
    ({"principal": "pp"}, {}, "FrameworkInfo update is not valid: Changing framework's principal is not allowed."),
    ({"capabilities": MULTI, "roles": ["/a"]}, {}, ("Supplied FrameworkInfo is not valid: 'FrameworkInfo.roles'"
     " contains invalid role: Role '/a' cannot start with a slash")),
    ({}, {"suppressed_roles": ["foo"]},
     "'UpdateFramework' call is not valid: Suppressed roles { foo } are not contained in the set of roles"),
    ({"id": {"value": "other"}}, {},
     "Failed to validate scheduler::Call: 'framework_id' differs from 'update_framework.framework_info.id'"),
]  # fmt: skip


@pytest.mark.parametrize(("info", "more", "text"), UPDATES)
def test_a_bad_update_is_refused(info: dict[str, Any], more: dict[str, Any], text: str) -> None:
    """UPDATE_FRAMEWORK answers 400 with the reason and changes nothing."""
    desk = Desk()
    framework, stream = desk.subscribe()
    described = {"user": "root", "name": "new", "id": {"value": framework.id}, **info}
    response = desk.call(framework, stream, "UPDATE_FRAMEWORK", update_framework={"framework_info": described, **more})
    assert (response.status, response.body) == (400, text.encode())
    assert framework.info.name == "desk"


def test_an_update_is_applied_and_told() -> None:
    """200; the allocator and agents hear of it, offers for roles given up are rescinded."""
    desk = Desk()
    framework, stream = desk.subscribe(["MULTI_ROLE"], roles=["a", "b"])
    agent = desk.agent()
    gone, kept = (desk.offer(framework, agent, "cpus:1", role) for role in ("a", "b"))
    described = {"user": "root", "name": "new", "id": {"value": framework.id}, "roles": ["b"], "capabilities": MULTI}
    update = {"framework_info": described, "suppressed_roles": ["b"]}
    assert desk.call(framework, stream, "UPDATE_FRAMEWORK", update_framework=update).status == 200
    assert [event["rescind"]["offer_id"]["value"] for event in stream.events("RESCIND")] == [gone]
    assert list(framework.offers) == [kept]
    assert (framework.info.name, framework.roles, framework.suppressed_roles) == ("new", {"b"}, {"b"})
    (told,) = desk.received(agent.pid, internal.UpdateFrameworkMessage)
    assert (told.pid, told.framework_info.name) == ("@0.0.0.0:0", "new")
    desk.call(framework, stream, "UPDATE_FRAMEWORK", update_framework=update)
    assert len(desk.received(agent.pid, internal.UpdateFrameworkMessage)) == 1


def test_a_driver_s_bad_update_is_a_framework_error() -> None:
    """Over libprocess the same text comes as FrameworkErrorMessage."""
    desk = Desk()
    framework = desk.subscribe_pid()
    call = v0_scheduler.Call(type=v0_scheduler.Call.UPDATE_FRAMEWORK)
    call.framework_id.value = framework.id
    call.update_framework.framework_info.MergeFrom(framework.info)
    call.update_framework.framework_info.user = "nobody"
    desk.messages.call(SCHEDULER, call)
    (error,) = desk.received(SCHEDULER, internal.FrameworkErrorMessage)
    assert error.message.startswith("FrameworkInfo update is not valid: Updating 'FrameworkInfo.user'")


def test_a_broken_link_removes_a_framework_without_failover_timeout() -> None:
    """failover_timeout is 0 by default: the framework goes at once, all agents are told (trap 4)."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent()
    desk.offer(framework, agent)
    desk.disconnection.framework_disconnected(framework)
    (error,) = desk.received(SCHEDULER, internal.FrameworkErrorMessage)
    assert error.message == "Framework disconnected"
    assert framework.state is FrameworkState.DISCONNECTED
    assert not framework.offers
    desk.host.clock.advance(0)
    assert framework.state is FrameworkState.COMPLETED
    assert desk.received(agent.pid, internal.ShutdownFrameworkMessage)[0].framework_id.value == framework.id
    assert desk.allocator.named("remove_framework") == [(framework.id,)]
    assert desk.host.network.links == []


def test_a_closed_stream_gives_the_framework_its_time() -> None:
    """It is disconnected until it comes back or failover_timeout is over (M5)."""
    desk = Desk()
    framework, stream = desk.subscribe(failover_timeout=10.0)
    stream.pipe.reader_gone()
    desk.host.clock.advance(9)
    assert framework.state is FrameworkState.DISCONNECTED
    second = Stream(desk.post(subscribe_call({"failover_timeout": 10.0}, framework.id)))
    desk.host.clock.advance(60)
    assert framework.is_active
    second.pipe.reader_gone()
    desk.host.clock.advance(11)
    assert framework.state is FrameworkState.COMPLETED


def test_calls_of_a_disconnected_driver_are_refused() -> None:
    """A driver that lives although its link broke is told so with every call."""
    desk = Desk()
    framework = desk.subscribe_pid(failover_timeout=60.0)
    desk.disconnection.framework_disconnected(framework)
    call = v0_scheduler.Call(type=v0_scheduler.Call.REVIVE)
    call.framework_id.value = framework.id
    desk.messages.call(SCHEDULER, call)
    errors = [error.message for error in desk.received(SCHEDULER, internal.FrameworkErrorMessage)]
    assert errors == ["Framework disconnected"] * 2
    assert desk.allocator.named("revive_offers") == []


def test_an_aborted_driver_gets_no_more_offers() -> None:
    """DeactivateFramework takes offers back; subscribing again activates."""
    desk = Desk()
    framework = desk.subscribe_pid()
    desk.offer(framework, desk.agent())
    message = internal.DeactivateFrameworkMessage()
    message.framework_id.value = framework.id
    desk.messages.deactivate(OTHER, message)
    assert framework.is_active
    desk.messages.deactivate(SCHEDULER, message)
    assert framework.state is FrameworkState.INACTIVE
    assert len(desk.received(SCHEDULER, internal.RescindResourceOfferMessage)) == 1
    desk.subscribe_pid(id=v0.FrameworkID(value=framework.id))
    assert framework.is_active
    assert desk.allocator.named("activate_framework") == [(framework.id,)]


def test_teardown_ends_everything() -> None:
    """Tasks count as killed without a word to the scheduler, the stream ends, the id is used up (M6, trap 13)."""
    desk = Desk()
    framework = desk.subscribe_pid()
    agent = desk.agent()
    call = v0_scheduler.Call(type=v0_scheduler.Call.ACCEPT)
    call.framework_id.value = framework.id
    call.accept.offer_ids.add().value = desk.offer(framework, agent)
    operation = call.accept.operations.add(type=v0.Offer.Operation.LAUNCH)
    operation.launch.task_infos.append(make_task("t", agent_id=agent.id))
    desk.messages.call(SCHEDULER, call)
    desk.offer(framework, agent, "cpus:1")
    desk.legacy(SCHEDULER, internal.UnregisterFrameworkMessage(framework_id=v0.FrameworkID(value=framework.id)))
    assert framework.state is FrameworkState.COMPLETED
    (task,) = framework.completed_tasks
    status = task.message().statuses[-1]
    assert (status.state, status.reason) == (v0.TASK_KILLED, v0.TaskStatus.REASON_FRAMEWORK_REMOVED)
    assert status.message == f"Framework {framework.id} removed"
    assert desk.received(SCHEDULER, internal.StatusUpdateMessage) == []
    assert desk.received(SCHEDULER, internal.RescindResourceOfferMessage) == []
    assert not agent.tasks
    assert not agent.used
    assert not agent.offers
    used = parse_resources("cpus:1;mem:32").allocated_to("*")
    assert (framework.id, agent.id, used, None) in desk.allocator.named("recover_resources")
    stream = Stream(desk.post(subscribe_call({}, framework.id)))
    assert stream.events() == [{"type": "ERROR", "error": {"message": "Framework has been removed"}}]


def test_teardown_over_http_ends_the_stream() -> None:
    """202 and the end of the stream; later calls do not find the framework."""
    desk = Desk()
    framework, stream = desk.subscribe()
    assert desk.call(framework, stream, "TEARDOWN").status == 202
    assert stream.ended
    assert desk.call(framework, stream, "REVIVE").body == b"Framework cannot be found"


def test_old_registrations_become_subscriptions() -> None:
    """RegisterFramework must have no id, ReregisterFramework must have one."""
    desk = Desk()
    info = v0.FrameworkInfo(user="root", name="old")
    desk.legacy(SCHEDULER, internal.RegisterFrameworkMessage(framework=info))
    (registered,) = desk.received(SCHEDULER, internal.FrameworkRegisteredMessage)
    info.id.value = registered.framework_id.value
    desk.legacy(OTHER, internal.RegisterFrameworkMessage(framework=info))
    assert desk.received(OTHER, internal.FrameworkErrorMessage)[0].message == "Registering with 'id' already set"
    desk.legacy(OTHER, internal.ReregisterFrameworkMessage(framework=info, failover=True))
    assert desk.state.frameworks[info.id.value].pid == OTHER


def test_without_an_authenticator_nobody_is_authenticated_and_no_scheduler_is_ever_run() -> None:
    """Both requests are answered with a refusal."""
    desk = Desk(authenticators="")
    desk.authentication.authenticate(SCHEDULER, AuthenticateMessage(pid=str(SCHEDULER)))
    assert desk.received(SCHEDULER, AuthenticationErrorMessage)[0].error == "No authenticator loaded"
    desk.messages.submit(SCHEDULER, internal.SubmitSchedulerRequest(name="x"))
    assert not desk.received(SCHEDULER, internal.SubmitSchedulerResponse)[0].okay
