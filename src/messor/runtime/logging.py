"""Log lines shaped like glog's, to stderr and to files (feature L1), and how talkative they are.

``I1120 15:13:45.209964 32180 peers.py:164] text``: log shippers and the web UI's log view read this.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from messor.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from messor.runtime.host import Clock, Timer

LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
GLOG_NUMBERS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
LETTERS = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}
NEVER = logging.CRITICAL + 1


class GlogFormatter(logging.Formatter):
    """Formats records as glog does; the date part is renewed once per second."""

    def __init__(self) -> None:
        """Start without a date."""
        super().__init__()
        self._second = -1
        self._prefix = ""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record, with its traceback below."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%m%d %H:%M:%S", time.localtime(second))
        micros = int((record.created - second) * 1e6)
        letter = LETTERS.get(record.levelno, "I")
        thread = threading.get_native_id()
        text = (
            f"{letter}{self._prefix}.{micros:06d} {thread:5d} {record.filename}:{record.lineno}] {record.getMessage()}"
        )
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class LogFile:
    """The file of one severity: made when its first line comes, with a link under a fixed name."""

    def __init__(self, folder: str, program: str, severity: str) -> None:
        """Name it; nothing is made yet."""
        host = socket.gethostname().partition(".")[0]
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = f"{program}.{host}.{_user()}.log.{severity}.{stamp}.{os.getpid()}"
        self.path = os.path.join(folder, name)
        self._link = os.path.join(folder, f"{program}.{severity}")
        self._file: TextIO | None = None

    def open(self) -> None:
        """Make it with glog's three first lines; raises ConfigurationError."""
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            self._file = open(self.path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
            temporary = f"{self._link}.{os.getpid()}"
            os.symlink(os.path.basename(self.path), temporary)
            os.replace(temporary, self._link)
        except OSError as error:
            raise ConfigurationError(f"Could not create logging file '{self.path}': {error.strerror}") from error
        self.write(
            f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S')}\nRunning on machine: {socket.gethostname()}\n"
            "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n"
        )

    def write(self, text: str) -> None:
        """Add lines; they are on disk (in the page cache) at once."""
        if self._file is None:
            self.open()
        assert self._file is not None
        self._file.write(text)
        self._file.flush()

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
            self._file = None


class GlogHandler(logging.Handler):
    """Sends lines to stderr and to the files of all severities up to theirs."""

    def __init__(self, stderr_from: int, files: dict[int, LogFile]) -> None:
        """Send lines of at least ``stderr_from`` to stderr."""
        super().__init__()
        self.stderr_from = stderr_from
        self.files = files
        self.setFormatter(GlogFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            line = self.format(record) + "\n"
            if record.levelno >= self.stderr_from:
                sys.stderr.write(line)
                sys.stderr.flush()
            severity = max(record.levelno, logging.INFO)
            for level, file in self.files.items():
                if severity >= level:
                    file.write(line)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Close the files."""
        for file in self.files.values():
            file.close()
        super().close()


class Logs:
    """What ``configure`` set up."""

    def __init__(self, handler: GlogHandler) -> None:
        """Hold the handler."""
        self.handler = handler

    @property
    def path(self) -> str | None:
        """The file to show as ``/master/log``; None without --log_dir."""
        file = next(iter(self.handler.files.values()), None)
        return file.path if file is not None else None

    @property
    def uses_stderr(self) -> bool:
        """Whether errors go to stderr."""
        return self.handler.stderr_from <= logging.ERROR


def configure(
    program: str,
    *,
    log_dir: str | None = None,
    quiet: bool = False,
    level: str = "INFO",
    environ: Mapping[str, str] | None = None,
) -> Logs:
    """Set up this process's logging; replaces what an earlier call set up.

    log_dir, quiet, level are the flags --log_dir, --quiet, --logging_level. GLOG_minloglevel and GLOG_v are honoured
    where they ask for more silence or more lines. Raises ConfigurationError.
    """
    environ = os.environ if environ is None else environ
    if level not in LEVELS:
        raise ConfigurationError(
            f"'{level}' is not a valid logging level. Possible values for 'logging_level' flag are:"
            " 'INFO', 'WARNING', 'ERROR'."
        )
    lowest = max(LEVELS[level], GLOG_NUMBERS[min(_number(environ, "GLOG_minloglevel"), len(GLOG_NUMBERS) - 1)])
    log_dir = log_dir or environ.get("GLOG_log_dir")
    files = {}
    if log_dir:
        files = {number: LogFile(log_dir, program, name) for name, number in LEVELS.items() if number >= lowest}
    handler = GlogHandler(NEVER if quiet else lowest, files)
    for file in list(files.values())[:1]:
        file.open()  # the first one is what /master/log shows: it must exist, and a bad --log_dir must be noticed now
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, GlogHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    # Lines never show these; collecting them costs more than the rest of a record.
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    VERBOSITY.configure(lowest, _number(environ, "GLOG_v"))
    return Logs(handler)


class Verbosity:
    """glog's ``v``: 0 is normal, anything above adds our debug lines; can be raised for a while."""

    def __init__(self) -> None:
        """Start normal."""
        self.level = 0
        self._original = 0
        self._normal = logging.WARNING
        self._revert: Timer | None = None

    def configure(self, lowest: int, level: int) -> None:
        """Set what start-up says; ``lowest`` is the least severity that is logged when the level is 0."""
        logging.getLogger().setLevel(lowest)
        self.level = 0
        self._original = level
        self._apply(level)

    def set_for(self, level: int, seconds: float, clock: Clock) -> None:
        """Change it and change it back after some seconds; raises InvalidRequest in the words of libprocess."""
        if level < 0:
            raise InvalidRequest(f"Invalid level '{level}'")
        if level < self._original:
            raise InvalidRequest(f"'{level}' < original level")
        if self._revert is not None:
            self._revert.cancel()
            self._revert = None
        self._apply(level)
        if level != self._original:
            self._revert = clock.after(seconds, self._apply, self._original)

    def _apply(self, level: int) -> None:
        root = logging.getLogger()
        if level > 0 and self.level == 0:
            self._normal = root.level  # which a program that has no flags of ours set itself
            root.setLevel(logging.DEBUG)
        elif level == 0 and self.level > 0:
            root.setLevel(self._normal)
        self.level = level


VERBOSITY = Verbosity()
"""Of this OS process: logging is global in Python too."""


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return "invalid-user"
