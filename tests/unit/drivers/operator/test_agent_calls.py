"""Calls about containers, as a real agent took and answered them."""

from __future__ import annotations

from typing import Any

import pytest

from messor.drivers.operator import agent_calls
from messor.protos import v1, v1_agent
from messor.wire.json_codec import from_json

NESTED = agent_calls.container_id("61d077a2-59de-41f4-bb8f-6ffe525a5de3", "n2")
IDS = b'{"container_id":{"parent":{"value":"61d077a2-59de-41f4-bb8f-6ffe525a5de3"},"value":"n2"}'

RECORDED: list[tuple[Any, bytes]] = [
    (
        agent_calls.launch_container(NESTED, v1.CommandInfo(value="sleep 100")),
        b'{"type":"LAUNCH_CONTAINER","launch_container":' + IDS + b',"command":{"value":"sleep 100"}}}',
    ),
    (agent_calls.wait_container(NESTED), b'{"type":"WAIT_CONTAINER","wait_container":' + IDS + b"}}"),
    (agent_calls.kill_container(NESTED), b'{"type":"KILL_CONTAINER","kill_container":' + IDS + b"}}"),
    (agent_calls.kill_container(NESTED, 15), b'{"type":"KILL_CONTAINER","kill_container":' + IDS + b',"signal":15}}'),
    (agent_calls.remove_container(NESTED), b'{"type":"REMOVE_CONTAINER","remove_container":' + IDS + b"}}"),
]


@pytest.mark.parametrize(("question", "body"), RECORDED)
def test_a_call_says_what_was_recorded(question: Any, body: bytes) -> None:
    """Ids of nested containers hold their parents'."""
    expected = from_json(body, v1_agent.Call)
    if expected.HasField("launch_container"):
        expected.launch_container.command.ClearField("shell")  # JSON writes defaults down
    assert question.call == expected


def test_the_end_of_a_container_is_read() -> None:
    """As a wait status."""
    answer = from_json(b'{"type":"WAIT_CONTAINER","wait_container":{"exit_status":15}}', v1_agent.Response)
    assert agent_calls.wait_container(NESTED).read(answer).exit_status == 15


def test_ids_nest_to_any_depth() -> None:
    """Outermost first."""
    nested = agent_calls.container_id("a", "b", "c")
    assert (nested.value, nested.parent.value, nested.parent.parent.value) == ("c", "b", "a")
    assert not agent_calls.container_id("a").HasField("parent")
