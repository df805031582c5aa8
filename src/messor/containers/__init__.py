"""Running things on this host: launching, watching, limiting and destroying containers.

May use runtime, wire, model; must not know of masters, frameworks' states or the agent's records.
"""
