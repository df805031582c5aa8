"""Asking a master for JSON: what the commands that look at a cluster share."""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from messor.errors import ConnectionLost, InvalidRequest, MesosError, NotFound
from messor.wire.upid import parse_upid

DEFAULT_MASTER = "127.0.0.1:5050"
TIMEOUT = 10.0
"""Seconds to wait for an answer."""
MOST_REDIRECTS = 5

INDIRECT = ("zk://", "file://", "/")
"""How master strings begin that only say where to learn who leads."""


class Master:
    """A master that is asked over HTTP; answers come from the leader, wherever that is."""

    def __init__(self, address: str, credential: str | None = None) -> None:
        """address: ``host:port``, an http URL, or what tells who leads: ``zk://``, a list of masters, a file.

        credential: ``principal:secret``. Raises ConfigurationError.
        """
        self._leader = _Leader(address) if address.startswith(INDIRECT) or "," in address else None
        self._url = (address if "://" in address else f"http://{address.removeprefix('master@')}").rstrip("/")
        self.authorization: dict[str, str] = {}
        """The headers that say who asks."""
        if credential is not None:
            self.authorization["Authorization"] = "Basic " + base64.b64encode(credential.encode()).decode()
        self._headers = {"Accept": "application/json", **self.authorization}

    @property
    def url(self) -> str:
        """Where to ask now; raises ConnectionLost when nobody leads."""
        return self._url if self._leader is None else self._leader.url()

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """GET a path as JSON; raises ConnectionLost when nobody answers, or by whose fault the refusal is."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._ask(path + ("?" + urllib.parse.urlencode(given) if given else ""), None)

    def call(self, kind: str) -> Any:
        """Make an operator call that has no body; raises like ``get``."""
        return self._ask("/api/v1", json.dumps({"type": kind}).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        asked = self.url
        url = asked + path
        for _ in range(MOST_REDIRECTS):
            request = urllib.request.Request(url, body, self._headers)  # noqa: S310  (http only, see __init__)
            if body is not None:
                request.add_header("Content-Type", "application/json")
            try:
                with _OPENER.open(request, timeout=TIMEOUT) as reply:
                    return json.loads(reply.read())
            except urllib.error.HTTPError as error:
                where = error.headers.get("Location")
                if error.code in (307, 308) and where:
                    url = "http:" + where if where.startswith("//") else where
                    continue
                raise _refusal(error) from None
            except (OSError, ValueError) as error:
                reason = getattr(error, "reason", error)
                raise ConnectionLost(f"no usable answer from {asked}: {reason}; is --master right?") from None
        raise ConnectionLost(f"{asked} sends from one master to the next: nobody leads")


class _Leader:
    """Follows whoever leads, for commands that ask more than once."""

    def __init__(self, master: str) -> None:
        """Begin to look. Raises ConfigurationError when the string makes no sense."""
        from messor.drivers.detection import MasterDetector  # an event loop in a thread: only who needs it waits

        self._master = master
        self._detector = MasterDetector.create(master)
        self._known: Any = None
        self._next = self._detector.detect()

    def url(self) -> str:
        """Give the leader's address, waiting until there is one; raises ConnectionLost when that takes too long."""
        deadline = time.monotonic() + TIMEOUT
        while self._known is None or self._next.done():
            try:
                self._known = self._next.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise ConnectionLost(f"nobody leads according to {self._master}; is --master right?") from None
            self._next = self._detector.detect(self._known)
        leader = parse_upid(self._known.pid)
        return f"http://{leader.ip}:{leader.port}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leave redirects to us: the master's have no scheme."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def _refusal(error: urllib.error.HTTPError) -> MesosError:
    text = error.read().decode(errors="replace").strip() or str(error)
    if error.code == 404:
        unknown = f"{error.url} does not exist: no Messor leads there, or its allocator is one that cannot be asked"
        return NotFound(text if not text.startswith("HTTP Error") else unknown)
    if 400 <= error.code < 500:
        return InvalidRequest(text)
    return ConnectionLost(f"{error.url} answered {error.code}: {text}")


def parser(program: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """Begin the options of a command that asks a master."""
    result = argparse.ArgumentParser(
        prog=f"messor {program}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_master(result, os.environ.get("MESOS_MASTER", DEFAULT_MASTER))
    return result


FORMS = "the master to ask: host:port, zk://hosts/path, a list a:5050,b:5050, or file:///path with one of them"


def add_master(options: argparse.ArgumentParser, default: str | None) -> None:
    """Add the options that say which master to ask, and as whom."""
    shown = f"default: MESOS_MASTER or {DEFAULT_MASTER}" if default is not None else "default: none is asked"
    options.add_argument("--master", default=default, metavar="ADDRESS", help=f"{FORMS} ({shown})")
    options.add_argument(
        "--credential", metavar="PRINCIPAL:SECRET", help="who asks, where the master wants to know (HTTP basic)"
    )


def run(program: str, command: Callable[[], int]) -> int:
    """Run a command; gives its exit status, or 2 with a sentence when it failed, 130 after Ctrl-C."""
    try:
        return command()
    except MesosError as error:
        print(f"messor {program}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that nothing complains at exit
        return 0


def say(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        print(line)  # noqa: T201


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns, separated by two spaces."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
