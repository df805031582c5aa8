"""Asking a starting daemon whether it is up: the smallest HTTP client, so that starting stays fast."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from messor.errors import ConfigurationError, ConnectionLost

TIMEOUT = 30.0
"""Seconds to wait for an answer once connected."""


def get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """GET a path and give status and body; raises ConnectionLost when nobody answers."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode()
    try:
        with socket.create_connection((host, port), TIMEOUT) as connection:
            connection.sendall(request)
            pieces = []
            while piece := connection.recv(65536):
                pieces.append(piece)
    except OSError as error:
        raise ConnectionLost(f"no answer from {host}:{port}: {error}") from error
    head, separator, body = b"".join(pieces).partition(b"\r\n\r\n")
    if not separator:
        raise ConnectionLost(f"{host}:{port} closed the connection without an answer")
    return int(head.split(b" ", 2)[1]), body


def get_json(host: str, port: int, path: str) -> Any:
    """GET a path and decode its JSON; raises ConnectionLost when the answer is not 200."""
    status, body = get(host, port, path)
    if status != 200:
        raise ConnectionLost(f"{host}:{port}{path} answered {status}: {body[:200].decode(errors='replace')}")
    return json.loads(body)


def require_free(port: int, host: str = "127.0.0.1") -> None:
    """Raise ConfigurationError when somebody listens on a port already.

    Asked before anything starts: else that somebody's answers could be taken for those of our own daemon.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(f"Failed to bind on {host}:{port}: {os.strerror(error.errno or 0)}") from error


def free_port(host: str = "127.0.0.1") -> int:
    """Find a TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
