"""The descriptor pool that holds Messor's messages, apart from protobuf's default one.

Generated modules call ``pool.Default()``; it answers with a pool of ours, so another library in the same process may
load its own copy of the Mesos messages without a clash of file names.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, timestamp_pb2, wrappers_pb2

_POOL = descriptor_pool.DescriptorPool()
for _known in (descriptor_pb2, duration_pb2, timestamp_pb2, wrappers_pb2):
    _POOL.AddSerializedFile(_known.DESCRIPTOR.serialized_pb)


def Default() -> descriptor_pool.DescriptorPool:  # noqa: N802  (the name generated code calls)
    """Return the pool that every messor.protos module registers with."""
    return _POOL
