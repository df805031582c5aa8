"""The recorded story of one framework that reserves, makes a volume, resizes it and uses it, event by event."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from messor.protos import v0, v0_scheduler, v1, v1_scheduler
from messor.simulation.cluster import Cluster
from messor.simulation.frameworks import HttpScheduler
from messor.wire.json_codec import from_dict, to_dict
from messor.wire.versions import devolve, evolve
from support.recordings import literals

NAME = "operations.txt"
RESOURCES = "ports:[31000-31099];cpus(golden):1;cpus:4;mem:4096;disk:10240"
CAPABILITIES = ("multi_role", "reservation_refinement", "partition_aware", "task_killing_state", "shared_resources")


class Story:
    """Replays calls with the ids of this run and compares the events."""

    def __init__(self) -> None:
        """Subscribe the framework and learn its first offer."""
        self.cluster = Cluster(agent_flags={"resources": RESOURCES})
        framework = self.cluster.framework(
            http=True, roles=["golden"], capabilities=CAPABILITIES, checkpoint=True, failover_timeout=3600,
            acknowledges=False,
        )  # fmt: skip
        assert isinstance(framework, HttpScheduler)
        self.framework = framework
        self.agent = self.cluster.master.state.agents[self.cluster.agents[0].id]
        self.events: deque[Any] = deque()
        self._catch()
        self.names = {"M-0000": framework.framework_id, "M-S0": self.agent.id}
        self.uuids: dict[str, str] = {}
        self.cluster.run_until(lambda: framework.offers)
        self.names["M-O0"] = self.events.popleft().id.value

    def _catch(self) -> None:
        """Keep events in the order they come, acknowledging task updates on the way."""
        framework, offered, updated, rescinded = (
            self.framework, self.framework.offered, self.framework.updated, self.framework.offer_rescinded
        )  # fmt: skip

        def keep_offers(offers: Any) -> None:
            self.events.extend(offers)
            offered(offers)

        def acknowledge(status: v0.TaskStatus) -> None:
            updated(status)
            framework.acknowledge(status)

        def keep_rescind(offer_id: str) -> None:
            self.events.append(offer_id)
            rescinded(offer_id)

        framework.offered = keep_offers  # type: ignore[method-assign]
        framework.updated = acknowledge  # type: ignore[method-assign]
        framework.offer_rescinded = keep_rescind  # type: ignore[method-assign]
        framework.operation_updated = self.events.append  # type: ignore[method-assign]

    def play(self, kind: str, text: str) -> None:
        """Make a recorded call, after which nothing but offers may be left over, or expect an event."""
        line = json.loads(self._renamed(text))
        if kind == "event":
            self._expect(line)
            return
        assert not [event for event in self.events if not isinstance(event, v0.Offer)]
        self._call(line)
        self.cluster.settle()

    def _renamed(self, text: str) -> str:
        """Put in the ids of this run."""
        for recorded, ours in (*self.names.items(), *self.uuids.items()):
            text = text.replace(f'"{recorded}"', f'"{ours}"')
        return text.replace("M-S0 at slave(1)@127.0.0.1:16071 (localhost)", str(self.agent))

    def _call(self, call: dict[str, Any]) -> None:
        if "reserve_resources" in call:
            reply = self.cluster.ask("POST", "/api/v1", json.dumps(call).encode())
            assert (reply.status, reply.body) == (202, b"")
        else:
            self.framework.call(devolve(from_dict(call, v1_scheduler.Call)))

    def _expect(self, event: dict[str, Any]) -> None:
        self.cluster.run_until(lambda: self.events, within=15, what=f"{event}")
        found = self.events.popleft()
        if event["type"] == "OFFERS":
            self.names[event["offer"]] = found.id.value
            expected = [devolve(from_dict(item, v1.Resource)) for item in event["resources"]]
            assert list(found.resources) == expected
        elif event["type"] == "RESCIND":
            assert found == event["rescind"]["offer_id"]["value"]
        else:
            self._expect_status(event["update_operation_status"]["status"], found)

    def _expect_status(self, recorded: dict[str, Any], found: v0.OperationStatus) -> None:
        shown = json.loads(json.dumps(_json(found)))
        if "uuid" in recorded:
            self.uuids[recorded["uuid"]["value"]] = shown["uuid"]["value"]
            recorded = {**recorded, "uuid": shown["uuid"]}
        assert shown == recorded
        assert list(shown) == list(recorded)


def _json(status: v0.OperationStatus) -> Any:
    """Write a status as the v1 API shows it."""
    event = v0_scheduler.Event(type=v0_scheduler.Event.UPDATE_OPERATION_STATUS)
    event.update_operation_status.status.CopyFrom(status)
    return to_dict(evolve(event))["update_operation_status"]["status"]


def test_the_recorded_story_of_operations() -> None:
    """Same events, same offers, same sentences, in the same order."""
    story = Story()
    for kind, text in literals(NAME):
        story.play(kind, text)
    story.cluster.advance(60)
    assert not [event for event in story.events if not isinstance(event, v0.Offer)]
    assert not story.agent.operations
    story.cluster.check()
    story.cluster.close()
