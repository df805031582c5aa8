"""Finding allocators and sorters by the names that flags give them."""

from __future__ import annotations

import importlib

from messor.allocator.interfaces import AllocatorFactory, SorterFactory
from messor.allocator.service import AllocatorService
from messor.errors import ConfigurationError

OWN_ALLOCATORS = ("hierarchical", "HierarchicalDRF")
OWN_SORTERS = ("drf", "random")


def find_allocator(name: str) -> AllocatorFactory:
    """Give what makes an allocator: ``hierarchical`` or ``module:attribute``; raises ConfigurationError."""
    if name in OWN_ALLOCATORS:
        return AllocatorService
    found: AllocatorFactory = _find(name, "allocator")  # type: ignore[assignment]
    return found


def find_sorter(name: str) -> str | SorterFactory:
    """Give the name of one of our sorters or what ``module:attribute`` is; raises ConfigurationError."""
    if name in OWN_SORTERS:
        return name
    found: SorterFactory = _find(name, "sorter")  # type: ignore[assignment]
    return found


def _find(name: str, what: str) -> object:
    module, _, attribute = name.partition(":")
    try:
        if not attribute:
            raise ConfigurationError(f"Module '{name}' unknown")
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ConfigurationError) as error:
        raise ConfigurationError(f"Failed to create {what} '{name}': {error}") from None
    if not callable(found):
        raise ConfigurationError(f"Failed to create {what} '{name}': it cannot be called")
    return found
