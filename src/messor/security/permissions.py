"""What daemons ask before they do or show something. Costs nothing where there is no authorizer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from messor.errors import InvalidRequest, MethodNotAllowed, NotAuthorized
from messor.model.conversions import conversions_of
from messor.protos import v0
from messor.security.authorizer import Action, Approver, Authorizer, Object, Subject

if TYPE_CHECKING:
    from messor.runtime.directory import Directory
    from messor.runtime.http import Request


class Permissions:
    """An authorizer, if there is one; without, everybody may do everything."""

    def __init__(self, authorizer: Authorizer | None = None) -> None:
        """Ask this one."""
        self.authorizer = authorizer

    def may(self, principal: str | None, action: int, thing: Object | None = None) -> bool:
        """Whether a principal (None: nobody in particular) may do something to an object (None: to any)."""
        if self.authorizer is None:
            return True
        return self.authorizer.approver(subject_of(principal), action).approved(thing)

    def check(self, principal: str | None, action: int, thing: Object | None = None) -> None:
        """Raise NotAuthorized unless a principal may do something."""
        if not self.may(principal, action, thing):
            raise NotAuthorized

    def viewer(self, principal: str | None) -> Viewer | None:
        """Give what a principal may see; None when that is everything."""
        if self.authorizer is None:
            return None
        viewer = Viewer(self.authorizer, principal)
        return None if viewer.sees_all else viewer


class Viewer:
    """What one principal may see: frameworks, tasks and executors by user, and roles."""

    def __init__(self, authorizer: Authorizer, principal: str | None) -> None:
        """Ask about each kind of thing once."""
        subject = subject_of(principal)
        self._frameworks = authorizer.approver(subject, Action.VIEW_FRAMEWORK)
        self._tasks = authorizer.approver(subject, Action.VIEW_TASK)
        self._executors = authorizer.approver(subject, Action.VIEW_EXECUTOR)
        self._roles = authorizer.approver(subject, Action.VIEW_ROLE)
        self.sees_flags = authorizer.approver(subject, Action.VIEW_FLAGS).approved(None)
        self.sees_all = self.sees_flags and all(
            one.verdict is True for one in (self._frameworks, self._tasks, self._executors, self._roles)
        )
        self._known_roles: dict[str, bool] = {}

    @property
    def sees_all_tasks(self) -> bool:
        """Whether no task has to be looked at."""
        return self._tasks.verdict is True

    @property
    def sees_all_roles(self) -> bool:
        """Whether no role has to be looked at."""
        return self._roles.verdict is True

    def sees_framework(self, info: v0.FrameworkInfo) -> bool:
        """Whether a framework is shown."""
        return _ask(self._frameworks, Object(framework_info=info))

    def sees_task(self, task: v0.Task | v0.TaskInfo, info: v0.FrameworkInfo) -> bool:
        """Whether a task of a framework is shown."""
        if self._tasks.verdict is not None:
            return self._tasks.verdict
        if isinstance(task, v0.TaskInfo):
            return self._tasks.approved(Object(task_info=task, framework_info=info))
        return self._tasks.approved(Object(task=task, framework_info=info))

    def sees_executor(self, executor: v0.ExecutorInfo, info: v0.FrameworkInfo) -> bool:
        """Whether an executor of a framework is shown."""
        return _ask(self._executors, Object(executor_info=executor, framework_info=info))

    def sees_role(self, role: str) -> bool:
        """Whether a role is shown, and what is reserved for it or allocated to it."""
        known = self._known_roles.get(role)
        if known is None:
            known = self._known_roles[role] = _ask(self._roles, Object(value=role))
        return known

    def sees_resource(self, resource: v0.Resource) -> bool:
        """Whether a resource is shown: all roles it is reserved for and the one it is allocated to must be."""
        if self._roles.verdict is not None:
            roles = _roles_in(resource)
            return self._roles.verdict or not roles
        return all(self.sees_role(role) for role in _roles_in(resource))

    def sees_operation(self, operation: v0.Offer.Operation) -> bool:
        """Whether an operation is shown: all that it consumes must be. Its resources are in their inside form."""
        try:
            steps = conversions_of(operation)
        except InvalidRequest:
            return False
        return all(self.sees_resource(resource) for step in steps for resource in step.consumed.messages())


GUARDED = ("/metrics/snapshot", "/logging/toggle", "/files/debug")
"""Endpoints that every process has, of which rules about endpoints may speak."""


def guard_endpoints(directory: Directory, permissions: Permissions) -> None:
    """Have a process's small actors served only to those who may ask them."""
    if permissions.authorizer is not None:
        for path in GUARDED:
            directory.guards[path] = partial(check_endpoint, permissions, path)


def check_endpoint(permissions: Permissions, path: str, request: Request) -> None:
    """Raise NotAuthorized unless an endpoint may be asked, MethodNotAllowed for other methods than GET."""
    if permissions.authorizer is None:
        return
    if request.method != "GET" and path not in GUARDED:
        raise MethodNotAllowed(("GET",), request.method)
    permissions.check(request.principal, Action.GET_ENDPOINT_WITH_PATH, Object(value=path))


def subject_of(principal: str | None) -> Subject | None:
    """Make the subject a principal is; None: nobody in particular."""
    return None if principal is None else Subject(principal)


def _ask(approver: Approver, thing: Object) -> bool:
    return approver.approved(thing) if approver.verdict is None else approver.verdict


def _roles_in(resource: v0.Resource) -> list[str]:
    roles = [reservation.role for reservation in resource.reservations]
    if resource.HasField("role") and resource.role != "*":
        roles.append(resource.role)
    if resource.HasField("allocation_info"):
        roles.append(resource.allocation_info.role)
    return roles
