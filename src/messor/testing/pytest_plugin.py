"""Fixtures ``mesos_cluster`` and ``mesos``: real clusters for tests, started in well under a second.

``mesos_cluster`` is one cluster for the session (for the worker, under xdist); frameworks that a test leaves there are
torn down after it. ``mesos`` is a cluster of the test's own, described by ``@pytest.mark.mesos(agents=…,
attributes=…, resources=…, master_flags=…, agent_flags=…)``, to be broken at will.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from messor.testing.cluster import Mesos

USED = pytest.StashKey["list[Mesos]"]()
"""Per test: the clusters it uses."""
FAILED = pytest.StashKey[bool]()
"""Per test: whether it failed."""
KEPT = pytest.StashKey["list[Mesos]"]()
"""Per session: the clusters left running for ``--mesos-keep``."""

SHARED_AGENTS = 2

MARKER_ARGUMENTS = ("agents", "attributes", "resources", "master_flags", "agent_flags")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("mesos")
    group.addoption("--mesos-master", metavar="HOST:PORT", help="use this cluster instead of starting one")
    group.addoption("--mesos-keep", action="store_true", help="leave clusters of failed tests running and say where")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "mesos(agents=1, attributes=None, resources=None, master_flags=None, agent_flags=None): "
        "describe the cluster of the fixture 'mesos'",
    )
    config.stash[KEPT] = []


@pytest.fixture(scope="session")
def _mesos_shared(pytestconfig: pytest.Config) -> Iterator[Mesos]:
    """Start the session's cluster when the first test asks for it."""
    from messor.testing.cluster import Mesos

    master = pytestconfig.getoption("--mesos-master")
    cluster = Mesos.existing(master) if master else Mesos.started(SHARED_AGENTS)
    yield cluster
    if cluster not in pytestconfig.stash[KEPT]:
        cluster.stop()


@pytest.fixture
def mesos_cluster(request: pytest.FixtureRequest, _mesos_shared: Mesos) -> Iterator[Mesos]:
    """A cluster with two agents, shared by the session; what this test registers is torn down after it."""
    _mesos_shared.begin()
    request.node.stash.setdefault(USED, []).append(_mesos_shared)
    yield _mesos_shared
    if not _is_kept(request, _mesos_shared):
        _mesos_shared.clean()


@pytest.fixture
def mesos(request: pytest.FixtureRequest) -> Iterator[Mesos]:
    """A cluster for this test alone, as its marker ``mesos`` describes it."""
    from messor.testing.cluster import Mesos

    marker = request.node.get_closest_marker("mesos")
    master = request.config.getoption("--mesos-master")
    if master:
        cluster = Mesos.existing(master)
    else:
        arguments: dict[str, Any] = marker.kwargs if marker is not None else {}
        unknown = [name for name in arguments if name not in MARKER_ARGUMENTS]
        if unknown:
            takes = ", ".join(MARKER_ARGUMENTS)
            pytest.fail(f"the marker mesos takes no '{unknown[0]}'; it takes {takes}", pytrace=False)
        cluster = Mesos.started(*(marker.args if marker is not None else ()), **arguments)
    try:
        cluster.begin()
        request.node.stash.setdefault(USED, []).append(cluster)
        yield cluster
    finally:
        if not _is_kept(request, cluster):
            if master:
                cluster.clean()
            cluster.stop()


def _is_kept(request: pytest.FixtureRequest, cluster: Mesos) -> bool:
    """Whether the cluster is left as it is, because the test failed and ``--mesos-keep`` was given."""
    kept = request.config.stash[KEPT]
    if request.config.getoption("--mesos-keep") and request.node.stash.get(FAILED, False) and cluster not in kept:
        kept.append(cluster)
        cluster.keep()
    return cluster in kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put logs and sandboxes into the report of a failed test."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        for cluster in item.stash.get(USED, []):
            report.sections.extend(cluster.report())
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left running."""
    for cluster in config.stash.get(KEPT, []):
        terminalreporter.write_line(f"mesos: left running at {cluster.url}, logs and sandboxes in {cluster.work_dir}")
