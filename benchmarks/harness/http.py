"""Minimal pipelining HTTP/1.1 client on httptools, and the v1 event stream (RecordIO over chunks)."""

import asyncio
import json

import httptools


class Conn(asyncio.Protocol):
    """Pipelined requests; each answer goes to `on_reply(status, body)` or to the oldest waiting future."""

    def __init__(self, keep=True):
        self.keep, self.waiting, self.nbytes, self.parts = keep, [], 0, []
        self.on_reply = None
        self.statuses = {}
        self.headers = {}
        self.closed = False
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_begin(self):
        self.headers = {}

    def on_header(self, name, value):
        self.headers[name.lower()] = value

    def on_body(self, data):
        self.nbytes += len(data)
        if self.keep:
            self.parts.append(data)

    def on_message_complete(self):
        st = self.parser.get_status_code()
        self.statuses[st] = self.statuses.get(st, 0) + 1
        if self.on_reply is not None:
            self.on_reply(st, self.parts)
            self.parts, self.nbytes = [], 0
            return
        body, n = (b"".join(self.parts) if self.keep else b""), self.nbytes
        self.parts, self.nbytes = [], 0
        if self.waiting:
            f = self.waiting.pop(0)
            if not f.done():
                f.set_result((st, body, n))

    def connection_lost(self, exc):
        self.closed = True
        for f in self.waiting:
            if not f.done():
                f.set_exception(ConnectionError("closed"))
        self.waiting = []

    def send(self, raw):
        self.transport.write(raw)

    def request(self, raw):
        f = asyncio.get_running_loop().create_future()
        self.waiting.append(f)
        self.transport.write(raw)
        return f

    def close(self):
        self.transport.close()


async def connect(host, port, keep=True):
    _t, p = await asyncio.get_running_loop().create_connection(lambda: Conn(keep), host, port)
    return p


def get(path, headers=""):
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()


def post(path, body, ctype="application/json", accept="application/json", headers=""):
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {ctype}\r\nAccept: {accept}\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


async def fetch(host, port, raw, timeout=10):
    c = await connect(host, port)
    try:
        return await asyncio.wait_for(c.request(raw), timeout)
    finally:
        c.close()


async def fetch_json(host, port, path):
    st, body, _n = await fetch(host, port, get(path))
    return json.loads(body) if st == 200 else None


async def wait_ready(host, port, timeout=60, alive=None):
    """Until the master leads and has recovered its registry (the operator API answers 200)."""
    raw = post("/api/v1", b'{"type":"GET_HEALTH"}')
    text = f"master {host}:{port} not ready"
    await _poll(lambda: fetch(host, port, raw), lambda r: r[0] == 200, timeout, text, alive=alive)


async def wait_agent(host, port, timeout=60, alive=None):
    """Until the master has an active agent; polls /slaves, since C++ answers /metrics/snapshot twice a second only."""
    await _poll(
        lambda: fetch_json(host, port, "/slaves"),
        lambda r: r and any(s["active"] for s in r["slaves"]),
        timeout,
        "no active agent",
        0.01,
        alive,
    )


async def wait_executors(host, port, n, timeout=60):
    """Until the agent has recovered (its /state answers) and lists n executors."""
    await _poll(
        lambda: fetch_json(host, port, "/state"),
        lambda r: r and sum(len(f["executors"]) for f in r["frameworks"]) >= n,
        timeout,
        "executors",
        0.05,
    )


async def _poll(make, ok, timeout, text, step=0.005, alive=None):
    """Ask until the answer is right; alive tells whether there is still somebody to wait for."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while True:
        try:
            r = await make()
            if ok(r):
                return r
        except (TimeoutError, OSError):
            pass
        if alive is not None and not alive():
            raise RuntimeError(f"{text}: it has ended")
        if loop.time() > end:
            raise TimeoutError(text)
        await asyncio.sleep(step)


class Stream(asyncio.Protocol):
    """POST that is answered by an endless RecordIO stream; `on_record(bytes)` per event."""

    def __init__(self, raw, on_record, on_open=None, after=None):
        self.raw, self.on_record, self.buf = raw, on_record, b""
        self.headers = {}
        self.ready = asyncio.get_running_loop().create_future()
        self.on_open = on_open
        self.after = after  # called once per read, after all records of it
        self.closed = False
        self.err = b""

    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)
        transport.write(self.raw)

    def data_received(self, data):
        self.parser.feed_data(data)
        if self.after is not None:
            self.after()

    def on_header(self, name, value):
        self.headers[name.lower()] = value

    def on_headers_complete(self):
        self.status = self.parser.get_status_code()
        if self.status == 200 and not self.ready.done():
            if self.on_open is not None:
                self.on_open(self.headers)
            self.ready.set_result(self.headers)

    def on_body(self, data):
        if self.status != 200:
            self.err += data
            return
        buf = self.buf + data if self.buf else data
        pos, n = 0, len(buf)
        while pos < n:
            nl = buf.find(b"\n", pos, pos + 24)
            if nl < 0:
                break
            end = nl + 1 + int(buf[pos:nl])
            if end > n:
                break
            self.on_record(buf[nl + 1 : end])
            pos = end
        self.buf = buf[pos:]

    def on_message_complete(self):
        if not self.ready.done():
            self.ready.set_exception(RuntimeError(f"{self.status} {self.err!r}"))

    def connection_lost(self, exc):
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("stream refused"))

    def close(self):
        self.transport.close()


async def open_stream(host, port, raw, on_record, on_open=None, after=None):
    _t, p = await asyncio.get_running_loop().create_connection(
        lambda: Stream(raw, on_record, on_open, after), host, port
    )
    await asyncio.wait_for(p.ready, 30)
    return p
