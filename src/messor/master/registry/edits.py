"""Changes of the registry, as pure functions of its contents.

An edit changes the draft it is given and tells whether it changed anything. One that cannot be done raises Conflict and
must leave the draft as it was: others of the same batch are stored all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from messor.errors import Conflict
from messor.master.registry.contents import Contents
from messor.protos import registry, v0

Edit = Callable[[Contents], bool]
"""Changes a draft; returns whether it did. Raises Conflict."""

DRAINING_CAPABILITY = "AGENT_DRAINING"
"""What a master must know while agents are draining or deactivated; an older one would offer them."""


def recover(info: v0.MasterInfo) -> Edit:
    """Note who leads now: the first edit of every leader, which also proves that it may write."""

    def edit(draft: Contents) -> bool:
        rest = registry.Registry()
        rest.CopyFrom(draft.rest)
        rest.master.info.CopyFrom(info)
        draft.rest = rest
        return True

    return edit


def admit(info: v0.SlaveInfo) -> Edit:
    """Admit a new agent. info: with its id, resources in the format before refinement, for older masters to read."""
    agent_id, entry = info.id.value, registry.Registry.Slave(info=info).SerializeToString()

    def edit(draft: Contents) -> bool:
        if agent_id in draft.admitted:
            raise Conflict(f"Agent {agent_id} is already admitted")
        draft.admitted[agent_id] = entry
        return True

    return edit


def update(info: v0.SlaveInfo) -> Edit:
    """Replace what is known of an admitted agent, keeping whether it drains; nothing changes if it is the same."""
    agent_id = info.id.value

    def edit(draft: Contents) -> bool:
        if agent_id not in draft.admitted:
            raise Conflict(f"Agent {agent_id} is not yet admitted")
        admitted = registry.Registry.Slave.FromString(draft.admitted[agent_id])
        admitted.info.CopyFrom(info)
        entry = admitted.SerializeToString()
        if entry == draft.admitted[agent_id]:
            return False
        draft.admitted[agent_id] = entry
        return True

    return edit


def mark_unreachable(agent_id: str, since: v0.TimeInfo) -> Edit:
    """Move an admitted agent to the unreachable ones, keeping whether it drains."""

    def edit(draft: Contents) -> bool:
        if agent_id not in draft.admitted:
            raise Conflict(f"Agent {agent_id} is not yet admitted")
        admitted = registry.Registry.Slave.FromString(draft.admitted.pop(agent_id))
        unreachable = registry.Registry.UnreachableSlave(
            id=admitted.info.id, timestamp=since, deactivated=admitted.deactivated
        )
        if admitted.HasField("drain_info"):
            unreachable.drain_info.CopyFrom(admitted.drain_info)
        draft.unreachable[agent_id] = unreachable.SerializeToString()
        return True

    return edit


def mark_reachable(info: v0.SlaveInfo) -> Edit:
    """Admit an agent again: usually an unreachable one, else one that was collected as garbage meanwhile.

    Nothing changes when it is admitted: after a failover agents return before they are marked unreachable.
    """
    agent_id = info.id.value

    def edit(draft: Contents) -> bool:
        if agent_id in draft.admitted:
            return False
        admitted = registry.Registry.Slave(info=info)
        entry = draft.unreachable.pop(agent_id, None)
        if entry is not None:
            unreachable = registry.Registry.UnreachableSlave.FromString(entry)
            admitted.deactivated = unreachable.deactivated
            if unreachable.HasField("drain_info"):
                admitted.drain_info.CopyFrom(unreachable.drain_info)
        draft.admitted[agent_id] = admitted.SerializeToString()
        return True

    return edit


def mark_gone(agent_id: str, since: v0.TimeInfo) -> Edit:
    """Move an admitted or unreachable agent to those that must never return."""

    def edit(draft: Contents) -> bool:
        if agent_id in draft.gone:
            raise Conflict(f"Agent {agent_id} is already marked as gone")
        if agent_id not in draft.admitted and agent_id not in draft.unreachable:
            raise Conflict(f"Failed to find agent {agent_id}")
        draft.admitted.pop(agent_id, None)
        draft.unreachable.pop(agent_id, None)
        gone = registry.Registry.GoneSlave(id=v0.SlaveID(value=agent_id), timestamp=since)
        draft.gone[agent_id] = gone.SerializeToString()
        return True

    return edit


def deactivate(agent_id: str) -> Edit:
    """Take an admitted or unreachable agent out of the offers."""
    return _marked(agent_id, lambda entry: setattr(entry, "deactivated", True))


def drain(agent_id: str, config: v0.DrainConfig) -> Edit:
    """Let an admitted or unreachable agent drain, out of the offers; a config it had is replaced."""

    def mark(entry: _Entry) -> None:
        entry.deactivated = True
        entry.drain_info.state = v0.DRAINING
        entry.drain_info.config.CopyFrom(config)

    return _marked(agent_id, mark)


def drained(agent_id: str) -> Edit:
    """Note that a draining agent has drained; raises Conflict for one that does not drain (any more)."""

    def mark(entry: _Entry) -> None:
        if not entry.HasField("drain_info"):
            raise Conflict(f"Agent {agent_id} is not draining")
        entry.drain_info.state = v0.DRAINED

    return _marked(agent_id, mark)


def reactivate(agent_id: str) -> Edit:
    """Put an agent back into the offers; what it drained for is forgotten."""

    def mark(entry: _Entry) -> None:
        entry.ClearField("deactivated")
        entry.ClearField("drain_info")

    return _marked(agent_id, mark)


_Entry = registry.Registry.Slave | registry.Registry.UnreachableSlave


def _marked(agent_id: str, mark: Callable[[_Entry], object]) -> Edit:
    """Change the entry of an admitted or unreachable agent, and say whether a master must know of draining now."""

    def edit(draft: Contents) -> bool:
        for entries, kind in (
            (draft.admitted, registry.Registry.Slave),
            (draft.unreachable, registry.Registry.UnreachableSlave),
        ):
            if agent_id in entries:
                entry = kind.FromString(entries[agent_id])
                mark(entry)
                entries[agent_id] = entry.SerializeToString()
                _need_draining(draft, is_needed=entry.deactivated or bool(draft.deactivated()))
                return True
        raise Conflict(f"Agent {agent_id} is neither admitted nor unreachable")

    return edit


def _need_draining(draft: Contents, *, is_needed: bool) -> None:
    """Add or drop what a master must be capable of to read who is draining or deactivated."""
    names = [item.capability for item in draft.rest.minimum_capabilities]
    if (DRAINING_CAPABILITY in names) == is_needed:
        return
    rest = registry.Registry()
    rest.CopyFrom(draft.rest)
    rest.ClearField("minimum_capabilities")
    kept = [name for name in names if name != DRAINING_CAPABILITY] + [DRAINING_CAPABILITY] * is_needed
    rest.minimum_capabilities.extend(registry.Registry.MinimumCapability(capability=name) for name in kept)
    draft.rest = rest


def remove(agent_id: str) -> Edit:
    """Forget an admitted agent."""

    def edit(draft: Contents) -> bool:
        if agent_id not in draft.admitted:
            raise Conflict(f"Agent {agent_id} is not yet admitted")
        del draft.admitted[agent_id]
        return True

    return edit


def prune(unreachable: Iterable[str], gone: Iterable[str]) -> Edit:
    """Forget unreachable and gone agents; those that are no longer there returned meanwhile and are left alone."""
    unreachable, gone = list(unreachable), list(gone)

    def edit(draft: Contents) -> bool:
        before = len(draft.unreachable) + len(draft.gone)
        for agent_id in unreachable:
            draft.unreachable.pop(agent_id, None)
        for agent_id in gone:
            draft.gone.pop(agent_id, None)
        return len(draft.unreachable) + len(draft.gone) != before

    return edit
