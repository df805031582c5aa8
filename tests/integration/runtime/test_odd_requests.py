"""What the front door answers to raw requests, good and odd; the expectations were recorded from a real Mesos."""

from __future__ import annotations

import asyncio
import contextlib
import gzip

import pytest

from integration.runtime.talking import FROM, World, run, undated

REST = b"Connection: Keep-Alive\r\nHost: \r\n"
BODY = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
JSON = b"Host: a\r\nContent-Type: application/json\r\n"

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n\r\n404 Not Found."
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
UNDECODABLE = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 21\r\n\r\nfailed to decode body"
)
ECHO = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"type":"GET_HEALTH"}'
GET_HEALTH = b'{"type":"GET_HEALTH"}'
ZIPPED = gzip.compress(GET_HEALTH)

OPEN, CLOSED = True, False

REQUESTS = {
    "message, no body": (
        b"POST /master/mesos.internal.PongSlaveMessage HTTP/1.1\r\n" + FROM + REST + b"\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message, unknown name": (b"POST /master/foo.Bar HTTP/1.1\r\n" + FROM + REST + BODY, ACCEPTED, OPEN),
    "message, unknown actor": (b"POST /nosuch/foo.Bar HTTP/1.1\r\n" + FROM + REST + BODY, NOT_FOUND, OPEN),
    "message, name only": (b"POST /foo.Bar HTTP/1.1\r\n" + FROM + REST + b"\r\n", NOT_FOUND, OPEN),
    "message to the root": (b"POST / HTTP/1.1\r\n" + FROM + REST + b"\r\n", NOT_FOUND, OPEN),
    "message, path without slash": (b"POST master/foo.Bar HTTP/1.1\r\n" + FROM + REST + b"\r\n", b"", CLOSED),
    "message, user agent only": (
        b"POST /master/foo.Bar HTTP/1.1\r\nUser-Agent: libprocess/x@127.0.0.1:16890\r\nHost: \r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message, from only": (
        b"POST /master/foo.Bar HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:16890\r\nHost: \r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message, sender unreadable": (
        b"POST /master/foo.Bar HTTP/1.1\r\nUser-Agent: libprocess/garbage\r\nHost: \r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message, from unreadable": (
        b"POST /master/foo.Bar HTTP/1.1\r\nLibprocess-From: garbage\r\nHost: \r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message, sender empty": (
        b"POST /master/foo.Bar HTTP/1.1\r\nUser-Agent: libprocess/\r\nHost: \r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message with GET": (b"GET /master/foo.Bar HTTP/1.1\r\n" + FROM + REST + b"\r\n", NOT_FOUND, OPEN),
    "message with a length": (
        b"POST /master/foo.Bar HTTP/1.1\r\n" + FROM + REST + b"Content-Length: 3\r\n\r\nabc",
        ACCEPTED,
        OPEN,
    ),
    "message in two chunks": (
        b"POST /master/foo.Bar HTTP/1.1\r\n"
        + FROM
        + REST
        + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "actor's id encoded": (b"POST /slave%281%29/foo.Bar HTTP/1.1\r\n" + FROM + REST + b"\r\n", ACCEPTED, OPEN),
    "actor's id with brackets": (b"POST /slave(1)/foo.Bar HTTP/1.1\r\n" + FROM + REST + b"\r\n", ACCEPTED, OPEN),
    "three messages at once": (
        b"POST /master/a.B HTTP/1.1\r\n"
        + FROM
        + REST
        + b"\r\nPOST /nosuch/a.B HTTP/1.1\r\n"
        + FROM
        + REST
        + b"\r\nPOST /master/a.C HTTP/1.1\r\n"
        + FROM
        + REST
        + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
        ACCEPTED + NOT_FOUND + ACCEPTED,
        OPEN,
    ),
    "message, then GET": (
        b"POST /master/a.B HTTP/1.1\r\n" + FROM + REST + b"\r\nGET /master/health HTTP/1.1\r\nHost: a\r\n\r\n",
        ACCEPTED + OK,
        OPEN,
    ),
    "sender with another ip": (
        b"POST /master/foo.Bar HTTP/1.1\r\nUser-Agent: libprocess/x@10.1.2.3:99\r\nHost: \r\n\r\n",
        ACCEPTED,
        OPEN,
    ),
    "message, close": (
        b"POST /master/foo.Bar HTTP/1.1\r\n" + FROM + b"Connection: close\r\nHost: \r\n\r\n",
        ACCEPTED,
        CLOSED,
    ),
    "GET, close": (b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", OK, CLOSED),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", OK, CLOSED),
    "HTTP/1.0 keep-alive": (b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OK, OPEN),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", OK, OPEN),
    "absolute uri": (b"GET http://127.0.0.1:16800/health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "garbage": (b"GARBAGE\r\n\r\n", b"", CLOSED),
    "binary garbage": (b"\x16\x03\x01\x02\x00\x01\x00", b"", CLOSED),
    "bare newlines": (b"GET /health HTTP/1.1\nHost: a\n\n", OK, OPEN),
    "HTTP/2.0": (b"GET /health HTTP/2.0\r\nHost: a\r\n\r\n", OK, CLOSED),
    "unknown method": (b"FOO /health HTTP/1.1\r\nHost: a\r\n\r\n", b"", CLOSED),
    "PATCH": (b"PATCH /health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "POST without body": (b"POST /health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "HEAD": (b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "DELETE": (b"DELETE /health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "trailing slash": (b"GET /health/ HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "double slash": (b"GET //health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "double slash inside": (b"GET /master//health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "dot dot": (b"GET /master/../health HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "encoded dots": (b"GET /master/%2e%2e/health HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "encoded letter": (b"GET /m%61ster/health HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "bad percent": (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "upper case": (b"GET /MASTER/health HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "query without value": (b"GET /health?a HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "empty query parts": (b"GET /health?&& HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "query with two equal signs": (b"GET /health?a=b=c HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "query with bad percent": (b"GET /health?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", b"", CLOSED),
    "fragment": (b"GET /health#x HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "long path": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "header of 20000 bytes": (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000 + b"\r\n\r\n", OK, OPEN),
    "header of 100000 bytes": (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100000 + b"\r\n\r\n", b"", CLOSED),
    "folded header": (b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", OK, OPEN),
    "header without colon": (b"GET /health HTTP/1.1\r\nHost: a\r\njunk\r\n\r\n", b"", CLOSED),
    "chunked": (
        b"POST /echo HTTP/1.1\r\n"
        + JSON
        + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"typ\r\n10\r\ne":"GET_HEALTH"}\r\n0\r\n\r\n',
        ECHO,
        OPEN,
    ),
    "chunk with extension and trailer": (
        b"POST /echo HTTP/1.1\r\n"
        + JSON
        + b'Transfer-Encoding: chunked\r\n\r\n15;x=y\r\n{"type":"GET_HEALTH"}\r\n0\r\nT: v\r\n\r\n',
        UNDECODABLE,
        OPEN,
    ),
    "one chunk": (
        b"POST /echo HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n15\r\n" + GET_HEALTH + b"\r\n0\r\n\r\n",
        ECHO,
        OPEN,
    ),
    "gzipped body": (
        b"POST /echo HTTP/1.1\r\n"
        + JSON
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
        + ZIPPED,
        ECHO,
        OPEN,
    ),
    "gzip promised, plain given": (
        b"POST /echo HTTP/1.1\r\n" + JSON + b"Content-Encoding: gzip\r\nContent-Length: 21\r\n\r\n" + GET_HEALTH,
        UNDECODABLE,
        OPEN,
    ),
    "deflate promised": (
        b"POST /echo HTTP/1.1\r\n" + JSON + b"Content-Encoding: deflate\r\nContent-Length: 21\r\n\r\n" + GET_HEALTH,
        ECHO,
        OPEN,
    ),
    "Expect": (
        b"POST /echo HTTP/1.1\r\n" + JSON + b"Expect: 100-continue\r\nContent-Length: 21\r\n\r\n" + GET_HEALTH,
        ECHO,
        OPEN,
    ),
    "bad length": (b"POST /echo HTTP/1.1\r\n" + JSON + b"Content-Length: abc\r\n\r\n" + GET_HEALTH, b"", CLOSED),
    "length and chunked": (
        b"POST /echo HTTP/1.1\r\n"
        + JSON
        + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n"
        + GET_HEALTH
        + b"\r\n0\r\n\r\n",
        b"",
        CLOSED,
    ),
    "two lengths": (
        b"POST /echo HTTP/1.1\r\n" + JSON + b"Content-Length: 21\r\nContent-Length: 21\r\n\r\n" + GET_HEALTH,
        b"",
        CLOSED,
    ),
    "bad chunk size": (
        b"POST /echo HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        b"",
        CLOSED,
    ),
    "static route with a tail": (b"GET /health/x HTTP/1.1\r\nHost: a\r\n\r\n", OK, OPEN),
    "root of another actor with a tail": (b"GET /version/x HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "actor without a root": (b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "one more slash": (b"GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", NOT_FOUND, OPEN),
    "wrong method": (
        b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        (
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 72\r\n\r\n"
            b"405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."
        ),
        OPEN,
    ),
}


def sorted_head(reply: bytes) -> list[bytes]:
    """Take a reply apart where the order of headers does not matter."""
    return [b"\n".join(sorted(part.split(b"\r\n"))) for part in undated(reply).split(b"\r\n\r\n")]


@pytest.mark.parametrize("split", [0, 1, 7], ids=["whole", "byte by byte", "in pieces of seven"])
@pytest.mark.parametrize("title", REQUESTS)
def test_request_is_answered_as_recorded(title: str, split: int) -> None:
    """Every recorded request gets its reply, however its bytes are cut, and the connection ends or stays."""
    request, expected, stays_open = REQUESTS[title]
    if split == 1 and len(request) > 1000:
        split = 1000

    async def test(world: World) -> None:
        node = await world.node()
        await world.talker("master", node)
        await world.talker("slave(1)", node)
        node.directory.delegate = "master"
        raw = await world.open(node)
        if split:
            for start in range(0, len(request), split):
                raw.send(request[start : start + split])
                with contextlib.suppress(ConnectionError):  # closed already: that is what some requests deserve
                    await raw.writer.drain()
                await node.tasks.sleep(0)
        else:
            raw.send(request)
        answer = b""
        while len(undated(answer)) < len(expected):
            piece = await asyncio.wait_for(raw.reader.read(65536), 60)
            if not piece:
                break
            answer += piece
        assert sorted_head(answer) == sorted_head(expected)
        assert await raw.is_open() == stays_open

    run(test, fast=split == 0)
