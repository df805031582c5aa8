"""Operators' calls to masters and agents (v1), typed: what to ask is a value, a client asks it, awaiting or blocking.

``master_calls`` and ``agent_calls`` list what can be asked; both clients take both.
"""

from __future__ import annotations
