"""Reading /proc."""

from __future__ import annotations

import os

from messor.linux import processes

LINE = (
    "4711 (a) b (c) S 1 4700 4699 0 -1 4194304 100 200 0 0 7 3 20 10 20 0 5 0 998877 10000000 250 "
    "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
)


def test_a_name_with_spaces_and_parentheses_does_not_shift_the_fields() -> None:
    """Any program may call itself so."""
    fact = processes.parse_stat(4711, LINE)
    assert fact == processes.ProcessFacts(
        pid=4711,
        state="S",
        parent=1,
        group=4700,
        session=4699,
        user_ticks=27,
        system_ticks=13,
        threads=5,
        started=998877,
        resident_pages=250,
    )


def test_this_process_can_be_looked_up_and_one_that_is_not_cannot() -> None:
    """Pid 0 is never in /proc."""
    fact = processes.facts(os.getpid())
    assert fact is not None
    assert (fact.parent, fact.session) == (os.getppid(), os.getsid(0))
    assert processes.facts(0) is None
    assert processes.descendants(0) == []
    assert processes.usage([0]).processes == 0
    assert processes.usage([os.getpid()]).resident_bytes > 0
