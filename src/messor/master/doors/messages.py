"""Messages of schedulers over libprocess: Calls, and the older messages that are turned into Calls.

Only what comes from the framework's own pid counts. What agents send is handled where it belongs: ``tasks`` and
``agents``.
"""

from __future__ import annotations

import logging

from google.protobuf.message import Message

from messor.errors import InvalidRequest
from messor.master.authentication import Authentication
from messor.master.doors.scheduler_calls import SchedulerCalls
from messor.master.frameworks.disconnect import DISCONNECTED, Disconnection
from messor.master.frameworks.subscribe import Subscriptions
from messor.master.frameworks.update import FrameworkUpdates
from messor.master.outbox import Outbox
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.master.validation.scheduler_calls import validate_call
from messor.protos import internal, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.legacy_scheduler import to_call
from messor.wire.texts import bad_text
from messor.wire.upid import Upid

log = logging.getLogger(__name__)

Call = v0_scheduler.Call

HTTP_ONLY = (Call.ACKNOWLEDGE_OPERATION_STATUS, Call.RECONCILE_OPERATIONS)
"""Calls a framework connected by pid cannot make."""


class SchedulerMessages(Component):
    """Takes what schedulers send."""

    def __init__(
        self,
        *,
        state: MasterState,
        outbox: Outbox,
        calls: SchedulerCalls,
        subscriptions: Subscriptions,
        framework_updates: FrameworkUpdates,
        disconnection: Disconnection,
        authentication: Authentication,
    ) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.calls = calls
        self.subscriptions = subscriptions
        self.framework_updates = framework_updates
        self.disconnection = disconnection
        self.authentication = authentication

    @on(v0_scheduler.Call, with_bytes=True)
    def received(self, sender: Upid, call: v0_scheduler.Call, body: bytes) -> None:
        """Take a call as it came."""
        wrong = None if body.isascii() else bad_text(call)
        if wrong is None:
            self.call(sender, call)
        else:
            self.ignore("mesos.scheduler.Call", f"it came from {sender} with bytes that are no text in {wrong}")

    def call(self, sender: Upid, call: v0_scheduler.Call) -> None:
        """Check a call and hand it on."""
        try:
            validate_call(call)
        except InvalidRequest as error:
            self.calls.count_invalid(call)
            self.ignore(call, f"it came from {sender} invalid: {error}")
            return
        if call.type == Call.SUBSCRIBE:
            self._subscribe(sender, call.subscribe)
            return
        framework = self._caller(sender, call.framework_id.value, Call.Type.Name(call.type))
        if framework is None:
            return
        framework.counts.calls[call.type] += 1
        if not framework.is_connected:
            log.info("Refusing %s call from framework %s: disconnected", Call.Type.Name(call.type), framework.id)
            self.outbox.to_pid(sender, internal.FrameworkErrorMessage(message=DISCONNECTED))
            return
        if call.type == Call.UPDATE_FRAMEWORK:
            self._update(framework, call.update_framework)
        elif call.type in HTTP_ONLY or call.type == Call.UNKNOWN:
            self.ignore(call, f"'{Call.Type.Name(call.type)}' is not supported by the v0 API")
        else:
            self.calls.dispatch(framework, call)

    @on(internal.RegisterFrameworkMessage, with_bytes=True)
    @on(internal.ReregisterFrameworkMessage, with_bytes=True)
    @on(internal.UnregisterFrameworkMessage, with_bytes=True)
    @on(internal.ResourceRequestMessage, with_bytes=True)
    @on(internal.LaunchTasksMessage, with_bytes=True)
    @on(internal.ReviveOffersMessage, with_bytes=True)
    @on(internal.KillTaskMessage, with_bytes=True)
    @on(internal.StatusUpdateAcknowledgementMessage, with_bytes=True)
    @on(internal.FrameworkToExecutorMessage, with_bytes=True)
    @on(internal.ReconcileTasksMessage, with_bytes=True)
    def legacy(self, sender: Upid, message: Message, body: bytes) -> None:
        """Take a message from before there were calls."""
        wrong = None if body.isascii() else bad_text(message)
        if wrong is not None:
            self.ignore(message, f"it came from {sender} with bytes that are no text in {wrong}")
            return
        try:
            call = to_call(message)
        except InvalidRequest as error:
            log.error("Refusing %s from %s: %s", message.DESCRIPTOR.full_name, sender, error)
            self.outbox.to_pid(sender, internal.FrameworkErrorMessage(message=str(error)))
            return
        self.call(sender, call)

    @on(internal.DeactivateFrameworkMessage)
    def deactivate(self, sender: Upid, message: internal.DeactivateFrameworkMessage) -> None:
        """Take that a driver was aborted: it wants no more offers."""
        framework = self._caller(sender, message.framework_id.value, "DeactivateFrameworkMessage")
        if framework is not None and framework.is_connected:
            self.disconnection.deactivate(framework)

    @on(internal.SubmitSchedulerRequest)
    def submit(self, sender: Upid, message: internal.SubmitSchedulerRequest) -> None:  # noqa: ARG002
        """Refuse to run a scheduler: nobody ever could."""
        self.outbox.to_pid(sender, internal.SubmitSchedulerResponse(okay=False))

    def _subscribe(self, sender: Upid, subscribe: v0_scheduler.Call.Subscribe) -> None:
        if not self.authentication.postpone(sender, lambda: self.subscriptions.subscribe_pid(sender, subscribe)):
            self.subscriptions.subscribe_pid(sender, subscribe)

    def _update(self, framework: FrameworkRecord, call: v0_scheduler.Call.UpdateFramework) -> None:
        try:
            self.framework_updates.update(framework, call)
        except InvalidRequest as error:
            self.outbox.to_framework(framework, internal.FrameworkErrorMessage(message=str(error)))

    def _caller(self, sender: Upid, framework_id: str, what: str) -> FrameworkRecord | None:
        framework = self.state.frameworks.get(framework_id)
        if framework is None:
            self.ignore(f"{what} from {sender}", f"framework {framework_id} cannot be found")
            return None
        if framework.pid != sender:
            self.ignore(f"{what} from {sender}", f"framework {framework_id} is not there")
            return None
        return framework
