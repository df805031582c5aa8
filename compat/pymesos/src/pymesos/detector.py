"""Following the leading master through ZooKeeper or a file, with Messor's detectors."""

from __future__ import annotations

import logging
from typing import Any

from messor.coordination.create import create_detector
from messor.errors import MesosError
from messor.runtime.node_thread import NodeThread

logger = logging.getLogger(__name__)


class MasterDetector:
    """Tell an agent, as pymesos calls it, who leads: change_master(host:port), or None when nobody does."""

    def __init__(self, uri: str, agent: Any) -> None:
        """uri: ``zk://…``; without the scheme, as pymesos had it, ZooKeeper is meant."""
        self.uri = uri if "://" in uri else f"zk://{uri}"
        self.agent = agent
        self._thread: NodeThread | None = None
        self._detector: Any = None

    def start(self) -> None:
        """Begin; raises messor.errors.ConfigurationError for an address that makes no sense."""
        thread = NodeThread("pymesos-detector")
        node = thread.start()
        try:
            detector = create_detector(node, self.uri)
        except MesosError:
            thread.stop()
            raise
        self._thread, self._detector = thread, detector
        thread.post(lambda: node.tasks.spawn(self._follow(detector), "detect the leading master"))

    async def _follow(self, detector: Any) -> None:
        leader = None
        try:
            while True:
                leader = await detector.detect(leader)
                if leader is None:
                    self.agent.onNoMasterDetectedMessage()
                else:
                    self.agent.change_master(f"{leader.address.ip or leader.hostname}:{leader.port}")
        except MesosError as error:
            logger.exception("Detection of the master ended")
            self.agent.detection_failed(error)

    def stop(self) -> None:
        """End, and the ZooKeeper session with it."""
        if self._thread is not None:
            self._thread.post(self._detector.close)
            self._thread.stop()
            self._thread = None
