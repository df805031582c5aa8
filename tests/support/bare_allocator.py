"""An allocator of which a master knows nothing but the interface, as those of other people are."""

from __future__ import annotations

import inspect
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.allocator.service import AllocatorService


class BareAllocator:
    """Hands every call on; it is no ``AllocatorService`` and has none of its books."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what any allocator is made with."""
        inner = AllocatorService(*arguments, **options)
        for name, _ in inspect.getmembers(Allocator, inspect.isfunction):
            if not name.startswith("_"):
                setattr(self, name, getattr(inner, name))
