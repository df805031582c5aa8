"""States of native containers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from messor.containers.native.lifecycle import ALLOWED, State, check_move
from messor.errors import Broken


def test_every_state_can_be_destroyed_and_has_its_way_there() -> None:
    """A destroy may come at any moment of a launch."""
    assert set(ALLOWED) == set(State)
    assert all(State.DESTROYING in ways for state, ways in ALLOWED.items() if state is not State.DESTROYING)


def test_a_launch_passes_its_states_in_order() -> None:
    """Each step is allowed after the one before it."""
    order = [State.PROVISIONING, State.PREPARING, State.FETCHING, State.ISOLATING, State.RUNNING, State.DESTROYING]
    for old, new in pairwise(order):
        check_move("c", old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [(State.RUNNING, State.FETCHING), (State.DESTROYING, State.RUNNING), (State.PREPARING, State.RUNNING)],
)
def test_there_is_no_way_back_and_no_shortcut(old: State, new: State) -> None:
    """A wrong step is a bug of ours and says which container it was."""
    with pytest.raises(Broken, match=f"Container c cannot go from {old.name} to {new.name}"):
        check_move("c", old, new)
