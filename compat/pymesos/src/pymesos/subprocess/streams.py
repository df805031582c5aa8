"""The three streams of a remote command: an agent connects back, and threads carry bytes both ways."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from threading import Lock, Thread

log = logging.getLogger(__name__)

CHUNK = 64 * 1024


class Streams:
    """Three ports for one command, each for one connection, and what is on this side of them."""

    def __init__(self, stdin: int, stdout: int, stderr: int, ended: Callable[[], object]) -> None:
        """Take file descriptors, which are closed at the end; ended is called when all output has arrived."""
        self._ended = ended
        self._lock = Lock()
        self._open = 2
        self._is_closed = False
        self._sockets = [socket.create_server(("0.0.0.0", 0), backlog=1) for _ in range(3)]  # noqa: S104  (agents connect)
        self.ports = [one.getsockname()[1] for one in self._sockets]
        self._start(self._feed, 0, stdin)
        self._start(self._drain, 1, stdout)
        self._start(self._drain, 2, stderr)

    def _start(self, carry: Callable[[int, int], None], number: int, descriptor: int) -> None:
        Thread(target=carry, args=(number, descriptor), name=f"pymesos-stream-{number}", daemon=True).start()

    def close(self) -> None:
        """Give up: the command never started, or was lost."""
        with self._lock:
            self._is_closed = True
            sockets = list(self._sockets)
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)  # wakes who accepts or reads
            except OSError:
                one.close()

    def _accept(self, number: int) -> socket.socket | None:
        listener = self._sockets[number]
        try:
            connection, _ = listener.accept()
        except OSError:
            return None
        finally:
            listener.close()
        with self._lock:
            self._sockets[number] = connection
            if self._is_closed:
                connection.close()
                return None
        return connection

    def _feed(self, number: int, descriptor: int) -> None:
        """Carry this side's input to the command."""
        connection = self._accept(number)
        try:
            while connection is not None and (data := os.read(descriptor, CHUNK)):
                connection.sendall(data)
        except OSError as error:
            log.debug("The command takes no more input: %s", error)
        finally:
            os.close(descriptor)
            if connection is not None:
                connection.close()

    def _drain(self, number: int, descriptor: int) -> None:
        """Carry the command's output to this side."""
        connection = self._accept(number)
        try:
            while connection is not None and (data := connection.recv(CHUNK)):
                while data:
                    data = data[os.write(descriptor, data) :]
        except OSError as error:
            log.debug("The command's output has no reader: %s", error)
        finally:
            os.close(descriptor)
            if connection is not None:
                connection.close()
            with self._lock:
                self._open -= 1
                is_last = self._open == 0
            if is_last:
                self._ended()
