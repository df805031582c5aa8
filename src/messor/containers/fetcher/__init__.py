"""Fetching what a command needs into its sandbox.

``request`` runs in the agent and says what to do; everything else runs in a forked child with the task's user, so that
a task can fetch no file its user could not read. In these children sockets and time are fine.
"""
