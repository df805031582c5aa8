"""The operator's SUBSCRIBE: a snapshot of the cluster, then everything that happens to it (feature O11).

Each event is encoded once per media type, however many read it, and not at all while nobody does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from messor.master.doors.state_view import visible_tasks
from messor.master.doors.v1_view import (
    V1View,
    agent_message,
    framework_event_message,
    hide_resources,
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
from messor.security.permissions import Viewer
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

    __slots__ = ("heartbeat", "media_type", "pipe", "viewer")

    def __init__(self, pipe: Pipe, media_type: str, viewer: Viewer | None) -> None:
        """Take the writing end of the reply; viewer: what the reader may see, None when that is everything."""
        self.viewer = viewer
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

    def subscribe(self, media_type: str, viewer: Viewer | None) -> Response:
        """Answer with a stream that begins with the state as it is; beyond the limit the oldest reader makes place."""
        subscriber = Subscriber(Pipe(), media_type, viewer)
        subscriber.pipe.on_close = lambda: self._gone(subscriber)
        event = Event(type=Event.SUBSCRIBED)
        event.subscribed.get_state.CopyFrom(self.v1_view.get_state(viewer))
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

    def _tell(
        self,
        make: Callable[[], v1_master.Event],
        sees: Callable[[Viewer], bool] = lambda _: True,
        cut: Callable[[v1_master.Event, Viewer], None] | None = None,
    ) -> None:
        """Send an event to everybody who may see it; it is made only if somebody listens.

        cut: takes out of a copy what its reader may not see.
        """
        if not self.subscribers:
            return
        event = make()
        records: dict[str, bytes] = {}
        for subscriber in self.subscribers:
            viewer = subscriber.viewer
            if viewer is not None:
                if not sees(viewer):
                    continue
                if cut is not None:
                    own = Event()
                    own.CopyFrom(event)
                    cut(own, viewer)
                    subscriber.pipe.write(encode_record(self.v1_view.encode_event(own, subscriber.media_type)))
                    continue
            record = records.get(subscriber.media_type)
            if record is None:
                encoded = self.v1_view.encode_event(event, subscriber.media_type)
                record = records[subscriber.media_type] = encode_record(encoded)
            subscriber.pipe.write(record)

    # --- what happens ------------------------------------------------------------------------------------------------

    def _task_added(self, task: TaskRecord) -> None:
        self._tell(
            lambda: Event(type=Event.TASK_ADDED, task_added=Event.TaskAdded(task=task_message(task))),
            lambda viewer: self._sees_task(viewer, task),
        )

    def _task_updated(self, task: TaskRecord, status: bytes) -> None:
        def make() -> v1_master.Event:
            event = Event(type=Event.TASK_UPDATED)
            event.task_updated.framework_id.value = task.framework_id
            event.task_updated.status.CopyFrom(evolved(status, v0.TaskStatus))
            event.task_updated.state = task.state  # type: ignore[assignment]  # enum values are plain ints
            return event

        self._tell(make, lambda viewer: self._sees_task(viewer, task))

    def _sees_task(self, viewer: Viewer, task: TaskRecord) -> bool:
        state = self.v1_view.state
        framework = state.frameworks.get(task.framework_id) or state.completed_frameworks.get(task.framework_id)
        if framework is None or not viewer.sees_framework(framework.info):
            return False
        return any(visible_tasks((task,), framework, viewer))

    def _agent_added(self, agent: AgentRecord) -> None:
        self._tell(
            lambda: Event(type=Event.AGENT_ADDED, agent_added=Event.AgentAdded(agent=agent_message(agent))),
            cut=lambda event, viewer: hide_resources(event.agent_added.agent, viewer),
        )

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

        self._tell(make, lambda viewer: viewer.sees_framework(framework.info))

    def _framework_updated(self, framework: FrameworkRecord) -> None:
        def make() -> v1_master.Event:
            updated = Event.FrameworkUpdated(framework=framework_event_message(framework))
            return Event(type=Event.FRAMEWORK_UPDATED, framework_updated=updated)

        self._tell(make, lambda viewer: viewer.sees_framework(framework.info))

    def _framework_removed(self, framework: FrameworkRecord) -> None:
        def make() -> v1_master.Event:
            removed = Event.FrameworkRemoved(framework_info=evolve(framework.info))
            return Event(type=Event.FRAMEWORK_REMOVED, framework_removed=removed)

        self._tell(make, lambda viewer: viewer.sees_framework(framework.info))
