"""Programs the agent starts to run tasks.

They may use wire, model, linux and protos; they talk to the agent over its HTTP API only and know nothing of its
records.
"""
