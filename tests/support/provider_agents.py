"""An agent with resource providers for a master under test: what a stock agent with a CSI plugin would say.

Nothing is applied on its own: a test says what becomes of each operation, and when.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messor.protos import internal, v0
from messor.wire.upid import Upid
from support import builders
from support.fakes import FakeAgent

Source = v0.Resource.DiskInfo.Source
Operation = v0.Offer.Operation

STATUS = bytes.fromhex("0123456789ab4def8123456789abcdef")
"""The uuid of a status."""


def disk(
    size: int,
    kind: int = Source.RAW,
    *,
    provider: str = "rp-1",
    profile: str = "fast",
    volume: str = "",
    role: str = "",
) -> v0.Resource:
    """Make a disk of a resource provider; volume: the CSI volume behind it; role: to which it is allocated."""
    made = v0.Resource(name="disk", type=v0.Value.SCALAR)
    made.scalar.value = size
    made.provider_id.value = provider
    made.disk.source.type = kind  # type: ignore[assignment]
    made.disk.source.vendor = "org.apache.mesos.csi.test.local"
    if profile:
        made.disk.source.profile = profile
    if volume:
        made.disk.source.id = volume
    if kind == Source.MOUNT:
        made.disk.source.mount.root = "./csi"
    if role:
        made.allocation_info.role = role
    return made


def create_disk(
    source: v0.Resource, feedback: str = "", *, target: int = Source.MOUNT, profile: str = ""
) -> v0.Offer.Operation:
    """Make CREATE_DISK; feedback is its id."""
    operation = Operation(type=Operation.CREATE_DISK)
    operation.create_disk.source.CopyFrom(source)
    operation.create_disk.target_type = target  # type: ignore[assignment]
    if profile:
        operation.create_disk.target_profile = profile
    if feedback:
        operation.id.value = feedback
    return operation


def destroy_disk(source: v0.Resource, feedback: str = "") -> v0.Offer.Operation:
    """Make DESTROY_DISK; feedback is its id."""
    operation = Operation(type=Operation.DESTROY_DISK)
    operation.destroy_disk.source.CopyFrom(source)
    if feedback:
        operation.id.value = feedback
    return operation


class Provider:
    """A resource provider as its agent lists it."""

    def __init__(self, name: str, *total: v0.Resource) -> None:
        """Start with these resources and no operations."""
        self.id = name
        self.total = list(total)
        self.version = f"version of {name}"[:16].ljust(16, ".").encode()
        self.operations: dict[bytes, v0.Operation] = {}

    def listed(self) -> internal.UpdateSlaveMessage.ResourceProvider:
        """Make its part of UpdateSlaveMessage."""
        listed = internal.UpdateSlaveMessage.ResourceProvider(total_resources=self.total)
        listed.info.id.value = self.id
        listed.info.type = "org.apache.mesos.rp.local.storage"
        listed.info.name = f"name of {self.id}"
        listed.operations.operations.extend(self.operations.values())
        listed.resource_version_uuid.value = self.version
        return listed


class ProviderAgent(FakeAgent):
    """An agent that can have resource providers."""

    def __init__(self, master: Upid, info: v0.SlaveInfo | None = None) -> None:
        """Have one with a hundred gigabytes of raw disk."""
        super().__init__(master, info)
        self.providers = {"rp-1": Provider("rp-1", disk(100))}
        self.capabilities = [number for number in v0.SlaveInfo.Capability.Type.values() if number]
        self.version = b"own resources..."

    def register(self, version: str = "1.11.0") -> None:
        """Send RegisterSlaveMessage."""
        self.link(self.master)
        message = internal.RegisterSlaveMessage(slave=self.info, version=version)
        self.send(self.master, self._introduced(message))

    def return_to(
        self, master: Upid, tasks: Iterable[v0.Task] = (), frameworks: Iterable[v0.FrameworkInfo] = ()
    ) -> None:
        """Send ReregisterSlaveMessage, to a master that may be another one."""
        self.master = master
        self.link(master)
        message = internal.ReregisterSlaveMessage(
            slave=self.info, tasks=list(tasks), frameworks=list(frameworks), version="1.11.0"
        )
        self.send(master, self._introduced(message))

    def _introduced(self, message: Any) -> Any:
        message.resource_version_uuid.value = self.version
        for number in self.capabilities:
            message.agent_capabilities.add().type = number
        return message

    def tell(self, *, speaks_of_providers: bool = True) -> None:
        """Send UpdateSlaveMessage."""
        self.send(self.master, self.news(speaks_of_providers=speaks_of_providers))

    def news(self, *, speaks_of_providers: bool = True) -> internal.UpdateSlaveMessage:
        """Make UpdateSlaveMessage."""
        message = internal.UpdateSlaveMessage(slave_id=self.info.id, update_oversubscribed_resources=False)
        message.resource_version_uuid.value = self.version
        message.operations.SetInParent()
        if speaks_of_providers:
            message.resource_providers.SetInParent()
            message.resource_providers.providers.extend(each.listed() for each in self.providers.values())
        return message

    def applied(self) -> list[internal.ApplyOperationMessage]:
        """Give the operations it was to apply, in order."""
        return self.received(internal.ApplyOperationMessage)

    def accept_operation(self) -> v0.Operation:
        """Note the latest operation as pending at its provider, which lists it from now on."""
        apply = self.applied()[-1]
        operation = v0.Operation(info=apply.operation_info, uuid=apply.operation_uuid, slave_id=self.info.id)
        if apply.HasField("framework_id"):
            operation.framework_id.CopyFrom(apply.framework_id)
        operation.latest_status.state = v0.OPERATION_PENDING
        provider = self.providers[apply.resource_version_uuid.resource_provider_id.value]
        provider.operations[apply.operation_uuid.value] = operation
        return operation

    def report(self, uuid: bytes, state: int, *converted: v0.Resource, **more: Any) -> None:
        """Send UpdateOperationStatusMessage of a provider's operation."""
        self.send(self.master, self.report_of(uuid, state, *converted, **more))

    def report_of(
        self, uuid: bytes, state: int, *converted: v0.Resource, status_uuid: bytes = STATUS, provider: str = "rp-1"
    ) -> internal.UpdateOperationStatusMessage:
        """Make UpdateOperationStatusMessage of a provider's operation; status_uuid: b"" when it needs no answer."""
        message = internal.UpdateOperationStatusMessage(slave_id=self.info.id)
        message.operation_uuid.value = uuid
        status = message.status
        status.state = state  # type: ignore[assignment]
        status.slave_id.CopyFrom(self.info.id)
        status.resource_provider_id.value = provider
        status.converted_resources.extend(converted)
        if status_uuid:
            status.uuid.value = status_uuid
        message.latest_status.CopyFrom(status)
        return message


def provider_agent(world: Any, master: Upid, number: int = 9) -> ProviderAgent:
    """Start such an agent on a machine of its own, and run until it is registered and has told of its provider."""
    host = world.start(f"storage-{number}", f"10.0.4.{number}", 5051)
    agent = ProviderAgent(master, builders.agent_info(f"storage-{number}"))
    host.spawn(agent)
    agent.register()
    world.advance(1)
    assert agent.id
    agent.tell()
    world.advance(1)
    return agent
