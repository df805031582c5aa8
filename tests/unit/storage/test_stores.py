"""Stores keep what they are given, and refuse whoever read something older."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from messor.errors import RegistryFailed
from messor.storage.in_memory import InMemoryStorage
from messor.storage.sqlite import SqliteStorage
from messor.storage.versioned import Storage, Variable


class Directly:
    """The one method of the Tasks port that a store uses, without a thread."""

    async def blocking(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Call."""
        return call(*arguments)


def in_memory(folder: Path) -> Storage:
    """Make the store without files."""
    return InMemoryStorage()


def sqlite(folder: Path) -> Storage:
    """Make the store with a file."""
    return SqliteStorage(str(folder / "store.sqlite"), Directly())  # type: ignore[arg-type]


@pytest.fixture(params=[in_memory, sqlite])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give each kind of store in turn."""
    store = request.param(tmp_path)
    yield store
    store.close()


def test_what_was_never_stored_is_empty(storage: Storage) -> None:
    """A new cluster begins without an error."""
    assert asyncio.run(storage.fetch("registry")) == Variable("registry", b"", 0)


def test_what_was_stored_is_fetched_again(storage: Storage) -> None:
    """Bytes come back as they were, with the version to replace them by."""

    async def story() -> None:
        first = await storage.store(await storage.fetch("registry"), b"one\x00")
        assert first is not None
        assert await storage.fetch("registry") == first
        second = await storage.store(first, b"two")
        assert second is not None
        assert (await storage.fetch("registry")).value == b"two"
        assert second.version > first.version

    asyncio.run(story())


def test_a_store_on_an_old_version_is_refused(storage: Storage) -> None:
    """Of two leaders only one may write; the other must find out."""

    async def story() -> None:
        mine = await storage.fetch("registry")
        theirs = await storage.fetch("registry")
        assert await storage.store(theirs, b"theirs") is not None
        assert await storage.store(mine, b"mine") is None
        assert (await storage.fetch("registry")).value == b"theirs"

    asyncio.run(story())


def test_names_do_not_disturb_each_other(storage: Storage) -> None:
    """Versions are per name."""

    async def story() -> None:
        assert await storage.store(await storage.fetch("a"), b"1") is not None
        assert await storage.store(await storage.fetch("b"), b"2") is not None
        assert (await storage.fetch("a")).value == b"1"

    asyncio.run(story())


def test_a_file_is_read_by_the_next_process(tmp_path: Path) -> None:
    """What was committed is there after the store was closed."""
    first = sqlite(tmp_path)
    asyncio.run(first.store(Variable("registry", b"", 0), b"kept"))
    first.close()
    second = sqlite(tmp_path)
    assert asyncio.run(second.fetch("registry")).value == b"kept"
    second.close()


def test_a_file_that_is_no_database_is_refused_readably(tmp_path: Path) -> None:
    """Operators see which file is broken."""
    (tmp_path / "store.sqlite").write_bytes(b"this is not a database, but long enough to be looked at" * 20)
    with pytest.raises(RegistryFailed, match=r"store\.sqlite"):
        sqlite(tmp_path)


def test_a_closed_store_refuses_calls(tmp_path: Path) -> None:
    """A call that comes too late fails like any other, instead of crashing the process."""
    store = sqlite(tmp_path)
    store.close()
    with pytest.raises(RegistryFailed):
        asyncio.run(store.fetch("registry"))
