"""The operator's SUBSCRIBE: a snapshot of the cluster, then everything that happens to it (feature O11).

Each event is encoded once per media type, however many read it, and not at all while nobody does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from messor.master.doors.v1_view import (
    V1View,
    agent_message,
    framework_event_message,
    task_message,
)
from messor.master.flags import MasterFlags
from messor.master.metrics import MasterMetrics
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.protos import v0, v1_master
from messor.runtime.actor import Component
from messor.runtime.host import Host, Timer
from messor.runtime.http import Pipe, Response
from messor.wire.media_types import JSON, PROTOBUF
from messor.wire.recordio import encode_record
from messor.wire.versions import evolve, evolved

log = logging.getLogger(__name__)

Event = v1_master.Event

HEARTBEATS = {
    JSON: encode_record(b'{"type":"HEARTBEAT"}'),
    PROTOBUF: encode_record(Event(type=Event.HEARTBEAT).SerializeToString()),
}


class Subscriber:
    """One reader of the stream."""

    __slots__ = ("heartbeat", "media_type", "pipe")

    def __init__(self, pipe: Pipe, media_type: str) -> None:
        """Take the writing end of the reply."""
        self.pipe = pipe
        self.media_type = media_type
        self.heartbeat: Timer | None = None


class EventStream(Component):
    """Tells all subscribers what happens."""

    def __init__(
        self, *, state: MasterState, host: Host, flags: MasterFlags, metrics: MasterMetrics, v1_view: V1View
    ) -> None:
        """Listen to everything the state signals."""
        self.clock = host.clock
        self.v1_view = v1_view
        self.interval = flags.heartbeat_interval
        """Seconds between two heartbeats."""
        self.most = flags.max_operator_event_stream_subscribers
        self.subscribers: dict[Subscriber, None] = {}
        """Oldest first."""
        metrics.event_stream_subscribers = lambda: len(self.subscribers)
        signals = state.signals
        signals.task_added.listen(self._task_added)
        signals.task_updated.listen(self._task_updated)
        signals.agent_added.listen(self._agent_added)
        signals.agent_removed.listen(self._agent_removed)
        signals.framework_added.listen(self._framework_added)
        signals.framework_updated.listen(self._framework_updated)
        signals.framework_removed.listen(self._framework_removed)

    def subscribe(self, media_type: str) -> Response:
        """Answer with a stream that begins with the state as it is; beyond the limit the oldest reader makes place."""
        subscriber = Subscriber(Pipe(), media_type)
        subscriber.pipe.on_close = lambda: self._gone(subscriber)
        event = Event(type=Event.SUBSCRIBED)
        event.subscribed.get_state.CopyFrom(self.v1_view.get_state())
        event.subscribed.heartbeat_interval_seconds = self.interval
        subscriber.pipe.write(encode_record(self.v1_view.encode(event, media_type)))
        self.subscribers[subscriber] = None
        self._beat(subscriber)
        if len(self.subscribers) > self.most:
            oldest = next(iter(self.subscribers))
            log.info("Dropping the oldest subscriber of the event stream: there are more than %d", self.most)
            oldest.pipe.close()
            self._gone(oldest)
        return Response(200, subscriber.pipe, media_type)

    def stopping(self) -> None:
        """End all streams."""
        for subscriber in list(self.subscribers):
            subscriber.pipe.close()
            self._gone(subscriber)

    # --- readers -----------------------------------------------------------------------------------------------------

    def _beat(self, subscriber: Subscriber) -> None:
        subscriber.pipe.write(HEARTBEATS[subscriber.media_type])
        subscriber.heartbeat = self.clock.after(self.interval, self._beat, subscriber)

    def _gone(self, subscriber: Subscriber) -> None:
        self.subscribers.pop(subscriber, None)
        if subscriber.heartbeat is not None:
            subscriber.heartbeat.cancel()

    def _tell(self, make: Callable[[], v1_master.Event]) -> None:
        """Send an event to everybody; it is made only if somebody listens."""
        if not self.subscribers:
            return
        event = make()
        records: dict[str, bytes] = {}
        for subscriber in self.subscribers:
            record = records.get(subscriber.media_type)
            if record is None:
                encoded = self.v1_view.encode_event(event, subscriber.media_type)
                record = records[subscriber.media_type] = encode_record(encoded)
            subscriber.pipe.write(record)

    # --- what happens ------------------------------------------------------------------------------------------------

    def _task_added(self, task: TaskRecord) -> None:
        self._tell(lambda: Event(type=Event.TASK_ADDED, task_added=Event.TaskAdded(task=task_message(task))))

    def _task_updated(self, task: TaskRecord, status: bytes) -> None:
        def make() -> v1_master.Event:
            event = Event(type=Event.TASK_UPDATED)
            event.task_updated.framework_id.value = task.framework_id
            event.task_updated.status.CopyFrom(evolved(status, v0.TaskStatus))
            event.task_updated.state = task.state  # type: ignore[assignment]  # enum values are plain ints
            return event

        self._tell(make)

    def _agent_added(self, agent: AgentRecord) -> None:
        self._tell(lambda: Event(type=Event.AGENT_ADDED, agent_added=Event.AgentAdded(agent=agent_message(agent))))

    def _agent_removed(self, agent: AgentRecord) -> None:
        def make() -> v1_master.Event:
            event = Event(type=Event.AGENT_REMOVED)
            event.agent_removed.agent_id.value = agent.id
            return event

        self._tell(make)

    def _framework_added(self, framework: FrameworkRecord) -> None:
        def make() -> v1_master.Event:
            added = Event.FrameworkAdded(framework=framework_event_message(framework))
            return Event(type=Event.FRAMEWORK_ADDED, framework_added=added)

        self._tell(make)

    def _framework_updated(self, framework: FrameworkRecord) -> None:
        def make() -> v1_master.Event:
            updated = Event.FrameworkUpdated(framework=framework_event_message(framework))
            return Event(type=Event.FRAMEWORK_UPDATED, framework_updated=updated)

        self._tell(make)

    def _framework_removed(self, framework: FrameworkRecord) -> None:
        def make() -> v1_master.Event:
            removed = Event.FrameworkRemoved(framework_info=evolve(framework.info))
            return Event(type=Event.FRAMEWORK_REMOVED, framework_removed=removed)

        self._tell(make)
