"""A scheduler driver and a fake master, the same play on every transport."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integration.drivers.conftest import Heard, Stage, wait_for
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.protos import internal, v0, v0_scheduler, v1_scheduler
from messor.wire.upid import Upid
from messor.wire.versions import devolve, evolve
from support import builders
from support.fakes import FakeMaster
from support.http_peer import HttpPeer

Call = v0_scheduler.Call
Event = v1_scheduler.Event
NOT_STARTED, RUNNING, ABORTED, STOPPED = (
    v0.DRIVER_NOT_STARTED,
    v0.DRIVER_RUNNING,
    v0.DRIVER_ABORTED,
    v0.DRIVER_STOPPED,
)

TRANSPORTS = ("libprocess", "http", "http+json")
HTTP_ONLY = pytest.mark.parametrize("transport", TRANSPORTS[1:], indirect=True)
LIBPROCESS_ONLY = pytest.mark.parametrize("transport", TRANSPORTS[:1], indirect=True)

AGENT = Upid("slave(1)", "127.0.0.1", 9)
UUID = b"0123456789abcdef"


class LibprocessMaster:
    """A fake master on a node of its own."""

    transport = "libprocess"

    def __init__(self, stage: Stage) -> None:
        """Listen."""
        self.stage = stage
        self.master = FakeMaster()
        self.master.registers = False
        stage.spawn(self.master)
        self.address = f"127.0.0.1:{self.master.upid.port}"
        self.pid = str(self.master.upid)

    def calls(self) -> list[Call]:
        """Give all calls so far."""
        return self.master.received(Call)

    def send(self, message: Any) -> None:
        """Send anything to who subscribed last."""
        sender = self.master.last_sender(Call)
        self.stage.do(lambda: self.master.send(sender, message))

    def registered(self, framework_id: str, *, again: bool = False) -> None:
        """Accept a subscription."""
        kind: Any = internal.FrameworkReregisteredMessage if again else internal.FrameworkRegisteredMessage
        self.send(kind(framework_id=v0.FrameworkID(value=framework_id), master_info=self.master.info()))

    def offers(self, *offers: v0.Offer, agent: Upid = AGENT) -> None:
        """Send a batch of offers."""
        self.send(internal.ResourceOffersMessage(offers=offers, pids=[str(agent)] * len(offers)))

    def rescind(self, offer_id: str) -> None:
        """Rescind an offer."""
        self.send(internal.RescindResourceOfferMessage(offer_id=v0.OfferID(value=offer_id)))

    def update(self, status: v0.TaskStatus) -> None:
        """Send a status: an agent's if it has a uuid, else the master's own."""
        update = internal.StatusUpdate(timestamp=status.timestamp, status=status, uuid=status.uuid or b"x" * 16)
        update.framework_id.value, update.slave_id.value = "F", status.slave_id.value
        update.status.ClearField("uuid")
        self.send(internal.StatusUpdateMessage(update=update, pid=str(AGENT) if status.uuid else None))

    def message(self, executor_id: str, agent_id: str, data: bytes) -> None:
        """Send an executor's bytes."""
        message = internal.ExecutorToFrameworkMessage(data=data)
        message.slave_id.value, message.framework_id.value, message.executor_id.value = agent_id, "F", executor_id
        self.send(message)

    def agent_lost(self, agent_id: str) -> None:
        """Tell of an agent that is gone."""
        self.send(internal.LostSlaveMessage(slave_id=v0.SlaveID(value=agent_id)))

    def executor_lost(self, executor_id: str, agent_id: str, status: int) -> None:
        """Tell of an executor that ended."""
        message = internal.ExitedExecutorMessage(status=status)
        message.slave_id.value, message.framework_id.value, message.executor_id.value = agent_id, "F", executor_id
        self.send(message)

    def fail(self, text: str) -> None:
        """Refuse the framework."""
        self.send(internal.FrameworkErrorMessage(message=text))

    def break_off(self, driver: MesosSchedulerDriver) -> None:
        """Let the driver see that its link broke."""
        assert driver._thread is not None
        driver._thread.post(driver._session.exited, self.master.upid)

    def is_deactivated(self) -> bool:
        """Whether the driver said that it wants no more offers."""
        return bool(self.master.received(internal.DeactivateFrameworkMessage))


class HttpMaster:
    """A fake master that speaks the scheduler API."""

    def __init__(self, transport: str) -> None:
        """Listen."""
        self.transport = transport
        self.peer = HttpPeer(v1_scheduler.Call)
        self.address = f"127.0.0.1:{self.peer.port}"
        self.pid = f"master@{self.address}"

    def calls(self) -> list[Call]:
        """Give all calls so far."""
        return [devolve(call) for call in list(self.peer.calls)]

    def send(self, event: v1_scheduler.Event) -> None:
        """Send an event."""
        self.peer.stream().send(event)

    def registered(self, framework_id: str, *, again: bool = False, heartbeat: float = 15.0) -> None:
        """Accept a subscription; again is for libprocess, as here the event is the same."""
        event = Event(type=Event.SUBSCRIBED)
        event.subscribed.framework_id.value = framework_id
        event.subscribed.heartbeat_interval_seconds = heartbeat
        info = event.subscribed.master_info
        info.id, info.ip, info.port, info.pid, info.hostname = "M", 16777343, self.peer.port, self.pid, "127.0.0.1"
        info.address.ip, info.address.port = "127.0.0.1", self.peer.port
        self.send(event)

    def offers(self, *offers: v0.Offer, agent: Upid = AGENT) -> None:
        """Send a batch of offers."""
        event = Event(type=Event.OFFERS)
        event.offers.offers.extend(evolve(offer) for offer in offers)
        self.send(event)

    def rescind(self, offer_id: str) -> None:
        """Rescind an offer."""
        event = Event(type=Event.RESCIND)
        event.rescind.offer_id.value = offer_id
        self.send(event)

    def update(self, status: v0.TaskStatus) -> None:
        """Send a status."""
        event = Event(type=Event.UPDATE)
        event.update.status.CopyFrom(evolve(status))
        self.send(event)

    def message(self, executor_id: str, agent_id: str, data: bytes) -> None:
        """Send an executor's bytes."""
        event = Event(type=Event.MESSAGE)
        event.message.executor_id.value, event.message.agent_id.value = executor_id, agent_id
        event.message.data = data
        self.send(event)

    def agent_lost(self, agent_id: str) -> None:
        """Tell of an agent that is gone."""
        event = Event(type=Event.FAILURE)
        event.failure.agent_id.value = agent_id
        self.send(event)

    def executor_lost(self, executor_id: str, agent_id: str, status: int) -> None:
        """Tell of an executor that ended."""
        event = Event(type=Event.FAILURE)
        event.failure.agent_id.value, event.failure.executor_id.value = agent_id, executor_id
        event.failure.status = status
        self.send(event)

    def fail(self, text: str) -> None:
        """Refuse the framework."""
        event = Event(type=Event.ERROR)
        event.error.message = text
        self.send(event)

    def break_off(self, driver: MesosSchedulerDriver) -> None:
        """End the event stream."""
        self.peer.stream().end()

    def is_deactivated(self) -> bool:
        """Whether the driver hung up: there is no call for it."""
        return all(stream.closed.is_set() for stream in self.peer.streams)


MasterSide = LibprocessMaster | HttpMaster
"""What plays do with a master, whichever transport it speaks."""


class Play:
    """A driver, its scheduler and the master it talks to."""

    def __init__(self, master: MasterSide, **arguments: Any) -> None:
        """Make a driver; arguments are the driver's."""
        self.master = master
        self.heard = Heard()
        self._before = len(master.calls())
        info = arguments.pop("framework", builders.framework_info(user="", failover_timeout=60.0))
        self.driver = MesosSchedulerDriver(self.heard, info, master.address, transport=master.transport, **arguments)

    def calls(self, kind: int) -> list[Call]:
        """Calls of a type that reached the master."""
        return [call for call in self.master.calls()[self._before :] if call.type == kind]

    def kinds(self) -> list[str]:
        """Types of all calls that reached the master."""
        return [Call.Type.Name(call.type) for call in self.master.calls()]

    def wait_call(self, kind: int, count: int = 1) -> Call:
        """Wait for a call and give the latest."""
        wait_for(lambda: len(self.calls(kind)) >= count, f"{Call.Type.Name(kind)}, got {self.kinds()}")
        return self.calls(kind)[-1]

    def start(self) -> None:
        """Start and wait until SUBSCRIBE reached the master, which does not answer."""
        assert self.driver.start() == RUNNING
        self.wait_call(Call.SUBSCRIBE)

    def register(self, framework_id: str = "F") -> None:
        """Start and register."""
        self.start()
        self.master.registered(framework_id)
        self.heard.wait("registered")
        self.settle()  # SUBSCRIBEs that were repeated before the answer have arrived, too

    def break_off(self) -> Call:
        """Break the connection and give the SUBSCRIBE that follows."""
        count = len(self.calls(Call.SUBSCRIBE))
        self.master.break_off(self.driver)
        return self.wait_call(Call.SUBSCRIBE, count + 1)

    def settle(self) -> None:
        """Wait until everything that was asked before has reached the master."""
        before = len(self.calls(Call.REQUEST))
        self.driver.requestResources([])
        self.wait_call(Call.REQUEST, before + 1)

    def end(self) -> None:
        """Stop, without tearing the framework down."""
        self.driver.stop(True)
        self.driver.wait_for_end(10)


def master_sides(stage: Stage, transport: str) -> Iterator[MasterSide]:
    """Give a fake master for a transport and close it in the end."""
    if transport == "libprocess":
        yield LibprocessMaster(stage)
    else:
        http = HttpMaster(transport)
        yield http
        http.peer.close()


def status(state: int = v0.TASK_RUNNING, task_id: str = "t", *, uuid: bytes = UUID) -> v0.TaskStatus:
    """A status of a task on agent A; without uuid it is the master's own."""
    made = v0.TaskStatus(timestamp=1.5, state=state)  # type: ignore[arg-type]
    made.task_id.value, made.slave_id.value = task_id, "A"
    if uuid:
        made.uuid = uuid
    return made
