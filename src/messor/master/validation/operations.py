"""Offer operations: which may carry an id, and which this master can apply."""

from __future__ import annotations

from messor.errors import InvalidRequest
from messor.master.state.agent import AgentRecord
from messor.protos import v0

Operation = v0.Offer.Operation

LAUNCHES = (Operation.LAUNCH, Operation.LAUNCH_GROUP)
"""Operations that start tasks: their failures are told per task."""

NO_V0_FEEDBACK = (
    "The 'id' field was set in an offer operation, but operation feedback is not supported for the SchedulerDriver API;"
    " please use the HTTP scheduler API for this feature"
)
"""What a framework connected by pid is told when it asks for feedback."""


def operation_name(operation: v0.Offer.Operation) -> str:
    """Give the name of an operation's type."""
    return Operation.Type.Name(operation.type)


def validate_launch_id(operation: v0.Offer.Operation) -> None:
    """Check that a launch carries no id; raises InvalidRequest."""
    if operation.HasField("id"):
        raise InvalidRequest(f"The `id` field cannot be set on {operation_name(operation)} operations")


def validate_feedback(agent: AgentRecord) -> None:
    """Check that an agent can report on an operation of its own resources; raises InvalidRequest."""
    kinds = v0.SlaveInfo.Capability
    if not agent.has(kinds.RESOURCE_PROVIDER):
        raise InvalidRequest(
            f"Operation requested feedback, but agent {agent.id} does not have the required RESOURCE_PROVIDER"
            " capability"
        )
    if not agent.has(kinds.AGENT_OPERATION_FEEDBACK):
        raise InvalidRequest(
            f"Operation on agent default resources requested feedback, but agent {agent.id} does not have the required"
            " AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities"
        )


def validate_supported(operation: v0.Offer.Operation) -> None:
    """Refuse what cannot be applied yet; raises InvalidRequest for every operation that does not launch."""
    if operation.type == Operation.RESERVE and operation.reserve.source:
        raise InvalidRequest("Reservation updates are not yet implemented for the scheduler API.")
    raise InvalidRequest(f"{operation_name(operation)} is not supported yet by this master")
