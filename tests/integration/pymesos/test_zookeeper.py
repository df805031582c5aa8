"""pymesos' drivers follow the leader in a real ZooKeeper."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymesos import MesosOperatorMasterDriver, MesosSchedulerDriver

from integration.pymesos.conftest import Heard, Peer, wait_for
from support.zookeeper import Ensemble, why_unavailable

SUBSCRIBED = {"framework_id": {"value": "F"}, "heartbeat_interval_seconds": 15}


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Ensemble]:
    """One server."""
    reason = why_unavailable()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    one = Ensemble(tmp_path / "zookeeper", 1)
    one.start()
    yield one
    one.stop()


def described(peer: Peer) -> bytes:
    """A MasterInfo as masters write it."""
    host, port = peer.address.split(":")
    address = {"hostname": "localhost", "ip": host, "port": int(port)}
    return json.dumps({"id": peer.address, "ip": 16777343, "port": int(port), "address": address}).encode()


@pytest.mark.parametrize("scheme", ["zk", "zoo"])
def test_drivers_go_to_whoever_leads(ensemble: Ensemble, peer: Peer, heard: Heard, scheme: str) -> None:
    """Nobody at first, then one, then another when the first goes."""
    from kazoo.client import KazooClient

    other = Peer()
    client = KazooClient(ensemble.hosts)
    client.start()
    uri = ensemble.url("/mesos").replace("zk://", f"{scheme}://")
    driver = MesosSchedulerDriver(heard, {"user": "u", "name": "f"}, uri)
    operator = MesosOperatorMasterDriver(uri, Heard())
    driver.start()
    operator.start()
    client.ensure_path("/mesos/log_replicas")
    first = client.create("/mesos/json.info_", described(peer), sequence=True)
    client.create("/mesos/json.info_", described(other), sequence=True)
    wait_for(lambda: len(peer.subscriptions) == 2, "both subscriptions")
    peer.send(
        "SUBSCRIBED", SUBSCRIBED, stream=[one[1].get("subscribe") is not None for one in peer.subscriptions].index(True)
    )
    heard.wait("registered")
    assert operator.getHealth() == {}
    client.delete(first)
    wait_for(lambda: len(other.subscriptions) == 2, "both subscriptions at the new leader")
    heard.wait("disconnected")
    assert driver.master == other.address
    operator.getHealth()
    assert "GET_HEALTH" in other.kinds()
    client.stop()
    client.close()
    for one in (driver, operator):
        one.stop()
        one.join()
    other.close()


def test_a_zookeeper_address_without_a_path_is_refused_at_the_start(heard: Heard) -> None:
    """In words."""
    from messor.errors import ConfigurationError

    driver = MesosSchedulerDriver(heard, {}, "zk://127.0.0.1:2181/")
    with pytest.raises(ConfigurationError, match="path"):
        driver.start()
    assert driver.aborted
