"""What the newer faces do that the classic driver does not, and how drivers find their way back."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest

from messor import aio
from messor.coordination.interfaces import Detector
from messor.coordination.standalone import StandaloneDetector, master_info
from messor.drivers.outcomes import is_removal, renewed
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.protos import internal, v0
from messor.simulation import Cluster, SimulatedScheduler
from messor.wire.upid import Upid
from support.fakes import FakeMaster

HTTP = pytest.mark.parametrize("transport", ["http", "http+json"])
ALL = pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])


async def first(scheduler: aio.Scheduler, kind: type[Any]) -> Any:
    """Wait for an event of a kind."""
    async for event in scheduler:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"iteration ended before {kind.__name__}")


@HTTP
def test_a_master_that_accepts_connections_but_says_nothing_is_given_up(transport: str) -> None:
    """A frozen master: SUBSCRIBE is sent again after a while, instead of waiting for ever."""
    cluster = Cluster(seed=2, agents=0)
    cluster.advance(5)
    cluster.master.host.freeze()
    scheduler = SimulatedScheduler("own", cluster, transport=transport)

    async def main() -> float:
        async with scheduler:
            await first(scheduler, aio.Registered)
            return cluster.time

    cluster.loop.call_later(300, cluster.master.host.thaw)
    assert 300 <= cluster.run(main()) < 500
    cluster.close()


@HTTP
def test_a_stream_without_heartbeats_is_left(transport: str) -> None:
    """A master that froze is lost after five heartbeats, and found again when it goes on."""
    cluster = Cluster(seed=2, agents=0)
    scheduler = SimulatedScheduler("own", cluster, transport=transport)

    async def main() -> tuple[float, float]:
        async with scheduler:
            await first(scheduler, aio.Registered)
            frozen = cluster.time
            cluster.master.host.freeze()
            cluster.loop.call_later(200, cluster.master.host.thaw)
            await first(scheduler, aio.Disconnected)
            lost = cluster.time
            await first(scheduler, aio.Reregistered)
            return lost - frozen, cluster.time - frozen

    silence, gap = cluster.run(main())
    assert 60 <= silence <= 80
    assert 200 <= gap < 500
    cluster.close()


@HTTP
def test_a_redirect_leads_to_the_leader(transport: str) -> None:
    """A follower knows who leads; whoever asks it is sent there."""
    cluster = Cluster(seed=2, masters=3, agents=0, start=False)
    for master in cluster.masters:
        master.start()
    cluster.run_until(lambda: any(master.is_leading for master in cluster.masters), within=60)
    cluster.advance(5)
    follower = next(master for master in cluster.masters if not master.is_leading)

    class Misled(SimulatedScheduler):
        def _make_detector(self) -> Detector:
            return StandaloneDetector(self.process, master_info(self.process, follower.upid))

    async def main() -> v0.MasterInfo:
        async with Misled("own", cluster, transport=transport) as scheduler:
            registered: aio.Registered = await first(scheduler, aio.Registered)
            return registered.master

    assert cluster.run(main()).pid == str(cluster.master.upid)
    assert cluster.master is not follower
    cluster.close()


def test_attempts_are_spread_and_never_end() -> None:
    """Pauses are random, at most a minute, and go on for hours."""
    cluster = Cluster(seed=2, agents=0, master_flags={})
    cluster.master.kill()
    scheduler = SimulatedScheduler("own", cluster)

    async def main() -> str:
        async with scheduler:
            return (await first(scheduler, aio.Registered)).framework_id

    cluster.loop.call_later(6 * 3600, cluster.master.start)
    assert cluster.run(main())
    assert 6 * 3600 <= cluster.time < 6 * 3600 + 120
    cluster.close()


@ALL
def test_a_reset_connection_is_made_again(transport: str) -> None:
    """Also over libprocess, where the master's *Framework disconnected* aborts a classic driver."""
    cluster = Cluster(seed=2, agents=1)
    scheduler = SimulatedScheduler("own", cluster, transport=transport)

    async def main() -> None:
        async with scheduler:
            await first(scheduler, aio.Registered)
            cluster.network.reset("master", scheduler.process.name)
            await first(scheduler, aio.Disconnected)
            await first(scheduler, aio.Reregistered)

    cluster.run(main())
    cluster.close()


def test_inverse_offers_become_events() -> None:
    """And answers to them become calls."""
    cluster = Cluster(seed=2, agents=0, start=False)
    host = cluster.start("fake", "10.0.0.1", 5050)
    master = FakeMaster()
    master.registers = False
    host.spawn(master)
    scheduler = SimulatedScheduler("own", cluster, transport="libprocess")
    scheduler._make_detector = lambda: StandaloneDetector(  # type: ignore[method-assign]
        scheduler.process, master_info(scheduler.process, master.upid)
    )

    def say(driver: Upid) -> None:
        master.framework_registered(driver, "F")
        offer = v0.InverseOffer(id=v0.OfferID(value="I"), framework_id=v0.FrameworkID(value="F"))
        offer.unavailability.start.nanoseconds = 5
        master.send(driver, internal.InverseOffersMessage(inverse_offers=[offer], pids=["slave(1)@10.0.0.2:5051"]))
        master.send(driver, internal.RescindInverseOfferMessage(inverse_offer_id=v0.OfferID(value="I")))

    async def main() -> tuple[aio.InverseOffers, aio.InverseRescinded]:
        async with scheduler:
            offers = await first(scheduler, aio.InverseOffers)
            scheduler.accept_inverse_offers(offers.offers)
            scheduler.decline_inverse_offers(["J"], refuse_seconds=60)
            return offers, await first(scheduler, aio.InverseRescinded)

    cluster.loop.call_later(1, lambda: say(scheduler._session.upid))
    offers, rescinded = cluster.run(main())
    assert offers.offers[0].unavailability.start.nanoseconds == 5
    assert rescinded == aio.InverseRescinded("I")
    cluster.settle()
    calls = [call for call in master.received(v0_call()) if call.type != v0_call().SUBSCRIBE]
    assert [call.accept_inverse_offers.inverse_offer_ids[0].value for call in calls[:1]] == ["I"]
    assert calls[1].decline_inverse_offers.filters.refuse_seconds == 60
    cluster.close()


def v0_call() -> Any:
    """The v0 scheduler Call."""
    from messor.protos import v0_scheduler

    return v0_scheduler.Call


@pytest.mark.parametrize(
    ("message", "removed"),
    [
        ("Framework has been removed", True),
        ("Completed framework attempted to re-register", True),
        ("Framework failed over", False),
    ],
)
def test_a_used_up_id_is_told_from_other_refusals(message: str, removed: bool) -> None:
    """Also for classic ``error`` callbacks."""
    assert is_removal(message) is removed


def test_a_renewed_framework_has_everything_but_the_id() -> None:
    """The description it was made of is left alone."""
    info = v0.FrameworkInfo(user="u", name="n", id=v0.FrameworkID(value="F"))
    assert not renewed(info).HasField("id")
    assert renewed(info).name == "n"
    assert info.id.value == "F"


@pytest.mark.parametrize(("seconds", "warned"), [(0, True), (60, False)])
def test_a_classic_framework_without_failover_timeout_is_warned_of(
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    warned: bool,
) -> None:
    """The classic default stays 0: its tasks die with the driver."""
    with caplog.at_level(logging.WARNING):
        MesosSchedulerDriver(object(), v0.FrameworkInfo(user="u", name="n", failover_timeout=seconds), "m:5050")
    assert ("has no failover_timeout" in caplog.text) is warned


def test_importing_the_drivers_changes_nothing_in_the_process() -> None:
    """No signal handlers, no log output, no threads."""
    code = (
        "import signal, threading, logging; before = [signal.getsignal(n) for n in signal.valid_signals()]\n"
        "import messor.aio, messor.operator, mesos.native\n"
        "logging.getLogger('messor.drivers').warning('nobody asked')\n"
        "print(before == [signal.getsignal(n) for n in signal.valid_signals()], threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True 1\n", "")


@ALL
def test_a_framework_that_an_operator_tears_down_is_told(transport: str) -> None:
    """FrameworkRemoved, at the latest when it reconnects; ``renew`` begins anew."""
    cluster = Cluster(seed=2, agents=1)
    scheduler = SimulatedScheduler("own", cluster, transport=transport)

    async def main() -> tuple[str, str]:
        async with scheduler:
            await first(scheduler, aio.Registered)
            old = scheduler.framework_id
            cluster.loop.call_later(1, lambda: cluster.master.actor.framework_removal.remove(records()[old]))
            cluster.loop.call_later(5, lambda: cluster.network.reset("master", scheduler.process.name))
            with pytest.raises(aio.FrameworkRemoved):
                await first(scheduler, aio.OperationUpdate)  # which never comes
            scheduler.renew()
            return old, (await first(scheduler, aio.Registered)).framework_id

    def records() -> Any:
        return cluster.master.state.frameworks

    old, new = cluster.run(main())
    assert old != new
    cluster.close()
