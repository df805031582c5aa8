"""Asking masters and agents: clients that await and clients that block.

async with MasterClient("127.0.0.1:5050") as master:
    agents = await master.ask(master_calls.get_agents())
    async for event in master.events():
        ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError, Message

from messor.drivers.operator.questions import AgentQuestion, MasterQuestion
from messor.errors import ConfigurationError, MesosError, RemoteProtocolError
from messor.protos import v1_agent, v1_master
from messor.runtime.blocking_loop import BlockingLoop
from messor.runtime.http_client import ClientConnection
from messor.wire.recordio import RecordDecoder

T = TypeVar("T")

PATH = "/api/v1"
PROTOBUF = "application/x-protobuf"
HEADERS = {"Content-Type": PROTOBUF, "Accept": PROTOBUF}
REDIRECTS = 5


class Refused(MesosError):
    """The master or agent refused a call; ``code`` is the HTTP status, the text its reason."""

    def __init__(self, code: int, text: str) -> None:
        """Keep both."""
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class _Client:
    """One connection for calls, opened on first use."""

    def __init__(self, address: str, headers: dict[str, str] | None = None) -> None:
        """address: ``host:port``, ``http://`` before it allowed; headers: added to each call (``Authorization``).

        Raises ConfigurationError for anything else.
        """
        host, colon, port = str(address).removeprefix("http://").rstrip("/").rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ConfigurationError(f"Expecting an address such as 'host:5050', not '{address}'")
        self._where = (host, int(port))
        self._headers = HEADERS | (headers or {})
        self._connection: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _ask(self, call: Message) -> bytes:
        body = call.SerializeToString()
        for _ in range(REDIRECTS):
            if self._connection is None:
                self._connection = ClientConnection(*self._where)
            reply = await self._connection.request("POST", PATH, self._headers, body)
            if reply.status == 307:
                self._redirect(reply.headers.get("location", ""))
                continue
            if reply.status not in (200, 202):
                raise Refused(reply.status, reply.body.decode(errors="replace"))
            return reply.body
        raise Refused(307, "no master admits to leading")

    def _redirect(self, location: str) -> None:
        """Aim at the leading master."""
        target = urlsplit(location)
        if not target.hostname:
            raise RemoteProtocolError(f"Redirected to '{location}', which names no host")
        self.close()
        self._where = (target.hostname, target.port or 5050)

    async def _stream(self, call: Message) -> AsyncIterator[bytes]:
        """Give the records of an endless answer, on a connection of its own."""
        body = call.SerializeToString()
        for _ in range(REDIRECTS):
            connection = ClientConnection(*self._where)
            try:
                stream = await connection.stream("POST", PATH, self._headers, body)
                if stream.status == 307:
                    self._redirect(stream.headers.get("location", ""))
                    continue
                if stream.status != 200:
                    raise Refused(stream.status, (await stream.read()).decode(errors="replace"))
                decoder = RecordDecoder()
                async for chunk in stream.chunks():
                    for record in decoder.feed(chunk):
                        yield record
                return
            finally:
                connection.close()
        raise Refused(307, "no master admits to leading")


class MasterClient(_Client):
    """Asks the leading master, following redirects; for one asyncio loop."""

    async def ask(self, question: MasterQuestion[T]) -> T:
        """Ask; raises Refused, or ConnectionLost when the answer cannot be had."""
        return question.read(_parsed(v1_master.Response, await self._ask(question.call)))

    async def events(self) -> AsyncIterator[v1_master.Event]:
        """Follow what happens, heartbeats included; the first event tells the state so far.

        Ends with ConnectionLost when the master goes away; raises Refused.
        """
        async for record in self._stream(v1_master.Call(type=v1_master.Call.SUBSCRIBE)):
            yield _parsed(v1_master.Event, record)


class AgentClient(_Client):
    """Asks an agent; for one asyncio loop."""

    async def ask(self, question: AgentQuestion[T]) -> T:
        """Ask; raises Refused, or ConnectionLost when the answer cannot be had."""
        return question.read(_parsed(v1_agent.Response, await self._ask(question.call)))


class BlockingMasterClient:
    """MasterClient for code without asyncio; each call takes at most ``seconds``. For one thread."""

    def __init__(self, address: str, headers: dict[str, str] | None = None, *, seconds: float = 60.0) -> None:
        """Take what MasterClient takes."""
        self._client = MasterClient(address, headers)
        self._loop = BlockingLoop()
        self._seconds = seconds

    def ask(self, question: MasterQuestion[T]) -> T:
        """Ask; raises Refused, ConnectionLost or TimeoutError."""
        return self._loop.run(self._client.ask(question), self._seconds)

    def events(self) -> Iterator[v1_master.Event]:
        """Follow what happens, waiting without limit."""
        following = self._client.events()
        while (event := self._loop.run(_next(following))) is not None:
            yield event

    def close(self) -> None:
        """Close connection and loop."""
        self._client.close()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BlockingAgentClient:
    """AgentClient for code without asyncio; each call takes at most ``seconds``. For one thread."""

    def __init__(self, address: str, headers: dict[str, str] | None = None, *, seconds: float = 60.0) -> None:
        """Take what AgentClient takes."""
        self._client = AgentClient(address, headers)
        self._loop = BlockingLoop()
        self._seconds = seconds

    def ask(self, question: AgentQuestion[T]) -> T:
        """Ask; raises Refused, ConnectionLost or TimeoutError."""
        return self._loop.run(self._client.ask(question), self._seconds)

    def close(self) -> None:
        """Close connection and loop."""
        self._client.close()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _next(events: AsyncIterator[v1_master.Event]) -> v1_master.Event | None:
    return await anext(events, None)


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise RemoteProtocolError(f"The answer is no {kind.DESCRIPTOR.full_name}: {error}") from error
