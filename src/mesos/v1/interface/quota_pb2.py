"""The messages of the v1 API's quota.proto."""

from messor.protos.mesos.v1.quota.quota_pb2 import *  # noqa: F403
from messor.protos.mesos.v1.quota.quota_pb2 import DESCRIPTOR  # noqa: F401
