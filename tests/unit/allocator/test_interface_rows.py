"""The allocator's and the sorter's interfaces, one check for each of Mesos' methods.

Names are those of the real interfaces' methods; each check does what a master, or an allocator, does with them.
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from messor.allocator.drf_sorter import DrfSorter
from messor.allocator.interfaces import Allocator, AllocatorFactory, AllocatorOptions
from messor.allocator.loading import find_allocator, find_sorter
from messor.allocator.plain_sorter import PlainSorter
from messor.allocator.random_sorter import RandomSorter
from messor.allocator.service import AllocatorService
from messor.allocator.sorter import Pool, Sorter
from messor.errors import ConfigurationError, InvalidRequest
from messor.model.conversions import Conversion
from messor.model.quantities import Quantities
from messor.model.quotas import Quota
from messor.model.resource_text import parse_resources
from messor.model.resources import EMPTY, Resources
from messor.protos import v0, v0_allocator
from messor.runtime.metrics import Metrics

from .test_service import Clock
from .world import CAPABLE, framework_info

Status = v0_allocator.InverseOfferStatus
AGENT = "cpus:2;mem:100"


class Desk:
    """An allocator as a master holds it, and what it told the master."""

    def __init__(self, **options: Any) -> None:
        """Make it by the name that the flag has by default; its rounds do not run yet."""
        self.clock = Clock()
        self.chance = random.Random(1)
        host: Any = SimpleNamespace(clock=self.clock, metrics=Metrics(), chance=SimpleNamespace(random=self.chance))
        self.told: list[tuple[str, str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.held: dict[tuple[str, str], Resources] = {}
        self.allocator: Allocator = find_allocator("hierarchical")(
            host, AllocatorOptions(**options), self._offered, on_inverse_offers=self._ask_to_leave
        )

    def _offered(self, framework_id: str, offers: Any) -> None:
        for role, by_agent in offers.items():
            for agent_id, resources in by_agent.items():
                self.told.append((framework_id, role, agent_id))
                self.held[framework_id, agent_id] = resources

    def _ask_to_leave(self, framework_id: str, windows: Any) -> None:
        self.asked.extend((framework_id, agent_id) for agent_id in windows)

    def framework(self, name: str = "f", *roles: str, active: bool = True, **used: Resources) -> None:
        """Add a framework; used: what it has, by agent."""
        info = framework_info(*(roles or ("r",)))
        self.allocator.add_framework(name, info, used, active=active, suppressed_roles=frozenset())

    def agent(self, name: str = "s", text: str = AGENT, *, attribute: str = "", **used: Resources) -> None:
        """Add an agent; used: what frameworks have of it."""
        self.allocator.add_agent(name, self.info(name, attribute), CAPABLE, parse_resources(text), used)

    def info(self, name: str = "s", attribute: str = "") -> v0.SlaveInfo:
        """Describe an agent."""
        info = v0.SlaveInfo(hostname=f"{name}.host")
        if attribute:
            info.attributes.add(name="kind", type=v0.Value.TEXT, text=v0.Value.Text(value=attribute))
        return info

    def run(self, seconds: float = 0.0) -> list[tuple[str, str, str]]:
        """Let time pass; gives what was offered: (framework, role, agent)."""
        self.told.clear()
        self.clock.advance(seconds)
        return list(self.told)

    def give_back(self, name: str = "f", agent: str = "s", seconds: float = 0.0) -> None:
        """Decline an offer."""
        filters = v0.Filters(refuse_seconds=seconds) if seconds else None
        self.allocator.recover_resources(name, agent, self.held[name, agent], filters, is_allocated=False)


def started(**options: Any) -> Desk:
    """Make a desk whose rounds run."""
    desk = Desk(**options)
    desk.allocator.start()
    return desk


def offered() -> Desk:
    """Make a desk where framework f was offered agent s for role r."""
    desk = started()
    desk.framework()
    desk.agent()
    assert desk.run() == [("f", "r", "s")]
    return desk


def used(text: str = AGENT, role: str = "r") -> Resources:
    """Make resources that carry their role."""
    return parse_resources(text).allocated_to(role)


# --- allocators ------------------------------------------------------------------------------------------------------


def by_name() -> None:
    """`--allocator`: two names for ours, anything else is a module."""
    assert find_allocator("hierarchical") is find_allocator("HierarchicalDRF") is AllocatorService
    assert find_allocator("messor.allocator.service:AllocatorService") is AllocatorService
    with pytest.raises(ConfigurationError, match="Failed to create allocator 'nothing'"):
        find_allocator("nothing")
    assert (find_sorter("drf"), find_sorter("random")) == ("drf", "random")


def create() -> None:
    """A factory, by Python or by name; with sorters of one's own."""
    desk = Desk(role_sorter=lambda pool, _chance: PlainSorter(pool), framework_sorter="drf")
    assert desk.allocator is not None
    assert inspect.signature(AllocatorFactory.__call__).parameters.keys() >= {"host", "options", "on_offers"}


def initialize() -> None:
    """Nothing is offered before the start; then by the interval given, through the callback: by role, by agent."""
    desk = Desk(allocation_interval=5.0)
    desk.framework()
    desk.allocator.start()
    desk.agent()
    assert desk.run() == [("f", "r", "s")]
    desk.give_back()
    assert desk.run(4.9) == []
    assert desk.run(0.1) == [("f", "r", "s")]
    desk.allocator.stop()
    desk.give_back()
    assert desk.run(60) == []


def recover() -> None:
    """With quotas nothing is offered until most agents are back, or ten minutes are over."""
    desk = Desk(agent_recovery_factor=0.5, agent_recovery_timeout=600.0)
    desk.allocator.recover(4, {"r": QUOTA})
    desk.allocator.start()
    desk.framework()
    desk.agent("s1")
    assert desk.run(5) == []
    desk.agent("s2")
    assert len(desk.run(5)) == 2
    late = Desk(agent_recovery_timeout=600.0)
    late.allocator.recover(4, {"r": QUOTA})
    late.allocator.start()
    late.framework()
    late.agent("s1")
    assert late.run(599) == []
    assert len(late.run(5)) == 1


def add_framework() -> None:
    """What it uses of agents that come later counts once."""
    desk = started()
    desk.framework("f", "r", s=used("cpus:1"))
    desk.agent("s", f=used("cpus:1"))
    assert desk.allocator.dominant_shares() == {"r": 0.5}
    assert desk.run() == [("f", "r", "s")]
    assert str(desk.held["f", "s"].unallocated()) == "cpus:1; mem:100"
    desk.framework("idle", "i", active=False)
    desk.agent("s2")
    assert {name for name, _, _ in desk.run(5)} == {"f"}


def remove_framework() -> None:
    """All it held is free."""
    desk = offered()
    desk.allocator.remove_framework("f")
    desk.framework("g")
    assert desk.run() == [("g", "r", "s")]


def activate_framework() -> None:
    """Offers go to active ones; deactivation forgets refusals and keeps what is held."""
    desk = offered()
    desk.agent("s2")
    desk.run()
    desk.give_back(agent="s2", seconds=3600)
    desk.allocator.deactivate_framework("f")
    assert desk.run(5) == []
    assert desk.allocator.dominant_shares() == {"r": 0.5}
    desk.allocator.activate_framework("f")
    assert desk.run() == [("f", "r", "s2")]


def update_framework() -> None:
    """Roles, capabilities and suppression change."""
    desk = started()
    desk.framework()
    desk.allocator.update_framework("f", framework_info("q"), frozenset({"q"}))
    desk.agent()
    assert desk.run(2) == []
    desk.allocator.update_framework("f", framework_info("q"), frozenset())
    assert desk.run(2) == [("f", "q", "s")]


def add_agent() -> None:
    """All it has is offered, what is reserved and volumes included, whatever its flags said."""
    desk = started()
    desk.framework()
    info = desk.info()
    info.resources.extend(parse_resources(AGENT).messages())
    desk.allocator.add_agent("s", info, CAPABLE, parse_resources("cpus:1;cpus(r):1;mem:100"), {"f": used("cpus:1")})
    desk.allocator.update_unavailability("s", v0.Unavailability())
    assert desk.run() == [("f", "r", "s")]
    assert str(desk.held["f", "s"].unallocated()) == str(parse_resources("cpus(r):1;mem:100"))
    assert desk.asked == [("f", "s")]


def remove_agent() -> None:
    """What was handed out of it and refusals of it are gone."""
    desk = offered()
    desk.give_back(seconds=3600)
    desk.allocator.remove_agent("s")
    assert desk.run(2) == []
    assert desk.allocator.dominant_shares() == {"r": 0.0}
    desk.agent()
    assert desk.run() == [("f", "r", "s")]


def update_agent() -> None:
    """More is offered at once; changed attributes void refusals; None leaves things as they are."""
    desk = offered()
    desk.give_back(seconds=3600)
    desk.allocator.update_agent("s", desk.info(), None, None)
    assert desk.run(2) == []
    desk.allocator.update_agent("s", desk.info(attribute="new"), None, None)
    assert desk.run() == [("f", "r", "s")]
    desk.allocator.update_agent("s", desk.info(attribute="new"), parse_resources("cpus:3;mem:200"), CAPABLE)
    assert desk.run() == [("f", "r", "s")]
    assert str(desk.held["f", "s"].unallocated()) == "cpus:1; mem:100"


def add_resource_provider() -> None:
    """The agent grows by what the provider has; who uses it is booked; the next interval offers the rest."""
    desk = offered()
    desk.allocator.add_resource_provider(
        "s", parse_resources("disk:100"), {"f": used("disk:40"), "who": used("disk:9")}
    )
    assert desk.told == [("f", "r", "s")], "it starts no round of its own"
    desk.give_back()
    assert desk.run(1) == [("f", "r", "s")]
    assert desk.held["f", "s"].unallocated().contains(parse_resources("cpus:2;mem:100;disk:60"))
    assert desk.held["f", "s"].scalar("disk") == 60.0
    desk.allocator.recover_resources("f", "s", used("disk:40"), None, is_allocated=True)
    desk.give_back()
    desk.run(1)
    assert desk.held["f", "s"].scalar("disk") == 100.0


def activate_agent() -> None:
    """A deactivated agent is not offered; what is out of it stays booked until it comes back."""
    desk = offered()
    desk.allocator.deactivate_agent("s")
    assert desk.allocator.dominant_shares() == {"r": 1.0}
    desk.give_back()
    assert desk.run(5) == []
    desk.allocator.activate_agent("s")
    assert desk.run(1) == [("f", "r", "s")]


def update_whitelist() -> None:
    """None: all hosts; an empty list: none."""
    desk = started()
    desk.framework()
    desk.allocator.update_whitelist([])
    desk.agent()
    assert desk.run(2) == []
    desk.allocator.update_whitelist(["s.host"])
    assert desk.run(2) == [("f", "r", "s")]
    desk.agent("other")
    assert desk.run(2) == []
    desk.allocator.update_whitelist(None)
    assert desk.run(2) == [("f", "r", "other")]


def request_resources() -> None:
    """Free to do nothing, and ours does."""
    desk = offered()
    desk.allocator.request_resources("f", [v0.Request()])
    assert desk.run(5) == []


def update_allocation() -> None:
    """What was offered is something else now, of the same role."""
    desk = offered()
    held = desk.held["f", "s"]
    step = Conversion(used("cpus:2"), parse_resources("cpus(r):2").allocated_to("r"))
    desk.allocator.update_allocation("f", "s", held, [step])
    desk.held["f", "s"] = held - step.consumed + step.converted
    desk.give_back()
    desk.run(1)
    assert str(desk.held["f", "s"].unallocated().reservations()["r"]) == str(parse_resources("cpus(r):2"))


def update_available() -> None:
    """What nobody holds can be reserved by operators; the rest cannot, which they hear as 409."""
    desk = started()
    desk.framework("other", "r", active=False)
    desk.agent()
    step = Conversion(parse_resources("cpus:2"), parse_resources("cpus(x):2"))
    desk.allocator.update_available("s", [step])
    with pytest.raises(InvalidRequest):
        desk.allocator.update_available("s", [step])
    desk.framework("f", "r")
    desk.run(1)
    assert str(desk.held["f", "s"].unallocated()) == "mem:100"


def update_unavailability() -> None:
    """The next window is kept; a changed one asks those again who refused; without one nobody is asked."""
    desk = offered()
    desk.allocator.update_unavailability("s", v0.Unavailability())
    desk.run()
    assert desk.asked == [("f", "s")]
    status = Status(status=Status.DECLINE)
    desk.allocator.update_inverse_offer("s", "f", status, v0.Filters(refuse_seconds=3600))
    desk.run(60)
    assert desk.asked == [("f", "s")]
    desk.allocator.update_unavailability("s", v0.Unavailability())
    desk.run()
    assert desk.asked == [("f", "s")] * 2
    desk.allocator.update_unavailability("s", None)
    desk.run(60)
    assert desk.asked == [("f", "s")] * 2


def update_inverse_offer() -> None:
    """Without a status it timed out or was withdrawn, and is made again."""
    desk = offered()
    desk.allocator.update_unavailability("s", v0.Unavailability())
    desk.run()
    desk.allocator.update_inverse_offer("s", "f", None, None, unavailability=v0.Unavailability())
    desk.run(1)
    assert desk.asked == [("f", "s")] * 2
    assert desk.allocator.inverse_offer_statuses() in ({}, {"s": {}})


def inverse_offer_statuses() -> None:
    """By agent and framework."""
    desk = offered()
    desk.allocator.update_unavailability("s", v0.Unavailability())
    desk.run()
    status = Status(status=Status.ACCEPT)
    desk.allocator.update_inverse_offer("s", "f", status, None)
    assert desk.allocator.inverse_offer_statuses() == {"s": {"f": status}}


def transition_offered_to_allocated() -> None:
    """Quota counts what tasks use; what is merely offered does not count as consumed."""
    desk = offered()
    service = desk.allocator
    assert isinstance(service, AllocatorService)
    assert service.books.roles.consumed.get("r", {}) == {}
    service.transition_offered_to_allocated("s", desk.held["f", "s"])
    assert service.books.roles.consumed["r"] == {"cpus": 2000, "mem": 100000}
    service.recover_resources("f", "s", desk.held["f", "s"], None, is_allocated=True)
    assert service.books.roles.consumed.get("r", {}) == {}


def recover_resources() -> None:
    """A filter keeps them from who refused, for as long as it said; without one they are offered again."""
    desk = offered()
    desk.give_back(seconds=10)
    assert desk.run(9) == []
    assert desk.run(3) == [("f", "r", "s")]
    desk.give_back()
    assert desk.run(1) == [("f", "r", "s")]


def revive_offers() -> None:
    """No roles mean all of the framework's."""
    desk = offered()
    desk.give_back()
    desk.allocator.suppress_offers("f", [])
    assert desk.run(5) == []
    desk.allocator.revive_offers("f", ["r"])
    assert desk.run() == [("f", "r", "s")]
    desk.give_back(seconds=3600)
    desk.allocator.revive_offers("f", [])
    assert desk.run() == [("f", "r", "s")]


def update_quota() -> None:
    """Quota, weights and pauses change what the next rounds do; pausing twice is pausing."""
    desk = started()
    desk.framework("f", "r")
    desk.framework("g", "q")
    desk.allocator.update_quota("r", Quota(limits={"cpus": 0}))
    desk.allocator.update_weights({"q": 3.0})
    for _ in range(2):
        desk.allocator.pause()
    desk.agent()
    assert desk.run(5) == []
    for _ in range(2):
        desk.allocator.resume()
    assert [role for _, role, _ in desk.run(1)] == ["q"]
    assert desk.allocator.dominant_shares()["q"] == pytest.approx(1 / 3)


QUOTA = Quota(Quantities({"cpus": 1000}))


# --- sorters ---------------------------------------------------------------------------------------------------------

Make = Callable[[Pool], Any]
SORTERS: dict[str, Make] = {
    "drf": DrfSorter,
    "random": lambda pool: RandomSorter(pool, random.Random(3)),
    "plain": PlainSorter,
}


def volume(name: str = "v") -> Resources:
    """Make a shared volume of 8 MB."""
    resource = v0.Resource(name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=8))
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="a")
    resource.disk.persistence.id = name
    resource.shared.SetInParent()
    return Resources.of([resource])


def with_clients(make: Make, *clients: str) -> Any:
    """Make a sorter of active clients on a pool of ten cpus and a hundred MB."""
    pool = Pool()
    pool.add_agent("s", parse_resources("cpus:10;mem:100;disk:100").scalars())
    sorter = make(pool)
    for client in clients:
        sorter.add(client)
        sorter.activate(client)
    return sorter


def add_client(make: Make) -> None:
    """A client comes inactive; a weight outlives it and waits for it."""
    sorter = with_clients(make)
    sorter.update_weight("a", 2.0)
    sorter.add("a")
    assert sorter.sort() == []
    sorter.activate("a")
    sorter.allocated("a", "s", parse_resources("cpus:4"))
    assert sorter.share("a") == pytest.approx(0.2)
    sorter.remove("a")
    assert not sorter.contains("a")
    sorter.add("a")
    assert sorter.allocation("a") == {}
    sorter.allocated("a", "s", parse_resources("cpus:4"))
    assert sorter.share("a") == pytest.approx(0.2)


def activate_client(make: Make) -> None:
    """In and out of the order without losing what it holds, and no harm if it is there already."""
    sorter = with_clients(make, "a", "b")
    sorter.allocated("a", "s", parse_resources("cpus:1"))
    for _ in range(2):
        sorter.deactivate("a")
    assert sorter.sort() == ["b"]
    for _ in range(2):
        sorter.activate("a")
    assert sorted(sorter.sort()) == ["a", "b"]
    assert sorter.allocation("a") == {"cpus": 1000}


def allocated_client(make: Make) -> None:
    """Shared volumes count once, however many copies are out."""
    sorter = with_clients(make, "a")
    for _ in range(2):
        sorter.allocated("a", "s", volume())
    assert sorter.allocation("a") == {"disk": 8000}
    sorter.unallocated("a", "s", volume())
    assert sorter.allocation("a") == {"disk": 8000}
    sorter.unallocated("a", "s", volume())
    assert sorter.allocation("a") == {}


def update_client(make: Make) -> None:
    """What an allocation is changes: a reservation, for instance."""
    sorter = with_clients(make, "a")
    sorter.allocated("a", "s", parse_resources("cpus:2"))
    sorter.update("a", "s", parse_resources("cpus:2"), parse_resources("cpus(r):2"))
    assert sorter.allocation("a") == {"cpus": 2000}
    assert sorter.allocation_on("a", "s") == parse_resources("cpus(r):2")


def allocation_of_client(make: Make) -> None:
    """By agent, by client, one cell, and the scalars of one and of all."""
    sorter = with_clients(make, "a", "b", "c/d")
    one, two = parse_resources("cpus:1;ports:[1-2]"), parse_resources("cpus:2")
    sorter.allocated("a", "s", one)
    sorter.allocated("a", "t", two)
    sorter.allocated("c/d", "s", two.allocated_to("x"))
    assert dict(sorter.allocation_by_agent("a")) == {"s": one, "t": two}
    assert dict(sorter.allocation_by_agent("b")) == {}
    assert dict(sorter.allocation_by_client("s")) == {"a": one, "c/d": two}
    assert dict(sorter.allocation_by_client("nowhere")) == {}
    assert sorter.allocation_on("a", "t") == two
    assert sorter.allocation_on("b", "t") == EMPTY
    assert sorter.allocation("a") == {"cpus": 3000}
    assert sorter.total_allocation() == {"cpus": 5000}
    sorter.unallocated("a", "s", one)
    assert dict(sorter.allocation_by_client("s")) == {"c/d": two}
    sorter.remove("c/d")
    assert dict(sorter.allocation_by_client("s")) == {}


def pool_of_agents(make: Make) -> None:
    """The total pool in both forms: whole agents by their scalars, and an agent's resources bit by bit."""
    sorter = with_clients(make, "a")
    sorter.allocated("a", "s", parse_resources("cpus:5"))
    pool = sorter.pool
    assert sorter.share("a") == 0.5
    pool.add_agent("t", {"cpus": 10_000})
    assert sorter.share("a") == 0.25
    with pytest.raises(ValueError, match="in the pool already"):
        pool.add_agent("t", {"cpus": 1})
    pool.remove_agent("t")
    with pytest.raises(KeyError):
        pool.remove_agent("t")
    assert sorter.share("a") == 0.5
    pool.add_resources("t", parse_resources("cpus:6;ports:[1-9]"))
    pool.add_resources("t", parse_resources("cpus:4"))
    assert sorter.share("a") == 0.25
    pool.remove_resources("t", parse_resources("cpus:10"))
    assert sorter.share("a") == 0.5
    with pytest.raises(ValueError, match="does not have"):
        pool.remove_resources("t", parse_resources("cpus:1"))
    pool.update_agent("s", parse_resources("cpus:50"))
    assert sorter.share("a") == 0.1
    pool.remove_agent("s")
    assert pool.totals == {}


def sort_clients(make: Make) -> None:
    """Active clients only; what does not count for shares is skipped."""
    sorter = with_clients(make, "b", "a", "t/y", "t/x")
    sorter.add("idle")
    assert sorted(sorter.sort()) == ["a", "b", "t/x", "t/y"]
    assert sorted(sorter.walk()) == ["a", "b", "t/x", "t/y"]
    if type(sorter) is DrfSorter:
        assert sorter.sort() == ["a", "b", "t/x", "t/y"]
        sorter.allocated("t/x", "s", parse_resources("cpus:1"))
        sorter.allocated("b", "s", parse_resources("ports:[1-5];cpus:2"))
        assert sorter.sort() == ["a", "t/y", "t/x", "b"]


def contains_client(make: Make) -> None:
    """Active or not."""
    sorter = with_clients(make, "a")
    sorter.add("b")
    assert sorter.contains("a")
    assert sorter.contains("b")
    assert not sorter.contains("c")
    assert (sorter.count(), sorter.count_active()) == (2, 1)


ALLOCATOR_ROWS: dict[str, Callable[[], None]] = {
    "S87 --allocator": by_name,
    "S88 create": create,
    "S89 initialize": initialize,
    "S90 recover": recover,
    "S91 addFramework": add_framework,
    "S92 removeFramework": remove_framework,
    "S93 activateFramework": activate_framework,
    "S94 updateFramework": update_framework,
    "S95 addSlave": add_agent,
    "S96 removeSlave": remove_agent,
    "S97 updateSlave": update_agent,
    "S98 addResourceProvider": add_resource_provider,
    "S99 activateSlave": activate_agent,
    "S100 updateWhitelist": update_whitelist,
    "S101 requestResources": request_resources,
    "S102 updateAllocation": update_allocation,
    "S103 updateAvailable": update_available,
    "S104 updateUnavailability": update_unavailability,
    "S105 updateInverseOffer": update_inverse_offer,
    "S106 getInverseOfferStatuses": inverse_offer_statuses,
    "S107 transitionOfferedToAllocated": transition_offered_to_allocated,
    "S108 recoverResources": recover_resources,
    "S109 reviveOffers": revive_offers,
    "S110 updateQuota": update_quota,
}
SORTER_ROWS: dict[str, Callable[[Make], None]] = {
    "S111 add": add_client,
    "S112 activate": activate_client,
    "S113 allocated": allocated_client,
    "S114 update": update_client,
    "S115 allocation": allocation_of_client,
    "S116 add pool": pool_of_agents,
    "S117 sort": sort_clients,
    "S118 contains": contains_client,
}


@pytest.mark.parametrize("check", ALLOCATOR_ROWS.values(), ids=ALLOCATOR_ROWS)
def test_the_allocator_does_what_its_interface_says(check: Callable[[], None]) -> None:
    """One method of Mesos' interface each."""
    check()


@pytest.mark.parametrize("kind", SORTERS)
@pytest.mark.parametrize("check", SORTER_ROWS.values(), ids=SORTER_ROWS)
def test_sorters_do_what_their_interface_says(check: Callable[[Make], None], kind: str) -> None:
    """One method of Mesos' interface each, for all sorters there are."""
    check(SORTERS[kind])


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [(Allocator, AllocatorService), (Sorter, DrfSorter), (Sorter, RandomSorter), (Sorter, PlainSorter)],
    ids=lambda each: each.__name__,
)
def test_every_method_of_an_interface_is_there_with_its_arguments(protocol: type, kind: type) -> None:
    """Under the same names, so that keywords work with any."""
    for name, method in inspect.getmembers(protocol, inspect.isfunction):
        if name.startswith("_"):
            continue
        wanted = [each.name for each in inspect.signature(method).parameters.values()]
        given = [each.name for each in inspect.signature(getattr(kind, name)).parameters.values()]
        assert given[: len(wanted)] == wanted, name


def test_an_allocators_sorters_read_its_books() -> None:
    """Cells are those of what is out, whichever way it went out and came back."""
    desk = started()
    desk.framework("f", "r", "q/deep")
    desk.framework("g", "r")
    for number in range(6):
        desk.agent(f"s{number}", f"cpus:{number + 1};mem:100")
    desk.run(1)
    service = desk.allocator
    assert isinstance(service, AllocatorService)
    books = service.books
    desk.give_back(*next(iter(desk.held)))
    for role, sorter in books.sorters.items():
        cells = {
            (client, agent_id): held
            for client in books.frameworks
            for agent_id, held in sorter.allocation_by_agent(client).items()
        }
        for (client, agent_id), held in cells.items():
            assert sorter.allocation_on(client, agent_id) == sorter.allocation_by_client(agent_id)[client] == held
        for client in books.frameworks:
            if not sorter.contains(client):
                continue
            sums = sum((held for (who, _), held in cells.items() if who == client), EMPTY)
            assert sums.scalars() == sorter.allocation(client)
        whole = sum(books.role_sorter.allocation_by_agent(role).values(), EMPTY)
        assert whole.scalars() == books.role_sorter.allocation(role)
        for agent_id in books.agents:
            assert books.role_sorter.allocation_on(role, agent_id) == books.role_sorter.allocation_by_client(
                agent_id
            ).get(role, EMPTY)


@pytest.mark.parametrize("protocol", [Allocator, Sorter], ids=lambda each: each.__name__)
def test_the_guide_names_every_method(protocol: type) -> None:
    """Beside what it is called in Mesos."""
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "allocators.md").read_text()
    named = set(re.findall(r"`(?:Pool\.)?(\w+)`", guide))
    methods = {name for name, _ in inspect.getmembers(protocol, inspect.isfunction) if not name.startswith("_")}
    assert methods <= named
    of_pools = {name for name in vars(Pool) if name.endswith(("_agent", "_resources")) and not name.startswith("_")}
    assert of_pools <= named
