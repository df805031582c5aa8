"""The actors of one process, and how a message or a request finds one of them.

Shared by the real node and the simulated host, so that routing is the same in both.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from messor.errors import MesosError, MethodNotAllowed, NotFound
from messor.runtime.handlers import Endpoint
from messor.runtime.http import TEXT, Request, Response, text_response
from messor.wire.upid import Upid

if TYPE_CHECKING:
    from messor.runtime.actor import Actor
    from messor.runtime.host import Host

log = logging.getLogger(__name__)

Authenticate = Callable[[Request, str], "Response | None | Awaitable[Response | None]"]
"""(request, realm) -> a refusal, or None with ``request.principal`` set."""


class Directory:
    """Actors by id, with the delegate that unknown first path tokens fall to (protocols a.2)."""

    def __init__(self, host: Host) -> None:
        """Start empty."""
        self.host = host
        self.actors: dict[str, Actor] = {}
        self.delegate: str | None = None
        self.authenticate: Authenticate | None = None
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
            actor.stopping()

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
        token, _, rest = path[1:].partition("/")
        actor = self.actors.get(token)
        if actor is not None:
            return _longest(actor, "/" + rest if rest else "/")
        if self.delegate is not None and self.delegate in self.actors:
            return _longest(self.actors[self.delegate], path)
        return None

    async def serve(self, request: Request) -> Response:
        """Answer one HTTP request; never raises."""
        try:
            found = self.route(request.path)
            if found is None:
                return text_response(404)
            endpoint = found[0]
            if endpoint.realm is not None and self.authenticate is not None:
                refusal = self.authenticate(request, endpoint.realm)
                if inspect.isawaitable(refusal):
                    refusal = await refusal
                if refusal is not None:
                    return refusal
            if endpoint.methods and request.method not in endpoint.methods:
                raise MethodNotAllowed(endpoint.methods, request.method)  # noqa: TRY301  (one place makes replies)
            response = endpoint.call(request)
            if inspect.isawaitable(response):
                response = await response
            result: Response = response
            return result
        except MesosError as error:
            return error_response(error)
        except Exception:
            log.exception("Failed to serve %s %s", request.method, request.path)
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
        return Response(404)
    return text_response(error.status, str(error) or None)


def _longest(actor: Actor, path: str) -> tuple[Endpoint, str] | None:
    candidate = path
    while True:
        endpoint = actor.endpoints.get(candidate)
        if endpoint is not None:
            return endpoint, path[len(candidate) :]
        if candidate in ("/", ""):
            return None
        candidate = candidate.rpartition("/")[0] or "/"
