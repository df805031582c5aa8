"""What is left behind by executors and frameworks is shown while it lasts, and condemned when they are over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from messor.agent.checkpoint.paths import virtual_sandbox
from messor.security.authorizer import Action, Object

if TYPE_CHECKING:
    from messor.agent.checkpoint.paths import Paths
    from messor.agent.state.executor import Executor
    from messor.agent.state.framework import Framework
    from messor.agent.state.signals import Signals
    from messor.agent.state.tables import Tables
    from messor.agent.upkeep.garbage import Garbage
    from messor.security.permissions import Permissions


class Files(Protocol):
    """Where sandboxes are shown; the actor ``files`` of a real process."""

    def attach(self, name: str, path: str, authorize: Callable[[str | None], bool] | None = None) -> None:
        """Show a path under a name to those principals who may see it; None: to all."""
        ...

    def detach(self, name: str) -> None:
        """Show it no more."""
        ...


class Sandboxes:
    """Listens to executors and frameworks that come and go (U17)."""

    def __init__(
        self,
        tables: Tables,
        paths: Paths,
        garbage: Garbage,
        files: Files | None,
        signals: Signals,
        permissions: Permissions,
    ) -> None:
        """files: None where nobody browses."""
        self._permissions = permissions
        self._tables = tables
        self._paths = paths
        self._garbage = garbage
        self._files = files
        self._latest: dict[str, str] = {}
        """Which run each virtual name shows: an old run that is removed must not take a newer one off."""
        signals.sandbox_added = self.added
        signals.sandbox_retired = self.retired
        signals.framework_retired = self.framework_retired

    def added(self, executor: Executor) -> None:
        """Show a sandbox under its real path and as the executor's latest."""
        if self._files is not None:
            name = virtual_sandbox(executor.framework_id, executor.id)
            self._latest[name] = executor.directory
            authorize = partial(self._may_see, executor.framework_id, executor.id)
            self._files.attach(executor.directory, executor.directory, authorize)
            self._files.attach(name, executor.directory, authorize)

    def _may_see(self, framework_id: str, executor_id: str, principal: str | None) -> bool:
        """Tell whether a principal may look into the sandboxes of an executor, by the users of what is still known."""
        framework = self._tables.frameworks.get(framework_id)
        executor = framework.executors.get(executor_id) if framework is not None else None
        thing = Object(
            framework_info=framework.info if framework is not None else None,
            executor_info=executor.info if executor is not None else None,
        )
        return self._permissions.may(principal, Action.ACCESS_SANDBOX, thing)

    def retired(self, framework: Framework, executor: Executor) -> None:
        """Condemn an executor's run, and its folder when no newer run uses it."""
        ids = (self._tables.agent_id, framework.id, executor.id)
        directory, name = executor.directory, virtual_sandbox(framework.id, executor.id)
        # The callback waits for a week: it must not hold on to the executor and its tasks.
        self._garbage.condemn(directory, lambda: self._gone(directory, name))
        if executor.id not in framework.executors:
            self._garbage.condemn(self._paths.executor(*ids))
        if executor.checkpoint:
            self._garbage.condemn(self._paths.run(*ids, executor.container_id).folder)
            if executor.id not in framework.executors:
                self._garbage.condemn(self._paths.meta_executor(*ids))

    def _gone(self, directory: str, name: str) -> None:
        if self._files is None:
            return
        self._files.detach(directory)
        if self._latest.get(name) == directory:
            del self._latest[name]
            self._files.detach(name)

    def framework_retired(self, framework: Framework) -> None:
        """Condemn a framework's folders."""
        self._garbage.condemn(self._paths.framework(self._tables.agent_id, framework.id))
        if framework.info.checkpoint:
            self._garbage.condemn(self._paths.meta_framework(self._tables.agent_id, framework.id))
