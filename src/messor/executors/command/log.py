"""The executor's own lines in the sandbox's stderr, shaped like glog's."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress


def log(message: str, severity: str = "I") -> None:
    """Write one line; a sandbox that cannot be written to does not stop the task."""
    now = time.time()
    moment = time.localtime(now)
    caller = sys._getframe(1)
    file = caller.f_code.co_filename.rpartition("/")[2]
    when = f"{time.strftime('%m%d %H:%M:%S', moment)}.{int(now % 1 * 1e6):06d}"
    text = f"{severity}{when} {os.getpid()} {file}:{caller.f_lineno}] {message}\n"
    with suppress(OSError):
        os.write(2, text.encode())
