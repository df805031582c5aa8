"""libprocess messages as the C++ sends them: encoder, receiving endpoint, sending link."""

import asyncio
from urllib.parse import unquote_to_bytes


def encode(to, name, sender, body):
    """`to` is a process id, `sender` a whole UPID (bytes)."""
    head = (
        b"POST /"
        + to
        + b"/"
        + name
        + b" HTTP/1.1\r\nUser-Agent: libprocess/"
        + sender
        + b"\r\nLibprocess-From: "
        + sender
        + b"\r\nConnection: Keep-Alive\r\nHost: \r\n"
    )
    if not body:
        return head + b"\r\n"
    return b"".join((head, b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n"))


class Inbound(asyncio.Protocol):
    """One accepted connection: hands (receiver id, message name, sender UPID, body) to the endpoint, answers 202."""

    def __init__(self, endpoint):
        self.ep, self.buf = endpoint, b""

    def connection_made(self, transport):
        self.transport = transport
        self.ep.accepted.add(transport)

    def connection_lost(self, exc):
        self.ep.accepted.discard(self.transport)

    def data_received(self, data):
        buf = self.buf + data if self.buf else data
        pos = n = 0
        ep = self.ep
        while True:
            e = buf.find(b"\r\n\r\n", pos)
            if e < 0:
                break
            head = buf[pos:e]
            start = e + 4
            low = head.lower()
            if b"chunked" in low:
                body, start = _chunks(buf, start)
                if start < 0:
                    break
            else:
                i = low.find(b"content-length:")
                if i >= 0:
                    j = low.find(b"\r", i)
                    size = int(low[i + 15 : j if j > 0 else None])
                    if len(buf) < start + size:
                        break
                    body = buf[start : start + size]
                    start += size
                else:
                    body = b""
            path = head[head.index(b" ") + 2 : head.index(b" HTTP/")]
            to, _, name = path.rpartition(b"/")
            if b"%" in to:
                to = unquote_to_bytes(to)
            i = low.find(b"libprocess/")
            j = head.find(b"\r", i)
            sender = head[i + 11 : j if j > 0 else None] if i >= 0 else b""
            pos = start
            n += 1
            ep.on_message(to, name, sender, body)
        self.buf = buf[pos:]
        if n:
            self.transport.write(ep.REPLY * n)
            ep.flush()


def _chunks(buf, pos):
    parts = []
    while True:
        nl = buf.find(b"\r\n", pos)
        if nl < 0:
            return b"", -1
        size = int(buf[pos:nl], 16)
        end = nl + 2 + size
        if len(buf) < end + 2:
            return b"", -1
        if size == 0:
            return (parts[0] if len(parts) == 1 else b"".join(parts)), end + 2
        parts.append(buf[nl + 2 : end])
        pos = end + 2


class Link(asyncio.Protocol):
    """Outgoing connection; answers are read and thrown away."""

    def __init__(self):
        self.bytes_in = 0
        self.closed = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.bytes_in += len(data)

    def connection_lost(self, exc):
        self.closed = True


class Endpoint:
    """One ip:port hosting any number of processes, with one outgoing link to the master."""

    REPLY = b"HTTP/1.1 202 Accepted\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"

    def __init__(self, handler, port, host="127.0.0.1"):
        self.handler, self.host, self.port = handler, host, port
        self.accepted, self.out = set(), []
        self.link = None
        self.addr = f"{host}:{port}".encode()

    async def start(self):
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Inbound(self), self.host, self.port, backlog=4096, reuse_address=True
        )

    async def connect(self, host, port):
        _t, self.link = await asyncio.get_running_loop().create_connection(Link, host, port)

    def on_message(self, to, name, sender, body):
        self.handler(self, to, name, sender, body)

    def send(self, to, name, sender_id, body):
        self.out.append(encode(to, name, sender_id + b"@" + self.addr, body))

    def flush(self):
        if self.out and self.link is not None:
            self.link.transport.write(b"".join(self.out))
            self.out = []

    async def stop(self):
        self.server.close()
        for t in list(self.accepted):
            t.abort()
        if self.link is not None:
            self.link.transport.abort()
        await asyncio.sleep(0)
