"""The watch over what test modules leave behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.leftovers import nothing_left

Ending = Callable[[], object]


def leave_a_thread(_: Path) -> Ending:
    """Start a thread that waits."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten", daemon=True)
    thread.start()

    def finish() -> None:
        end.set()
        thread.join()

    return finish


def leave_a_process(folder: Path) -> Ending:
    """Start a program."""
    process = subprocess.Popen(["sh", "-c", f"read line < {folder}/fifo # forgotten"])

    def finish() -> None:
        process.kill()
        process.wait()

    return finish


def leave_a_listener(_: Path) -> Ending:
    """Listen on a port."""
    return socket.create_server(("127.0.0.1", 0)).close


def leave_a_variable(_: Path) -> Ending:
    """Change the environment."""
    os.environ["FORGOTTEN"] = "1"
    return lambda: os.environ.pop("FORGOTTEN")


def leave_a_level(_: Path) -> Ending:
    """Make everybody's log lines more or fewer."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    return lambda: root.setLevel(level)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    """A folder with a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


@pytest.mark.parametrize(
    ("leave", "what"),
    [
        (leave_a_thread, "threads: forgotten"),
        (leave_a_process, "processes: .* # forgotten"),
        (leave_a_listener, r"listeners: 127\.0\.0\.1:\d+"),
        (leave_a_variable, "settings: variable FORGOTTEN=1"),
        (leave_a_level, "settings: root logger DEBUG"),
    ],
)
def test_what_is_left_behind_is_named(fifo: Path, leave: Callable[[Path], Ending], what: str) -> None:
    """And what has ended is not complained of."""
    with nothing_left(str(fifo)):
        with pytest.raises(AssertionError, match=what), nothing_left(str(fifo), seconds=0):
            finish = leave(fifo)
        finish()


def test_garbage_that_complains_does_so_at_once(tmp_path: Path) -> None:
    """A task of a loop that was closed under it would be spoken of whenever the collector runs next."""

    def forget() -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(asyncio.Event().wait())
        loop.run_until_complete(asyncio.sleep(0))
        task.circle = task  # type: ignore[attr-defined]  # so that only the collector finds it
        loop.close()

    gc.disable()
    try:
        with pytest.raises(AssertionError, match="Task was destroyed"), nothing_left(str(tmp_path), seconds=0):
            forget()
    finally:
        gc.enable()
