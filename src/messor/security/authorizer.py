"""Who may do what: what daemons ask an authorizer, ours or a module's (K7, K8).

An authorizer is asked for an approver: of one subject and one action, to be asked about any number of objects. Actions
are those of ``mesos.authorization.Action``; what an object holds depends on the action, as the comments there say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from google.protobuf.message import Message

from messor.protos import authorization, v0, v0_quota

Action = authorization.Action


class Subject(NamedTuple):
    """Who wants to do something. Executors have claims and no value."""

    value: str | None = None
    """A principal."""
    claims: Mapping[str, str] = MappingProxyType({})


class Object(NamedTuple):
    """What it is to be done to; make it with keywords."""

    value: str | None = None
    framework_info: v0.FrameworkInfo | None = None
    task: v0.Task | None = None
    task_info: v0.TaskInfo | None = None
    executor_info: v0.ExecutorInfo | None = None
    quota_info: v0_quota.QuotaInfo | None = None
    weight_info: v0.WeightInfo | None = None
    resource: v0.Resource | None = None
    command_info: v0.CommandInfo | None = None
    container_id: v0.ContainerID | None = None
    machine_id: v0.MachineID | None = None

    def message(self) -> authorization.Object:
        """Write it as a message, as texts show it."""
        message = authorization.Object()
        for name, value in self._asdict().items():
            if isinstance(value, Message):
                getattr(message, name).CopyFrom(value)
            elif value is not None:
                setattr(message, name, value)
        return message


def task_user(info: v0.TaskInfo) -> str | None:
    """Tell which user a task names, if it does."""
    if info.HasField("command") and info.command.HasField("user"):
        return info.command.user
    if info.HasField("executor") and info.executor.command.HasField("user"):
        return info.executor.command.user
    return None


class Approver(Protocol):
    """Says whether one subject may do one thing."""

    @property
    def verdict(self) -> bool | None:
        """The answer if it is the same for all objects, None if they have to be looked at."""
        ...

    def approved(self, thing: Object | None) -> bool:
        """Whether it may be done to an object; None: to any there is."""
        ...


class Authorizer(Protocol):
    """Decides. Answers must come at once."""

    def approver(self, subject: Subject | None, action: int) -> Approver:
        """Give who says what a subject may do; no subject: nobody in particular asks."""
        ...
