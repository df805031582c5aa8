"""A scheduler's Call: whether the parts are there that its type needs."""

from __future__ import annotations

from messor.errors import InvalidRequest
from messor.protos import v0_scheduler

Call = v0_scheduler.Call

UUID_SIZE = 16
"""Bytes of a UUID on the wire."""

PARTS: dict[int, str] = {
    Call.ACCEPT: "accept",
    Call.DECLINE: "decline",
    Call.ACCEPT_INVERSE_OFFERS: "accept_inverse_offers",
    Call.DECLINE_INVERSE_OFFERS: "decline_inverse_offers",
    Call.KILL: "kill",
    Call.SHUTDOWN: "shutdown",
    Call.ACKNOWLEDGE: "acknowledge",
    Call.ACKNOWLEDGE_OPERATION_STATUS: "acknowledge_operation_status",
    Call.RECONCILE: "reconcile",
    Call.RECONCILE_OPERATIONS: "reconcile_operations",
    Call.MESSAGE: "message",
    Call.REQUEST: "request",
    Call.UPDATE_FRAMEWORK: "update_framework",
}
"""Calls that mean nothing without their part; TEARDOWN, REVIVE and SUPPRESS do."""


def validate_call(call: v0_scheduler.Call, principal: str | None = None) -> None:
    """Check a Call's shape; principal is who sent it, if they proved it. Raises InvalidRequest."""
    if not call.HasField("type"):
        raise InvalidRequest("Expecting 'type' to be present")
    kind = call.type
    if kind == Call.SUBSCRIBE:
        _validate_subscribe(call, principal)
        return
    if not call.HasField("framework_id"):
        raise InvalidRequest("Expecting 'framework_id' to be present")
    part = PARTS.get(kind)
    if part is not None and not call.HasField(part):
        raise InvalidRequest(f"Expecting '{part}' to be present")
    if kind == Call.ACKNOWLEDGE:
        validate_uuid(call.acknowledge.uuid)
    elif kind == Call.ACKNOWLEDGE_OPERATION_STATUS:
        validate_uuid(call.acknowledge_operation_status.uuid)
        if not call.acknowledge_operation_status.HasField("slave_id"):
            raise InvalidRequest("Expecting 'agent_id' to be present")
    elif kind == Call.UPDATE_FRAMEWORK and call.framework_id != call.update_framework.framework_info.id:
        raise InvalidRequest("'framework_id' differs from 'update_framework.framework_info.id'")


def is_uuid(data: bytes) -> bool:
    """Tell 16 bytes that name one of the five versions of UUIDs; others are refused everywhere (recorded)."""
    return len(data) == UUID_SIZE and 0x10 <= data[6] < 0x60


def validate_uuid(uuid: bytes) -> None:
    """Check a UUID; raises InvalidRequest."""
    if not is_uuid(uuid):
        raise InvalidRequest("Not a valid UUID")


def _validate_subscribe(call: v0_scheduler.Call, principal: str | None) -> None:
    if not call.HasField("subscribe"):
        raise InvalidRequest("Expecting 'subscribe' to be present")
    info = call.subscribe.framework_info
    if info.id != call.framework_id:
        raise InvalidRequest("'framework_id' differs from 'subscribe.framework_info.id'")
    if principal is not None and info.HasField("principal") and info.principal != principal:
        raise InvalidRequest(
            f"Authenticated principal '{principal}' does not match principal '{info.principal}' set in `FrameworkInfo`"
        )
