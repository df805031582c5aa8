"""When rounds happen."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from messor.allocator.interfaces import AllocatorOptions
from messor.allocator.service import AllocatorService
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.protos import v0
from messor.runtime.metrics import Metrics

from .world import CAPABLE, framework_info

LOGGER = "messor.allocator.service"


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        """Start at 0."""
        self.time = 0.0
        self.waiting: list[tuple[float, int, Any]] = []
        self.count = 0

    def now(self) -> float:
        """Tell the time."""
        return self.time

    monotonic = now

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> Any:
        """Remember a call."""
        self.count += 1
        entry = (self.time + seconds, self.count, lambda: call(*arguments))
        self.waiting.append(entry)
        return SimpleNamespace(cancel=lambda: self.waiting.remove(entry) if entry in self.waiting else None)

    def advance(self, seconds: float) -> None:
        """Let time pass, making the calls that fall due."""
        end = self.time + seconds
        while self.waiting and min(self.waiting)[0] <= end:
            entry = min(self.waiting)
            self.waiting.remove(entry)
            self.time = max(self.time, entry[0])
            entry[2]()
        self.time = end


class Desk:
    """A service whose offers are collected."""

    def __init__(self, **options: Any) -> None:
        """Start the rounds at time 0."""
        self.clock = Clock()
        self.metrics = Metrics()
        host: Any = SimpleNamespace(
            clock=self.clock, metrics=self.metrics, chance=SimpleNamespace(random=random.Random(1))
        )
        self.offers: list[tuple[str, dict[str, Any]]] = []
        self.rounds = 0
        self.service = AllocatorService(
            host,
            AllocatorOptions(**options),
            lambda framework, offers: self.offers.append((framework, offers)),
            self.ran,
        )
        self.service.start()

    def ran(self) -> None:
        """Count a round."""
        self.rounds += 1

    def framework(self, name: str, *roles: str, active: bool = True) -> None:
        """Add a framework."""
        self.service.add_framework(name, framework_info(*(roles or ("*",))), {}, active=active)

    def agent(self, name: str, text: str = "cpus:2;mem:100") -> None:
        """Add an agent."""
        self.service.add_agent(name, v0.SlaveInfo(hostname=name), CAPABLE, parse_resources(text), {})

    def taken(self) -> list[tuple[str, str]]:
        """List which framework was offered which agent, and forget."""
        result = [
            (framework, agent) for framework, roles in self.offers for agents in roles.values() for agent in agents
        ]
        self.offers.clear()
        return sorted(result)


def test_a_round_over_all_agents_comes_every_interval() -> None:
    """Whether or not anything happened."""
    desk = Desk()
    desk.clock.advance(3.5)
    assert desk.rounds == 3
    assert desk.metrics.snapshot()["allocator/mesos/allocation_runs"] == 3


def test_new_agents_and_frameworks_are_served_at_once_in_one_round() -> None:
    """One round per backlog, after what runs now is done."""
    desk = Desk()
    desk.framework("f1")
    desk.agent("s0")
    desk.agent("s1")
    assert desk.rounds == 0
    desk.clock.advance(0)
    assert desk.rounds == 1
    assert desk.taken() == [("f1", "s0"), ("f1", "s1")]
    assert len(desk.offers) == 0


def test_each_framework_is_called_once_per_round() -> None:
    """With all its roles and agents."""
    desk = Desk()
    desk.framework("f1", "a", "b")
    for number in range(4):
        desk.agent(f"s{number}")
    desk.clock.advance(0)
    assert [framework for framework, _ in desk.offers] == ["f1"]
    assert {role: len(agents) for role, agents in desk.offers[0][1].items()} == {"a": 2, "b": 2}


def test_an_event_concerns_its_agents_only() -> None:
    """Trap 23: the others wait for the interval."""
    desk = Desk()
    desk.framework("f1")
    desk.agent("s0")
    desk.clock.advance(0)
    framework, roles = desk.offers[0]
    desk.offers.clear()
    desk.service.recover_resources(framework, "s0", roles["*"]["s0"], None, is_allocated=False)
    desk.agent("s1")
    desk.clock.advance(0.5)
    assert desk.taken() == [("f1", "s1")]
    desk.clock.advance(0.5)
    assert desk.taken() == [("f1", "s0")]


def test_resources_that_come_back_wait_for_the_interval() -> None:
    """No round of their own."""
    desk = Desk()
    desk.framework("f1")
    desk.agent("s0")
    desk.clock.advance(0)
    (_, roles), *_ = desk.offers
    desk.offers.clear()
    desk.service.recover_resources("f1", "s0", roles["*"]["s0"], v0.Filters(refuse_seconds=0), is_allocated=False)
    desk.clock.advance(0.9)
    assert desk.rounds == 1
    desk.clock.advance(0.1)
    assert desk.taken() == [("f1", "s0")]


def test_reviving_and_activating_bring_a_round_and_suppressing_does_not() -> None:
    """No roles means all of the framework's."""
    desk = Desk()
    desk.framework("f1", "a", active=False)
    desk.agent("s0")
    desk.clock.advance(0)
    rounds = desk.rounds
    desk.service.activate_framework("f1")
    desk.service.suppress_offers("f1", [])
    desk.clock.advance(0)
    assert desk.rounds == rounds + 1
    assert desk.taken() == []
    desk.service.suppress_offers("f1", ["a"])
    desk.clock.advance(0)
    assert desk.rounds == rounds + 1
    desk.service.revive_offers("f1", [])
    desk.clock.advance(0)
    assert desk.taken() == [("f1", "s0")]


def test_updating_an_agent_brings_a_round_only_when_something_changed() -> None:
    """More resources, for instance."""
    desk = Desk()
    desk.framework("f1")
    desk.agent("s0")
    desk.clock.advance(0)
    desk.taken()
    rounds = desk.rounds
    desk.service.update_agent("s0", v0.SlaveInfo(hostname="s0"), parse_resources("cpus:2;mem:100"), CAPABLE)
    desk.clock.advance(0)
    assert desk.rounds == rounds
    desk.service.update_agent("s0", v0.SlaveInfo(hostname="s0"), parse_resources("cpus:3;mem:100"), CAPABLE)
    desk.clock.advance(0)
    assert desk.taken() == [("f1", "s0")]


def test_a_paused_allocator_offers_nothing() -> None:
    """And goes on with the next interval."""
    desk = Desk()
    desk.service.pause()
    desk.framework("f1")
    desk.agent("s0")
    desk.clock.advance(5)
    assert desk.taken() == []
    desk.service.resume()
    desk.clock.advance(1)
    assert desk.taken() == [("f1", "s0")]


def test_after_a_failover_with_quotas_rounds_wait_for_most_agents() -> None:
    """A13: 80 % of them, or ten minutes."""
    desk = Desk()
    desk.service.recover(5, {"r": Quota(Quantities.parse("cpus:1"))})
    desk.framework("f1")
    for number in range(3):
        desk.agent(f"s{number}")
    desk.clock.advance(10)
    assert desk.taken() == []
    desk.agent("s3")
    desk.clock.advance(1)
    assert len(desk.taken()) == 4
    late = Desk()
    late.service.recover(5, {"r": Quota(Quantities.parse("cpus:1"))})
    late.framework("f1")
    late.agent("s0")
    late.clock.advance(599)
    assert late.taken() == []
    late.clock.advance(3)
    assert late.taken() == [("f1", "s0")]


def test_without_quotas_nobody_waits() -> None:
    """There is nothing to break."""
    desk = Desk()
    desk.service.recover(100, {})
    desk.framework("f1")
    desk.agent("s0")
    desk.clock.advance(0)
    assert desk.taken() == [("f1", "s0")]


def test_metrics_have_the_names_of_the_original() -> None:
    """As recorded, with the values of the books."""
    desk = Desk()
    desk.framework("f1", "golden")
    desk.agent("s0", "cpus:4;mem:100;disk:10;cpus(stat):1")
    desk.clock.advance(0)
    (_, roles), *_ = desk.offers
    used = parse_resources("cpus:1;mem:50").allocated_to("golden")
    rest = roles["golden"]["s0"] - used
    desk.service.transition_offered_to_allocated("s0", used)
    desk.service.recover_resources("f1", "s0", rest, v0.Filters(refuse_seconds=60), is_allocated=False)
    desk.clock.advance(1)
    values = {
        name.removeprefix("allocator/mesos/"): value
        for name, value in desk.metrics.snapshot().items()
        if "allocation_run" not in name and name.startswith("allocator/")
    }
    assert values == {
        "allocator/event_queue_dispatches": 0.0,
        "event_queue_dispatches": 0.0,
        "offer_filters/roles/golden/active": 1.0,
        "quota/roles//resources/cpus/consumed": 2.0,
        "quota/roles//resources/mem/consumed": 50.0,
        "quota/roles/golden/resources/cpus/consumed": 1.0,
        "quota/roles/golden/resources/mem/consumed": 50.0,
        "quota/roles/stat/resources/cpus/consumed": 1.0,
        "resources/cpus/offered_or_allocated": 1.0,
        "resources/cpus/total": 5.0,
        "resources/disk/offered_or_allocated": 0.0,
        "resources/disk/total": 10.0,
        "resources/mem/offered_or_allocated": 50.0,
        "resources/mem/total": 100.0,
        "roles/golden/shares/dominant": 0.5,
    }
    timers = {name for name in desk.metrics.snapshot() if name.startswith("allocator/mesos/allocation_run_ms")}
    assert {name.rpartition("/")[2] for name in timers} == {
        "allocation_run_ms", "count", "max", "min", "p50", "p90", "p95", "p99", "p999", "p9999",
    }  # fmt: skip
    desk.service.remove_framework("f1")
    assert "allocator/mesos/roles/golden/shares/dominant" not in desk.metrics.snapshot()


def test_giving_back_what_is_not_held_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody's books are wrong; nothing becomes negative or more than there is."""
    desk = Desk()
    desk.framework("f1")
    desk.agent("s0")
    desk.clock.advance(0)
    (_, roles), *_ = desk.offers
    for _ in range(2):
        desk.service.recover_resources("f1", "s0", roles["*"]["s0"], None, is_allocated=False)
    (line,) = [text for name, level, text in caplog.record_tuples if (name, level) == (LOGGER, logging.ERROR)]
    assert "that it does not hold" in line
    agent = desk.service.books.agents["s0"]
    assert agent.available == agent.total
    assert desk.service.dominant_shares() == {"*": 0.0}


def test_stopping_ends_the_rounds() -> None:
    """No timer is left."""
    desk = Desk()
    desk.framework("f1")
    desk.service.stop()
    assert desk.clock.waiting == []
