"""The HTTP endpoints from before the operator API: ``/state`` and its sisters (protocols c.1).

``/health``, ``/flags`` and ``/redirect`` are answered by every master, the rest by the leader: others send the asker on
(feature H16). Reading is allowed before the registry was recovered, unlike with the newer API (recorded).
"""

from __future__ import annotations

from urllib.parse import unquote_plus

from messor.errors import InvalidRequest, MethodNotAllowed, NotNow
from messor.master.authorization import Authorization
from messor.master.doors.operator_calls import OperatorCalls
from messor.master.doors.state_view import TASK_LIMIT, StateView
from messor.master.doors.summary_view import RolesView, SummaryView
from messor.master.flags import MasterFlags
from messor.master.leadership import Leadership
from messor.master.state.tables import MasterState
from messor.runtime.actor import Component
from messor.runtime.flags import texts
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response, text_response
from messor.security.authorizer import Action
from messor.security.permissions import Viewer
from messor.wire.json_codec import dumps
from messor.wire.media_types import JSON

SCRIPT = "text/javascript"


class Endpoints(Component):
    """Serves the v0 endpoints."""

    def __init__(
        self,
        *,
        state: MasterState,
        flags: MasterFlags,
        leadership: Leadership,
        state_view: StateView,
        summary_view: SummaryView,
        roles_view: RolesView,
        operator_calls: OperatorCalls,
        authorization: Authorization,
    ) -> None:
        """Collaborators."""
        self.authorization = authorization
        self.state = state
        self.flags = flags
        self.leadership = leadership
        self.state_view = state_view
        self.summary_view = summary_view
        self.roles_view = roles_view
        self.operator_calls = operator_calls

    # --- answered by every master ------------------------------------------------------------------------------------

    @endpoint("/health")
    def health(self, request: Request) -> Response:  # noqa: ARG002
        """Say that this master is up."""
        return Response(200)

    @endpoint("/flags", realm="readonly")
    def flags_given(self, request: Request) -> Response:
        """Give all flags and their values."""
        if self.authorization.is_on:
            if request.method != "GET":
                raise MethodNotAllowed(("GET",), request.method)
            self.authorization.check(request.principal, Action.VIEW_FLAGS)
        return reply([dumps({"flags": texts(self.flags)})], request)

    @endpoint("/redirect")
    def redirect(self, request: Request) -> Response:
        """Send the asker to the leading master."""
        if request.path.rstrip("/").rpartition("/")[2] != "redirect":
            return text_response(404)
        leader = self.leadership.leader
        if leader is None:
            raise NotNow("No leader elected")
        address = leader.address
        where = f"//{address.hostname or leader.hostname}:{address.port or leader.port}"
        return Response(307, headers={"Location": where})

    # --- answered by the leader --------------------------------------------------------------------------------------

    @endpoint("/state", realm="readonly")
    def full_state(self, request: Request) -> Response:
        """Give everything the master knows."""
        self.leadership.check_leading(request)
        return reply(self.state_view.state_pieces(self._viewer(request)), request)

    @endpoint("/state-summary", realm="readonly")
    def summary(self, request: Request) -> Response:
        """Give agents and frameworks with counts of their tasks."""
        self.leadership.check_leading(request)
        return reply(self.summary_view.pieces(self._viewer(request)), request)

    @endpoint("/slaves", realm="readonly")
    def slaves(self, request: Request) -> Response:
        """Give the agents with their resources in full; ``slave_id`` chooses one."""
        self.leadership.check_leading(request)
        return reply(self.state_view.slaves_pieces(request.query.get("slave_id"), self._viewer(request)), request)

    @endpoint("/frameworks", realm="readonly")
    def frameworks(self, request: Request) -> Response:
        """Give the frameworks; ``framework_id`` chooses one."""
        self.leadership.check_leading(request)
        chosen = request.query.get("framework_id")
        return reply(self.state_view.frameworks_pieces(chosen, self._viewer(request)), request)

    @endpoint("/tasks", realm="readonly")
    def tasks(self, request: Request) -> Response:
        """Give tasks in pages: ``framework_id``, ``task_id``, ``limit`` (100), ``offset`` (0), ``order`` (asc, des)."""
        self.leadership.check_leading(request)
        query = request.query
        pieces = self.state_view.tasks_pieces(
            query.get("framework_id"),
            query.get("task_id"),
            self._viewer(request),
            limit=_number(query.get("limit"), TASK_LIMIT),
            offset=_number(query.get("offset"), 0),
            ascending=query.get("order") == "asc",
        )
        return reply(pieces, request)

    @endpoint("/roles", realm="readonly")
    def roles(self, request: Request) -> Response:
        """Give the known roles and what they have."""
        self.leadership.check_leading(request)
        return reply(self.roles_view.pieces(self._viewer(request)), request)

    @endpoint("/teardown", methods=("POST",), realm="readwrite")
    def teardown(self, request: Request) -> Response:
        """End a framework: ``frameworkId=…`` in a form."""
        self.leadership.check_leading(request)
        framework_id = form(request.body).get("frameworkId")
        if framework_id is None:
            raise InvalidRequest("Missing 'frameworkId' query parameter in the request body")
        self.operator_calls.tear_down(framework_id, request.principal)
        return Response(200)

    def _viewer(self, request: Request) -> Viewer | None:
        return self.authorization.viewer(request.principal)


def reply(pieces: list[bytes], request: Request) -> Response:
    """Answer with a JSON text in pieces; with ``?jsonp=name`` as a script that calls name (feature W9)."""
    callback = request.query.get("jsonp") if request.query_text else None
    if callback:
        return Response(200, [callback.encode(), b"(", *pieces, b")"], SCRIPT)
    return Response(200, pieces, JSON)


def form(body: bytes) -> dict[str, str]:
    """Read a form-encoded body; raises InvalidRequest when it is not UTF-8."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("Unable to decode query string: the body is not UTF-8") from None
    fields = {}
    for part in text.split("&"):
        key, equals, value = part.partition("=")
        if equals:
            fields[unquote_plus(key)] = unquote_plus(value)
    return fields


def _number(text: str | None, default: int) -> int:
    """Read a number; whatever is none counts as the default."""
    try:
        return int(text) if text is not None else default
    except ValueError:
        return default
