"""What masters write into ZooKeeper so that others find the leader, and how the names of those nodes are read.

A candidate is an ephemeral sequential node ``json.info_0000000012`` with its MasterInfo as JSON with sorted keys; older
masters wrote ``info_…`` with the MasterInfo in protobuf; members of a replicated log are nodes without a label that
hold their pid. The smallest sequence number leads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from messor.errors import RemoteProtocolError
from messor.protos import v0
from messor.wire.json_codec import from_json, to_dict
from messor.wire.upid import Upid, parse_upid

JSON_LABEL = "json.info"
BINARY_LABEL = "info"

SEQUENCE_DIGITS = 10


class NodeName(NamedTuple):
    """The name of one member of a group, taken apart."""

    sequence: int
    label: str

    def __str__(self) -> str:
        """Give the name as ZooKeeper made it."""
        number = f"{self.sequence:0{SEQUENCE_DIGITS}d}"
        return f"{self.label}_{number}" if self.label else number


def parse_node_name(name: str) -> NodeName | None:
    """Take the name of a child apart; None for children that are no members, as ``log_replicas`` in the same place."""
    label, underscore, number = name.rpartition("_")
    if not underscore:
        label, number = "", name
    if not number.isascii() or not number.isdigit():
        return None
    return NodeName(int(number), label)


def leader_of(children: Iterable[str]) -> NodeName | None:
    """Give the member that leads, or None; only members whose content is a MasterInfo count."""
    members = [name for child in children if (name := parse_node_name(child)) is not None]
    candidates = [name for name in members if name.label in (JSON_LABEL, BINARY_LABEL)]
    return min(candidates, default=None)


def encode_master(info: v0.MasterInfo) -> bytes:
    """Write the content of a ``json.info`` node."""
    return orjson.dumps(to_dict(info), option=orjson.OPT_SORT_KEYS)


def decode_master(data: bytes, label: str) -> v0.MasterInfo:
    """Read the content of a candidate's node; raises InvalidRequest for bad JSON, RemoteProtocolError for the rest."""
    if label == JSON_LABEL:
        return from_json(data, v0.MasterInfo)
    if label != BINARY_LABEL:
        raise RemoteProtocolError(f"Failed to parse data of unknown label '{label}'")
    info = v0.MasterInfo()
    try:
        info.ParseFromString(data)
    except Exception as error:
        raise RemoteProtocolError("Failed to parse data into MasterInfo") from error
    return info


def encode_member(upid: Upid) -> bytes:
    """Write the content of a replicated log's member node."""
    return str(upid).encode()


def decode_member(data: bytes) -> Upid:
    """Read the content of a replicated log's member node; raises RemoteProtocolError."""
    return parse_upid(data.decode("utf-8", "replace"))


def ip_number(ip: str) -> int:
    """Give an IPv4 address as MasterInfo.ip has it: network byte order read as a little-endian number."""
    return int.from_bytes(bytes(int(part) for part in ip.split(".")), "little")


def ip_text(number: int) -> str:
    """Give the dotted form of MasterInfo.ip."""
    return ".".join(str(part) for part in number.to_bytes(4, "little"))
