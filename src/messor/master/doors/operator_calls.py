"""``/api/v1``: the operator API of the master.

Every call is read into ``mesos.master.Call``, checked for the body its type needs, and handed to one handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from messor.errors import InvalidRequest, MethodNotAllowed
from messor.master.authorization import Authorization
from messor.master.doors.event_stream import EventStream
from messor.master.doors.summary_view import DEFAULT_WEIGHT, RolesView
from messor.master.doors.v1_view import V1View
from messor.master.flags import MasterFlags
from messor.master.frameworks.remove import FrameworkRemoval
from messor.master.leadership import Leadership
from messor.master.state.tables import MasterState
from messor.model.scalars import to_float
from messor.protos import v0_master, v1, v1_master
from messor.runtime.actor import Component
from messor.runtime.flags import texts
from messor.runtime.handlers import endpoint
from messor.runtime.host import Host
from messor.runtime.http import Request, Response, text_response
from messor.runtime.process_actors import version_info
from messor.security.authorizer import Action
from messor.security.permissions import Viewer
from messor.wire.json_codec import from_json
from messor.wire.media_types import JSON, request_type, response_type
from messor.wire.versions import devolve, evolve

Call = v0_master.Call
Answer = v1_master.Response
Reply = Response | Awaitable[Response]

ROLE_RESOURCES = ("cpus", "disk", "gpus", "mem")
"""What GET_ROLES shows of a role's resources."""


NEEDED: dict[int, int] = {
    Call.GET_FLAGS: Action.VIEW_FLAGS,
    Call.SET_LOGGING_LEVEL: Action.SET_LOG_LEVEL,
    Call.DRAIN_AGENT: Action.DRAIN_AGENT,
    Call.DEACTIVATE_AGENT: Action.DEACTIVATE_AGENT,
    Call.REACTIVATE_AGENT: Action.REACTIVATE_AGENT,
    Call.MARK_AGENT_GONE: Action.MARK_AGENT_GONE,
}
"""What some calls need leave for, whatever they are about."""


class OperatorCalls(Component):
    """Serves operators."""

    def __init__(
        self,
        *,
        state: MasterState,
        host: Host,
        flags: MasterFlags,
        leadership: Leadership,
        removal: FrameworkRemoval,
        v1_view: V1View,
        roles_view: RolesView,
        event_stream: EventStream,
        authorization: Authorization,
        answers: Mapping[int, Callable[[Any, Request], v1_master.Response]],
        deeds: Mapping[int, Callable[[Any, Request], Reply]],
    ) -> None:
        """answers: what others show, by type of call. deeds: what others do."""
        self.state = state
        self.host = host
        self.flags = flags
        self.leadership = leadership
        self.removal = removal
        self.v1_view = v1_view
        self.roles_view = roles_view
        self.event_stream = event_stream
        self.authorization = authorization
        self._answers: dict[int, Callable[[Any, Request], v1_master.Response]] = {
            Call.GET_HEALTH: self._health,
            Call.GET_FLAGS: self._flags,
            Call.GET_VERSION: self._version,
            Call.GET_METRICS: self._metrics,
            Call.GET_LOGGING_LEVEL: self._logging_level,
            Call.LIST_FILES: self._list_files,
            Call.READ_FILE: self._read_file,
            Call.GET_STATE: self._view("get_state", v1_view.get_state),
            Call.GET_AGENTS: self._view("get_agents", v1_view.get_agents),
            Call.GET_FRAMEWORKS: self._view("get_frameworks", v1_view.get_frameworks),
            Call.GET_EXECUTORS: self._view("get_executors", v1_view.get_executors),
            Call.GET_OPERATIONS: self._view("get_operations", v1_view.get_operations),
            Call.GET_TASKS: self._view("get_tasks", v1_view.get_tasks),
            Call.GET_ROLES: self._roles,
            Call.GET_MASTER: self._master,
            **answers,
        }
        self._deeds: dict[int, Callable[[Any, Request], Reply | None]] = {
            Call.SET_LOGGING_LEVEL: self._set_logging_level,
            Call.TEARDOWN: self._teardown,
            **deeds,
        }

    @endpoint("/api/v1", realm="readwrite")
    def api(self, request: Request) -> Reply:
        """Answer an operator's call, or begin the stream of events."""
        self.leadership.check(request)
        if request.method != "POST":
            raise MethodNotAllowed(("POST",), request.method)
        call = decode_call(request)
        validate(call)
        media_type = response_type(request.headers)
        if call.type == Call.SUBSCRIBE:
            return self.event_stream.subscribe(media_type, self.authorization.viewer(request.principal))
        for action in _leave_needed(call) if self.authorization.is_on else ():
            self.authorization.check(request.principal, action)
        deed = self._deeds.get(call.type)
        if deed is not None:
            return deed(call, request) or Response(200)
        answer = self._answers.get(call.type)
        if answer is None:
            return text_response(501)
        return Response(200, self.v1_view.encode(answer(call, request), media_type), media_type)

    # --- answers -----------------------------------------------------------------------------------------------------

    def _view(self, part: str, make: Callable[[Viewer | None], Any]) -> Callable[[Any, Request], v1_master.Response]:
        """Make what answers a call with what the asker may see."""

        def answer(call: Any, request: Request) -> v1_master.Response:  # noqa: ARG001
            shown = make(self.authorization.viewer(request.principal))
            return Answer(type=part.upper(), **{part: shown})

        return answer

    def _health(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        return Answer(type=Answer.GET_HEALTH, get_health=Answer.GetHealth(healthy=True))

    def _flags(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_FLAGS)
        for name, value in texts(self.flags).items():
            answer.get_flags.flags.add(name=name, value=value)
        return answer

    def _version(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        info = v1.VersionInfo(**version_info())
        return Answer(type=Answer.GET_VERSION, get_version=Answer.GetVersion(version_info=info))

    def _metrics(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002  (all are read at once)
        answer = Answer(type=Answer.GET_METRICS)
        for name, value in self.host.metrics.snapshot().items():
            answer.get_metrics.metrics.add(name=name, value=value)
        return answer

    def _logging_level(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_LOGGING_LEVEL)
        answer.get_logging_level.level = self._actor("logging").level
        return answer

    def _list_files(self, call: Any, request: Request) -> v1_master.Response:
        answer = Answer(type=Answer.LIST_FILES)
        answer.list_files.SetInParent()
        for found in self._actor("files").browse(call.list_files.path, request.principal):
            info = answer.list_files.file_infos.add(path=found["path"], nlink=found["nlink"], size=found["size"])
            info.mtime.nanoseconds = int(found["mtime"] * 1e9)
            info.mode = _mode_number(found["mode"])
            info.uid, info.gid = found["uid"], found["gid"]
        return answer

    def _read_file(self, call: Any, request: Request) -> v1_master.Response:
        body = call.read_file
        files = self._actor("files")
        length = body.length if body.HasField("length") else None
        _, data = files.read(body.path, body.offset, length, request.principal)
        answer = Answer(type=Answer.READ_FILE)
        answer.read_file.size = files.size(body.path, request.principal)
        answer.read_file.data = data
        return answer

    def _roles(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_ROLES)
        answer.get_roles.SetInParent()
        for use in self.roles_view.roles(self.authorization.viewer(request.principal)):
            weight = self.state.weights.get(use.name, DEFAULT_WEIGHT)
            role = answer.get_roles.roles.add(name=use.name, weight=weight)
            role.frameworks.extend(v1.FrameworkID(value=each) for each in use.frameworks)
            quantities = use.resources()
            for name in ROLE_RESOURCES:
                if quantities.get(name):
                    scalar = v1.Value.Scalar(value=to_float(quantities[name]))
                    role.resources.add(name=name, type=v1.Value.SCALAR, scalar=scalar)
        return answer

    def _master(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_MASTER)
        answer.get_master.master_info.CopyFrom(evolve(self.state.info))
        answer.get_master.start_time = self.state.started_at
        if self.state.elected_at is not None:
            answer.get_master.elected_time = self.state.elected_at
        return answer

    # --- deeds -------------------------------------------------------------------------------------------------------

    def _set_logging_level(self, call: Any, request: Request) -> None:  # noqa: ARG002
        body = call.set_logging_level
        self._actor("logging").set_level(body.level, body.duration.nanoseconds / 1e9)

    def _teardown(self, call: Any, request: Request) -> None:
        self.tear_down(call.teardown.framework_id.value, request.principal)

    def tear_down(self, framework_id: str, principal: str | None) -> None:
        """End a framework on behalf of an operator.

        Raises InvalidRequest when there is none of that id, NotAuthorized when the operator may not end it.
        """
        framework = self.state.frameworks.get(framework_id)
        if framework is None:
            raise InvalidRequest("No framework found with specified ID")
        self.authorization.check_teardown(framework.info, principal)
        self.removal.remove(framework)

    def _actor(self, name: str) -> Any:
        """Find one of the process's small actors."""
        return self.host.directory.actors[name]


def _leave_needed(call: v0_master.Call) -> Iterator[int]:
    """List what an operator must be allowed to do, to anything, so that a call is looked at."""
    if call.type in NEEDED:
        yield NEEDED[call.type]
    if call.type == Call.DRAIN_AGENT and call.drain_agent.mark_gone:
        yield Action.MARK_AGENT_GONE


def decode_call(request: Request) -> v0_master.Call:
    """Read the call in a request; raises InvalidRequest or UnsupportedMedia as protocols c.2 says."""
    if request_type(request.headers) == JSON:
        call = from_json(request.body, v1_master.Call)
    else:
        try:
            call = v1_master.Call.FromString(request.body)
        except DecodeError:
            raise InvalidRequest("Failed to parse body into Call protobuf") from None
        if not call.IsInitialized():
            raise InvalidRequest("Failed to parse body into Call protobuf")
    result: v0_master.Call = devolve(call)
    return result


def validate(call: v0_master.Call) -> None:
    """Check that a call has a type and the body of that type; raises InvalidRequest."""
    if not call.HasField("type"):
        raise InvalidRequest("Failed to validate master::Call: Expecting 'type' to be present")
    body = Call.Type.Name(call.type).lower()
    if body in Call.DESCRIPTOR.fields_by_name and not call.HasField(body):
        raise InvalidRequest(f"Failed to validate master::Call: Expecting '{body}' to be present")


def _mode_number(text: str) -> int:
    """Turn ``-rw-r--r--`` back into a number."""
    kinds = {"-": 0o100000, "d": 0o040000, "l": 0o120000, "p": 0o010000, "s": 0o140000, "c": 0o020000, "b": 0o060000}
    bits = sum(1 << (8 - index) for index, letter in enumerate(text[1:10]) if letter not in "-ST")
    return kinds.get(text[0], 0) | bits
