"""Where pesos kept its copy of the messages."""

from mesos.interface import mesos_pb2

__all__ = ["mesos_pb2"]
