"""The posix launcher: starts containers as sessions below the zygote, and brings a new zygote up when one is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from messor.containers.native.recovery import Hosted
from messor.containers.native.zygote_client import ZygoteClient
from messor.errors import ConnectionLost, ContainerError
from messor.runtime.host import Host

log = logging.getLogger(__name__)

DEFAULT_EXECUTOR = "messor.executors.command.main:run"
"""What a forked command executor runs. Named, not imported: executors are a higher layer, loaded in the zygote only."""

DEFAULT_LINGER = 10.0
"""Seconds a zygote stays without containers and agent."""

_TRIES = 3


class PosixLauncher:
    """Speaks to the zygote. ``exited(id, wait status)`` is called for every process it was asked to start."""

    def __init__(
        self,
        host: Host,
        runtime_folder: str,
        owner: str,
        exited: Callable[[str, int | None], None],
        lost: Callable[[], None],
        *,
        executor: str = DEFAULT_EXECUTOR,
        linger: float = DEFAULT_LINGER,
    ) -> None:
        """Prepare; ``open`` connects. owner is the agent's work folder; linger seconds the zygote stays idle."""
        self._host = host
        self._runtime_folder = runtime_folder
        self._owner = owner
        self._exited = exited
        self._lost = lost
        self._executor = executor
        self._linger = linger
        self._client: ZygoteClient | None = None

    async def open(self) -> dict[str, Hosted]:
        """Find or start the zygote; gives what it hosts. Raises ConnectionLost when none can be had."""
        for attempt in range(_TRIES):
            client = ZygoteClient(self._exited, self._lost)
            try:
                hello = await client.open(self._runtime_folder, self._owner, self._executor, self._linger)
            except ConnectionLost:
                # It was just leaving: the next try finds its socket gone and starts another.
                if attempt == _TRIES - 1:
                    raise
                continue
            self._client = client
            return {
                container_id: Hosted(facts["pid"], facts["ended"], facts["status"])
                for container_id, facts in hello.get("containers", {}).items()
            }
        raise ConnectionLost("The container host cannot be started")

    async def start(self, container_id: str, birth: Mapping[str, Any]) -> int:
        """Start a process and give its pid; birth holds what ``zygote_children.Birth`` needs. Raises ContainerError."""
        try:
            answer = await self._connected().ask({"do": "launch", "id": container_id, **birth})
        except ConnectionLost as error:
            raise ContainerError(f"Failed to launch container: {error}") from error
        if "error" in answer:
            raise ContainerError(f"Failed to launch container: {answer['error']}")
        return int(answer["pid"])

    def destroy(self, container_id: str) -> None:
        """Kill everything in a container; its end is told as any other."""
        self._tell({"do": "destroy", "id": container_id})

    def adopt(self, container_id: str, pid: int, folder: str, sandbox: str) -> None:
        """Watch a process that an earlier zygote started."""
        self._tell({"do": "adopt", "id": container_id, "pid": pid, "folder": folder, "sandbox": sandbox})

    def forget(self, container_id: str) -> None:
        """Say that the end of a container has been seen."""
        self._tell({"do": "forget", "id": container_id})

    async def stop(self) -> None:
        """Kill all containers, end the zygote, and wait for it."""
        client = self._connected()
        if client.is_needless:
            client.close()
            return
        client.tell({"do": "stop"})
        await client.ended()

    def close(self) -> None:
        """Leave the zygote and its containers alone."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> ZygoteClient:
        if self._client is None:
            raise ConnectionLost("The container host is not connected")
        return self._client

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._connected().tell(message)
        except ConnectionLost as error:
            # The containers' ends are then told by the zygote that follows.
            log.warning("Failed to %s container %s: %s", message["do"], message["id"], error)
