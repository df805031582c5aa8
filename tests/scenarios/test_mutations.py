"""Thousands of broken copies of good messages: no handler raises, no process ends, the books balance."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from messor.simulation.cluster import Cluster
from messor.simulation.mutations import Mutator
from support.clusters import AWARE

EXECUTORS = ("", "v0-executor", "v1-executor")


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log nothing: what is wrong with each of thousands of messages interests nobody."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("http", [False, True], ids=["v0", "v1"])
@pytest.mark.parametrize("seed", range(25))
def test_mutated_messages_do_no_harm(quiet: None, seed: int, *, http: bool) -> None:
    """A busy little cluster in which every other message and request is followed by a mutated copy of itself."""
    del quiet
    cluster = Cluster(seed, agents=2)
    cluster.network.observers.clear()  # mutated updates and acknowledgements are believed: the ledger must not be
    cluster.network.senders.clear()
    cluster.ledger.heard_by_scheduler = lambda *_: None  # type: ignore[method-assign]
    mutator = Mutator(cluster.network, seed, share=0.5)
    frameworks = [
        cluster.framework(
            http=http,
            checkpoint=number % 2 == 0,
            failover_timeout=1e5,
            capabilities=AWARE,
            declines=True,
            subscribe=False,
        )
        for number in range(3)
    ]
    for round_number in range(6):
        for framework in frameworks:
            if framework.is_connected:
                task = framework.launch("sleep 3", cpus=0.1, executor=EXECUTORS[round_number % 3])
                framework.reconcile((task, ""))
                if round_number == 3:
                    framework.kill(task)
        cluster.advance(10)
    assert mutator.count > 10
    assert cluster.master.is_running
    cluster.check()
    cluster.close()
