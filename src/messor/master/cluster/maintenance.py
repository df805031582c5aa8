"""Maintenance for operators: the schedule, and machines going down and up (N1, N2, O14, U11)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.errors import InvalidRequest
from messor.master.agents.remove import AgentRemoval
from messor.master.authorization import Authorization
from messor.master.cluster.edits import update_maintenance
from messor.master.cluster.machines import (
    Key,
    Mode,
    key_of,
    machine_of,
    registry_machines,
    scheduled,
    text_of,
    validate_machines,
    validate_schedule,
    without,
)
from messor.master.cluster.parsing import parse_body
from messor.master.doors.endpoints import reply
from messor.master.leadership import Leadership
from messor.master.offers.rescind import Rescinder
from messor.master.outbox import Outbox
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.agent import AgentRecord
from messor.master.state.machine import Machine
from messor.master.state.tables import MasterState
from messor.protos import internal, v0, v0_maintenance, v0_master, v1_master
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.host import Host
from messor.runtime.http import Request, Response
from messor.security.authorizer import Action, Object
from messor.wire.json_codec import dumps, message_from, to_dict

log = logging.getLogger(__name__)

Call = v0_master.Call
Answer = v1_master.Response

DOWN_MESSAGE = "Operator initiated 'Machine DOWN'"


class Maintenance(Component):
    """Which machines will be away, and which are."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        registrar: Registrar,
        leadership: Leadership,
        rescinder: Rescinder,
        outbox: Outbox,
        host: Host,
        removal: AgentRemoval,
        authorization: Authorization,
    ) -> None:
        """See the modules of the collaborators."""
        self.authorization = authorization
        self.state = state
        self.allocator = allocator
        self.registrar = registrar
        self.leadership = leadership
        self.rescinder = rescinder
        self.outbox = outbox
        self.host = host
        self.removal = removal
        self.schedule = v0_maintenance.Schedule()
        self._up_again: set[Key] = set()
        """Machines whose maintenance ended under this master: they are known, but in no schedule."""
        state.signals.agent_added.listen(self._agent_added)
        self.answers: dict[int, Callable[[Any, Request], v1_master.Response]] = {
            Call.GET_MAINTENANCE_STATUS: self._status_shown,
            Call.GET_MAINTENANCE_SCHEDULE: self._schedule_shown,
        }
        self.deeds: dict[int, Callable[[Any, Request], Awaitable[Response]]] = {
            Call.UPDATE_MAINTENANCE_SCHEDULE: self._schedule_called,
            Call.START_MAINTENANCE: self._start_called,
            Call.STOP_MAINTENANCE: self._stop_called,
        }

    def recover(self, contents: Contents) -> None:
        """Take over what the registry knows."""
        for schedule in contents.rest.schedules:
            self.schedule.MergeFrom(schedule)
        for entry in contents.rest.machines.machines:
            info = entry.info
            self.state.machines[key_of(info.id)] = Machine(info.id, info.mode, info.unavailability)

    # --- showing -----------------------------------------------------------------------------------------------------

    def status(self, principal: str | None) -> v0_maintenance.ClusterStatus:
        """Tell which machines are draining, what frameworks there answered, and which are down, of those to be seen."""
        status = v0_maintenance.ClusterStatus()
        answers = self.allocator.inverse_offer_statuses()
        for key, machine in self.state.machines.items():
            if not self.authorization.may(principal, Action.GET_MAINTENANCE_STATUS, Object(machine_id=machine.id)):
                continue
            if machine.mode == Mode.DOWN:
                status.down_machines.append(machine.id)
                continue
            draining = status.draining_machines.add(id=machine.id)
            for agent in self.state.agents.values():
                if machine_of(agent) == key:
                    draining.statuses.extend(answers.get(agent.id, {}).values())
        return status

    def _status_shown(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_MAINTENANCE_STATUS)
        answer.get_maintenance_status.status.SetInParent()
        answer.get_maintenance_status.status.MergeFromString(self.status(request.principal).SerializeToString())
        return answer

    def _schedule_shown(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_MAINTENANCE_SCHEDULE)
        answer.get_maintenance_schedule.schedule.SetInParent()
        answer.get_maintenance_schedule.schedule.MergeFromString(self._seen(request.principal).SerializeToString())
        return answer

    def _seen(self, principal: str | None) -> v0_maintenance.Schedule:
        """Give the schedule of the machines a principal may see."""
        if not self.authorization.is_on:
            return self.schedule
        seen = v0_maintenance.Schedule()
        for window in self.schedule.windows:
            machines = [
                machine
                for machine in window.machine_ids
                if self.authorization.may(principal, Action.GET_MAINTENANCE_SCHEDULE, Object(machine_id=machine))
            ]
            if machines:
                seen.windows.add(machine_ids=machines, unavailability=window.unavailability)
        return seen

    @endpoint("/maintenance/status", methods=("GET",), realm="readonly")
    def show_status(self, request: Request) -> Response:
        """Give machines that are draining, with the frameworks' answers, and those that are down."""
        self.leadership.check_leading(request)
        return reply([dumps(_sorted(to_dict(self.status(request.principal))))], request)

    # --- schedule ----------------------------------------------------------------------------------------------------

    @endpoint("/maintenance/schedule", methods=("GET", "POST"), realm="readwrite")
    async def show_or_plan(self, request: Request) -> Response:
        """Show the schedule, or replace it: JSON of windows."""
        self.leadership.check_leading(request)
        if request.method == "GET":
            return reply([dumps(_sorted(to_dict(self._seen(request.principal))))], request)
        found = parse_body(request.body, dict, "{why}")
        await self._plan(message_from(found, v0_maintenance.Schedule), request.principal)
        return Response(200)

    async def _schedule_called(self, call: v0_master.Call, request: Request) -> Response:
        await self._plan(call.update_maintenance_schedule.schedule, request.principal)
        return Response(200)

    async def _plan(self, schedule: v0_maintenance.Schedule, principal: str | None) -> None:
        """Replace the schedule: machines in it drain, those no longer in it are up."""
        validate_schedule(schedule, self.state.machines)
        named = [machine for window in schedule.windows for machine in window.machine_ids]
        self.authorization.check_machines(Action.UPDATE_MAINTENANCE_SCHEDULE, named, principal)
        machines = scheduled(schedule, self.state.machines)
        await self._store(schedule, machines)

    async def _store(self, schedule: v0_maintenance.Schedule, machines: dict[Key, Machine]) -> None:
        """Make it durable, then true, then known to whoever holds resources of machines whose window changed."""
        before = self.state.machines
        known = registry_machines(before)
        await self.registrar.apply(update_maintenance(schedule, registry_machines(machines), known=known))
        self.schedule, self.state.machines = schedule, machines
        for key in {**before, **machines}:
            old, new = before.get(key), machines.get(key)
            if (old.unavailability if old else None) != (new.unavailability if new else None):
                self._window_changed(key, new.unavailability if new else None)

    def _window_changed(self, key: Key, unavailability: v0.Unavailability | None) -> None:
        for agent in list(self.state.agents.values()):
            if machine_of(agent) == key:
                # Offers say when the agent goes: they are made anew.
                agent.offer_prefix = None
                self.rescinder.rescind_agent(agent)
                self.rescinder.withdraw_agent(agent)
                self.allocator.update_unavailability(agent.id, unavailability)

    # --- down and up -------------------------------------------------------------------------------------------------

    @endpoint("/machine/down", methods=("POST",), realm="readwrite")
    async def take_down(self, request: Request) -> Response:
        """Begin maintenance of machines: a JSON list of ``hostname`` and ``ip``. Their agents are shut down."""
        self.leadership.check_leading(request)
        await self._down(_machines_in(request), request.principal)
        return Response(200)

    @endpoint("/machine/up", methods=("POST",), realm="readwrite")
    async def bring_up(self, request: Request) -> Response:
        """End maintenance of machines: a JSON list of ``hostname`` and ``ip``."""
        self.leadership.check_leading(request)
        await self._up(_machines_in(request), request.principal)
        return Response(200)

    async def _start_called(self, call: v0_master.Call, request: Request) -> Response:
        await self._down(list(call.start_maintenance.machines), request.principal)
        return Response(200)

    async def _stop_called(self, call: v0_master.Call, request: Request) -> Response:
        await self._up(list(call.stop_maintenance.machines), request.principal)
        return Response(200)

    def _checked(self, machines: Iterable[v0.MachineID], mode: int, name: str, verb: str) -> set[Key]:
        """Check that machines are in a mode; raises InvalidRequest."""
        machines = list(machines)
        validate_machines(machines)
        for machine in machines:
            key = key_of(machine)
            known = self.state.machines.get(key)
            if known is None and not self._is_up(key):
                raise InvalidRequest(f"Machine '{text_of(machine)}' is not part of a maintenance schedule")
            if known is None or known.mode != mode:
                raise InvalidRequest(f"Machine '{text_of(machine)}' is not in {name} mode and cannot be brought {verb}")
        return {key_of(machine) for machine in machines}

    def _is_up(self, key: Key) -> bool:
        """Tell whether a machine that is in no schedule is known all the same."""
        return key in self._up_again or any(machine_of(agent) == key for agent in self.state.agents.values())

    async def _down(self, machines: list[v0.MachineID], principal: str | None) -> None:
        keys = self._checked(machines, Mode.DRAINING, "DRAINING", "down")
        self.authorization.check_machines(Action.START_MAINTENANCE, machines, principal)
        changed = {
            key: Machine(machine.id, Mode.DOWN if key in keys else machine.mode, machine.unavailability)
            for key, machine in self.state.machines.items()
        }
        await self._store(self.schedule, changed)
        for agent in list(self.state.agents.values()):
            if machine_of(agent) in keys:
                await self._shut_down(agent)

    async def _shut_down(self, agent: AgentRecord) -> None:
        self.outbox.to_agent(agent, internal.ShutdownMessage(message=DOWN_MESSAGE))
        await self.removal.remove(agent.id, DOWN_MESSAGE)

    def _agent_added(self, agent: AgentRecord) -> None:
        """Shut down an agent whose machine went down while it was being admitted."""
        machine = self.state.machines.get(machine_of(agent))
        if machine is not None and machine.mode == Mode.DOWN:
            self.host.tasks.spawn(self._shut_down(agent), "shut down agent")

    async def _up(self, machines: list[v0.MachineID], principal: str | None) -> None:
        keys = self._checked(machines, Mode.DOWN, "DOWN", "up")
        self.authorization.check_machines(Action.STOP_MAINTENANCE, machines, principal)
        rest = {key: machine for key, machine in self.state.machines.items() if key not in keys}
        await self._store(without(self.schedule, keys), rest)
        self._up_again |= keys


def _machines_in(request: Request) -> list[v0.MachineID]:
    """Read a JSON list of machines; raises InvalidRequest."""
    return [message_from(item, v0.MachineID) for item in parse_body(request.body, list, "{why}")]


def _sorted(value: Any) -> Any:
    """Sort keys at all depths, as the old endpoints show messages."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
