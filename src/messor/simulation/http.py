"""HTTP between simulated processes: Request and Response objects handed over, with the network's delays and breaks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from messor.errors import ConnectionLost
from messor.runtime.host import Reply
from messor.runtime.http import Pipe, Request, Response

if TYPE_CHECKING:
    from messor.simulation.host import SimulatedHost
    from messor.simulation.network import Address, Network


class Exchange:
    """One request and its reply. The client's half lives in the calling process, the server's half in the other."""

    def __init__(self, connection: ClientConnection, request: Request, *, streaming: bool) -> None:
        """Start it on its way."""
        self.connection = connection
        self.network = connection.network
        self.client = connection.host
        self.target = connection.target
        self.request = request
        self.streaming = streaming
        self.server: SimulatedHost | None = None
        self.pipe: Pipe | None = None
        self.head: asyncio.Future[Response] = self.network.loop.create_future()
        self.chunks: deque[bytes] = deque()
        self.ended = False
        """No more chunks will come."""
        self.error: ConnectionLost | None = None
        self._arrived: asyncio.Future[None] | None = None
        self.network.exchanges[self] = None
        self.network.carry(self.client.address, self.target, self._reached_server)
        if self.network.is_cut(self.client.address, self.target):
            self.network.loop.call_later(self.network.connect_timeout, self._unanswered)

    # --- server's half ------------------------------------------------------------------------------------------------

    def _reached_server(self) -> None:
        if self.error is not None or self.network.is_severed(self.client.address, self.target):
            return
        server = self.network.processes.get(self.target)
        if server is None:
            self._to_client(self._failed, f"connection to {self.target[0]}:{self.target[1]} refused")
            return
        self.server = server
        self._record("request", self.client.name, server.name, f"{self.request.method} {self.request.path}")
        if not self.streaming and self.network.repeats():
            first = server.directory.answer(self.request)
            if not isinstance(first, Response):
                server.tasks.spawn(_ignored(first), "answer nobody reads")
        answer = server.directory.answer(self.request)
        if isinstance(answer, Response):
            self._answered(server, answer)
        else:
            server.tasks.spawn(self._serve(server, answer), f"{self.request.method} {self.request.path}")

    async def _serve(self, server: SimulatedHost, answer: Awaitable[Response]) -> None:
        self._answered(server, await answer)

    def _answered(self, server: SimulatedHost, response: Response) -> None:
        server.after_event()
        if not server.is_alive:
            return
        if isinstance(response.body, Pipe):
            self.pipe = response.body
            if self.error is not None:
                response.body.reader_gone()
                return
        self._to_client(self._head_arrived, response)
        if self.pipe is not None:
            self.pipe.attach(self)

    def write_chunk(self, data: bytes) -> None:
        """Send one chunk to the client (the Pipe's sink)."""
        if self.server is not None and self.server.is_alive:
            self._to_client(self._chunk_arrived, data)

    def end(self) -> None:
        """Send the end of the body (the Pipe's sink)."""
        if self.server is not None and self.server.is_alive:
            self._to_client(self._end_arrived)

    def _reader_gone(self) -> None:
        if self.pipe is not None and self.server is not None and self.server.is_alive:
            self.pipe.reader_gone()
            self.server.after_event()

    # --- client's half ------------------------------------------------------------------------------------------------

    def _head_arrived(self, response: Response) -> None:
        if self.error is not None or self.head.done():
            return
        server = self.server.name if self.server is not None else ""
        body = b"" if isinstance(response.body, Pipe) else _joined(response.body)
        self._record("reply", server, self.client.name, str(response.status), body)
        if not isinstance(response.body, Pipe):
            self.chunks.append(body)
            self._finish()
        self.connection.answered(self, response)

    def _chunk_arrived(self, data: bytes) -> None:
        if self.error is None and not self.ended:
            self._record("chunk", self.server.name if self.server else "", self.client.name, self.request.path, data)
            self.chunks.append(data)
            self._wake()

    def _end_arrived(self) -> None:
        if not self.ended:
            self._finish()
            self._wake()

    def _failed(self, why: str) -> None:
        """End the client's half with an error."""
        if self.ended:
            return
        self.error = ConnectionLost(why)
        self._finish()
        if not self.head.done():
            self.head.set_exception(self.error)
            self.head.exception()
        self._wake()
        self.connection.broke(self)

    def _unanswered(self) -> None:
        if self.server is None and self.network.is_cut(self.client.address, self.target):
            self._failed(f"connection to {self.target[0]}:{self.target[1]} timed out")

    def _finish(self) -> None:
        self.ended = True
        self.network.exchanges.pop(self, None)

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def next_chunk(self) -> bytes | None:
        """Wait for a chunk; None at the end. Raises ConnectionLost after the last chunk that made it."""
        while not self.chunks:
            if self.error is not None:
                raise self.error
            if self.ended:
                return None
            self._arrived = self.network.loop.create_future()
            await self._arrived
        return self.chunks.popleft()

    def close(self) -> None:
        """Let the client go away."""
        if not self.ended:
            self._failed("closed")
            self.network.carry(self.client.address, self.target, self._reader_gone)
        elif self.pipe is not None and self.pipe.is_open:
            self.network.carry(self.client.address, self.target, self._reader_gone)

    # --- what breaks it -----------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Break the connection under it; both sides notice."""
        self._to_client(self._failed, "connection reset by peer")
        self.network.carry(self.client.address, self.target, self._reader_gone)

    def process_died(self, host: SimulatedHost, *, silent: bool) -> None:
        """Notice the death of either side; silent: the other side is not told, unless it is on the same machine."""
        silent = silent and self.client.address[0] != self.target[0]
        if host is self.client:
            self._finish()
            if not silent:
                self.network.carry(self.client.address, self.target, self._reader_gone)
        elif host is self.server and not silent:
            self._to_client(self._failed, "connection closed by peer")

    def _to_client(self, call: object, *arguments: object) -> None:
        self.network.carry(self.target, self.client.address, self._at_client, call, arguments)

    def _at_client(self, call: object, arguments: tuple[object, ...]) -> None:
        if self.client.is_alive and not self.network.is_severed(self.target, self.client.address):
            call(*arguments)  # type: ignore[operator]

    def _record(self, kind: str, sender: str, receiver: str, name: str, body: bytes | None = None) -> None:
        data = self.request.body if body is None else body
        self.network.trace.record(self.network.loop.time(), kind, sender, receiver, name, data)


class ClientConnection:
    """The HttpConnection port: requests are sent at once and answered in order."""

    def __init__(self, network: Network, host: SimulatedHost, target: Address) -> None:
        """Nothing is opened yet."""
        self.network = network
        self.host = host
        self.target = target
        self._pending: deque[tuple[Exchange, Response | None]] = deque()
        self._streams: list[Exchange] = []

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send and wait for the whole reply."""
        exchange = self._send(method, path, headers, body, streaming=False)
        response = await exchange.head
        pieces = []
        while (chunk := await exchange.next_chunk()) is not None:
            pieces.append(chunk)
        return Reply(response.status, _reply_headers(response), b"".join(pieces))

    async def stream(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> StreamedReply:
        """Send and wait for the reply's head."""
        exchange = self._send(method, path, headers, body, streaming=True)
        response = await exchange.head
        return StreamedReply(exchange, response)

    def close(self) -> None:
        """Close; pending requests fail."""
        for exchange, _ in list(self._pending):
            exchange.close()
        self._pending.clear()
        for exchange in self._streams:
            exchange.close()

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, streaming: bool) -> Exchange:
        if not self.host.is_alive:
            raise ConnectionLost("this process is dead")
        plain, _, query = path.partition("?")
        lowered = {name.lower(): value for name, value in headers.items()}
        request = Request(method, unquote(plain), lowered, body, query, self.host.address)
        for told in self.network.requesters:
            told(self, request)
        return self.send(request, streaming=streaming)

    def send(self, request: Request, *, streaming: bool = False) -> Exchange:
        """Send a request as it is."""
        exchange = Exchange(self, request, streaming=streaming)
        self._pending.append((exchange, None))
        if streaming:
            self._streams.append(exchange)
        return exchange

    def answered(self, exchange: Exchange, response: Response) -> None:
        """Hand a reply over once all earlier ones are."""
        self._pending = deque((known, response if known is exchange else reply) for known, reply in self._pending)
        while self._pending:
            first, reply = self._pending[0]
            if reply is None:
                return
            self._pending.popleft()
            if not first.head.done():
                first.head.set_result(reply)

    def broke(self, exchange: Exchange) -> None:
        """Forget an exchange that failed, and fail those behind it: they shared its connection."""
        if all(known is not exchange for known, _ in self._pending):
            return
        behind = list(self._pending)
        self._pending.clear()
        for known, _ in behind:
            if known is not exchange:
                known.close()


class StreamedReply:
    """The ReplyStream port."""

    def __init__(self, exchange: Exchange, response: Response) -> None:
        """Take a reply whose head arrived."""
        self.status = response.status
        self.headers: Mapping[str, str] = _reply_headers(response)
        self._exchange = exchange

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over chunks as they arrive."""
        while (chunk := await self._exchange.next_chunk()) is not None:
            if chunk:
                yield chunk

    def close(self) -> None:
        """Close the connection under it."""
        self._exchange.close()


async def _ignored(answer: Awaitable[Response]) -> None:
    await answer


def _reply_headers(response: Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _joined(body: bytes | list[bytes] | Pipe) -> bytes:
    if isinstance(body, list):
        return b"".join(body)
    return body if isinstance(body, bytes) else b""
