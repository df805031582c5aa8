"""For the tests of framework authors: a pytest plugin with real clusters.

Installed with Messor (entry point ``pytest11``); ``pytest_plugin`` holds the fixtures and loads nothing else of Messor
before a test asks for a cluster. May use everything below; nothing imports it.
"""

from __future__ import annotations
