"""The states of a native container and the only ways between them."""

from __future__ import annotations

from enum import Enum

from messor.errors import Broken


class State(Enum):
    """How far a container is. Destroying may begin in any of them."""

    PROVISIONING = "its image is being made ready (passed at once without an image)"
    PREPARING = "isolators and volumes are being set up"
    ISOLATING = "its first process exists, is held back and being confined"
    FETCHING = "its URIs are being copied into the sandbox"
    RUNNING = "its program runs"
    DESTROYING = "everything in it is being killed and cleaned up"


ALLOWED: dict[State, frozenset[State]] = {
    State.PROVISIONING: frozenset({State.PREPARING, State.DESTROYING}),
    State.PREPARING: frozenset({State.FETCHING, State.DESTROYING}),
    # The original forks a held-back process first and fetches while it waits; we fetch first, so that a failed fetch
    # leaves no process to clean up. Nobody outside can tell the two apart.
    State.FETCHING: frozenset({State.ISOLATING, State.DESTROYING}),
    State.ISOLATING: frozenset({State.RUNNING, State.DESTROYING}),
    State.RUNNING: frozenset({State.DESTROYING}),
    State.DESTROYING: frozenset(),
}


def check_move(container_id: str, old: State, new: State) -> None:
    """Raise Broken when a container may not go from one state to the other."""
    if new not in ALLOWED[old]:
        raise Broken(f"Container {container_id} cannot go from {old.name} to {new.name}")
