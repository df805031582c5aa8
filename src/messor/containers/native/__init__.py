"""Containers as plain process trees of this host: works anywhere, without root.

A small process per agent, the zygote, is the parent of every container, so that nothing is lost while the agent is
away. The files named ``zygote*`` may touch sockets and processes directly; everything else uses the host's ports.
"""
