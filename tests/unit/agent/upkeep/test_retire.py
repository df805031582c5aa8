"""Sandboxes are shown while they last."""

from __future__ import annotations

from collections.abc import Callable

from messor.agent.checkpoint.paths import Paths
from messor.agent.metrics import AgentMetrics
from messor.agent.state.executor import Executor
from messor.agent.state.framework import Framework
from messor.agent.state.signals import Signals
from messor.agent.state.tables import Tables
from messor.agent.upkeep.garbage import Garbage
from messor.agent.upkeep.retire import Sandboxes
from messor.security.permissions import Permissions
from messor.simulation.world import World
from support import builders

LATEST = "/frameworks/F/executors/e/runs/latest"


class ShownFiles(dict[str, str]):
    """Remembers what is shown as what."""

    def attach(self, name: str, path: str, authorize: Callable[[str | None], bool] | None = None) -> None:
        """Show what anybody may see."""
        assert authorize is not None
        assert authorize(None)
        self[name] = path

    def detach(self, name: str) -> None:
        """Hide."""
        self.pop(name, None)


def run_of(container_id: str) -> Executor:
    """Make a run of executor ``e``."""
    return Executor(
        builders.executor_info("e"),
        framework_id="F",
        container_id=container_id,
        directory=f"/w/slaves/S0/frameworks/F/executors/e/runs/{container_id}",
        checkpoint=False,
        is_command=False,
    )


def test_an_old_run_that_goes_does_not_hide_the_newer_one() -> None:
    """Both were the latest once."""
    world = World(1)
    host = world.start("agent", "10.0.0.1", 5051)
    tables = Tables(builders.agent_info(agent_id="S0"), b"v" * 16)
    garbage = Garbage(host, AgentMetrics(host.metrics, tables, host.clock), 100.0)
    files = ShownFiles()
    sandboxes = Sandboxes(tables, Paths("/w"), garbage, files, Signals(), Permissions())
    framework = Framework(builders.framework_info(framework_id="F"), None, 150)
    old, new = run_of("old"), run_of("new")
    sandboxes.added(old)
    sandboxes.retired(framework, old)
    sandboxes.added(new)
    world.advance(200)
    assert files == {LATEST: new.directory, new.directory: new.directory}
    sandboxes.retired(framework, new)
    world.advance(200)
    assert files == {}
    world.close()
