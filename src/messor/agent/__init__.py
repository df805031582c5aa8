"""The agent: one actor, ``slave(1)``, that runs tasks on this host for the leading master.

It is made of components in the folders below and touches the world only through its ``Host``, its ``Containerizer`` and
its ``Detector``, so that the simulator runs the same code. Inner order, top to bottom: agent, main → recovery → doors →
joining → tasks → executors → capacity | upkeep → updates → outbox | checkpoint → state.
"""
