"""Schedulers, executors and operators with the API of pymesos 0.3.15.

Frameworks written for pymesos run unchanged; README.md lists what is different, and why.
"""

import logging

from pymesos.executor import MesosExecutorDriver
from pymesos.interface import Executor, OperatorMaster, Scheduler
from pymesos.operator_v1 import MesosOperatorAgentDriver, MesosOperatorDaemonDriver, MesosOperatorMasterDriver
from pymesos.scheduler import MesosSchedulerDriver
from pymesos.utils import decode_data, encode_data

__VERSION__ = "0.3.15"

__all__ = [
    "Executor",
    "MesosExecutorDriver",
    "MesosOperatorAgentDriver",
    "MesosOperatorDaemonDriver",
    "MesosOperatorMasterDriver",
    "MesosSchedulerDriver",
    "OperatorMaster",
    "Scheduler",
    "decode_data",
    "encode_data",
]

logging.getLogger("pymesos").addHandler(logging.NullHandler())
