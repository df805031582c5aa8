"""A whole cluster on this machine: one master and some agents, real processes and sockets on loopback."""
