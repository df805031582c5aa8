"""Capability sets of frameworks, agents and masters, as plain facts.

Each set is made once per distinct list of capabilities and shared: reading one is an attribute access.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from messor.protos import v0


@dataclass(frozen=True, slots=True)
class FrameworkCapabilities:
    """What a framework can cope with (M8)."""

    revocable_resources: bool = False
    task_killing_state: bool = False
    gpu_resources: bool = False
    shared_resources: bool = False
    partition_aware: bool = False
    multi_role: bool = False
    reservation_refinement: bool = False
    region_aware: bool = False

    @staticmethod
    def of(capabilities: Iterable[v0.FrameworkInfo.Capability | int]) -> FrameworkCapabilities:
        """Read ``FrameworkInfo.capabilities``; or plain numbers; unknown ones are ignored."""
        return _framework(frozenset(item if isinstance(item, int) else item.type for item in capabilities))


@dataclass(frozen=True, slots=True)
class AgentCapabilities:
    """What an agent can cope with."""

    multi_role: bool = False
    hierarchical_role: bool = False
    reservation_refinement: bool = False
    resource_provider: bool = False
    resize_volume: bool = False
    agent_operation_feedback: bool = False
    agent_draining: bool = False
    task_resource_limits: bool = False

    @staticmethod
    def of(capabilities: Iterable[v0.SlaveInfo.Capability | int]) -> AgentCapabilities:
        """Read what an agent registered with; or plain numbers; unknown ones are ignored."""
        return _agent(frozenset(item if isinstance(item, int) else item.type for item in capabilities))


@dataclass(frozen=True, slots=True)
class MasterCapabilities:
    """What a master can cope with."""

    agent_update: bool = False
    agent_draining: bool = False
    quota_v2: bool = False

    @staticmethod
    def of(capabilities: Iterable[v0.MasterInfo.Capability | int]) -> MasterCapabilities:
        """Read ``MasterInfo.capabilities``; or plain numbers; unknown ones are ignored."""
        return _master(frozenset(item if isinstance(item, int) else item.type for item in capabilities))


@functools.lru_cache(maxsize=256)
def _framework(numbers: frozenset[int]) -> FrameworkCapabilities:
    kinds = v0.FrameworkInfo.Capability.Type
    return FrameworkCapabilities(
        **{name.lower(): True for name, number in kinds.items() if number and number in numbers}
    )


@functools.lru_cache(maxsize=256)
def _agent(numbers: frozenset[int]) -> AgentCapabilities:
    kinds = v0.SlaveInfo.Capability.Type
    return AgentCapabilities(**{name.lower(): True for name, number in kinds.items() if number and number in numbers})


@functools.lru_cache(maxsize=256)
def _master(numbers: frozenset[int]) -> MasterCapabilities:
    kinds = v0.MasterInfo.Capability.Type
    return MasterCapabilities(**{name.lower(): True for name, number in kinds.items() if number and number in numbers})
