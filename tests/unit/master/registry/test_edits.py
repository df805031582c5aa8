"""Edits of the registry: what they change, and what they refuse."""

from __future__ import annotations

import pytest

from messor.errors import Conflict, RegistryFailed
from messor.master.registry import edits
from messor.master.registry.contents import Contents
from messor.protos import registry, v0
from support import builders

SINCE = v0.TimeInfo(nanoseconds=5)


def admitted(*agent_ids: str) -> Contents:
    """Make contents with some agents admitted."""
    contents = Contents()
    for agent_id in agent_ids:
        edits.admit(builders.agent_info(agent_id=agent_id))(contents)
    return contents


def test_an_admitted_agent_is_in_the_encoded_registry() -> None:
    """What is stored is a plain Registry message that any Mesos reads."""
    info = builders.agent_info(agent_id="S1")
    message = registry.Registry.FromString(admitted("S1", "S2").encode())
    assert [slave.info.id.value for slave in message.slaves.slaves] == ["S1", "S2"]
    assert message.slaves.slaves[0].info == info


def test_contents_survive_encoding() -> None:
    """Decoding gives back every list and all the rest, in order."""
    contents = admitted("S1", "S2", "S3", "S4")
    edits.recover(v0.MasterInfo(id="M", ip=1, port=5050))(contents)
    edits.mark_unreachable("S2", SINCE)(contents)
    edits.mark_gone("S3", SINCE)(contents)
    again = Contents.decode(contents.encode())
    assert list(again.admitted) == ["S1", "S4"]
    assert again.unreachable_since() == {"S2": SINCE}
    assert again.gone_since() == {"S3": SINCE}
    assert again.rest.master.info.id == "M"
    assert again.message() == contents.message()


def test_an_empty_registry_can_be_read() -> None:
    """A new cluster has no bytes yet."""
    assert Contents.decode(b"").agents() == []


def test_bytes_that_are_no_registry_are_refused() -> None:
    """A leader must not begin with half of a registry."""
    with pytest.raises(RegistryFailed):
        Contents.decode(b"\xff\xff\xff")


def test_a_large_entry_is_framed_rightly() -> None:
    """Lengths beyond one byte are written as varints."""
    contents = Contents()
    edits.admit(builders.agent_info("h" * 70_000, agent_id="S1"))(contents)
    assert Contents.decode(contents.encode()).agents()[0].hostname == "h" * 70_000


def test_an_id_is_admitted_once() -> None:
    """A collision of ids must not replace an agent."""
    contents = admitted("S1")
    with pytest.raises(Conflict):
        edits.admit(builders.agent_info(agent_id="S1"))(contents)


def test_a_copy_may_be_changed_alone() -> None:
    """A batch that cannot be stored leaves no trace."""
    contents = admitted("S1")
    draft = contents.copy()
    edits.remove("S1")(draft)
    edits.recover(v0.MasterInfo(id="M", ip=1, port=5050))(draft)
    assert list(contents.admitted) == ["S1"]
    assert not contents.rest.HasField("master")


def test_an_update_with_the_same_info_changes_nothing() -> None:
    """An agent that re-registers unchanged must not cost a write."""
    contents = admitted("S1")
    assert edits.update(builders.agent_info(agent_id="S1"))(contents) is False
    assert edits.update(builders.agent_info("other", agent_id="S1"))(contents) is True
    assert contents.agents()[0].hostname == "other"


def test_only_admitted_agents_can_be_updated_removed_or_marked_unreachable() -> None:
    """Each would mean that memory and registry disagree."""
    contents = Contents()
    for edit in (
        edits.update(builders.agent_info(agent_id="S1")),
        edits.remove("S1"),
        edits.mark_unreachable("S1", SINCE),
        edits.mark_gone("S1", SINCE),
    ):
        with pytest.raises(Conflict):
            edit(contents)


def test_an_agent_keeps_draining_while_it_is_unreachable() -> None:
    """Drain and deactivation survive the way to the unreachable list and back."""
    contents = Contents()
    slave = registry.Registry.Slave(info=builders.agent_info(agent_id="S1"), deactivated=True)
    slave.drain_info.state = v0.DRAINING
    slave.drain_info.config.mark_gone = False
    contents.admitted["S1"] = slave.SerializeToString()
    edits.mark_unreachable("S1", SINCE)(contents)
    entry = registry.Registry.UnreachableSlave.FromString(contents.unreachable["S1"])
    assert entry.deactivated
    assert entry.drain_info.state == v0.DRAINING
    edits.mark_reachable(builders.agent_info(agent_id="S1"))(contents)
    assert contents.unreachable == {}
    back = registry.Registry.Slave.FromString(contents.admitted["S1"])
    assert back.deactivated
    assert back.drain_info.state == v0.DRAINING


def test_a_forgotten_agent_may_return() -> None:
    """One that was pruned from the unreachable list is admitted again all the same."""
    contents = Contents()
    assert edits.mark_reachable(builders.agent_info(agent_id="S1"))(contents) is True
    assert edits.mark_reachable(builders.agent_info(agent_id="S1"))(contents) is False


def test_an_unreachable_agent_can_be_marked_gone_once() -> None:
    """Gone is for good, and idempotence is the caller's business."""
    contents = admitted("S1")
    edits.mark_unreachable("S1", SINCE)(contents)
    edits.mark_gone("S1", SINCE)(contents)
    assert (list(contents.unreachable), list(contents.gone)) == ([], ["S1"])
    with pytest.raises(Conflict):
        edits.mark_gone("S1", SINCE)(contents)


def test_pruning_leaves_those_alone_that_returned() -> None:
    """The list to prune was made before the registry was written."""
    contents = admitted("S1", "S2")
    edits.mark_unreachable("S2", SINCE)(contents)
    assert edits.prune(["S1", "S2"], [])(contents) is True
    assert (list(contents.admitted), list(contents.unreachable)) == (["S1"], [])
    assert edits.prune(["S1", "S2"], ["S3"])(contents) is False


def capabilities(contents: Contents) -> list[str]:
    """Name what a master must know to read the contents."""
    return [item.capability for item in contents.rest.minimum_capabilities]


def test_a_deactivated_agent_stays_so_wherever_it_goes() -> None:
    """Neither becoming unreachable nor returning puts it back into the offers; older masters must not read this."""
    contents = admitted("S1", "S2")
    edits.deactivate("S1")(contents)
    assert contents.deactivated() == {"S1"}
    assert capabilities(contents) == ["AGENT_DRAINING"]
    edits.mark_unreachable("S1", SINCE)(contents)
    assert contents.deactivated() == {"S1"}
    edits.mark_reachable(builders.agent_info(agent_id="S1"))(contents)
    assert contents.deactivated() == {"S1"}


def test_draining_is_kept_until_the_agent_is_put_back() -> None:
    """With its config, through being unreachable; putting it back forgets it and what masters must know."""
    contents = admitted("S1")
    config = v0.DrainConfig(mark_gone=False)
    config.max_grace_period.nanoseconds = 5
    edits.drain("S1", config)(contents)
    edits.mark_unreachable("S1", SINCE)(contents)
    assert contents.draining() == {"S1": v0.DrainInfo(state=v0.DRAINING, config=config)}
    edits.drained("S1")(contents)
    assert contents.draining()["S1"].state == v0.DRAINED
    edits.reactivate("S1")(contents)
    assert (contents.draining(), contents.deactivated(), capabilities(contents)) == ({}, set(), [])


def test_masters_must_know_of_draining_until_the_last_agent_is_put_back() -> None:
    """One of two is not enough."""
    contents = admitted("S1", "S2")
    edits.deactivate("S1")(contents)
    edits.deactivate("S2")(contents)
    edits.reactivate("S1")(contents)
    assert capabilities(contents) == ["AGENT_DRAINING"]


@pytest.mark.parametrize("edit", [edits.deactivate("S9"), edits.reactivate("S9"), edits.drain("S9", v0.DrainConfig())])
def test_agents_that_may_not_come_back_cannot_be_deactivated(edit: edits.Edit) -> None:
    """There is no entry to note it in."""
    with pytest.raises(Conflict):
        edit(admitted("S1"))


def test_an_agent_that_was_put_back_has_not_drained() -> None:
    """The end of draining may be noticed just when an operator puts the agent back."""
    with pytest.raises(Conflict):
        edits.drained("S1")(admitted("S1"))
