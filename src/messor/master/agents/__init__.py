"""Agents: how they join, are watched, come back, are given up and leave.

May use frameworks, offers and tasks below; knows nothing of doors. Additions and removals go to the registry before
they go to memory, so that what frameworks were told is never forgotten by a failover.
"""
