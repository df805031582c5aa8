"""The agent's plain HTTP endpoints (U14, U15)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from messor.agent.state.lifecycles import AgentState
from messor.errors import NotNow
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response, json_response, text_response
from messor.runtime.rate_limits import RateLimit
from messor.security.authorizer import Action, Object
from messor.security.permissions import check_endpoint
from messor.wire.json_codec import dumps, to_dict

if TYPE_CHECKING:
    from messor.agent.capacity.usage import ContainerUse, Usage
    from messor.agent.doors.state_view import StateView
    from messor.agent.state.tables import Tables
    from messor.runtime.host import Host
    from messor.security.permissions import Permissions

STATISTICS_RATE = (2.0, 1.0)
"""Answers of /monitor/statistics per seconds, as upstream: measuring costs; whoever asks more often waits."""


class Endpoints(Component):
    """Shows the agent to humans and tools."""

    def __init__(self, host: Host, tables: Tables, view: StateView, usage: Usage, permissions: Permissions) -> None:
        """Take what is shown, and who says to whom."""
        self._permissions = permissions
        self._statistics_limit = RateLimit(host.clock, host.tasks, *STATISTICS_RATE)
        self._tables = tables
        self._view = view
        self._usage = usage

    @endpoint("/health")
    def health(self, request: Request) -> Response:  # noqa: ARG002
        """Health check of the Agent."""
        return Response(200)

    @endpoint("/flags", methods=("GET",), realm="readonly")
    def flags(self, request: Request) -> Response:
        """Exposes the agent's flag configuration."""
        self._permissions.check(request.principal, Action.VIEW_FLAGS)
        return json_response(dumps({"flags": self._view.flags()}), request)

    @endpoint("/state", realm="readonly")
    def state(self, request: Request) -> Response:
        """Information about state of the Agent."""
        if self._tables.state is AgentState.RECOVERING:
            raise NotNow("Agent has not finished recovery")
        return json_response(dumps(self._view.state(self._permissions.viewer(request.principal))), request)

    @endpoint("/containers", realm="readonly")
    async def containers(self, request: Request) -> Response:
        """Retrieve container status and usage information."""
        check_endpoint(self._permissions, "/containers", request)
        if self._tables.state is AgentState.RECOVERING:
            raise NotNow("Agent has not finished recovery")
        found = await self._usage.containers(request.query.get("container_id") or None)
        shown = visible_containers(found, self._permissions, request.principal)
        return json_response(dumps([_container(use) for use in shown]), request)

    @endpoint("/monitor/statistics", realm="readonly")
    async def statistics(self, request: Request) -> Response:
        """Retrieve resource monitoring information."""
        check_endpoint(self._permissions, "/monitor/statistics", request)
        if self._tables.state is AgentState.RECOVERING:
            raise NotNow("Agent has not finished recovery")
        turn = self._statistics_limit.acquire()
        if turn is not None:
            await turn
        found = await self._usage.containers()
        shown = []
        for use in found:
            if use.statistics is not None:
                one = _container(use)
                one.pop("container_id")
                one.pop("status", None)
                shown.append(one)
        return json_response(dumps(shown), request)

    @endpoint("/api/v1/resource_provider", methods=("POST",), realm="readwrite")
    def resource_provider(self, request: Request) -> Response:  # noqa: ARG002
        """Endpoint for resource providers, which are not supported yet."""
        return text_response(501, "Resource providers are not supported yet")

    @endpoint("/containerizer/debug", realm="readonly")
    def debug(self, request: Request) -> Response:
        """Retrieve debug information about the containerizer: operations that hang; ours cannot."""
        check_endpoint(self._permissions, "/containerizer/debug", request)
        return json_response(dumps({"pending": []}), request)


def visible_containers(
    found: Iterable[ContainerUse], permissions: Permissions, principal: str | None
) -> Iterable[ContainerUse]:
    """Leave out the containers of executors that a principal may not see."""
    if permissions.authorizer is None:
        return found
    return (
        use
        for use in found
        if permissions.may(
            principal,
            Action.VIEW_CONTAINER,
            Object(executor_info=use.executor.info, framework_info=use.framework.info),
        )
    )


def _container(use: ContainerUse) -> dict[str, Any]:
    """Show one container, keys in alphabetical order as upstream."""
    executor = use.executor
    shown: dict[str, Any] = {
        "container_id": executor.container_id,
        "executor_id": executor.id,
        "executor_name": executor.info.name,
        "framework_id": executor.framework_id,
        "source": executor.info.source,
    }
    if use.statistics is not None:
        shown["statistics"] = dict(sorted(to_dict(use.statistics).items()))
    if use.status is not None:
        shown["status"] = to_dict(use.status)
    return shown
