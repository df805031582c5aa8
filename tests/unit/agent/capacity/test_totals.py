"""What an agent offers."""

from __future__ import annotations

import pytest

from messor.agent.capacity.totals import GIGABYTE, Machine, attributes, total_resources
from messor.errors import ConfigurationError

BIG = Machine(cpus=4, memory=25276514304, disk=100 * GIGABYTE)


def test_a_big_machine_keeps_some_memory_and_disk_for_itself() -> None:
    """As recorded on a machine with that much memory."""
    total = total_resources(None, "*", BIG)
    assert (total.cpus, total.mem, total.disk) == (4, 23081, 95 * 1024)
    assert total.ports().intervals == ((31000, 32000),)


def test_a_small_machine_keeps_half() -> None:
    """Less than 2 GB of memory or 10 GB of disk."""
    total = total_resources(None, "*", Machine(cpus=1, memory=GIGABYTE, disk=4 * GIGABYTE))
    assert (total.mem, total.disk) == (512, 2048)


def test_named_resources_are_not_detected() -> None:
    """The operator has the last word."""
    total = total_resources("cpus:2;mem:512;gpus:1", "*", BIG)
    assert (total.cpus, total.mem, total.gpus, total.disk) == (2, 512, 1, 95 * 1024)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cpus", "Bad value for resources, missing or extra ':' in cpus"),
        ("cpus:abc;mem:1", "Bad type for resource cpus value abc type TEXT"),
        ("cpus(a:1", "Bad value for resources, mismatched parentheses in cpus(a:1"),
    ],
)
def test_bad_resources_are_told_in_the_recorded_words(text: str, problem: str) -> None:
    """Operators look these sentences up."""
    with pytest.raises(ConfigurationError) as caught:
        total_resources(text, "*", BIG)
    assert str(caught.value) == f"Failed to determine agent resources: {problem}"


def test_bad_attributes_are_an_error_not_a_crash() -> None:
    """The original aborts."""
    assert [item.name for item in attributes("rack:r1;num:4.5")] == ["rack", "num"]
    with pytest.raises(ConfigurationError, match="abc"):
        attributes("abc")
