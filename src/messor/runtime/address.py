"""Where a process listens and what address it tells others: flags and LIBPROCESS_* variables."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from messor.errors import ConfigurationError

ANY = "0.0.0.0"  # noqa: S104  (what operators write for "all interfaces")

BACKLOG = 4096


class Address(NamedTuple):
    """The IPv4 address and port to listen on, and those that go into UPIDs."""

    ip: str
    port: int
    advertise_ip: str | None = None
    advertise_port: int | None = None
    verify_peer: bool = False
    """LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH."""


def choose_address(
    environ: Mapping[str, str],
    *,
    ip: str | None = None,
    port: int | None = None,
    advertise_ip: str | None = None,
    advertise_port: int | None = None,
) -> Address:
    """Combine flags, which win, with LIBPROCESS_IP, _PORT, _ADVERTISE_IP, _ADVERTISE_PORT.

    Raises ConfigurationError for what is no IPv4 address or port.
    """
    chosen = Address(
        ip or environ.get("LIBPROCESS_IP", ANY),
        port if port is not None else _port(environ, "LIBPROCESS_PORT") or 0,
        advertise_ip or environ.get("LIBPROCESS_ADVERTISE_IP"),
        advertise_port if advertise_port is not None else _port(environ, "LIBPROCESS_ADVERTISE_PORT"),
        environ.get("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH", "").lower() in ("true", "1"),
    )
    for name, value in (("ip", chosen.ip), ("advertise_ip", chosen.advertise_ip)):
        if value is not None:
            try:
                socket.inet_aton(value)
            except OSError:
                text = f"Failed to load value '{value}': Failed to parse IP as either IPv4 or IPv6:{value}"
                variable = f"LIBPROCESS_{name.upper()}"
                origin = f" ({variable} in the environment)" if value and environ.get(variable) == value else ""
                raise ConfigurationError(f"Failed to load flag '{name}': {text}{origin}") from None
    return chosen


def listen(address: Address) -> socket.socket:
    """Open the listening socket; raises ConfigurationError with one line when that is impossible."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.ip, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"Failed to bind on {address.ip}:{address.port}: {reason}") from error
    listener.setblocking(False)
    return listener


def advertised(address: Address, listener: socket.socket) -> tuple[str, int]:
    """Find the ip and port for our UPIDs; listening everywhere, the host's name is resolved (protocols a.4)."""
    ip, port = listener.getsockname()[:2]
    if address.advertise_ip is not None:
        ip = address.advertise_ip
    elif ip == ANY:
        try:
            ip = socket.gethostbyname(socket.gethostname())
        except OSError as error:
            raise ConfigurationError(
                f"Failed to obtain the IP address for '{socket.gethostname()}'; set --ip or LIBPROCESS_IP: {error}"
            ) from error
    return ip, address.advertise_port if address.advertise_port is not None else port


def host_name(ip: str) -> str:
    """Find the name of the host with that IP; the IP itself when it has none."""
    try:
        name = socket.getnameinfo((ip, 0), 0)[0]
    except OSError:
        return ip
    return name


def _port(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ConfigurationError(f"LIBPROCESS environment: {name}='{text}' is not a valid port")
    return int(text)
