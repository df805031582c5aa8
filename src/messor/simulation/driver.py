"""A framework author's own scheduler in virtual time: the classic driver and the asyncio one, on simulated processes.

    from messor.simulation import Cluster, SimulatedDriver

    cluster = Cluster(seed=7, agents=3)
    driver = SimulatedDriver(MyScheduler(), framework_info, cluster)
    driver.start()
    cluster.advance(3600)

It is the same code as in production, down to the session and the transports; only threads and time differ. So callbacks
must not block: ``time.sleep`` would stop the whole world for real seconds; ``driver.after`` waits in virtual ones.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from messor.drivers.scheduler.aio import FAREWELL, Scheduler
from messor.drivers.scheduler.callbacks import ABORTED, NOT_STARTED, MesosSchedulerDriver
from messor.protos import v0

if TYPE_CHECKING:
    from messor.coordination.interfaces import Detector
    from messor.runtime.host import Host, Timer
    from messor.runtime.node_thread import NodeThread
    from messor.simulation.cluster import Cluster
    from messor.simulation.host import SimulatedHost

log = logging.getLogger(__name__)

LONGEST_JOIN = 1000 * 3600.0
"""Virtual seconds after which ``join`` gives up."""


class SimulatedDriver(MesosSchedulerDriver):
    """MesosSchedulerDriver with the same methods, in a process of its own in a simulated cluster."""

    def __init__(
        self,
        scheduler: Any,
        framework: Any,
        cluster: Cluster,
        implicitAcknowledgements: Any = 1,  # noqa: N803  (mesos.interface's name)
        suppressedRoles: Sequence[str] = (),  # noqa: N803
        *,
        transport: str | None = None,
    ) -> None:
        """Take what MesosSchedulerDriver takes, with a cluster where it takes a master."""
        super().__init__(
            scheduler, framework, "simulated", implicitAcknowledgements, None, suppressedRoles, transport=transport
        )
        self.cluster = cluster
        self.process = cluster.framework_process()
        """The process it runs in: to kill, to freeze, and to draw ``chance`` from."""
        self._callbacks = cast("Any", _Callbacks(self))

    def _make_thread(self) -> NodeThread:
        return cast("NodeThread", _Thread(self.process))

    def _make_detector(self, node: Host, master: str) -> Detector:  # noqa: ARG002  (the cluster knows its masters)
        return self.cluster.detector(self.process)

    def _start_callbacks(self) -> None:
        """Do nothing: callbacks run in the process's loop."""

    def join(self, within: float = LONGEST_JOIN) -> int:
        """Let virtual time pass until stop or abort; not from inside a callback.

        Raises SimulationFailed when neither comes within so many virtual seconds.
        """
        if self._status != NOT_STARTED and not (self._status == ABORTED and self._thread is None):
            self.cluster.run_until(self._latch.is_set, within, "the driver is stopped or aborted")
        return self._status

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> Timer:
        """Call once, that many virtual seconds from now, like a callback."""
        return self.process.clock.after(seconds, call, *arguments)

    def crash(self, *, silent: bool = False) -> None:
        """Kill the scheduler's process; silent: as when its machine loses power, so that no connection is closed."""
        self.process.kill(silent=silent)


class SimulatedScheduler(Scheduler):
    """``messor.aio.Scheduler`` in a process of its own in a simulated cluster.

    ``cluster.run(main())`` runs a coroutine to its end in virtual time; ``process.tasks.spawn`` runs one beside others.
    asyncio's own sleeps and timeouts are virtual there, too.
    """

    def __init__(self, framework: v0.FrameworkInfo | str, cluster: Cluster, **settings: Any) -> None:
        """Take what ``messor.aio.Scheduler`` takes, with a cluster where it takes a master."""
        self.cluster = cluster
        self.process = cluster.framework_process()
        """The process it runs in."""
        super().__init__(framework, "simulated", host=self.process, **settings)

    def _make_detector(self) -> Detector:
        return self.cluster.detector(self.process)


class _Thread:
    """What NodeThread is to a real driver: its loop is the simulation's."""

    def __init__(self, process: SimulatedHost) -> None:
        self.node = process

    def start(self) -> SimulatedHost:
        return self.node

    def post(self, call: Callable[..., object], *arguments: object) -> None:
        self.node.clock.after(0, call, *arguments)

    def stop(self, farewell: Callable[[], Awaitable[object]] | None = None) -> None:
        if farewell is not None:
            self.post(lambda: self.node.tasks.spawn(self._finish(farewell), "say farewell"))

    async def _finish(self, farewell: Callable[[], Awaitable[object]]) -> None:
        try:
            await self.node.tasks.within(FAREWELL, farewell())
        except TimeoutError:
            log.warning("Not everything that was sent last could be delivered")

    def join(self, seconds: float | None = None) -> None:
        """Return at once: there is no thread."""


class _Callbacks:
    """What the queue and thread of callbacks are to a real driver: each runs as an event of its own."""

    def __init__(self, driver: SimulatedDriver) -> None:
        self._driver = driver

    def put(self, entry: tuple[Callable[..., object], tuple[Any, ...]] | None) -> None:
        if entry is not None:
            call, arguments = entry
            self._driver.process.clock.after(0, call, *arguments)
