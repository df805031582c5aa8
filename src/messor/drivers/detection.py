"""Detecting the leading master from any program, and sharing one detector among drivers (S37-S40).

    detector = MasterDetector.create("zk://zk1:2181,zk2:2181/mesos")
    leader = detector.detect().result()             # blocks until somebody leads
    following = detector.detect(leader)             # a concurrent.futures.Future of whoever leads next

Unlike the detectors of ``coordination``, which live in a loop, these may be used from any thread.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, ClassVar

from messor.coordination.create import SESSION_TIMEOUT, create_detector, read_address
from messor.coordination.interfaces import Detector
from messor.coordination.standalone import StandaloneDetector, master_info
from messor.coordination.urls import ZooKeeperUrl, parse_master_url
from messor.errors import ConfigurationError, MesosError
from messor.protos import v0
from messor.runtime.address import Address
from messor.runtime.node_thread import NodeThread
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.host import Host, Promise
    from messor.runtime.node import Node

Leader = v0.MasterInfo | None


class MasterDetector:
    """Tells who leads, from a thread of its own, until it is closed or nobody refers to it any more."""

    def __init__(self, make: Callable[[Node], Detector]) -> None:
        """Run what ``make`` gives for a node; usually called through ``create``. Raises what ``make`` raises."""
        self._thread = NodeThread("messor-master-detector", address=Address("127.0.0.1", 0))
        node = self._thread.start()
        try:
            self._detector = make(node)
        except BaseException:
            self._thread.stop()
            raise
        # The thread must not keep this object alive, or a detector that nobody needs would never end.
        self._end = weakref.finalize(self, _end, self._thread, self._detector)

    @staticmethod
    def create(url: str | None = None, session_timeout: float = SESSION_TIMEOUT) -> MasterDetector:
        """Make the detector for a master string (S36); None makes one whose leader is appointed.

        session_timeout: in seconds, for ``zk://``. Raises ConfigurationError when the string makes no sense.
        """
        if url is None:
            return StandaloneMasterDetector()
        return MasterDetector(lambda node: create_detector(node, url, session_timeout))

    def detect(self, previous: Leader = None) -> Future[Leader]:
        """Promise the leader as soon as it differs from previous; None means that nobody leads.

        Call again with the last answer. The future fails when detection cannot go on, and is cancelled by ``close``.
        """
        future: Future[Leader] = Future()
        node, detector = self._thread.node, self._detector
        self._thread.post(lambda: node.tasks.spawn(_answer(detector, previous, future), "detect"))
        return future

    def close(self) -> None:
        """Stop detecting; futures that are not done are cancelled."""
        self._end()


class StandaloneMasterDetector(MasterDetector):
    """A detector whose leader is appointed (S39)."""

    def __init__(self, leader: v0.MasterInfo | Upid | str | None = None) -> None:
        """Start with a leader (a MasterInfo, a UPID or ``host:port``), or with none."""
        super().__init__(StandaloneDetector)
        if leader is not None:
            self.appoint(leader)

    def appoint(self, leader: v0.MasterInfo | Upid | str | None) -> None:
        """Set, change or clear the leader; futures whose previous leader differs are done."""
        info = self._describe(leader)
        assert isinstance(self._detector, StandaloneDetector)
        self._thread.post(self._detector.appoint, info)

    def _describe(self, leader: v0.MasterInfo | Upid | str | None) -> Leader:
        if leader is None or isinstance(leader, v0.MasterInfo):
            return leader
        if isinstance(leader, str):
            address = parse_master_url(leader)
            if isinstance(address, ZooKeeperUrl):
                raise ConfigurationError(f"Expecting the address of one master, not '{leader}'")
            leader = address
        return master_info(self._thread.node, leader)


class DetectorPool:
    """One detector per master string in this process, shared for as long as somebody holds it (S37)."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _detectors: ClassVar[weakref.WeakValueDictionary[str, MasterDetector]] = weakref.WeakValueDictionary()

    @classmethod
    def get(cls, url: str, session_timeout: float = SESSION_TIMEOUT) -> MasterDetector:
        """Give the detector of a master string, making it for the first who asks; errors are not remembered."""
        with cls._lock:
            detector = cls._detectors.get(url)
            if detector is None:
                detector = cls._detectors[url] = MasterDetector.create(url, session_timeout)
            return detector


class SharedDetector:
    """A driver's own end of a shared detector."""

    def __init__(self, host: Host, shared: MasterDetector) -> None:
        """Take the loop to answer in."""
        self._host = host
        self._shared: MasterDetector | None = shared
        self._waiting: list[Promise[Future[Leader]]] = []

    async def detect(self, previous: Leader = None) -> Leader:
        """Wait until the leader differs from previous and give it."""
        if self._shared is None:
            raise ConfigurationError("the detector was closed")
        promise: Promise[Future[Leader]] = self._host.tasks.promise()
        self._waiting.append(promise)
        self._shared.detect(previous).add_done_callback(lambda future: self._tell(promise, future))
        answer = await promise
        if answer.cancelled():
            raise ConfigurationError("the detector was closed")
        return answer.result()

    def close(self) -> None:
        """Let go of the shared detector, which ends with its last user."""
        self._shared = None
        for promise in self._waiting:
            promise.cancel()
        self._waiting.clear()

    def _tell(self, promise: Promise[Future[Leader]], future: Future[Leader]) -> None:
        """Take an answer, in the detector's thread."""
        try:
            self._host.call(self._supply, promise, future)
        except RuntimeError:
            return  # our loop ended meanwhile

    def _supply(self, promise: Promise[Future[Leader]], future: Future[Leader]) -> None:
        if promise in self._waiting:
            self._waiting.remove(promise)
        if not promise.done():
            promise.set_result(future)


def detector_for(host: Host, master: str) -> Detector:
    """Make a driver's detector; those of one ZooKeeper URL share a session. Raises ConfigurationError."""
    try:
        text = read_address(host, master)
        if text.startswith("zk://"):
            return SharedDetector(host, DetectorPool.get(text))
        return create_detector(host, text)
    except ConfigurationError as error:
        raise ConfigurationError(f"Failed to create a master detector for '{master}': {error}") from error


async def _answer(detector: Detector, previous: Leader, future: Future[Leader]) -> None:
    """Have a detector answer a future."""
    try:
        leader = await detector.detect(previous)
    except MesosError as error:
        if not future.done():
            future.set_exception(error)
    except BaseException:
        future.cancel()
        raise
    else:
        if not future.done():
            future.set_result(leader)


def _end(thread: NodeThread, detector: Detector) -> None:
    thread.post(detector.close)
    thread.stop()
