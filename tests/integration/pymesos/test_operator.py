"""pymesos' operator drivers against a scripted master and agent."""

from __future__ import annotations

import json

import pytest
from pymesos import MesosOperatorAgentDriver, MesosOperatorMasterDriver

from integration.pymesos.conftest import Heard, Peer


def test_events_reach_the_operator(peer: Peer, heard: Heard) -> None:
    """Each with the part of the event that pymesos hands on."""
    driver = MesosOperatorMasterDriver(peer.address, heard, use_addict=True)
    driver.start()
    peer.send("SUBSCRIBED", {"get_state": {}})
    peer.send("HEARTBEAT")
    peer.send("TASK_ADDED", {"task": {"name": "t"}})
    peer.send("TASK_UPDATED", {"state": "TASK_RUNNING"})
    peer.send("FRAMEWORK_ADDED", {"framework": {"active": True}})
    peer.send("FRAMEWORK_UPDATED", {"framework": {"active": False}})
    peer.send("FRAMEWORK_REMOVED", {"framework_info": {"name": "f"}})
    peer.send("AGENT_ADDED", {"agent": {"version": "1"}})
    peer.send("AGENT_REMOVED", {"agent_id": {"value": "A"}})
    heard.wait("agentRemoved")
    assert heard.calls == [
        ("taskAdded", ({"name": "t"},)),
        ("taskUpdated", ({"state": "TASK_RUNNING"},)),
        ("frameworkAdded", ({"active": True},)),
        ("frameworkUpdated", ({"active": False},)),
        ("frameworkRemoved", ({"name": "f"},)),
        ("agentAdded", ({"version": "1"},)),
        ("agentRemoved", ("A",)),
    ]
    driver.stop()
    driver.join()


def test_calls_give_the_answer_and_follow_the_leader(peer: Peer) -> None:
    """A master that does not lead redirects, without a scheme."""
    leader = Peer()
    peer.answers["GET_HEALTH"] = (307, b"", {"Location": f"//{leader.address}/api/v1"})
    leader.answers["GET_HEALTH"] = (200, b'{"type":"GET_HEALTH","get_health":{"healthy":true}}', {})
    driver = MesosOperatorMasterDriver(peer.address)
    assert driver.getHealth()["get_health"] == {"healthy": True}
    driver.updateWeights([{"role": "r", "weight": 2.0, "more": 1}])
    weights = leader.wait_call("UPDATE_WEIGHTS")["update_weights"]
    assert weights == {"weight_infos": [{"role": "r", "weight": 2.0}]}
    leader.answers["GET_QUOTA"] = (403, b"not you", {})
    with pytest.raises(RuntimeError, match=r"403.*not you"):
        driver.getQuota()
    leader.close()


def test_a_container_can_be_written_to_and_read_from(peer: Peer) -> None:
    """Both are RecordIO, which pymesos 0.3.15 sends as a JSON string and cannot read."""
    driver = MesosOperatorAgentDriver(peer.address)
    data = {"type": "DATA", "data": {"type": "STDIN", "data": "aGk="}}
    driver.attachContainerInput("C", [data])
    records = peer.wait_call("RECORDS")["records"]
    first = json.dumps(
        {
            "type": "ATTACH_CONTAINER_INPUT",
            "attach_container_input": {"type": "CONTAINER_ID", "container_id": {"value": "C"}},
        },
        sort_keys=True,
    )
    assert records.startswith(f"{len(first)}\n{first}".encode())
    headers = peer.calls[-1][0]
    assert (headers["content-type"], headers["message-content-type"]) == ("application/recordio", "application/json")
    with pytest.raises(ValueError, match="DATA or CONTROL"):
        driver.attachContainerInput("C", [{"type": "OTHER"}])
    one = b'{"type":"DATA"}'
    peer.answers["ATTACH_CONTAINER_OUTPUT"] = (200, b"%d\n%b%d\n%b" % (len(one), one, len(one), one), {})
    assert driver.attachContainerOutput("C") == [{"type": "DATA"}] * 2
