"""Who leads, and where a master that does not lead sends its clients (H16)."""

from __future__ import annotations

import pytest

from messor.errors import NotLeading, NotNow
from messor.master.flags import MasterFlags
from messor.master.leadership import location, missing_capabilities
from messor.master.master import Master
from messor.master.registry.contents import Contents
from messor.protos import registry, v0
from messor.runtime.http import Request
from messor.simulation.world import World
from messor.storage.in_memory import InMemoryStorage


def other_master() -> v0.MasterInfo:
    """Make a leader elsewhere."""
    info = v0.MasterInfo(id="other", ip=1, port=5050, pid="master@10.0.0.9:5050", hostname="leader")
    info.address.hostname, info.address.ip, info.address.port = "leader", "10.0.0.9", 5050
    return info


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/state", "", "//leader:5050/master/state"),
        ("/master/state", "jsonp=x&a=b", "//leader:5050/master/state?a=b&jsonp=x"),
        ("/api/v1", "", "//leader:5050/master/api/v1"),
        ("/redirect", "", "//leader:5050"),
        ("/master/redirect", "", "//leader:5050"),
    ],
)
def test_a_redirect_names_the_leader_without_a_scheme(path: str, query: str, expected: str) -> None:
    """As recorded: below /master even when asked at the root, query keys sorted."""
    assert location(other_master(), Request("GET", path, {}, query_text=query)) == expected


def test_a_master_alone_leads_at_once_but_serves_after_recovery() -> None:
    """In between calls get 503 and the text Mesos has for it."""
    world = World(0)
    host = world.start("master", "10.0.0.1", 5050)
    master = Master(host, MasterFlags(), InMemoryStorage())
    request = Request("POST", "/api/v1", {})
    with pytest.raises(NotNow, match="No leader elected"):
        master.leadership.check(request)
    host.spawn(master)
    master.leadership.check_leading(request)
    with pytest.raises(NotNow, match="Master has not finished recovery"):
        master.leadership.check(request)
    world.settle()
    master.leadership.check(request)
    assert master.state.elected_at is not None
    master.leadership.leader = other_master()
    with pytest.raises(NotLeading):
        master.leadership.check_leading(request)
    world.close()


def test_a_registry_that_needs_a_newer_master_stops_this_one() -> None:
    """A downgrade must not silently drop what a newer master stored (H10)."""
    storage = InMemoryStorage()
    world = World(0)
    contents = Contents()
    contents.rest = registry.Registry()
    contents.rest.minimum_capabilities.add().capability = "TIME_TRAVEL"
    contents.rest.minimum_capabilities.add().capability = "QUOTA_V2"
    world.run(_stored(storage, contents))
    host = world.start("master", "10.0.0.1", 5050)
    host.spawn(Master(host, MasterFlags(), storage))
    world.settle()
    assert host.exit_status == 1
    assert "minimum capabilities: TIME_TRAVEL." in host.exit_message
    world.close()


def test_capabilities_that_are_there_are_not_missing() -> None:
    """The usual case."""
    info = v0.MasterInfo(id="M")
    info.capabilities.add().type = v0.MasterInfo.Capability.QUOTA_V2
    contents = Contents()
    contents.rest.minimum_capabilities.add().capability = "QUOTA_V2"
    assert missing_capabilities(info, contents) == []


async def _stored(storage: InMemoryStorage, contents: Contents) -> None:
    """Store a registry."""
    await storage.store(await storage.fetch("registry"), contents.encode())
