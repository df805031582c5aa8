"""For framework authors: scheduler and executor drivers.

A session is an actor on a Host; two transports (libprocess and v1 HTTP) carry it, and faces (blocking callbacks now,
asyncio next) sit on top. May use coordination, runtime, wire and model; must not know masters or agents from inside.
"""
