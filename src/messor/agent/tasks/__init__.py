"""Tasks are launched and killed as the master says.

Uses executors; must not know how executors are connected.
"""
