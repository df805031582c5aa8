"""The messages of mesos.proto, under the name pesos' users import them by (S68)."""

from mesos.interface.mesos_pb2 import *  # noqa: F403
from mesos.interface.mesos_pb2 import DESCRIPTOR  # noqa: F401
