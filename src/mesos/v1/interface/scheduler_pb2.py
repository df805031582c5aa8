"""The messages of the v1 API's scheduler.proto."""

from messor.protos.mesos.v1.scheduler.scheduler_pb2 import *  # noqa: F403
from messor.protos.mesos.v1.scheduler.scheduler_pb2 import DESCRIPTOR  # noqa: F401
