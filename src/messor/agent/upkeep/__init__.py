"""Chores: collecting old sandboxes, watching the disk, retiring the agent."""
