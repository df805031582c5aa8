"""What masters write into ZooKeeper."""

from __future__ import annotations

import pytest

from messor.errors import RemoteProtocolError
from messor.protos import v0
from messor.wire.upid import Upid
from messor.wire.zookeeper_nodes import (
    NodeName,
    decode_master,
    decode_member,
    encode_master,
    encode_member,
    ip_number,
    ip_text,
    leader_of,
    parse_node_name,
)

# As a real master wrote it (ids and port apart).
RECORDED = (
    b'{"address":{"hostname":"localhost","ip":"127.0.0.1","port":16600},"capabilities":[{"type":"AGENT_UPDATE"},'
    b'{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],"hostname":"localhost","id":"m","ip":16777343,'
    b'"pid":"master@127.0.0.1:16600","port":16600,"version":"1.12.0"}'
)


def test_a_master_is_written_with_sorted_keys() -> None:
    """And read from the same text."""
    info = decode_master(RECORDED, "json.info")
    assert info.address.port == 16600
    assert encode_master(info) == RECORDED


def test_older_masters_wrote_protobuf() -> None:
    """Below another label."""
    info = v0.MasterInfo(id="m", ip=1, port=5050)
    assert decode_master(info.SerializeToString(), "info") == info
    with pytest.raises(RemoteProtocolError):
        decode_master(b"\xff\xff", "info")
    with pytest.raises(RemoteProtocolError):
        decode_master(b"", "other")


def test_the_smallest_sequence_number_leads() -> None:
    """Whatever else lives in the same directory."""
    children = ["log_replicas", "json.info_0000000012", "json.info_0000000003", "0000000001", "x_0000000000"]
    assert leader_of(children) == NodeName(3, "json.info")
    assert leader_of(["log_replicas"]) is None
    assert str(NodeName(3, "json.info")) == "json.info_0000000003"
    assert parse_node_name("log_replicas") is None
    assert str(parse_node_name("0000000001")) == "0000000001"


def test_an_address_is_its_network_bytes_read_backwards() -> None:
    """127.0.0.1 is 16777343."""
    assert ip_number("127.0.0.1") == 16777343
    assert ip_text(16777343) == "127.0.0.1"


def test_members_of_a_log_write_their_pid() -> None:
    """As text."""
    upid = Upid("log-replica(1)", "127.0.0.1", 5050)
    assert decode_member(encode_member(upid)) == upid


def test_the_region_of_a_leader_is_announced() -> None:
    """Other masters compare it with theirs (H18)."""
    info = decode_master(RECORDED, "json.info")
    info.domain.fault_domain.region.name = "eu"
    info.domain.fault_domain.zone.name = "eu-1"
    written = encode_master(info)
    assert b'"domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}' in written
    assert decode_master(written, "json.info") == info
