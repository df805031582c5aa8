"""The operator API: ask masters and agents, typed; see ``master_calls`` and ``agent_calls`` for what can be asked."""

from __future__ import annotations

from messor.drivers.operator import agent_calls, master_calls
from messor.drivers.operator.client import (
    AgentClient,
    BlockingAgentClient,
    BlockingMasterClient,
    MasterClient,
    Refused,
)
from messor.drivers.operator.questions import AgentQuestion, MasterQuestion

__all__ = [
    "AgentClient",
    "AgentQuestion",
    "BlockingAgentClient",
    "BlockingMasterClient",
    "MasterClient",
    "MasterQuestion",
    "Refused",
    "agent_calls",
    "master_calls",
]
