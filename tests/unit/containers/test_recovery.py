"""What an agent makes of the containers it finds."""

from __future__ import annotations

from messor.containers.containerizer import KnownContainer
from messor.containers.native.recovery import Hosted, Trace, judge


def known(*ids: str) -> list[KnownContainer]:
    """Describe containers from checkpoints."""
    return [KnownContainer(name, None, f"/sandbox/{name}") for name in ids]


def test_what_the_zygote_says_counts_more_than_what_the_disk_says() -> None:
    """It is their parent; files may be stale."""
    findings = judge(
        known("a", "b"),
        {"a": Hosted(1, ended=False, status=None), "b": Hosted(2, ended=True, status=9)},
        {"a": Trace(7, 0, is_alive=False)},
    )
    assert (findings.running, findings.ended, findings.adopted) == ({"a": 1}, {"b": 9}, {})


def test_a_container_of_an_earlier_zygote_is_adopted_while_it_lives() -> None:
    """A status file means that it ended, even if its pid is in use again."""
    findings = judge(
        known("alive", "dead", "done", "never"),
        {},
        {
            "alive": Trace(3, None, is_alive=True),
            "dead": Trace(4, None, is_alive=False),
            "done": Trace(5, 256, is_alive=True),
        },
    )
    assert findings.adopted == {"alive": 3}
    assert findings.ended == {"dead": None, "done": 256, "never": None}


def test_strangers_are_orphans_while_they_live_and_rubbish_afterwards() -> None:
    """Only what belongs to nobody is destroyed."""
    findings = judge(
        [],
        {"a": Hosted(1, ended=False, status=None), "b": Hosted(2, ended=True, status=0)},
        {"c": Trace(3, None, is_alive=True), "d": Trace(None, None, is_alive=False)},
    )
    assert findings.orphans == {"a": 1, "c": 3}
    assert sorted(findings.left_over) == ["b", "d"]
    assert not findings.running
