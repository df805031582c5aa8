"""For framework authors: scheduler and executor drivers, and clients for operators.

A session is an actor on a Host; two transports (libprocess and v1 HTTP) carry it, and two faces (blocking callbacks and
asyncio) sit on top. May use coordination, runtime, wire and model; must not know masters or agents from inside.
"""

from __future__ import annotations

import logging

logging.getLogger("messor").addHandler(logging.NullHandler())  # a library says nothing unless asked to
