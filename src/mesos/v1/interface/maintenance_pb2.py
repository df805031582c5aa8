"""The messages of the v1 API's maintenance.proto."""

from messor.protos.mesos.v1.maintenance.maintenance_pb2 import *  # noqa: F403
from messor.protos.mesos.v1.maintenance.maintenance_pb2 import DESCRIPTOR  # noqa: F401
