"""Whether an agent keeps its id."""

from __future__ import annotations

import pytest

from messor.agent.recovery.compatibility import check_additive, check_equal, with_hint
from messor.errors import ConfigurationError
from messor.protos import v0
from support.builders import agent_info


def test_an_unchanged_agent_is_compatible() -> None:
    """The id is no difference."""
    check_equal(agent_info(agent_id="S0"), agent_info())


@pytest.mark.parametrize(
    "changed",
    [
        agent_info("other"),
        agent_info(port=5052),
        agent_info(text="cpus:1;mem:4096;disk:10000;ports:[31000-32000]"),
        agent_info(attributes=[("a", "b")]),
    ],
)
def test_any_change_is_refused_under_the_equal_policy(changed: v0.SlaveInfo) -> None:
    """Both descriptions are shown."""
    with pytest.raises(ConfigurationError) as caught:
        check_equal(agent_info(agent_id="S0"), changed)
    text = str(caught.value)
    assert text.startswith("Incompatible agent info detected. \n")
    assert "Old agent info:" in text
    assert "New agent info:" in text


def test_more_resources_are_fine_under_the_additive_policy() -> None:
    """Adding a disk need not cost the id."""
    check_additive(agent_info(text="cpus:2;mem:512"), agent_info(text="cpus:4;mem:512", attributes=[("a", "b")]))


def test_fewer_resources_are_refused_in_the_recorded_words() -> None:
    """Tasks may be using them."""
    with pytest.raises(ConfigurationError) as caught:
        check_additive(agent_info(text="cpus:2;mem:512"), agent_info(text="cpus:1;mem:512"))
    assert str(caught.value) == (
        "Configuration change not permitted under 'additive' policy: "
        "Value of scalar resource 'cpus' decreased from 2 to 1"
    )


def test_the_hint_says_how_to_start_anew() -> None:
    """The link is what ties a work_dir to an id."""
    text = with_hint("it broke", "/w/meta/slaves/latest")
    assert "rm -f /w/meta/slaves/latest" in text
    assert text.endswith("Finally, restart the agent.")
