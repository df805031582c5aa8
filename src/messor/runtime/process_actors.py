"""The small actors every process has: /metrics, /version, /logging, /system, /__processes__, /help, /profiler."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Any

import orjson

import messor
from messor.errors import InvalidRequest
from messor.model.durations import parse_duration
from messor.runtime.actor import Actor
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response, json_response, text_response
from messor.runtime.logging import VERBOSITY
from messor.runtime.rate_limits import RateLimit, parse_rate

RATE_LIMIT = "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT"


class MetricsActor(Actor):
    """``/metrics/snapshot``: all numbers of the process (feature U18)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the limit from the environment; raises ConfigurationError."""
        super().__init__("metrics")
        self._rate = parse_rate(environ.get(RATE_LIMIT, "2/1secs"))
        self._limit: RateLimit | None = None

    def started(self) -> None:
        """Start the limit."""
        if self._rate is not None:
            self._limit = RateLimit(self.host.clock, self.host.tasks, *self._rate)

    @endpoint("/snapshot", realm="readonly")
    async def snapshot(self, request: Request) -> Response:
        """Give all metrics, sorted; twice a second unless configured otherwise, others wait."""
        timeout = request.query.get("timeout")
        if timeout is not None:
            try:
                parse_duration(timeout)  # all our metrics can be read at once: nothing would ever be left out
            except InvalidRequest as error:
                raise InvalidRequest(f"Invalid timeout '{timeout}': {error}.\n") from error
        turn = self._limit.acquire() if self._limit is not None else None
        if turn is not None:
            await turn
        return json_response(orjson.dumps(self.host.metrics.snapshot()), request)


class VersionActor(Actor):
    """``/version``."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__("version")

    @endpoint("/")
    def version(self, request: Request) -> Response:
        """Give the version and when it was built."""
        return json_response(orjson.dumps(version_info()), request)


class LoggingActor(Actor):
    """``/logging/toggle``: more log lines for a while."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__("logging")

    def set_level(self, level: int, seconds: float) -> None:
        """Change the level for some seconds (0: normal, 1 and more: debug lines); raises InvalidRequest."""
        VERBOSITY.set_for(level, seconds, self.host.clock)

    @property
    def level(self) -> int:
        """The level now."""
        return VERBOSITY.level

    @endpoint("/toggle", realm="readwrite")
    def toggle(self, request: Request) -> Response:
        """Show the level, or set it: ``level=1&duration=10secs``."""
        query = request.query
        if "level" not in query and "duration" not in query:
            return text_response(200, f"{self.level}\n")
        for name in ("level", "duration"):
            if name not in query:
                raise InvalidRequest(f"Expecting '{name}=value' in query.\n")
        try:
            level = int(query["level"])
        except ValueError:
            raise InvalidRequest(f"Failed to convert '{query['level']}' to number.\n") from None
        try:
            self.set_level(level, parse_duration(query["duration"]))
        except InvalidRequest as error:
            raise InvalidRequest(f"{error}.\n") from error
        return Response(200)


class SystemActor(Actor):
    """``/system/stats.json``, and the same numbers as metrics."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__("system")

    def started(self) -> None:
        """Register the metrics."""
        self.host.metrics.source("system", system_metrics)

    @endpoint("/stats.json")
    def stats(self, request: Request) -> Response:
        """Give load, processors and memory."""
        one, five, fifteen = os.getloadavg()
        total, free = memory()
        numbers = {
            "avg_load_15min": fifteen,
            "avg_load_1min": one,
            "avg_load_5min": five,
            "cpus_total": os.cpu_count() or 1,
            "mem_free_bytes": free,
            "mem_total_bytes": total,
        }
        return json_response(orjson.dumps(numbers), request)


class ProcessesActor(Actor):
    """``/__processes__``: the actors of this process."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__("__processes__")

    @endpoint("/")
    def processes(self, request: Request) -> Response:
        """List actors; our mailboxes are empty whenever somebody can ask."""
        names = [{"events": [], "id": name} for name in self.host.directory.actors]
        return json_response(orjson.dumps(names), request)


class ProfilerActor(Actor):
    """``/profiler/*``: answers as a build without profiler."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__("profiler")

    @endpoint("/start", realm="readwrite")
    @endpoint("/stop", realm="readwrite")
    def refuse(self, request: Request) -> Response:  # noqa: ARG002  (all are refused)
        """Refuse."""
        return text_response(
            400, "Perftools is disabled. To enable perftools, configure libprocess with --enable-perftools.\n"
        )


class HelpActor(Actor):
    """``/help``: what can be asked, from the docstrings of the endpoints (feature U20)."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__("help")

    @endpoint("/")
    def help(self, request: Request) -> Response:
        """List all endpoints, as JSON for those who accept only that, else as a page."""
        actors = {name: actor.endpoints for name, actor in sorted(self.host.directory.actors.items())}
        if "application/json" in request.headers.get("accept", "") or "format" in request.query:
            processes = [
                {"id": name, "endpoints": [{"name": path, "text": one.help} for path, one in sorted(table.items())]}
                for name, table in actors.items()
                if table
            ]
            return json_response(orjson.dumps({"processes": processes}), request)
        rows = [
            f"<li><a href='/{escape(name)}{path if path != '/' else ''}'>/{escape(name)}{escape(path)}</a>"
            f" &ndash; {escape(one.help.splitlines()[0] if one.help else '')}</li>"
            for name, table in actors.items()
            for path, one in sorted(table.items())
        ]
        page = f"<html><head><title>Help</title></head><body><ul>{''.join(rows)}</ul></body></html>"
        return Response(200, page.encode(), "text/html")


@cache
def version_info() -> dict[str, Any]:
    """Give what ``/version``, ``/state`` and GET_VERSION say about this build."""
    from time import gmtime, strftime

    built = float(int(os.path.getmtime(messor.__file__)))
    info: dict[str, Any] = {
        "build_date": strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(built)),
        "build_time": built,
        "build_user": "messor",
    }
    revision = checkout_revision()
    if revision is not None:
        info["git_sha"] = revision
    info["version"] = messor.MESOS_VERSION
    return info


def checkout_revision() -> str | None:
    """Find the commit of the checkout this code runs from; None when it was installed from a package."""
    git = os.path.join(os.path.dirname(messor.__file__), "..", "..", ".git")
    head = _first_line(os.path.join(git, "HEAD"))
    if head is None or not head.startswith("ref: "):
        return head
    reference = head.removeprefix("ref: ")
    loose = _first_line(os.path.join(git, reference))
    if loose is not None:
        return loose
    try:
        with open(os.path.join(git, "packed-refs")) as file:
            return next((line.split()[0] for line in file if line.split()[1:] == [reference]), None)
    except OSError:
        return None


def _first_line(path: str) -> str | None:
    """Read the first line of a file; None when it cannot be read."""
    try:
        with open(path) as file:
            return file.readline().strip() or None
    except OSError:
        return None


def system_metrics() -> dict[str, float]:
    """Give the ``system/`` metrics (feature X13)."""
    one, five, fifteen = os.getloadavg()
    total, free = memory()
    return {
        "system/cpus_total": float(os.cpu_count() or 1),
        "system/load_15min": fifteen,
        "system/load_1min": one,
        "system/load_5min": five,
        "system/mem_free_bytes": float(free),
        "system/mem_total_bytes": float(total),
    }


def memory() -> tuple[int, int]:
    """Give (total, free) bytes of memory; zeros where the system does not tell."""
    found = {"MemTotal": 0, "MemFree": 0}
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in found:
                    found[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return 0, 0
    return found["MemTotal"], found["MemFree"]
