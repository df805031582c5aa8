"""Detectors, contenders and stores on a real ensemble: what kazoo, threads and servers really do."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from integration.coordination.conftest import SECONDS, SESSION_SECONDS, wait_for
from messor.coordination.contender import GroupContender
from messor.coordination.create import create_group, open_session
from messor.coordination.session import LastingSession
from messor.coordination.standalone import master_info
from messor.coordination.urls import ZooKeeperUrl, parse_zookeeper_url
from messor.drivers.detection import DetectorPool, MasterDetector, StandaloneMasterDetector
from messor.errors import ConfigurationError, NotAuthorized
from messor.protos import v0
from messor.runtime.address import Address
from messor.runtime.node import Node
from messor.storage.versioned import Variable
from messor.storage.zookeeper import CHUNK, ZooKeeperStorage
from messor.wire.upid import parse_upid
from support.zookeeper import Ensemble


@contextmanager
def client(ensemble: Ensemble, credentials: str | None = None) -> Iterator[Any]:
    """Give another client of the ensemble."""
    one = KazooClient(ensemble.hosts, auth_data=[("digest", credentials)] if credentials else [])
    one.start(SECONDS)
    try:
        yield one
    finally:
        one.stop()
        one.close()


def in_node(story: Callable[[Node], Awaitable[Any]]) -> Any:
    """Run a story in a process of ours."""

    async def run() -> Any:
        node = Node(Address("127.0.0.1", 0))
        await node.start()
        try:
            return await asyncio.wait_for(story(node), SECONDS)
        finally:
            while SESSIONS:
                SESSIONS.pop().close()
            await node.stop()

    return asyncio.run(run())


SESSIONS: list[LastingSession] = []
"""What a story opened; closed at its end, however that comes."""


def opened(node: Node, url: str) -> tuple[LastingSession, ZooKeeperUrl]:
    """Prepare a session."""
    parsed = parse_zookeeper_url(url)
    SESSIONS.append(open_session(node, parsed, SESSION_SECONDS))
    return SESSIONS[-1], parsed


def contender(node: Node, url: str) -> GroupContender:
    """Make a candidate."""
    session, parsed = opened(node, url)
    info = master_info(node, parse_upid("master@127.0.0.1:5050"))
    return GroupContender(create_group(node, session, parsed), info)


def test_a_candidate_writes_what_others_read(ensemble: Ensemble) -> None:
    """An ephemeral node json.info_<number> of sorted JSON, open to everybody (recorded)."""

    async def story(node: Node) -> None:
        one = contender(node, ensemble.url("/deep/path/mesos"))
        await one.contend()
        await node.tasks.blocking(look)
        one.close()

    def look() -> None:
        with client(ensemble) as other:
            (name,) = other.get_children("/deep/path/mesos")
            data, stat = other.get(f"/deep/path/mesos/{name}")
            assert name == "json.info_0000000000"
            assert stat.ephemeralOwner != 0
            keys = list(json.loads(data))
            assert keys == sorted(keys)
            assert {"address", "hostname", "id", "ip", "pid", "port"} <= set(keys)
            for path in ("/deep/path/mesos", f"/deep/path/mesos/{name}"):
                acls, _ = other.get_acls(path)
                assert [(acl.perms, acl.id.scheme, acl.id.id) for acl in acls] == [(31, "world", "anyone")]

    in_node(story)
    with client(ensemble) as other:
        wait_for(lambda: other.get_children("/deep/path/mesos") == [], "the node to go with its session")


def test_an_expired_session_ends_a_candidacy(ensemble: Ensemble) -> None:
    """The ensemble gives the session up although the client is alive; another candidacy works."""

    async def story(node: Node) -> tuple[bool, int, int]:
        session, parsed = opened(node, ensemble.url("/expiry"))
        info = master_info(node, parse_upid("master@127.0.0.1:5050"))
        one = GroupContender(create_group(node, session, parsed), info)
        lost = await one.contend()
        kazoo = session._session._client  # type: ignore[union-attr]
        first = session.id
        while not lost.done():  # whoever speaks last has the session, so that a thief may have to try again
            await node.tasks.blocking(expire, kazoo.client_id)
            await asyncio.sleep(0.05)
        result = await lost
        await one.contend()
        one.close()
        return result, first, session.id

    def expire(client_id: Any) -> None:
        thief = KazooClient(ensemble.hosts, client_id=client_id)
        thief.start(SECONDS)
        thief.stop()  # closing a session that is not ours expires it for its owner
        thief.close()

    result, first, second = in_node(story)
    assert result is False
    assert first != second


def test_credentials_keep_others_out(ensemble: Ensemble) -> None:
    """With user and password nodes belong to their creator; others may only look (H14)."""
    secret = "mesos:pass@word"

    async def story(node: Node) -> None:
        one = contender(node, ensemble.url("/secure", secret))
        await one.contend()
        await node.tasks.blocking(look)
        other = contender(node, ensemble.url("/secure"))
        with pytest.raises(NotAuthorized):
            await other.contend()
        other.close()
        one.close()

    def look() -> None:
        with client(ensemble) as other:
            (name,) = other.get_children("/secure")
            acls, _ = other.get_acls(f"/secure/{name}")
            assert {(acl.perms, acl.id.scheme, acl.id.id.partition(":")[0]) for acl in acls} == {
                (1, "world", "anyone"),
                (31, "digest", "mesos"),
            }

    in_node(story)


def test_a_master_without_the_credentials_ends_with_a_sentence(ensemble: Ensemble, tmp_path: Path) -> None:
    """It can never stand for election."""
    with client(ensemble, "mesos:secret") as owner:
        owner.create("/closed", acl=[make_digest_acl("mesos", "secret", all=True)])
    command = [sys.executable, "-m", "messor.master.main", "--ip=127.0.0.1", "--port=0", "--registry=in_memory"]
    done = subprocess.run(
        [*command, f"--zk={ensemble.url('/closed', 'mesos:wrong')}"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "ZooKeeper does not let us use '/closed" in done.stderr.strip().splitlines()[-1]
    assert "wrong" not in done.stderr


def test_both_formats_are_detected_and_leaders_followed(ensemble: Ensemble) -> None:
    """JSON and protobuf nodes, made by others; futures of any thread (S38, S40)."""
    info = v0.MasterInfo(id="m", ip=16777343, port=5050, hostname="one", pid="master@127.0.0.1:5050")
    detector = MasterDetector.create(ensemble.url("/formats"), SESSION_SECONDS)
    first = detector.detect()
    with client(ensemble) as other:
        other.ensure_path("/formats/log_replicas")
        old = other.create("/formats/info_", info.SerializeToString(), ephemeral=True, sequence=True)
        leader = first.result(SECONDS)
        assert leader is not None
        assert leader == info
        following = detector.detect(leader)
        assert not following.done()
        data = json.dumps({"id": "n", "ip": 16777343, "port": 5051, "hostname": "two", "pid": "master@127.0.0.1:5051"})
        other.create("/formats/json.info_", data.encode(), ephemeral=True, sequence=True)
        time.sleep(0.2)
        assert not following.done()
        other.delete(old)
        next_leader = following.result(SECONDS)
        assert next_leader is not None
        assert next_leader.hostname == "two"
    nobody = detector.detect(next_leader)
    assert nobody.result(SECONDS) is None
    pending = detector.detect()
    detector.close()
    wait_for(pending.cancelled, "the pending call to be cancelled")


def sessions(ensemble: Ensemble) -> int:
    """Count the sessions the ensemble has."""
    return sum(server.ask("cons").count("sid=0x") for server in ensemble.servers)


def test_drivers_of_one_url_share_a_session(ensemble: Ensemble) -> None:
    """Until the last one lets go of it (S37); an error is not remembered."""
    wait_for(lambda: sessions(ensemble) == 0, "the sessions of other tests to end")
    url = ensemble.url("/shared")
    one, two = DetectorPool.get(url), DetectorPool.get(url)
    assert one is two
    futures = [one.detect(v0.MasterInfo(id="x", ip=1, port=1)), two.detect(v0.MasterInfo(id="y", ip=1, port=1))]
    assert [future.result(SECONDS) for future in futures] == [None, None]
    wait_for(lambda: sessions(ensemble) == 1, "the session to begin")
    del one, two
    gc.collect()
    wait_for(lambda: sessions(ensemble) == 0, "the session to end")
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            DetectorPool.get("zk://127.0.0.1:1/")


def test_a_leader_is_appointed_from_any_thread() -> None:
    """By MasterInfo, address or nothing (S39)."""
    detector = StandaloneMasterDetector("127.0.0.1:5050")
    leader = detector.detect().result(SECONDS)
    assert leader is not None
    assert leader.pid == "master@127.0.0.1:5050"
    change = detector.detect(leader)
    detector.appoint(v0.MasterInfo(id="n", ip=1, port=2, pid="master@10.0.0.1:2"))
    other = change.result(SECONDS)
    assert other is not None
    assert other.id == "n"
    detector.appoint(None)
    assert detector.detect(other).result(SECONDS) is None
    with pytest.raises(ConfigurationError):
        detector.appoint("zk://127.0.0.1:1/x")
    detector.close()
    assert isinstance(MasterDetector.create(), StandaloneMasterDetector)


def test_a_large_registry_is_kept(ensemble: Ensemble) -> None:
    """Larger than a node may be; replaced by one master, refused to another that read before."""

    async def story(node: Node) -> None:
        stores = []
        for _ in range(2):
            session, parsed = opened(node, ensemble.url("/registry"))
            stores.append((ZooKeeperStorage(session, f"{parsed.path}/log_replicas", node.chance.uuid), session))
        (one, first), (two, second) = stores
        large = os.urandom(5 * CHUNK + 7)
        nothing = await one.fetch("registry")
        assert nothing == Variable("registry", b"", 0)
        stored = await one.store(nothing, large)
        assert stored is not None
        assert await two.fetch("registry") == stored
        assert await two.store(nothing, b"x") is None
        assert await two.store(stored, b"small") is not None
        assert await one.store(stored, large) is None
        assert (await one.fetch("registry")).value == b"small"
        first.close()
        second.close()

    in_node(story)
    with client(ensemble) as other:
        assert other.get_children("/registry/log_replicas") == ["registry"]


def test_an_ensemble_that_cannot_be_reached_is_waited_for() -> None:
    """Detection hangs on without an error, and closing does not hang."""
    detector = MasterDetector.create("zk://127.0.0.1:1/mesos", SESSION_SECONDS)
    future = detector.detect()
    time.sleep(0.3)
    assert not future.done()
    detector.close()
    wait_for(future.cancelled, "the pending call to be cancelled")
