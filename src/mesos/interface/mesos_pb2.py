"""The messages of mesos.proto, under the name existing frameworks import them by (S68)."""

from messor.protos.mesos.mesos_pb2 import *  # noqa: F403
from messor.protos.mesos.mesos_pb2 import DESCRIPTOR  # noqa: F401
