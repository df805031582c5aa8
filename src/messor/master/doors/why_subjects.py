"""What ``/allocator/why`` is asked about: a framework, a role or a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from messor.errors import InvalidRequest, NotFound
from messor.master.doors.task_situation import find_tasks
from messor.master.state.framework import FrameworkRecord
from messor.master.state.lifecycles import FrameworkState
from messor.master.state.tables import MasterState
from messor.model.roles import is_subrole, validate_role

LIMIT = 1000
"""How many combinations of agent, framework and role one answer looks at unless asked for more."""

INACTIVE = {
    FrameworkState.RECOVERED: "its scheduler has not come back since this master leads",
    FrameworkState.INACTIVE: "its driver aborted and deactivated it",
    FrameworkState.DISCONNECTED: "its scheduler is disconnected",
    FrameworkState.COMPLETED: "it ended",
}
"""Why a framework is offered nothing, by its state."""


class Subjects:
    """Finds what a question is about."""

    def __init__(self, state: MasterState, roles: Callable[[], Iterable[str]]) -> None:
        """roles: lists those there are."""
        self._state = state
        self._roles = roles

    def read(self, query: dict[str, str]) -> tuple[str, str]:
        """Find out what is asked about: a kind and an id; raises InvalidRequest or NotFound."""
        given = [kind for kind in ("framework", "role", "task", "about") if query.get(kind)]
        if len(given) != 1 and not (set(given) == {"task", "framework"}):
            raise InvalidRequest("Expecting one of the query parameters 'framework', 'role', 'task' and 'about'")
        kind, text = given[-1], query[given[-1]]
        if kind == "framework":
            return "framework", self.framework(text).id
        if kind == "role":
            validate_role(text)
        if kind != "about":
            return kind, text
        return self._guess(text)

    def owner(self, query: dict[str, str]) -> str | None:
        """Give the framework whose task is asked about, where that is said; raises InvalidRequest or NotFound."""
        return self.framework(query["framework"]).id if query.get("task") and query.get("framework") else None

    def agent(self, query: dict[str, str]) -> str | None:
        """Give the one agent that is asked about, if it is one; raises NotFound."""
        agent_id = query.get("agent")
        if agent_id is not None and agent_id not in self._state.agents:
            raise NotFound(f"No agent '{agent_id}' is registered")
        return agent_id

    def framework(self, text: str) -> FrameworkRecord:
        """Find a framework by id or name; raises InvalidRequest or NotFound."""
        known = self._state.frameworks.get(text)
        if known is not None:
            return known
        named_so = [one for one in self._state.frameworks.values() if one.info.name == text]
        if len(named_so) == 1:
            return named_so[0]
        if named_so:
            ids = ", ".join(one.id for one in named_so)
            raise InvalidRequest(f"{len(named_so)} frameworks are named '{text}'; give the id of one: {ids}")
        if text in self._state.completed_frameworks:
            raise NotFound(f"Framework '{text}' ended: it is offered nothing any more")
        raise NotFound(f"There is no framework '{text}'")

    def _guess(self, text: str) -> tuple[str, str]:
        """Take a text for a framework's id or name, a task, or a role, whichever exists; raises NotFound."""
        if text in self._state.frameworks or any(one.info.name == text for one in self._state.frameworks.values()):
            return "framework", self.framework(text).id
        if find_tasks(self._state, text):
            return "task", text
        roles = set(self._roles())
        if text in roles or any(is_subrole(role, text) for role in roles if role):
            return "role", text
        raise NotFound(f"There is no framework, task or role '{text}'; saying that it is a task or a role tells more")


def positive(text: str | None, name: str, default: int) -> int:
    """Read a query parameter; raises InvalidRequest."""
    if text is None:
        return default
    if not text.isdecimal() or not int(text):
        raise InvalidRequest(f"Expecting '{name}' to be a positive whole number, not '{text}'")
    return int(text)
