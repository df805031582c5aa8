"""Records of the agent and their lifecycles: no sending, no disk, no clock.

A record knows what it is and how it may change; who is told of a change is the business of the folders above.
"""
