"""Executors from start to removal: their containers, how they subscribe, how they are told to end.

May use containers through the Containerizer interface, the disk through checkpoint and the host's disk port. Must not
know why a task was launched or killed: that is the business of ``tasks``.
"""
