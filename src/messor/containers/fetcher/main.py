"""The fetcher as a program (``mesos-fetcher``) and as a function for a forked child."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from messor.containers.fetcher.fetch import fetch_all
from messor.containers.fetcher.schemes import FetchFailed


def run(environment: Mapping[str, str]) -> int:
    """Fetch what MESOS_FETCHER_INFO asks for into the sandbox; gives the exit code. Log lines go to stderr."""
    text = environment.get("MESOS_FETCHER_INFO")
    if text is None:
        _log("EXIT with status 1: Missing MESOS_FETCHER_INFO environment variable", "E")
        return 1
    _log(f"Fetcher Info: {text}")
    try:
        fetch_all(json.loads(text), _log, environment)
    except FetchFailed as error:
        _log(f"EXIT with status 1: {error}", "E")
        return 1
    except (OSError, ValueError, KeyError) as error:
        _log(f"EXIT with status 1: {type(error).__name__}: {error}", "E")
        return 1
    return 0


def main() -> None:
    """Run as a program."""
    sys.exit(run(os.environ))


def _log(message: str, severity: str = "I") -> None:
    now = time.time()
    when = f"{time.strftime('%m%d %H:%M:%S', time.localtime(now))}.{int(now % 1 * 1e6):06d}"
    with suppress(OSError):
        os.write(2, f"{severity}{when} {os.getpid()} fetcher] {message}\n".encode())


if __name__ == "__main__":
    main()
