"""Kernel primitives, one file each, without any notion of Mesos.

May use the standard library only; knows nothing of containers, tasks or agents.
"""
