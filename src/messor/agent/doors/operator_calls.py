"""``/api/v1``: operator calls (O18, O19, c.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf.message import DecodeError

from messor.agent.doors.endpoints import visible_containers
from messor.agent.state.lifecycles import AgentState
from messor.errors import InvalidRequest, NotAuthorized, NotFound, NotNow
from messor.model.durations import nanoseconds_of
from messor.protos import v0_agent, v1_agent
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response, text_response
from messor.runtime.logging import VERBOSITY
from messor.runtime.process_actors import version_info
from messor.security.authorizer import Action
from messor.wire.json_codec import dumps, from_json, to_dict
from messor.wire.media_types import JSON, response_type, streaming_request_type
from messor.wire.versions import devolve, evolve

if TYPE_CHECKING:
    from messor.agent.capacity.usage import Usage
    from messor.agent.doors.state_view import StateView
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host
    from messor.security.permissions import Permissions

Call = v0_agent.Call
Answer = v0_agent.Response


class Browsable(Protocol):
    """The part of the files actor that calls need."""

    def browse(self, path: str, principal: str | None = None) -> list[dict[str, Any]]:
        """List a folder."""
        ...

    def read(
        self, path: str, offset: int | None, length: int | None = None, principal: str | None = None
    ) -> tuple[int, bytes]:
        """Read part of a file."""
        ...

    def size(self, path: str, principal: str | None = None) -> int:
        """Give a file's size in bytes."""
        ...


_NEEDED = {
    Call.GET_METRICS: "get_metrics",
    Call.SET_LOGGING_LEVEL: "set_logging_level",
    Call.LIST_FILES: "list_files",
    Call.READ_FILE: "read_file",
}

_LEAVE_NEEDED: dict[int, int] = {
    Call.GET_FLAGS: Action.VIEW_FLAGS,
    Call.SET_LOGGING_LEVEL: Action.SET_LOG_LEVEL,
    Call.PRUNE_IMAGES: Action.PRUNE_IMAGES,
}
"""What some calls need leave for, whatever they are about."""

_ALWAYS_LISTED: dict[str, tuple[str, ...]] = {
    "get_tasks": ("pending_tasks", "queued_tasks", "launched_tasks", "terminated_tasks", "completed_tasks"),
    "get_executors": ("executors", "completed_executors"),
    "get_frameworks": ("frameworks", "completed_frameworks"),
}
"""Lists that JSON answers show even when they are empty, because upstream writes those by hand."""


class OperatorCalls(Component):
    """One method per call."""

    def __init__(
        self,
        host: Host,
        tables: Tables,
        view: StateView,
        usage: Usage,
        files: Browsable | None,
        permissions: Permissions,
    ) -> None:
        """files: None where nothing can be browsed."""
        self._permissions = permissions
        self._host = host
        self._tables = tables
        self._view = view
        self._usage = usage
        self._files = files
        self._handlers: dict[int, Callable[[v0_agent.Call, str | None], Answer | Awaitable[Answer] | None]] = {
            Call.GET_HEALTH: self._get_health,
            Call.GET_FLAGS: self._get_flags,
            Call.GET_VERSION: self._get_version,
            Call.GET_METRICS: self._get_metrics,
            Call.GET_LOGGING_LEVEL: self._get_logging_level,
            Call.SET_LOGGING_LEVEL: self._set_logging_level,
            Call.LIST_FILES: self._list_files,
            Call.READ_FILE: self._read_file,
            Call.GET_STATE: self._get_state,
            Call.GET_AGENT: self._get_agent,
            Call.GET_FRAMEWORKS: self._get_frameworks,
            Call.GET_EXECUTORS: self._get_executors,
            Call.GET_TASKS: self._get_tasks,
            Call.GET_OPERATIONS: self._get_operations,
            Call.GET_RESOURCE_PROVIDERS: self._get_resource_providers,
            Call.GET_CONTAINERS: self._get_containers,
            Call.PRUNE_IMAGES: lambda *_: None,
        }

    @endpoint("/api/v1", methods=("POST",), realm="readwrite")
    async def called(self, request: Request) -> Response:
        """Endpoint for API calls against the agent."""
        if self._tables.state is AgentState.RECOVERING:
            raise NotNow("Agent has not finished recovery")
        call = _parse(request)
        _validate(call)
        media_type = response_type(request.headers)
        handler = self._handlers.get(call.type)
        if handler is None:
            return text_response(501)
        action = _LEAVE_NEEDED.get(call.type)
        if action is not None:
            self._permissions.check(request.principal, action)
        try:
            answer = handler(call, request.principal)
        except NotFound:
            return text_response(404, "")
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer is None:
            return Response(200)
        answer.type = getattr(Answer, Call.Type.Name(call.type))
        return Response(200, _encode(answer, media_type), media_type)

    # --- the process -------------------------------------------------------------------------------------------------

    def _get_health(self, *_: object) -> Answer:
        return Answer(get_health=Answer.GetHealth(healthy=True))

    def _get_flags(self, *_: object) -> Answer:
        answer = Answer()
        answer.get_flags.SetInParent()
        for name, value in self._view.flags().items():
            answer.get_flags.flags.add(name=name, value=value)
        return answer

    def _get_version(self, *_: object) -> Answer:
        answer = Answer()
        info = answer.get_version.version_info
        for name, value in version_info().items():
            setattr(info, name, value)
        return answer

    def _get_metrics(self, *_: object) -> Answer:
        answer = Answer()
        answer.get_metrics.SetInParent()
        for name, value in self._host.metrics.snapshot().items():
            answer.get_metrics.metrics.add(name=name, value=value)
        return answer

    def _get_logging_level(self, *_: object) -> Answer:
        return Answer(get_logging_level=Answer.GetLoggingLevel(level=VERBOSITY.level))

    def _set_logging_level(self, call: v0_agent.Call, _: str | None) -> None:
        wanted = call.set_logging_level
        VERBOSITY.set_for(wanted.level, wanted.duration.nanoseconds / nanoseconds_of(1.0), self._host.clock)

    # --- files -------------------------------------------------------------------------------------------------------

    def _list_files(self, call: v0_agent.Call, principal: str | None) -> Answer:
        if self._files is None:
            raise NotFound
        answer = Answer()
        answer.list_files.SetInParent()
        for entry in self._files.browse(call.list_files.path, principal):
            info = answer.list_files.file_infos.add(path=entry["path"], nlink=entry["nlink"], size=entry["size"])
            info.mtime.nanoseconds = nanoseconds_of(float(int(entry["mtime"])))
            info.mode = _mode_bits(entry["mode"])
            info.uid, info.gid = entry["uid"], entry["gid"]
        return answer

    def _read_file(self, call: v0_agent.Call, principal: str | None) -> Answer:
        if self._files is None:
            raise NotFound
        wanted = call.read_file
        length = wanted.length if wanted.HasField("length") else None
        try:
            size = self._files.size(wanted.path, principal)
            _, data = self._files.read(wanted.path, wanted.offset, length, principal)
        except (NotFound, NotAuthorized):
            raise
        except InvalidRequest as error:
            raise InvalidRequest(f"{error}.\n") from error
        return Answer(read_file=Answer.ReadFile(size=size, data=data))

    # --- state -------------------------------------------------------------------------------------------------------

    def _get_state(self, _: v0_agent.Call, principal: str | None) -> Answer:
        answer, viewer = Answer(), self._permissions.viewer(principal)
        answer.get_state.get_tasks.CopyFrom(self._view.tasks(viewer))
        answer.get_state.get_executors.CopyFrom(self._view.executors(viewer))
        answer.get_state.get_frameworks.CopyFrom(self._view.frameworks(viewer))
        return answer

    def _get_agent(self, *_: object) -> Answer:
        return Answer(get_agent=self._view.agent())

    def _get_frameworks(self, _: v0_agent.Call, principal: str | None) -> Answer:
        return Answer(get_frameworks=self._view.frameworks(self._permissions.viewer(principal)))

    def _get_executors(self, _: v0_agent.Call, principal: str | None) -> Answer:
        return Answer(get_executors=self._view.executors(self._permissions.viewer(principal)))

    def _get_tasks(self, _: v0_agent.Call, principal: str | None) -> Answer:
        return Answer(get_tasks=self._view.tasks(self._permissions.viewer(principal)))

    def _get_operations(self, _: v0_agent.Call, principal: str | None) -> Answer:
        return Answer(get_operations=self._view.operations(self._permissions.viewer(principal)))

    def _get_resource_providers(self, *_: object) -> Answer:
        return Answer(get_resource_providers=Answer.GetResourceProviders())

    async def _get_containers(self, _: v0_agent.Call, principal: str | None) -> Answer:
        answer = Answer()
        answer.get_containers.SetInParent()
        for use in visible_containers(await self._usage.containers(), self._permissions, principal):
            executor = use.executor
            container = answer.get_containers.containers.add(executor_name=executor.info.name)
            container.framework_id.value = executor.framework_id
            container.executor_id.value = executor.id
            container.container_id.value = executor.container_id
            if use.status is not None:
                container.container_status.CopyFrom(use.status)
            if use.statistics is not None:
                container.resource_statistics.CopyFrom(use.statistics)
        return answer


def _parse(request: Request) -> v0_agent.Call:
    media_type, is_stream = streaming_request_type(request.headers)
    if is_stream:
        raise InvalidRequest("Streaming 'Content-Type' is only supported for the ATTACH_CONTAINER_INPUT call")
    if media_type == JSON:
        call: v0_agent.Call = devolve(from_json(request.body, v1_agent.Call))
        return call
    try:
        # v0 and v1 calls have one encoding.
        call = Call.FromString(request.body)
    except DecodeError:
        raise InvalidRequest("Failed to parse body into Call protobuf") from None
    if not call.IsInitialized():
        raise InvalidRequest("Failed to parse body into Call protobuf")
    return call


def _validate(call: v0_agent.Call) -> None:
    if not call.HasField("type"):
        raise InvalidRequest("Failed to validate agent::Call: Expecting 'type' to be present")
    needed = _NEEDED.get(call.type)
    if needed is not None and not call.HasField(needed):
        raise InvalidRequest(f"Failed to validate agent::Call: Expecting '{needed}' to be present")


def _encode(answer: Answer, media_type: str) -> bytes:
    """Encode an answer for v1: in JSON some lists are shown though empty."""
    if media_type != JSON:
        return answer.SerializeToString()
    shown = to_dict(evolve(answer))
    parts = [shown, shown.get("get_state", {})]
    for part in parts:
        for name, lists in _ALWAYS_LISTED.items():
            if name in part:
                part[name] = {key: part[name].get(key, []) for key in lists}
    return dumps(shown)


_TYPE_BITS = {"d": 0o040000, "l": 0o120000, "b": 0o060000, "c": 0o020000, "p": 0o010000, "s": 0o140000, "-": 0o100000}


def _mode_bits(text: str) -> int:
    """Turn ``drwxr-xr-x`` into mode bits."""
    bits = 0
    for character in text[1:]:
        bits = bits << 1 | (character != "-")
    return _TYPE_BITS.get(text[0], 0) | bits
