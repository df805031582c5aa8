"""The messages of the v1 API's mesos.proto."""

from messor.protos.mesos.v1.mesos_pb2 import *  # noqa: F403
from messor.protos.mesos.v1.mesos_pb2 import DESCRIPTOR  # noqa: F401
