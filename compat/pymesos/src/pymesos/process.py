"""What all drivers with an event stream share: a thread that keeps it open, and one connection for calls."""

from __future__ import annotations

import inspect
import logging
import os
import random
import select
import time
from collections.abc import Callable
from threading import RLock, Thread, current_thread
from typing import Any
from urllib.parse import urlsplit

import orjson

from pymesos.connection import CallConnection, encode
from pymesos.stream import Broken, EventStream, Redirected
from pymesos.utils import DAY

logger = logging.getLogger(__name__)

FIRST_WAIT = 0.5
LONGEST_WAIT = 15.0
"""Seconds between two attempts to subscribe: doubled each time, and jittered."""

CONNECT_SECONDS = 10.0
SILENCE_FACTOR = 5
"""Heartbeats that may be missing before the stream counts as broken."""

TICK_MS = 1000
DEFAULT_PORT = 5050


class Process:
    """Keep an event stream to a master or agent open; subclasses say what to ask for and what to do with events."""

    def __init__(self, master: Any = None, timeout: float = DAY) -> None:
        """timeout: seconds of failing attempts in a row after which the driver gives up."""
        self._master: Any = None
        self._new_master = master
        self._started = False
        self._lock = RLock()
        self._wakeup_fds: tuple[int, int] | None = None
        self._io_thread: Thread | None = None
        self._stream_id: str | None = None
        self._timeout = timeout
        self._failure: BaseException | None = None
        self._is_open = self._was_connected = False
        """Whether the stream is open, and whether the last attempt got that far."""
        self._silence = 0.0
        """Seconds without any bytes after which the stream counts as broken; 0 for never."""

    # --- for everybody -----------------------------------------------------------------------------------------------

    @property
    def aborted(self) -> bool:
        """Whether the driver is not running: not started, stopped, aborted or failed."""
        return not self._started

    @property
    def master(self) -> Any:
        """host:port of whom it talks to, or None."""
        return self._master

    @property
    def stream_id(self) -> str | None:
        """The subscription's Mesos-Stream-Id; None while not subscribed."""
        return self._stream_id

    @stream_id.setter
    def stream_id(self, value: str | None) -> None:
        self._stream_id = value

    @property
    def connected(self) -> bool:
        """Whether it is subscribed."""
        return self._stream_id is not None

    def start(self) -> None:
        """Start the thread; a driver that ended may be started again."""
        with self._lock:
            if self._started:
                logger.warning("The driver runs already")
                return
        if self._io_thread is not None:
            self._io_thread.join()
        self._failure = None
        self._wakeup_fds = os.pipe()
        self._started = True
        self._io_thread = Thread(target=self._run, name="pymesos", daemon=True)
        self._io_thread.start()

    def stop(self) -> None:
        """End; does not wait: see join()."""
        self._started = False
        self._notify()

    def abort(self) -> None:
        """End without saying goodbye."""
        self.stop()

    def join(self) -> None:
        """Wait for the end; raises what ended the driver when it was neither stop nor abort."""
        thread = self._io_thread
        if thread is None or thread is current_thread():
            return
        # With a limit, because a wait without one cannot be interrupted with Ctrl-C on every platform.
        while thread.is_alive():
            thread.join(1.0)
        self._io_thread = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def run(self) -> None:
        """Start, then join."""
        self.start()
        self.join()

    def change_master(self, new_master: str | None) -> None:
        """Talk to another master, or to nobody for None."""
        with self._lock:
            self._new_master = new_master
        self._notify()

    # --- for subclasses ----------------------------------------------------------------------------------------------

    def gen_request(self) -> bytes:
        """Give the whole SUBSCRIBE request."""
        raise NotImplementedError

    def on_event(self, event: dict[str, Any]) -> None:
        """Handle an event."""
        raise NotImplementedError

    def on_close(self) -> None:
        """Handle the end of the stream."""

    def on_failed(self, failure: BaseException) -> None:
        """Handle what ended the driver; called before the connection is closed."""

    def _prepare(self, address: tuple[str, int]) -> None:
        """Do what must be done before a subscription."""

    def _shutdown(self) -> None:
        """Say goodbye, while still connected; not called after a failure."""

    def _flush(self) -> None:
        """Send what was put off while events were handled."""

    # --- the thread --------------------------------------------------------------------------------------------------

    def _notify(self) -> None:
        with self._lock:
            if self._wakeup_fds is not None:
                os.write(self._wakeup_fds[1], b"\0")

    def _run(self) -> None:
        stream: EventStream | None = None
        try:
            stream = self._live()
            self._shutdown()
        except Exception as failure:
            logger.exception("The driver failed and stops; the framework is kept")
            self._started = False
            self._failure = failure
            self._guard(self.on_failed, failure)
        finally:
            self._started = False
            if stream is not None:
                self._close(stream)
            with self._lock:
                assert self._wakeup_fds is not None
                for descriptor in self._wakeup_fds:
                    os.close(descriptor)
                self._wakeup_fds = None

    @staticmethod
    def _guard(call: Callable[..., object], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:
            logger.exception("Ending the driver: a callback raised")

    def _live(self) -> EventStream | None:
        """Subscribe again and again until the driver ends; gives the stream that is open then."""
        wait, deadline = FIRST_WAIT, time.monotonic() + self._timeout
        while self._started:
            if self._master != self._new_master:
                self._master = self._new_master
                wait, deadline = FIRST_WAIT, time.monotonic() + self._timeout
            if self._master is None:
                self._sleep(None)
                continue
            try:
                stream = self._attend()
            except Redirected as redirected:
                location = urlsplit(redirected.location).netloc or redirected.location
                logger.warning("Another master leads: %s", location)
                self.change_master(location)
            except Broken as broken:
                if self._was_connected:
                    wait, deadline = FIRST_WAIT, time.monotonic() + self._timeout
                if time.monotonic() > deadline:
                    message = f"No subscription at {self._master} within {self._timeout:g} seconds: {broken}"
                    raise TimeoutError(message) from broken
                logger.warning("Not subscribed at %s: %s", self._master, broken)
                self._sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                if stream is not None:
                    return stream
        return None

    def _attend(self) -> EventStream | None:
        """Hold one subscription; gives it still open when the driver ends, None when the master changed."""
        self._was_connected = False
        address = parse_address(self._master)
        try:
            self._prepare(address)
            stream = EventStream(address, self.gen_request(), self._opened, self._records)
        except OSError as error:
            raise Broken(f"{address[0]}:{address[1]}: {error}") from error
        try:
            self._follow(stream)
        except Broken:
            self._close(stream)
            raise
        except BaseException:
            self._started = False
            self._close(stream)
            raise
        if self._started:
            self._close(stream)
            return None
        return stream

    def _follow(self, stream: EventStream) -> None:
        assert self._wakeup_fds is not None
        wakeup, events = self._wakeup_fds[0], stream.fileno()
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        poll.register(events, select.POLLIN | select.POLLOUT)
        heard = time.monotonic()
        while self._started and self._master == self._new_master:
            ready = poll.poll(TICK_MS)
            for descriptor, what in ready:
                if descriptor == wakeup:
                    os.read(wakeup, 4096)
                elif stream.wants_to_write:
                    stream.write()
                    if not stream.wants_to_write:
                        poll.modify(events, select.POLLIN)
                elif what:
                    try:
                        stream.read()
                    finally:
                        self._flush()
                    heard = time.monotonic()
            if not ready:
                limit = self._silence if self._was_connected else CONNECT_SECONDS
                if limit and time.monotonic() - heard > limit:
                    raise Broken(f"nothing was heard for {limit:g} seconds")

    def _sleep(self, seconds: float | None) -> None:
        """Wait, or until somebody calls; None for no limit."""
        assert self._wakeup_fds is not None
        wakeup = self._wakeup_fds[0]
        if self._started and select.select([wakeup], [], [], seconds)[0]:
            os.read(wakeup, 4096)

    def _opened(self, headers: dict[str, str]) -> None:
        self._is_open = self._was_connected = True
        self._silence = 0.0
        self._stream_id = headers.get("mesos-stream-id", "")

    def _records(self, records: list[bytes]) -> None:
        """Handle what one read brought; many events are parsed as one list, which is cheaper than one by one."""
        for event in orjson.loads(b"[%b]" % b",".join(records)):
            if not self._started:
                return
            self.on_event(event)

    def _close(self, stream: EventStream) -> None:
        stream.close()
        was_open, self._is_open = self._is_open, False
        self._stream_id = None
        if not was_open:
            return
        if self._started:
            self.on_close()  # what it raises ends the driver
        else:
            self._guard(self.on_close)


class Caller:
    """Makes calls for a driver: JSON out, JSON back, RuntimeError for refusals."""

    _path = "/api/v1/scheduler"
    _http_timeout: float = 10.0
    _lock: Any
    _conn: CallConnection | None = None

    def _target(self) -> str | None:
        """host:port for calls, or None while there is none."""
        raise NotImplementedError

    def _extra_headers(self) -> dict[str, str]:
        return {}

    def _get_conn(self) -> CallConnection | None:
        target = self._target()
        if target is None:
            return None
        if self._conn is None:
            self._conn = CallConnection(*parse_address(target), self._http_timeout)
        return self._conn

    def _moved(self, location: str) -> bool:
        """Follow a redirect; tells whether to try again."""
        return False

    def _send(
        self, body: Any, path: str | None = None, method: str = "POST", headers: dict[str, str] | None = None
    ) -> Any:
        """Make a call and give its answer, {} for an empty one.

        A str or bytes body is sent as RecordIO. Raises RuntimeError when not connected or refused, OSError when the
        other end is gone.
        """
        sent = dict(headers or {})
        if isinstance(body, (str, bytes)):
            data = body.encode() if isinstance(body, str) else body
            if data:
                sent.update({"Content-Type": "application/recordio", "Message-Content-Type": "application/json"})
        else:
            data = encode(body)
            sent["Content-Type"] = "application/json"
        sent.update(self._extra_headers())
        with self._lock:
            while True:
                conn = self._get_conn()
                if conn is None:
                    raise RuntimeError("Not connected yet")
                try:
                    conn.request(method, path or self._path, body=data, headers=sent)
                    reply = conn.getresponse()
                except Exception:
                    self._close_calls()
                    raise
                if reply.status < 300 or reply.status > 399 or not self._moved(reply.getheader("location") or ""):
                    break
        answer = reply.read()
        if not 200 <= reply.status < 300:
            raise RuntimeError(f"The call was refused with {reply.status}: {answer!r}; it was {data[:2000]!r}")
        return _answer(answer)

    def _close_calls(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None


def _answer(text: bytes | str) -> Any:
    """Read JSON, or the records of a RecordIO answer as a list; {} for anything else."""
    if not text:
        return {}
    try:
        return orjson.loads(text)
    except ValueError:
        return _records(text) if isinstance(text, bytes) else {}


def _records(text: bytes) -> Any:
    found, rest = [], text
    while rest:
        length, newline, rest = rest.partition(b"\n")
        if not newline or not length.isdigit() or len(rest) < int(length):
            return {}
        try:
            found.append(orjson.loads(rest[: int(length)]))
        except ValueError:
            return {}
        rest = rest[int(length) :]
    return found


def subscribe_request(master: str, path: str, body: Any, headers: dict[str, str] | None = None) -> bytes:
    """Write the request that opens an event stream."""
    data = encode(body)
    head = {
        "Host": master,
        "Content-Type": "application/json",
        "Accept": "application/json",
        **(headers or {}),
        "Connection": "close",
        "Content-Length": str(len(data)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + data


def parse_address(text: str) -> tuple[str, int]:
    """Read host[:port]; raises ValueError."""
    host, colon, port = text.removeprefix("master@").rpartition(":")
    if not colon:
        host, port = port, str(DEFAULT_PORT)
    if not host or not port.isdigit():
        raise ValueError(f"Cannot read '{text}' as an address: expecting 'host:port'")
    return host, int(port)


def takes_driver(callback: Callable[..., object]) -> bool:
    """Whether a callback can be called with the driver: processHeartBeat could not before pymesos 0.3.11."""
    try:
        inspect.signature(callback).bind(None)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True
