"""The messages of messages.proto, under the name pesos' users import them by."""

from messor.protos.messages.messages_pb2 import *  # noqa: F403
from messor.protos.messages.messages_pb2 import DESCRIPTOR  # noqa: F401
