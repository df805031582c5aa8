"""Values: resources, roles, states, identifiers.

Pure and immutable where it can be: no IO, no clock, no asyncio. May use protos and errors; must not know that there is
a network, a master or an agent.
"""
