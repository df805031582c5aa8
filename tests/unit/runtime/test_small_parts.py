"""Rate limits, chunked bodies, pipes, requests and log lines."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from messor.errors import ConfigurationError, InvalidRequest, RemoteProtocolError
from messor.runtime import logging as glog
from messor.runtime.http import Pipe, Request
from messor.runtime.rate_limits import RateLimit, parse_rate
from messor.runtime.request_bodies import ChunkedBody
from messor.runtime.request_heads import HeadCache, parse_head


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """Start at zero."""
        self.time = 0.0
        self.calls: list[tuple[float, Callable[..., object], tuple[object, ...]]] = []

    def monotonic(self) -> float:
        """Give the time."""
        return self.time

    now = monotonic

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> Clock:
        """Remember a call."""
        self.calls.append((self.time + seconds, call, arguments))
        return self

    def cancel(self) -> None:
        """Forget the last call."""
        self.calls.pop()

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        for entry in [entry for entry in self.calls if entry[0] <= self.time + 1e-9]:
            self.calls.remove(entry)
            entry[1](*entry[2])

    def promise(self) -> asyncio.Future[None]:
        """Make a future."""
        return asyncio.get_running_loop().create_future()


def test_a_rate_limit_spaces_permits_evenly() -> None:
    """The first is free, others wait in order; who gave up costs nothing."""

    async def test() -> None:
        clock = Clock()
        limit = RateLimit(clock, clock, 2, 1.0)  # type: ignore[arg-type]
        assert limit.acquire() is None
        second, third, fourth = limit.acquire(), limit.acquire(), limit.acquire()
        assert isinstance(second, asyncio.Future)
        assert isinstance(third, asyncio.Future)
        assert isinstance(fourth, asyncio.Future)
        third.cancel()
        clock.move(0.4)
        assert not second.done()
        clock.move(0.1)
        assert second.done()
        assert not fourth.done()
        clock.move(0.5)
        assert fourth.done()
        clock.move(0.5)
        assert limit.acquire() is None

    asyncio.run(test())


def test_rates_are_read_as_libprocess_writes_them() -> None:
    """Empty means unlimited, nonsense is refused."""
    assert parse_rate("2/1secs") == (2.0, 1.0)
    assert parse_rate("10/1mins") == (10.0, 60.0)
    assert parse_rate("") is None
    for text in ("2", "x/1secs", "2/x", "0/1secs", "-1/1secs"):
        with pytest.raises(ConfigurationError):
            parse_rate(text)


def test_a_chunked_body_is_the_same_however_it_is_cut() -> None:
    """Sizes, contents, trailers and what follows."""
    data = b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nNEXT"
    for cut in range(1, len(data)):
        body = ChunkedBody()
        position = 0
        pending = b""
        for piece in (data[:cut], data[cut:]):
            if body.is_complete:
                pending += piece
                continue
            position = body.feed(piece, 0)
            pending = piece[position:]
        assert b"".join(body.parts) == b"abc0123456789"
        assert body.is_complete
        assert pending == b"NEXT"


@pytest.mark.parametrize("data", [b"x\r\n", b"-1\r\n", b"1_0\r\n", b"\r\n", b"1\r\nabc\r\n", b"f" * 5000])
def test_broken_chunks_are_refused(data: bytes) -> None:
    """Sizes that are none, contents that are too long, lines without end."""
    with pytest.raises(RemoteProtocolError):
        ChunkedBody().feed(data, 0)


def test_heads_are_parsed_once() -> None:
    """The same bytes give the same object; the memory is bounded."""
    cache = HeadCache()
    raw = b"GET /a/b?x=1#f HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n"
    head = cache.learn(raw)
    assert cache.known[raw] is head
    assert (head.path, head.query_text, head.headers["a"]) == ("/a/b", "x=1", "1, 2")
    cache.learn(b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\n\r\n")
    assert len(cache.known) == 1
    for number in range(5000):
        cache.learn(b"GET /%d HTTP/1.1\r\n\r\n" % number)
    assert len(cache.known) <= 4096


def test_a_message_is_recognised_by_its_head() -> None:
    """Only a POST with one of the two sender headers."""
    lines = b" /slave(1)/mesos.X HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:1\r\n\r\n"
    message, ordinary = parse_head(b"POST" + lines), parse_head(b"GET" + lines)
    assert (str(message.sender), message.receiver, message.name) == ("x@127.0.0.1:1", "slave(1)", "mesos.X")
    assert message.is_plain_message
    assert ordinary.sender is None
    assert not ordinary.is_plain_message


def test_queries_are_decoded() -> None:
    """Plus signs, percent signs, empty parts, semicolons; a second equal sign belongs to the value."""
    request = Request("GET", "/", {}, b"", "a=b+c&d=%2F;e&&f=g=h")
    assert request.query == {"a": "b c", "d": "/", "e": "", "f": "g=h"}


class Sink:
    """Remembers what a pipe sends."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.chunks: list[bytes] = []
        self.ended = 0

    def write_chunk(self, data: bytes) -> None:
        """Remember."""
        self.chunks.append(data)

    def end(self) -> None:
        """Count."""
        self.ended += 1


def test_a_pipe_keeps_what_was_written_early() -> None:
    """Attaching hands it over, the end included; later writes go nowhere."""
    pipe, sink = Pipe(), Sink()
    pipe.write(b"a")
    pipe.close()
    pipe.write(b"b")
    pipe.attach(sink)
    pipe.close()
    assert (sink.chunks, sink.ended, pipe.is_open) == ([b"a"], 1, False)


def test_a_pipe_tells_once_that_its_reader_left() -> None:
    """Not after it was closed from this side."""
    left: list[int] = []
    pipe = Pipe(lambda: left.append(1))
    pipe.reader_gone()
    pipe.reader_gone()
    closed = Pipe(lambda: left.append(2))
    closed.close()
    closed.reader_gone()
    assert left == [1]


@pytest.fixture
def root() -> object:
    """Restore the root logger after a test."""
    logger = logging.getLogger()
    level, handlers = logger.level, list(logger.handlers)
    flags = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    yield logger
    for handler in [one for one in logger.handlers if one not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = flags


def test_log_lines_look_like_glog(root: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Severity, date, thread, place; files per severity with links; stderr as well."""
    logs = glog.configure("mesos-master", log_dir=str(tmp_path), environ={})
    logging.getLogger("x").info("one %d", 1)
    logging.getLogger("x").warning("two")
    logging.getLogger("x").debug("never")
    line = re.compile(r"^[IW]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ test_small_parts\.py:\d+\] (one 1|two)$")
    err = capsys.readouterr().err.splitlines()
    assert [bool(line.match(text)) for text in err] == [True, True]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in names if name.count(".") == 1] == ["mesos-master.INFO", "mesos-master.WARNING"]
    info = (tmp_path / "mesos-master.INFO").read_text().splitlines()
    assert info[0].startswith("Log file created at: ")
    assert info[3:] == err
    assert (tmp_path / "mesos-master.WARNING").read_text().splitlines()[3:] == err[1:]
    assert logs.path is not None
    assert re.fullmatch(r"mesos-master\.[^.]+\.[^.]+\.log\.INFO\.\d{8}-\d{6}\.\d+", Path(logs.path).name)


def test_quiet_and_glog_variables_silence(
    root: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--quiet keeps stderr empty, GLOG_minloglevel drops lines, --logging_level must be a level."""
    glog.configure("p", quiet=True, environ={})
    logging.getLogger("x").error("unseen")
    assert capsys.readouterr().err == ""
    glog.configure("p", environ={"GLOG_minloglevel": "2"})
    logging.getLogger("x").warning("unseen")
    logging.getLogger("x").error("seen")
    assert capsys.readouterr().err.endswith("] seen\n")
    with pytest.raises(ConfigurationError, match="'LOUD' is not a valid logging level"):
        glog.configure("p", level="LOUD", environ={})
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Could not create logging file"):
        glog.configure("p", log_dir=str(tmp_path / "file"), environ={})


def test_verbosity_reverts_after_a_while(root: logging.Logger) -> None:
    """Raised for some seconds; below the original level is refused."""
    clock = Clock()
    verbosity = glog.Verbosity()
    verbosity.configure(logging.INFO, 1)
    verbosity.set_for(3, 10.0, clock)  # type: ignore[arg-type]
    assert verbosity.level == 3
    assert root.level == logging.DEBUG
    clock.move(10.0)
    assert verbosity.level == 1
    with pytest.raises(InvalidRequest, match="'0' < original level"):
        verbosity.set_for(0, 1.0, clock)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="Invalid level '-1'"):
        verbosity.set_for(-1, 1.0, clock)  # type: ignore[arg-type]
