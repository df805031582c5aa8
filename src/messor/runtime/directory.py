"""The actors of one process, and how a message or a request finds one of them.

Shared by the real node and the simulated host, so that routing is the same in both.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from messor.errors import MesosError, MethodNotAllowed, NotAuthorized, NotFound
from messor.runtime.handlers import Endpoint
from messor.runtime.http import TEXT, Request, Response, text_response
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor
    from messor.runtime.host import Host

log = logging.getLogger(__name__)

Authenticate = Callable[[Request, str], "Response | Awaitable[Response | None] | None"]
"""(request, realm) -> a refusal, or None with ``request.principal`` set."""


class Directory:
    """Actors by id, with the delegate that unknown first path tokens fall to (protocols a.2)."""

    def __init__(self, host: Host) -> None:
        """Start empty."""
        self.host = host
        self.actors: dict[str, Actor] = {}
        self.delegate: str | None = None
        self.authenticate: Authenticate | None = None
        self.guards: dict[str, Callable[[Request], object]] = {}
        """By path: asked before it is served, once it is known who asks; raises NotAuthorized."""
        self.closed: frozenset[str] = frozenset()
        """Paths that answer 403 to everybody (``--firewall_rules``); libprocess messages are not asked."""
        self.before_methods: Callable[[Request], object] | None = None
        """Asked before a method is refused: a standby sends all askers to the leader, whatever their method."""
        self.terminated: list[Callable[[Actor], None]] = []
        """Called with every actor that ended; the network tells those who linked it."""
        self._counters: dict[str, int] = {}

    def numbered(self, prefix: str) -> str:
        """Make the next ``prefix(N)``; N counts from 1 per prefix and process."""
        self._counters[prefix] = self._counters.get(prefix, 0) + 1
        return f"{prefix}({self._counters[prefix]})"

    def spawn(self, actor: Actor) -> Upid:
        """Bind an actor, make it reachable, then start it."""
        upid = Upid(actor.name, self.host.network.ip, self.host.network.port)
        self.actors[actor.name] = actor
        actor.bind(self.host, upid)
        actor.started()
        return upid

    def terminate(self, actor: Actor) -> None:
        """Stop an actor and forget it."""
        if self.actors.get(actor.name) is actor:
            del self.actors[actor.name]
            try:
                actor.stopping()
            except Exception:
                log.exception("%s failed to stop", actor.name)
                self.host.metrics.handler_failures.increment()
            for notice in self.terminated:
                notice(actor)

    def alias(self, name: str, actor: Actor) -> None:
        """Let messages to another name reach this actor too: cheaper than a thousand actors that do one thing."""
        self.actors[name] = actor

    def unalias(self, name: str) -> None:
        """Forget another name of an actor; fine if it is unknown."""
        self.actors.pop(name, None)

    def find(self, token: str) -> Actor | None:
        """Find an actor by the id in a message's path; ids may come percent-encoded."""
        actor = self.actors.get(token)
        if actor is None and "%" in token:
            actor = self.actors.get(unquote(token))
        return actor

    def route(self, path: str) -> tuple[Endpoint, str] | None:
        """Find the endpoint of a decoded path: the longest prefix on ``/`` boundaries, below an actor or its delegate.

        Gives the endpoint and what is left of the path behind it.
        """
        path = path.rstrip("/") or "/"
        if "/.." in path:
            return None
        if "//" in path:
            path = re.sub("/{2,}", "/", path)
        token, _, rest = path[1:].partition("/")
        actor = self.actors.get(token)
        if actor is not None:
            return _longest(actor, "/" + rest if rest else "/")
        if self.delegate is not None and self.delegate in self.actors:
            return _longest(self.actors[self.delegate], path)
        return None

    def absolute(self, path: str) -> str:
        """Give a path its actor, whether it names it or leaves it to the delegate."""
        path = re.sub("/{2,}", "/", f"/{path}").rstrip("/")
        if self.delegate is None or self.find(path[1:].partition("/")[0]) is not None:
            return path or "/"
        return f"/{self.delegate}{path}"

    def _refuse_closed(self, path: str) -> None:
        """Raise NotAuthorized for an endpoint that is closed: exactly this one, none below it (W11)."""
        path = self.absolute(path)
        if path in map(self.absolute, self.closed):
            raise NotAuthorized(f"Endpoint '{path}' is disabled")

    def answer(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer at once, or give a coroutine that will; neither raises.

        Most calls (ACKNOWLEDGE, ACCEPT) are answered at once: then no task is needed.
        """
        try:
            if self.closed:
                self._refuse_closed(request.path)
            found = self.route(request.path)
            if found is None:
                return text_response(404)
            endpoint = found[0]
            if endpoint.realm is not None and self.authenticate is not None:
                refusal = self.authenticate(request, endpoint.realm)
                if refusal is not None:
                    if isinstance(refusal, Response):
                        return refusal
                    return self._authenticated(refusal, endpoint, request)
            response = self._call(endpoint, request)
            if isinstance(response, Response):
                return response
            return self._finish(response, request)
        except Exception as error:
            return self._failed(error, request)

    async def serve(self, request: Request) -> Response:
        """Answer one HTTP request; never raises."""
        response = self.answer(request)
        return response if isinstance(response, Response) else await response

    def streams_body(self, path: str) -> bool:
        """Whether the endpoint at a path takes bodies that are still arriving."""
        found = self.route(path)
        return found is not None and found[0].streams_body

    def _call(self, endpoint: Endpoint, request: Request) -> Response | Awaitable[Response]:
        if endpoint.methods and request.method not in endpoint.methods:
            if self.before_methods is not None:
                self.before_methods(request)
            raise MethodNotAllowed(endpoint.methods, request.method)
        if self.guards and (guard := self.guards.get(request.path.rstrip("/"))) is not None:
            guard(request)
        response: Response | Awaitable[Response] = endpoint.call(request)
        return response

    async def _authenticated(
        self, refusal: Awaitable[Response | None], endpoint: Endpoint, request: Request
    ) -> Response:
        try:
            refused = await refusal
            if refused is not None:
                return refused
            response = self._call(endpoint, request)
            return response if isinstance(response, Response) else await response
        except Exception as error:
            return self._failed(error, request)

    async def _finish(self, response: Awaitable[Response], request: Request) -> Response:
        try:
            return await response
        except Exception as error:
            return self._failed(error, request)

    def _failed(self, error: Exception, request: Request) -> Response:
        if isinstance(error, MesosError):
            return error_response(error)
        log.error("Failed to serve %s %s", request.method, request.path, exc_info=error)
        self.host.metrics.handler_failures.increment()
        return text_response(500)


def error_response(error: MesosError) -> Response:
    """Turn an error into the reply its class means."""
    if isinstance(error, MethodNotAllowed):
        return Response(405, str(error).encode(), TEXT, {"Allow": ", ".join(error.allowed)})
    leader = getattr(error, "leader", None)
    if leader is not None:
        return Response(307, headers={"Location": leader})
    if isinstance(error, NotFound) and not str(error):
        return Response(404, content_type=TEXT)
    return text_response(error.status, str(error) or None)


def _longest(actor: Actor, path: str) -> tuple[Endpoint, str] | None:
    """Find the longest endpoint path that is the path or a prefix of it; ``/`` is a prefix of nothing else."""
    candidate = path
    while candidate:
        endpoint = actor.endpoints.get(candidate)
        if endpoint is not None:
            return endpoint, path[len(candidate) :]
        candidate = candidate.rpartition("/")[0]
    return None
