"""Quota for operators: UPDATE_QUOTA and its deprecated forerunners (A11, A12, O16, U10).

Checks come first, all of them for all roles; then the registry stores the change, then the allocator hears of it, then
offers are rescinded that would keep it from taking effect.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from messor.allocator.interfaces import Allocator
from messor.errors import Conflict, InvalidRequest
from messor.master.authorization import Authorization
from messor.master.cluster.edits import quotas_of, update_quotas
from messor.master.cluster.parsing import parse_body
from messor.master.doors.endpoints import reply
from messor.master.doors.summary_view import RolesView
from messor.master.leadership import Leadership
from messor.master.offers.rescind import Rescinder
from messor.master.registry.contents import Contents
from messor.master.registry.registrar import Registrar
from messor.master.state.tables import MasterState
from messor.model.quantities import Quantities
from messor.model.quotas import DEFAULT_QUOTA, Quota, limits_text, validate_quota
from messor.model.resource_formats import upgrade
from messor.model.resources import Resources, validate_resources
from messor.model.roles import is_subrole, validate_role
from messor.protos import v0, v0_master, v0_quota, v1_master
from messor.runtime.actor import Component
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response
from messor.security.authorizer import Action, Object
from messor.wire.json_codec import message_from, to_json

log = logging.getLogger(__name__)

Call = v0_master.Call
Answer = v1_master.Response


class Quotas(Component):
    """What roles are promised and may have at most."""

    def __init__(
        self,
        *,
        state: MasterState,
        allocator: Allocator,
        registrar: Registrar,
        leadership: Leadership,
        rescinder: Rescinder,
        roles_view: RolesView,
        authorization: Authorization,
        whitelisted: frozenset[str] | None = None,
    ) -> None:
        """whitelisted: the only roles there may be, None when there may be any (``--roles``)."""
        self.authorization = authorization
        self.state = state
        self.allocator = allocator
        self.registrar = registrar
        self.leadership = leadership
        self.rescinder = rescinder
        self.roles_view = roles_view
        self.whitelisted = whitelisted
        self.answers: dict[int, Callable[[Any, Request], v1_master.Response]] = {Call.GET_QUOTA: self._shown}
        self.deeds: dict[int, Callable[[Any, Request], Awaitable[Response]]] = {
            Call.UPDATE_QUOTA: self._update_called,
            Call.SET_QUOTA: self._set_called,
            Call.REMOVE_QUOTA: self._remove_called,
        }

    def recover(self, contents: Contents) -> dict[str, Quota]:
        """Take over what the registry knows."""
        self.state.quotas = quotas_of(contents)
        return self.state.quotas

    # --- showing -----------------------------------------------------------------------------------------------------

    def status(self, principal: str | None) -> v0_quota.QuotaStatus:
        """List the quotas a principal may see; roles whose quota was reset stay in it, empty, as in Mesos."""
        status = v0_quota.QuotaStatus()
        for role, quota in self.state.quotas.items():
            if not self.authorization.may(principal, Action.GET_QUOTA, Object(value=role)):
                continue
            status.infos.append(quota.info(role))
            status.configs.append(quota.config(role))
        return status

    def _shown(self, call: Any, request: Request) -> v1_master.Response:  # noqa: ARG002
        answer = Answer(type=Answer.GET_QUOTA)
        answer.get_quota.status.SetInParent()
        answer.get_quota.status.MergeFromString(self.status(request.principal).SerializeToString())
        return answer

    # --- UPDATE_QUOTA ------------------------------------------------------------------------------------------------

    async def _update_called(self, call: v0_master.Call, request: Request) -> Response:
        configs = call.update_quota.quota_configs
        for config in configs:
            self._check(config)
        changes = {config.role: Quota.of(config) for config in configs}
        if not call.update_quota.force:
            self._check_consumption({config.role: Quota.of(config) for config in configs})
            self._check_capacity(changes)
        roles = [config.role for config in configs]
        if roles:
            self.authorization.check_roles(Action.UPDATE_QUOTA_WITH_CONFIG, roles, request.principal)
        await self._store(changes)
        for role, quota in changes.items():
            self._rescind(role, quota)
        return Response(200)

    def _check(self, config: v0_quota.QuotaConfig) -> None:
        if self.whitelisted is not None and config.role not in self.whitelisted:
            raise InvalidRequest(f"Invalid QuotaConfig: '{config.role}' is not on the roles whitelist")
        if "/" in config.role:
            raise InvalidRequest(f"Updating quota on nested role '{config.role}' is not supported yet")
        try:
            validate_quota(config)
        except InvalidRequest as error:
            raise InvalidRequest(f"Invalid QuotaConfig: {error}") from None

    def _check_consumption(self, changes: Mapping[str, Quota]) -> None:
        """Refuse limits below what is consumed: they could not be kept."""
        consumed = {use.name: use.consumed() for use in self.roles_view.roles()}
        for role, quota in changes.items():
            mine = Quantities(consumed.get(role, {}))
            if not quota.allows(mine):
                raise InvalidRequest(
                    f"Invalid QuotaConfig: Role '{role}' is already consuming '{mine}'; this is more than the"
                    f" requested limits '{limits_text(quota.limits)}' (use 'force' flag to bypass this check)"
                )

    def _check_capacity(self, changes: Mapping[str, Quota]) -> None:
        """Refuse guarantees that the cluster could not meet."""
        promised, capacity = self._promised(changes), self._capacity()
        if not capacity.contains(promised):
            raise InvalidRequest(
                f"Invalid QuotaConfig: total quota guarantees '{promised}' exceed cluster capacity '{capacity}'"
                " (use 'force' flag to bypass this check)"
            )

    def _promised(self, changes: Mapping[str, Quota]) -> Quantities:
        total = Quantities()
        for quota in {**self.state.quotas, **changes}.values():
            total += quota.guarantees
        return total

    def _capacity(self) -> Quantities:
        total = Quantities()
        for agent in self.state.agents.values():
            total += agent.total.nonrevocable().quantities()
        return total

    async def _store(self, changes: Mapping[str, Quota]) -> None:
        """Make it durable, then true."""
        await self.registrar.apply(update_quotas(changes))
        for role, quota in changes.items():
            self.state.quotas[role] = quota
            self.allocator.update_quota(role, quota)
            log.info("Updated quota of role '%s': %s", role, quota)

    def _rescind(self, role: str, quota: Quota) -> None:
        """Rescind offers: the role's own beyond its limits, then others' until its guarantee could be met."""
        use = next((use for use in self.roles_view.roles() if use.name == role), None)
        held = Quantities(use.consumed()) + use.offered if use is not None else Quantities()
        for framework in self.state.frameworks.values():
            for offer in list(framework.offers.values()):
                if quota.allows(held):
                    break
                if is_subrole(offer.role, role):
                    held -= offer.resources.quantities()
                    self.rescinder.rescind(offer)
        for agent in self.state.agents.values():
            for offer in list(agent.offers.values()):
                if held.contains(quota.guarantees):
                    return
                if not is_subrole(offer.role, role):
                    held += offer.resources.quantities()
                    self.rescinder.rescind(offer)

    # --- SET_QUOTA and /quota ----------------------------------------------------------------------------------------

    async def _set_called(self, call: v0_master.Call, request: Request) -> Response:
        await self._set(call.set_quota.quota_request, request.principal)
        return Response(200)

    async def _set(self, request: v0_quota.QuotaRequest, principal: str | None) -> None:
        """Set guarantee and limit in one, as before QUOTA_V2; the role must not have a quota."""
        guarantee = self._guarantee(request)
        role = request.role
        if self.whitelisted is not None and role not in self.whitelisted:
            raise InvalidRequest(f"Failed to validate set quota request: Unknown role '{role}'")
        if role in self.state.quotas:
            raise InvalidRequest(
                f"Failed to validate set quota request: Cannot set quota for role '{role}' which already has quota"
            )
        if "/" in role:
            raise InvalidRequest(f"Setting quota on nested role '{role}' is not supported yet")
        quota = Quota(guarantee, dict(guarantee))
        self._check_leave(role, quota, principal)
        if not request.force:
            promised, capacity = self._promised({role: quota}), self._capacity()
            if not capacity.contains(promised):
                raise Conflict(
                    "Quota guarantees overcommit the cluster (use 'force' to bypass this check): "
                    f"Total quota guarantees '{promised}' exceed cluster capacity '{capacity}'"
                )
        # At once, so that a second request for the role is refused while the registry still stores this one.
        self.state.quotas[role] = quota
        await self._store({role: quota})
        self._rescind_for(role, quota.guarantees)

    def _check_leave(self, role: str, quota: Quota, principal: str | None) -> None:
        """Raise NotAuthorized unless a quota of the old kind may be set or removed."""
        info = quota.info(role)
        if principal is not None:
            info.principal = principal
        self.authorization.check(principal, Action.UPDATE_QUOTA, Object(quota_info=info))

    @staticmethod
    def _guarantee(request: v0_quota.QuotaRequest) -> Quantities:
        """Read and check a guarantee."""
        try:
            validate_resources(request.guarantee)
        except InvalidRequest as error:
            raise InvalidRequest(
                f"Failed to validate set quota request: QuotaInfo with invalid resource: {error}"
            ) from None
        problem = _problem(request)
        if problem is not None:
            raise InvalidRequest(f"Failed to validate set quota request: {problem}")
        return Resources.of(request.guarantee).quantities()

    def _rescind_for(self, role: str, guarantee: Quantities) -> None:
        """Rescind offers until there is enough, from at least as many agents as there are frameworks in the role."""
        active = [framework for framework in self.state.frameworks.values() if framework.is_active]
        frameworks = sum(role in framework.roles for framework in active)
        visited = 0
        rescinded = Quantities()
        for agent in self.state.agents.values():
            if rescinded.contains(guarantee) and visited >= frameworks:
                break
            if agent.is_active and agent.offers:
                visited += 1
                for offer in list(agent.offers.values()):
                    rescinded += offer.resources.quantities()
                    self.rescinder.rescind(offer)

    async def _remove_called(self, call: v0_master.Call, request: Request) -> Response:
        role = call.remove_quota.role
        if role not in self.state.quotas:  # where the original ends its process
            raise InvalidRequest(f"Failed to remove quota: Role '{role}' has no quota set")
        await self._remove(role, request.principal)
        return Response(200)

    async def _remove(self, role: str, principal: str | None) -> None:
        self._check_leave(role, self.state.quotas[role], principal)
        del self.state.quotas[role]
        await self.registrar.apply(update_quotas({role: DEFAULT_QUOTA}))
        self.allocator.update_quota(role, self.state.quotas.get(role, DEFAULT_QUOTA))
        log.info("Removed quota of role '%s'", role)

    @endpoint("/quota", methods=("GET", "POST", "DELETE"), realm="readwrite")
    async def quota(self, request: Request) -> Response:
        """Show quotas, set one (JSON: role, guarantee, force), or remove one: ``DELETE /quota/ROLE``. Deprecated."""
        self.leadership.check_leading(request)
        if request.method == "GET":
            return reply([to_json(self.status(request.principal))], request)
        if request.method == "POST":
            found = parse_body(request.body, dict, "Failed to parse set quota request JSON '{body}': {why}")
            try:
                wanted = message_from(found, v0_quota.QuotaRequest)
            except InvalidRequest as error:
                text = request.body.decode("utf-8", "replace")
                raise InvalidRequest(f"Failed to validate set quota request JSON '{text}': {error}") from None
            await self._set(wanted, request.principal)
        else:
            await self._remove(self._role_in(request), request.principal)
        return Response(200)

    def _role_in(self, request: Request) -> str:
        """Find the role in the path of a DELETE."""
        path = request.path if request.path.startswith("/master") else f"/master{request.path}"
        parts = [part for part in path.split("/") if part]
        if len(parts) < 3:
            raise InvalidRequest(
                f"Failed to parse remove quota request for path '{path}': expected 3 tokens, found {len(parts)} tokens"
            )
        role = "/".join(parts[2:])
        if self.whitelisted is not None and role not in self.whitelisted:
            raise InvalidRequest(f"Failed to validate remove quota request for path '{path}': Unknown role '{role}'")
        if role not in self.state.quotas:
            raise InvalidRequest(f"Failed to remove quota for path '{path}': Role '{role}' has no quota set")
        return role


def _problem(request: v0_quota.QuotaRequest) -> str | None:
    """Tell what is wrong with a request for a quota."""
    try:
        validate_role(request.role)
    except InvalidRequest as error:
        return f"QuotaInfo with invalid role: {error}"
    if not request.guarantee:
        return "QuotaInfo with empty 'guarantee'"
    names = set()
    for resource in request.guarantee:
        upgrade(resource)
        if resource.reservations:
            return "QuotaInfo must not contain any ReservationInfo"
        if resource.HasField("disk"):
            return "QuotaInfo must not contain DiskInfo"
        if resource.HasField("revocable"):
            return "QuotaInfo must not contain RevocableInfo"
        if resource.type != v0.Value.SCALAR:
            return "QuotaInfo must not include non-scalar resources"
        if resource.name in names:
            return f"QuotaInfo contains duplicate resource name '{resource.name}'"
        names.add(resource.name)
    return None
