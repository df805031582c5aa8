"""Telling a framework's author what their own code raised."""

from __future__ import annotations

import logging
import sys
import traceback


def report_raised(log: logging.Logger, what: str) -> None:
    """Log the current exception with its traceback; on stderr when the program has not configured any logging.

    Libraries are silent by default, but a scheduler that ends for no visible reason helps nobody: classic drivers print
    the traceback, too.
    """
    log.exception(what)  # noqa: LOG004  (callers are inside a handler)
    if not _is_heard(log):
        sys.stderr.write(f"{what}:\n{traceback.format_exc()}")


def _is_heard(log: logging.Logger) -> bool:
    current: logging.Logger | None = log
    while current is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False
