"""Handler tables are complete, flags are documented, and the reference pages say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from messor.agent.flags import AgentFlags
from messor.master.flags import MasterFlags
from messor.protos import internal
from messor.runtime.flags import flags_of
from messor.simulation.cluster import Cluster

ROOT = Path(__file__).parents[2]

NOT_MESSAGES = {
    "Archive": "stands inside ReregisterSlaveMessage",
    "MasterSlaveConnection": "stands inside the answers to registration",
    "ResourceVersionUUID": "stands inside other messages",
    "StatusUpdate": "stands inside StatusUpdateMessage",
    "StatusUpdateRecord": "is written to disk",
    "UpdateOperationStatusRecord": "is written to disk",
}
"""Types that never travel by themselves."""

FOR_OTHERS = {
    "ExecutorReregisteredMessage": "for executor drivers",
    "ExecutorRegisteredMessage": "for executor drivers",
    "FrameworkErrorMessage": "for scheduler drivers",
    "FrameworkRegisteredMessage": "for scheduler drivers",
    "FrameworkReregisteredMessage": "for scheduler drivers",
    "HookExecuted": "for tests of hooks",
    "InverseOffersMessage": "for scheduler drivers",
    "LostSlaveMessage": "for scheduler drivers",
    "ReconnectExecutorMessage": "for executor drivers",
    "RescindInverseOfferMessage": "for scheduler drivers",
    "RescindResourceOfferMessage": "for scheduler drivers",
    "ResourceOffersMessage": "for scheduler drivers",
    "ResourceProviderCallMessage": "for resource providers, which do not exist yet",
    "ResourceProviderEventMessage": "for resource providers, which do not exist yet",
    "SubmitSchedulerResponse": "for whoever asked",
    "TaskHealthStatus": "for executors, which check health themselves",
}
"""Messages that neither master nor agent handles."""

NOT_YET: dict[str, str] = {}
"""Messages whose feature does not exist yet; whoever builds it removes the line."""


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """Give a cluster, which is where the tables are built."""
    return Cluster()


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """Give tools/make_reference.py."""
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "tools" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def handled_by(cluster: Cluster) -> set[str]:
    """Name the internal messages that some actor of master or agent handles."""
    return {
        name.rpartition(".")[2]
        for host in (cluster.master.host, cluster.agents[0].host)
        for actor in host.directory.actors.values()
        for name in actor.handlers
        if name.startswith("mesos.internal.")
    }


def test_every_internal_message_has_a_handler_or_a_reason(cluster: Cluster) -> None:
    """Building a table fails on doubles; here nothing may be missing either."""
    handled = handled_by(cluster)
    every = set(internal.DESCRIPTOR.message_types_by_name)
    excused = NOT_MESSAGES.keys() | FOR_OTHERS.keys() | NOT_YET.keys()
    assert every - handled - excused == set()


def test_no_excuse_is_stale(cluster: Cluster) -> None:
    """A message that is handled by now needs no reason for not being handled."""
    assert handled_by(cluster) & (NOT_MESSAGES.keys() | NOT_YET.keys()) == set()


@pytest.mark.parametrize("kind", [MasterFlags, AgentFlags])
def test_every_flag_says_what_it_does(kind: type) -> None:
    """A flag's help is a sentence."""
    silent = [
        flag.name for flag in flags_of(kind).values() if not flag.mark.help.strip().endswith((".", "`", ")", "?"))
    ]
    assert silent == []


@pytest.mark.parametrize("name", ["handlers.md", "endpoints.md", "flags.md", "metrics.md", "errors.md"])
def test_reference_pages_are_up_to_date(tool: ModuleType, name: str) -> None:
    """``python tools/make_reference.py`` writes them."""
    assert (ROOT / "docs" / "reference" / name).read_text() == tool.pages()[name]
