"""The messages of the v1 API's master.proto."""

from messor.protos.mesos.v1.master.master_pb2 import *  # noqa: F403
from messor.protos.mesos.v1.master.master_pb2 import DESCRIPTOR  # noqa: F401
