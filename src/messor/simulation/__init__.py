"""A whole cluster in one thread: virtual time, and a network made of a seed.

The same Master, Agent, executors and driver sessions run here as in production; only their Host differs. Nothing in
this package opens a socket, starts a process or looks at the real clock, so a run is a function of its seed. It may
import everything below; nothing but tests and tools imports it.
"""

from __future__ import annotations
