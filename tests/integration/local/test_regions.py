"""Regions with real processes: flags as JSON and as a file, and what is on the wire (H18)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from messor import LocalCluster

SECONDS = 60.0


def domain(region: str) -> dict[str, Any]:
    """Make a domain."""
    return {"fault_domain": {"region": {"name": region}, "zone": {"name": f"{region}-1"}}}


class Framework:
    """A v1 scheduler that reads its events when asked for one."""

    def __init__(self, address: str, *capabilities: str) -> None:
        """Subscribe; a refusal is an event, too."""
        info = {"user": "root", "name": "regions", "capabilities": [{"type": kind} for kind in capabilities]}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        self.connection = http.client.HTTPConnection(address, timeout=SECONDS)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self.connection.request("POST", "/api/v1/scheduler", json.dumps(call), headers)
        self.stream = self.connection.getresponse()
        self.subscribed = self.event("SUBSCRIBED")

    def event(self, *kinds: str) -> dict[str, Any]:
        """Give the body of the next event of these kinds."""
        while True:
            size = self.stream.readline()
            assert size, "the stream ended"
            event = json.loads(self.stream.read(int(size)))
            if event["type"] in kinds:
                body: dict[str, Any] = event.get(event["type"].lower(), {})
                return body

    def close(self) -> None:
        """Disconnect."""
        self.stream.close()
        self.connection.close()


@pytest.fixture
def far_away(tmp_path: Path) -> Iterator[LocalCluster]:
    """Start a master in one region and an agent in another one."""
    where = tmp_path / "domain.json"
    where.write_text(json.dumps(domain("far")))
    flags = {"domain": json.dumps(domain("near")), "require_agent_domain": "true", "heartbeat_interval": "500ms"}
    with LocalCluster(
        agents=1,
        work_dir=tmp_path / "cluster",
        resources="cpus:1;mem:128;disk:10",
        master_flags=flags,
        agent_flags={"domain": f"file://{where}"},
    ) as cluster:
        yield cluster


def test_domains_are_on_the_wire(far_away: LocalCluster) -> None:
    """In SUBSCRIBED, in offers and in the state of both."""
    aware = Framework(far_away.master, "REGION_AWARE")
    assert aware.subscribed["master_info"]["domain"] == domain("near")
    (offer,) = aware.event("OFFERS")["offers"]
    assert offer["domain"] == domain("far")
    aware.close()
    for address, path in ((far_away.master, "/state"), (f"127.0.0.1:{far_away.agents[0].port}", "/state")):
        connection = http.client.HTTPConnection(address, timeout=SECONDS)
        connection.request("GET", path)
        state = json.loads(connection.getresponse().read())
        connection.close()
        assert state["domain"] == domain("near" if "slaves" in state else "far")
        assert json.loads(state["flags"]["domain"]) == state["domain"]
        for agent in state.get("slaves", ()):
            assert agent["domain"] == domain("far")


def test_a_framework_that_does_not_know_regions_hears_heartbeats_only(far_away: LocalCluster) -> None:
    """Though rounds take place meanwhile, every second."""
    plain = Framework(far_away.master)
    seen = [plain.event("OFFERS", "HEARTBEAT") for _ in range(4)]
    assert seen == [{}] * 4
    plain.close()
