"""Sorters: shares, weights, ties, trees."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from messor.allocator.drf_sorter import DrfSorter
from messor.allocator.random_sorter import RandomSorter
from messor.allocator.sorter import Pool
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.protos import v0


def sorter(pool: str, *clients: str, excluded: tuple[str, ...] = ()) -> DrfSorter:
    """Make a sorter with active clients."""
    shared_pool = Pool(excluded)
    shared_pool.add(parse_resources(pool).scalars())
    result = DrfSorter(shared_pool)
    for client in clients:
        result.add(client)
        result.activate(client)
    return result


def test_the_first_table_of_the_drf_paper() -> None:
    """Totals <9 cpus, 18 GB>, A wants <1, 4>, B <3, 1>: B A A B A, ending at A <3, 12>, B <6, 2>.

    The first choice is a tie, broken by name; so A gets a later name.
    """
    demands = {"user-A2": parse_resources("cpus:1;mem:4"), "user-A1": parse_resources("cpus:3;mem:1")}
    drf = sorter("cpus:9;mem:18", *demands)
    left = parse_resources("cpus:9;mem:18")
    order, shares = [], []
    while left.contains(demands[drf.sort()[0]]):
        client = drf.sort()[0]
        drf.allocated(client, "S0", demands[client])
        left -= demands[client]
        order.append("B" if client == "user-A1" else "A")
        shares.append(round(drf.share(client), 6))
    assert order == ["B", "A", "A", "B", "A"]
    assert shares == [round(share, 6) for share in (1 / 3, 2 / 9, 4 / 9, 2 / 3, 2 / 3)]
    assert drf.allocation("user-A2") == {"cpus": 3000, "mem": 12000}
    assert drf.allocation("user-A1") == {"cpus": 6000, "mem": 2000}


def test_clients_start_inactive() -> None:
    """And keep their books while they are."""
    drf = sorter("cpus:10", "a")
    drf.add("b")
    assert drf.sort() == ["a"]
    assert drf.contains("b")
    assert (drf.count(), drf.count_active()) == (2, 1)
    drf.allocated("a", "S0", parse_resources("cpus:1"))
    drf.deactivate("a")
    drf.deactivate("a")
    assert drf.sort() == []
    drf.activate("a")
    drf.activate("a")
    drf.activate("b")
    assert drf.sort() == ["b", "a"]
    assert drf.allocation("a") == {"cpus": 1000}


def test_ties_break_on_the_number_of_allocations_then_on_the_name() -> None:
    """Giving back does not lower the number."""
    drf = sorter("cpus:10", "a", "b", "c")
    assert drf.sort() == ["a", "b", "c"]
    one = parse_resources("cpus:1")
    drf.allocated("a", "S0", one)
    drf.unallocated("a", "S0", one)
    assert drf.sort() == ["b", "c", "a"]


def test_weights_divide_shares_even_of_clients_to_come() -> None:
    """A weight of 2 means twice as much before one's turn is over."""
    drf = sorter("cpus:12", "a")
    drf.update_weight("b", 2.0)
    drf.add("b")
    drf.activate("b")
    drf.allocated("a", "S0", parse_resources("cpus:2"))
    drf.allocated("b", "S0", parse_resources("cpus:3"))
    assert drf.sort() == ["b", "a"]
    drf.update_weight("b", 1.0)
    assert drf.sort() == ["a", "b"]


def test_the_dominant_resource_decides() -> None:
    """And resources that are excluded do not count."""
    drf = sorter("cpus:10;mem:100;gpus:1", "a", "b", excluded=("gpus",))
    drf.allocated("a", "S0", parse_resources("cpus:1;mem:50"))
    drf.allocated("b", "S0", parse_resources("cpus:4;mem:1;gpus:1"))
    assert drf.share("a") == 0.5
    assert drf.share("b") == 0.4
    assert drf.sort() == ["b", "a"]


def test_shares_follow_the_pool() -> None:
    """When agents come and go."""
    pool = Pool()
    pool.add(parse_resources("cpus:10;mem:10").scalars())
    drf = DrfSorter(pool)
    for client, text in (("a", "cpus:4"), ("b", "mem:5")):
        drf.add(client)
        drf.activate(client)
        drf.allocated(client, "S0", parse_resources(text))
    assert drf.sort() == ["a", "b"]
    pool.add(parse_resources("mem:90").scalars())
    assert drf.sort() == ["b", "a"]
    pool.remove(parse_resources("mem:90").scalars())
    assert drf.sort() == ["a", "b"]


def test_shares_of_a_subtree_add_up() -> None:
    """Siblings compete first, then their children."""
    drf = sorter("cpus:10", "a/x", "a/y", "b")
    drf.allocated("a/x", "S0", parse_resources("cpus:3"))
    drf.allocated("b", "S0", parse_resources("cpus:2"))
    assert drf.sort() == ["b", "a/y", "a/x"]


def test_a_client_may_have_clients_below_it() -> None:
    """It then competes with them as one of its own children, and is alone again when they leave."""
    drf = sorter("cpus:10", "a", "b")
    drf.allocated("a", "S0", parse_resources("cpus:3"))
    drf.add("a/x")
    drf.activate("a/x")
    assert drf.sort() == ["b", "a/x", "a"]
    assert drf.allocation("a") == {"cpus": 3000}
    drf.allocated("a/x", "S0", parse_resources("cpus:4"))
    assert drf.sort() == ["b", "a", "a/x"]
    drf.remove("a/x")
    assert drf.sort() == ["b", "a"]
    assert drf.allocation("a") == {"cpus": 3000}
    drf.remove("a")
    assert drf.sort() == ["b"]
    assert drf.total_allocation() == {}


def test_an_update_changes_what_is_held_but_not_the_number_of_allocations() -> None:
    """Reserving is not one more allocation."""
    drf = sorter("cpus:10", "a", "b")
    for client in ("a", "b"):
        drf.allocated(client, "S0", parse_resources("cpus:2"))
    drf.update("a", "S0", parse_resources("cpus:2"), parse_resources("cpus(r):2"))
    assert drf.sort() == ["a", "b"]
    drf.update("a", "S0", parse_resources("cpus(r):2"), parse_resources("cpus(r):1"))
    assert drf.allocation("a") == {"cpus": 1000}


def test_a_shared_volume_counts_once_per_agent() -> None:
    """However many copies are out."""
    resource = v0.Resource(name="disk", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=8))
    resource.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role="a")
    resource.disk.persistence.id = "v"
    resource.shared.SetInParent()
    volume = Resources.of([resource])
    drf = sorter("disk:100", "a")
    drf.allocated("a", "S0", volume + parse_resources("disk:1"))
    drf.allocated("a", "S0", volume)
    drf.allocated("a", "S1", volume)
    assert drf.allocation("a") == {"disk": 17_000}
    drf.unallocated("a", "S0", volume)
    assert drf.allocation("a") == {"disk": 17_000}
    drf.unallocated("a", "S0", volume)
    assert drf.allocation("a") == {"disk": 9_000}


def test_a_walk_is_a_snapshot() -> None:
    """What is booked during it changes the next one."""
    drf = sorter("cpus:10", "a", "b", "c")
    seen = []
    for client in drf.walk():
        seen.append(client)
        drf.allocated(client, "S0", parse_resources("cpus:3") if client == "a" else parse_resources("cpus:1"))
    assert seen == ["a", "b", "c"]
    assert drf.sort() == ["b", "c", "a"]


def test_a_walk_may_end_early() -> None:
    """Those not reached keep their places."""
    drf = sorter("cpus:10", "a/x", "a/y", "b")
    walk = drf.walk()
    assert next(walk) == "a/x"
    drf.allocated("a/x", "S0", parse_resources("cpus:1"))
    walk.close()
    assert drf.sort() == ["b", "a/y", "a/x"]


def test_random_order_follows_weights() -> None:
    """Every walk is another shuffle; the heavier comes first more often."""
    pool = Pool()
    chance = RandomSorter(pool, random.Random(5))
    for client in ("heavy", "light", "idle", "deep/er"):
        chance.add(client)
        if client != "idle":
            chance.activate(client)
    chance.update_weight("heavy", 8.0)
    orders = [chance.sort() for _ in range(300)]
    assert all(sorted(order) == ["deep/er", "heavy", "light"] for order in orders)
    firsts = Counter(order[0] for order in orders)
    assert firsts["heavy"] > 200
    assert set(firsts) == {"heavy", "light", "deep/er"}


@pytest.mark.parametrize("clients", [("a", "b", "c"), ("a", "b/x", "b/y/z", "c/u", "c"), ("a",)])
@pytest.mark.parametrize("pool", ["cpus:700;mem:90000;disk:1000000", "cpus:700.5;mem:90000.25;disk:1000000"])
def test_the_quick_way_of_rounds_gives_to_the_same_clients(clients: tuple[str, ...], pool: str) -> None:
    """``give`` is ``first`` and ``allocated``: the same order, sums and shares to the last bit, thousandths or not."""
    quick, plain = sorter(pool, *clients), sorter(pool, *clients)
    chance = random.Random(3)
    parts = [
        parse_resources(text)
        for text in ("cpus:4;mem:64", "cpus:1;disk:7", "mem:300", "cpus:0.1;mem:8", "cpus:0.3;mem:0.7", "gpus:1")
    ]
    for which in [chance.choice(parts[:3]) for _ in range(60)] + [chance.choice(parts) for _ in range(120)]:
        scalars = which.scalars()
        client = plain.sort()[0]
        plain.allocated(client, "s", which)
        assert quick.give(quick.pool.vector(scalars), quick.pool.even_vector(scalars)).client == client
        assert quick.share(client) == plain.share(client)
        assert quick.allocation(client) == plain.allocation(client)
    assert quick.sort() == plain.sort()


def test_only_whole_units_are_even() -> None:
    """Shares of anything with thousandths are rounded as the original rounds them."""
    pool = Pool(("disk",))
    pool.add(parse_resources("cpus:10;mem:100.5;disk:7").scalars())
    assert pool.even_vector(parse_resources("cpus:2;disk:1").scalars()) == ((0, 2000, 10000.0), (2, 1000, math.inf))
    assert pool.even_vector(parse_resources("cpus:2.5").scalars()) is None
    assert pool.even_vector(parse_resources("cpus:2;mem:1").scalars()) is None
