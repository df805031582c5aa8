"""The registrar: edits go in, and come true once they are stored.

While one store is under way edits queue; then all of them are applied in order and stored at once. Whoever asked for an
edit changes memory only after its promise: what was said to others is then never forgotten by a failover. A store that
fails ends the process (trap 30): another master may lead already.
"""

from __future__ import annotations

import logging

from messor.errors import Broken, Conflict, Lost
from messor.master.registry import edits
from messor.master.registry.contents import Contents
from messor.protos import v0
from messor.runtime.host import Host, Promise
from messor.storage.versioned import Storage, Variable

log = logging.getLogger(__name__)

NAME = "registry"

LONGEST_REST = 0.1
"""Seconds."""


class Registrar:
    """The only one who writes the registry."""

    def __init__(self, *, host: Host, storage: Storage, fetch_timeout: float, store_timeout: float) -> None:
        """Timeouts are in seconds; see ``--registry_fetch_timeout`` and ``--registry_store_timeout``."""
        self.host = host
        self.storage = storage
        self.fetch_timeout = fetch_timeout
        self.store_timeout = store_timeout
        self.contents = Contents()
        """What is known to be stored."""
        self._fetch_timer = host.metrics.timer("registrar/state_fetch_ms", None)
        self._store_timer = host.metrics.timer("registrar/state_store_ms")
        self._variable: Variable | None = None
        self._queue: list[tuple[edits.Edit, Promise[bool]]] = []
        self._storing = False
        self._rest_until = 0.0
        self._register_gauges()

    async def recover(self, info: v0.MasterInfo) -> Contents:
        """Read the registry and note in it that this master leads; ends the process when either fails."""
        begin = self.host.clock.monotonic()
        try:
            variable = await self.host.tasks.within(self.fetch_timeout, self.storage.fetch(NAME))
            self.contents = Contents.decode(variable.value)
        except TimeoutError:
            self._fail(f"Failed to recover registrar: Failed to perform fetch within {self.fetch_timeout:g}secs")
        except Lost as error:
            self._fail(f"Failed to recover registrar: {error}")
        else:
            self._variable = variable
            self._fetch_timer.record(self.host.clock.monotonic() - begin)
            log.info("Fetched the registry (%d bytes)", len(variable.value))
            await self.apply(edits.recover(info))
            return self.contents
        return await self._never()

    def apply(self, edit: edits.Edit) -> Promise[bool]:
        """Store an edit. The promise gives whether it changed anything, once that is durable, or raises Conflict."""
        if self._variable is None:
            raise Broken("the registry is edited before it was recovered")
        promise: Promise[bool] = self.host.tasks.promise()
        self._queue.append((edit, promise))
        if not self._storing:
            self._storing = True
            self.host.tasks.spawn(self._store_all(), "registrar")
        return promise

    async def _store_all(self) -> None:
        """Store batch after batch until the queue is empty."""
        while self._queue:
            # Encoding costs in proportion to the whole registry. Resting as long as it took last time lets edits gather
            # and keeps ten thousand agents that arrive together from costing ten thousand encodings.
            rest = self._rest_until - self.host.clock.monotonic()
            if rest > 0:
                await self.host.tasks.sleep(rest)
            begin = self.host.clock.monotonic()
            batch, self._queue = self._queue, []
            draft = self.contents.copy()
            outcomes: list[bool | Conflict] = []
            for edit, _ in batch:
                try:
                    outcomes.append(edit(draft))
                except Conflict as conflict:
                    outcomes.append(conflict)
            if any(outcome is True for outcome in outcomes):
                data = draft.encode()
                spent = self.host.clock.monotonic() - begin
                await self._store(draft, data)
                self._rest_until = self.host.clock.monotonic() + min(spent, LONGEST_REST)
            for (_, promise), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    promise.set_exception(outcome)
                else:
                    promise.set_result(outcome)
        self._storing = False

    async def _store(self, draft: Contents, data: bytes) -> None:
        """Store one batch, or end the process."""
        assert self._variable is not None
        begin = self.host.clock.monotonic()
        try:
            stored = await self.host.tasks.within(self.store_timeout, self.storage.store(self._variable, data))
        except TimeoutError:
            self._fail(f"Failed to update registry: Failed to perform store within {self.store_timeout:g}secs")
        except Lost as error:
            self._fail(f"Failed to update registry: {error}")
        else:
            if stored is not None:
                self._variable = stored
                self.contents = draft
                now = self.host.clock.monotonic()
                self._store_timer.record(now - begin, now)
                return
            self._fail("Failed to update registry: version mismatch")
        await self._never()

    def _register_gauges(self) -> None:
        gauge = self.host.metrics.gauge
        gauge("registrar/queued_operations", lambda: len(self._queue))
        gauge("registrar/registry_size_bytes", lambda: len(self._variable.value) if self._variable else 0)
        if self.storage.is_durable:
            # What operators watch of the replicated log: whether it can be written, and how many replicas there are.
            gauge("registrar/log/recovered", lambda: float(self._variable is not None))
            gauge("registrar/log/ensemble_size", lambda: 1.0)

    def _fail(self, message: str) -> None:
        log.error("Registrar aborting: %s", message)
        self.host.exit(1, message)

    async def _never(self) -> Contents:
        """Wait for the end of the process: nobody may go on as if something had been stored."""
        promise: Promise[Contents] = self.host.tasks.promise()
        return await promise
