"""The command executor: runs exactly one task, a command line.

It is forked from the agent's zygote or started as a program, has no asyncio loop and no threads: one poll over its two
connections and the signal pipe.
"""
