"""Generated protobuf messages under the short names used everywhere.

``v0`` is mesos.proto of the unversioned API, the language Messor speaks inside; ``v1`` its twin for the HTTP APIs;
``internal`` the libprocess messages. The modules load on first use, so a program pays only for those it touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from messor.protos.master import registry_pb2 as registry
    from messor.protos.mesos import mesos_pb2 as v0
    from messor.protos.mesos.agent import agent_pb2 as v0_agent
    from messor.protos.mesos.allocator import allocator_pb2 as v0_allocator
    from messor.protos.mesos.authorizer import acls_pb2 as acls
    from messor.protos.mesos.authorizer import authorizer_pb2 as authorization
    from messor.protos.mesos.executor import executor_pb2 as v0_executor
    from messor.protos.mesos.fetcher import fetcher_pb2 as fetcher
    from messor.protos.mesos.maintenance import maintenance_pb2 as v0_maintenance
    from messor.protos.mesos.master import master_pb2 as v0_master
    from messor.protos.mesos.quota import quota_pb2 as v0_quota
    from messor.protos.mesos.scheduler import scheduler_pb2 as v0_scheduler
    from messor.protos.mesos.slave import containerizer_pb2 as containerizer
    from messor.protos.mesos.v1 import mesos_pb2 as v1
    from messor.protos.mesos.v1.agent import agent_pb2 as v1_agent
    from messor.protos.mesos.v1.executor import executor_pb2 as v1_executor
    from messor.protos.mesos.v1.maintenance import maintenance_pb2 as v1_maintenance
    from messor.protos.mesos.v1.master import master_pb2 as v1_master
    from messor.protos.mesos.v1.quota import quota_pb2 as v1_quota
    from messor.protos.mesos.v1.scheduler import scheduler_pb2 as v1_scheduler
    from messor.protos.messages import flags_pb2 as flags
    from messor.protos.messages import messages_pb2 as internal

_MODULES = {
    "acls": "mesos.authorizer.acls_pb2",
    "authorization": "mesos.authorizer.authorizer_pb2",
    "containerizer": "mesos.slave.containerizer_pb2",
    "fetcher": "mesos.fetcher.fetcher_pb2",
    "flags": "messages.flags_pb2",
    "internal": "messages.messages_pb2",
    "registry": "master.registry_pb2",
    "v0": "mesos.mesos_pb2",
    "v0_agent": "mesos.agent.agent_pb2",
    "v0_allocator": "mesos.allocator.allocator_pb2",
    "v0_executor": "mesos.executor.executor_pb2",
    "v0_maintenance": "mesos.maintenance.maintenance_pb2",
    "v0_master": "mesos.master.master_pb2",
    "v0_quota": "mesos.quota.quota_pb2",
    "v0_scheduler": "mesos.scheduler.scheduler_pb2",
    "v1": "mesos.v1.mesos_pb2",
    "v1_agent": "mesos.v1.agent.agent_pb2",
    "v1_executor": "mesos.v1.executor.executor_pb2",
    "v1_maintenance": "mesos.v1.maintenance.maintenance_pb2",
    "v1_master": "mesos.v1.master.master_pb2",
    "v1_quota": "mesos.v1.quota.quota_pb2",
    "v1_scheduler": "mesos.v1.scheduler.scheduler_pb2",
}

__all__ = [
    "acls",
    "authorization",
    "containerizer",
    "fetcher",
    "flags",
    "internal",
    "registry",
    "v0",
    "v0_agent",
    "v0_allocator",
    "v0_executor",
    "v0_maintenance",
    "v0_master",
    "v0_quota",
    "v0_scheduler",
    "v1",
    "v1_agent",
    "v1_executor",
    "v1_maintenance",
    "v1_master",
    "v1_quota",
    "v1_scheduler",
]


def __getattr__(name: str) -> Any:
    """Load a generated module the first time its short name is used."""
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    globals()[name] = module
    return module
