"""Metrics of a framework: every key the original shows, counted as it counts."""

from __future__ import annotations

from typing import Any

from messor.master.frameworks.metrics import PrincipalMetrics
from messor.protos import internal, v0
from messor.wire.upid import Upid
from support.master_desk import SCHEDULER, Desk

KEYS = {
    "subscribed", "calls", "events", "operations", "offers/sent", "offers/accepted", "offers/declined",
    "offers/rescinded", "roles/*/suppressed",
    *(f"calls/{name}" for name in (
        "accept", "accept_inverse_offers", "acknowledge", "acknowledge_operation_status", "decline",
        "decline_inverse_offers", "kill", "message", "reconcile", "reconcile_operations", "request", "revive",
        "shutdown", "subscribe", "suppress", "teardown", "update_framework",
    )),
    *(f"events/{name}" for name in (
        "error", "failure", "heartbeat", "inverse_offers", "message", "offers", "rescind", "rescind_inverse_offer",
        "subscribed", "update", "update_operation_status",
    )),
    *(f"operations/{name}" for name in (
        "create", "create_disk", "destroy", "destroy_disk", "grow_volume", "launch", "launch_group", "reserve",
        "shrink_volume", "unreserve",
    )),
    *(f"tasks/active/task_{name}" for name in ("killing", "running", "staging", "starting", "unknown", "unreachable")),
    *(f"tasks/terminal/task_{name}" for name in (
        "dropped", "error", "failed", "finished", "gone", "gone_by_operator", "killed", "lost",
    )),
}  # fmt: skip


def read(desk: Desk, name: str) -> dict[str, float]:
    """Read the metrics of the first framework."""
    prefix = f"master/frameworks/{name}/M-0000/"
    snapshot = desk.host.metrics.snapshot()
    return {key.removeprefix(prefix): value for key, value in snapshot.items() if key.startswith(prefix)}


def test_a_framework_shows_every_key_from_the_start() -> None:
    """The keys of the recorded snapshot, under the percent-encoded name."""
    desk = Desk()
    desk.subscribe(name="a b/c")
    assert set(read(desk, "a%20b%2Fc")) == KEYS


def test_what_a_framework_does_is_counted() -> None:
    """Calls, events, offers, launches and task states; also after it completed."""
    desk = Desk()
    framework, stream = desk.subscribe(name="x")
    agent = desk.agent()
    cpus: dict[str, Any] = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}
    tasks = [
        {
            "name": name, "task_id": {"value": name}, "agent_id": {"value": agent.id}, "resources": [cpus],
            "command": {"value": "true"},
        }
        for name in ("a", "b")
    ]  # fmt: skip
    launch = {"type": "LAUNCH", "launch": {"task_infos": tasks}}
    accept = {"offer_ids": [{"value": desk.offer(framework, agent)}], "operations": [launch]}
    desk.call(framework, stream, "ACCEPT", accept=accept)
    desk.call(framework, stream, "DECLINE", decline={"offer_ids": [{"value": desk.offer(framework, agent, "cpus:1")}]})
    desk.call(framework, stream, "SUPPRESS")
    desk.update("a", v0.TASK_RUNNING)
    desk.update("b", v0.TASK_FINISHED)
    seen = {key: value for key, value in read(desk, "x").items() if value}
    assert seen == {
        "subscribed": 1, "calls": 4, "calls/subscribe": 1, "calls/accept": 1, "calls/decline": 1, "calls/suppress": 1,
        "events": 6, "events/subscribed": 1, "events/heartbeat": 1, "events/offers": 2, "events/update": 2,
        "offers/sent": 2, "offers/accepted": 1, "offers/declined": 1, "operations": 2, "operations/launch": 2,
        "tasks/active/task_running": 1, "tasks/terminal/task_finished": 1, "roles/*/suppressed": 1,
    }  # fmt: skip
    desk.call(framework, stream, "TEARDOWN")
    seen = read(desk, "x")
    assert (seen["subscribed"], seen["tasks/terminal/task_killed"], seen["calls/teardown"]) == (0, 1, 1)


def test_metrics_of_frameworks_can_be_switched_off() -> None:
    """--no-publish_per_framework_metrics."""
    desk = Desk(publish_per_framework_metrics=False)
    desk.subscribe(name="x")
    assert read(desk, "x") == {}


def test_messages_are_counted_by_principal_while_a_framework_has_it() -> None:
    """Of pid frameworks only: rate limits are about them (X4)."""
    desk = Desk()
    principals = PrincipalMetrics(state=desk.state, metrics=desk.metrics)
    framework = desk.subscribe_pid(principal="ops")
    assert principals.of(Upid("slave(1)", "10.0.0.9", 5051)) is None
    counts = principals.of(SCHEDULER)
    assert counts is not None
    counts[0] += 2
    counts[1] += 1
    snapshot = desk.host.metrics.snapshot()
    shown = {key: value for key, value in snapshot.items() if key.startswith("frameworks/")}
    assert shown == {"frameworks/ops/messages_received": 2.0, "frameworks/ops/messages_processed": 1.0}
    desk.legacy(SCHEDULER, internal.UnregisterFrameworkMessage(framework_id=framework.info.id))
    assert not any(key.startswith("frameworks/ops") for key in desk.host.metrics.snapshot())
