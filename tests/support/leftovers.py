"""What a test module must not leave behind, as it would disturb the modules that come after it in the same process."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

from messor.runtime.logging import VERBOSITY

SECONDS = 30.0
"""How long something that was told to end may take to do so."""


class Found(NamedTuple):
    """What belongs to this process at some moment, as texts."""

    threads: dict[str, str]
    processes: dict[str, str]
    listeners: dict[str, str]
    settings: dict[str, str]

    def beyond(self, earlier: Found) -> list[str]:
        """List what was not there earlier."""
        return [
            f"{kind}: {text}"
            for kind, now, before in zip(self._fields, self, earlier, strict=True)
            for key, text in now.items()
            if before.get(key) != text
        ]


def find(folder: str) -> Found:
    """Look around; processes that were started for something in the folder are ours, whoever their parent is now."""
    threads = {f"{thread.ident}": thread.name for thread in threading.enumerate()}
    addresses = [one.laddr for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    listeners = {f"{ip}:{port}": f"{ip}:{port}" for ip, port in addresses}
    return Found(threads, dict(_processes(folder)), listeners, dict(_settings()))


def _processes(folder: str) -> Iterator[tuple[str, str]]:
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            is_ours = process.pid in children or (f"{folder}/" in command and process.pid != os.getpid())
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                yield f"{process.pid} {process.create_time()}", f"{process.pid}: {command[:300]}"
        except psutil.Error:
            continue  # it ended meanwhile, or is not ours to see


def _settings() -> Iterator[tuple[str, str]]:
    """Give what is global in a process: where it is, its environment, and what becomes of log lines."""
    yield "folder", f"working directory {os.getcwd()}"
    for name in os.environ.keys() - {"PYTEST_CURRENT_TEST"}:
        yield f"${name}", f"variable {name}={os.environ[name]}"
    root = logging.getLogger()
    yield "root", f"root logger {logging.getLevelName(root.level)}"
    for handler in root.handlers:
        if not type(handler).__module__.startswith("_pytest."):
            yield f"handler {id(handler)}", f"log handler {handler!r}"
    yield "disabled", f"logging.disable({logging.root.manager.disable})"
    yield "verbosity", f"verbosity {VERBOSITY.level}"
    yield "facts", f"facts in log records {logging.logThreads} {logging.logProcesses} {logging.logMultiprocessing}"
    for name in ("messor", "messor.master", "messor.agent", "messor.drivers", "asyncio"):
        logger = logging.getLogger(name)
        yield name, f"logger {name}: {logger.level} {logger.propagate} {logger.disabled} {logger.handlers}"


class _Errors(logging.Handler):
    """Keeps error lines."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"log line while garbage was collected: {record.name}: {record.getMessage()}")


@contextmanager
def nothing_left(folder: str, seconds: float = SECONDS) -> Iterator[None]:
    """Check that the block leaves nothing behind; what is about to end is given time to.

    Garbage is collected, too, so that what its collection complains of (destroyed tasks, sockets that nobody closed) is
    said now and not during somebody else's test.
    """
    before = find(folder)
    yield
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    gc.collect()
    logging.getLogger().removeHandler(errors)
    assert not errors.lines, "\n".join(errors.lines)
    deadline = time.monotonic() + seconds
    while left := find(folder).beyond(before):
        assert time.monotonic() < deadline, "left behind:\n" + "\n".join(left)
        time.sleep(0.05)
