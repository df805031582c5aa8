"""The messages of the v1 API's allocator.proto."""

from messor.protos.mesos.v1.allocator.allocator_pb2 import *  # noqa: F403
from messor.protos.mesos.v1.allocator.allocator_pb2 import DESCRIPTOR  # noqa: F401
