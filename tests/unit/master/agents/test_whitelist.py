"""The file that says which agents are offered (M25)."""

from __future__ import annotations

from typing import Any


def test_only_listed_agents_are_offered_and_the_file_may_change(rig: Any) -> None:
    """Operators edit it while the master runs; it is read every five seconds."""
    host = rig.world.start("master", "10.0.0.1", 5050)
    host.disk.write("/etc/agents", b"one\n")
    host.kill()
    rig.start(whitelist="file:///etc/agents", allocation_interval=1.0)
    scheduler = rig.scheduler()
    one, other = rig.agent("one"), rig.agent("other")
    rig.world.advance(3)
    assert {offer.slave_id.value for offer in scheduler.offers()} == {one.id}
    rig.host.disk.write("/etc/agents", b"one\nother\n")
    rig.world.advance(7)
    assert {offer.slave_id.value for offer in scheduler.offers()} == {one.id, other.id}


def test_a_missing_file_keeps_what_was_known(rig: Any) -> None:
    """As recorded: the master runs on and tries again."""
    rig.start(whitelist="/no/such")
    scheduler = rig.scheduler()
    rig.agent()
    rig.world.advance(10)
    assert len(scheduler.offers()) == 1
