"""Several disks of one machine with real mounts: MOUNT disks are whole, PATH disks are folders (V8)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from messor import LocalCluster

from .test_volumes import DISK, RESERVATIONS, VOLUME_INFO, Framework, has_volume, launch, operator, scalar

SIZE = 64.0


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system in memory."""
    folder = tmp_path / "a disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"root may not mount here: {made.stderr}")  # as in a container without CAP_SYS_ADMIN
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def resources(*sources: dict[str, Any]) -> str:
    """Write ``--resources``: a disk of the agent's own, and one of 64 MB for each source."""
    numbers = {"cpus": 2, "mem": 1024, "disk": 500}
    listed = [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in numbers.items()]
    others = [
        {"name": "disk", "type": "SCALAR", "scalar": {"value": SIZE}, "disk": {"source": source}} for source in sources
    ]
    return json.dumps(listed + others)


def mount(root: str | Path) -> dict[str, Any]:
    """Make a source of kind MOUNT."""
    return {"type": "MOUNT", "mount": {"root": str(root)}}


@pytest.mark.root
def test_a_mounted_disk_is_one_volume(tmp_path: Path, mounted: Path) -> None:
    """Offered whole and used whole; data outlives the task and the agent's process; DESTROY empties it."""
    source = {"source": mount(mounted)}
    disk = {**DISK, "disk": source}
    volume = {**DISK, "disk": {**source, **VOLUME_INFO}}
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", resources=resources(mount(mounted))) as cluster:
        framework = Framework(cluster.master)
        offer = framework.offer()
        disks = {one["scalar"]["value"]: one.get("disk") for one in offer["resources"] if one["name"] == "disk"}
        assert disks == {500.0: None, SIZE: source}
        half = {"scalar": {"value": SIZE / 2}, "reservations": RESERVATIONS, "disk": source}
        part = {key: value for key, value in {**disk, **half}.items() if key != "allocation_info"}
        status, text = operator(cluster.master, "RESERVE_RESOURCES", agent_id=offer["agent_id"], resources=[part])
        assert status == 409, "part of it does not exist on its own"
        assert "does not contain" in text
        offer = framework.offer(lambda one: any("source" in each.get("disk", {}) for each in one["resources"]))
        framework.accept(
            offer,
            {"type": "RESERVE", "id": {"value": "reserve"}, "reserve": {"resources": [disk]}},
            {"type": "CREATE", "id": {"value": "create"}, "create": {"volumes": [volume]}},
            launch(offer, "writer", "echo precious > data/file", disk=volume["disk"]),
        )
        framework.hears_of("reserve", "create")
        assert framework.ends("writer") == "TASK_FINISHED"
        assert (mounted / "file").read_text() == "precious\n"
        offer = framework.offer_after(cluster.agents[0].restart, has_volume)
        framework.accept(offer, launch(offer, "reader", "grep precious data/file", disk=volume["disk"]))
        assert framework.ends("reader") == "TASK_FINISHED"
        offer = framework.offer(has_volume)
        framework.accept(offer, {"type": "DESTROY", "id": {"value": "destroy"}, "destroy": {"volumes": [volume]}})
        framework.hears_of("destroy")
        assert list(mounted.iterdir()) == []
        assert os.path.ismount(mounted)
        framework.close()


@pytest.mark.root
def test_a_mounted_disk_may_be_named_by_a_link(tmp_path: Path, mounted: Path) -> None:
    """What counts is where it leads."""
    (tmp_path / "link").symlink_to(mounted)
    with LocalCluster(
        agents=1, work_dir=tmp_path / "cluster", resources=resources(mount(tmp_path / "link"))
    ) as cluster:
        (agent,) = operator(cluster.master, "GET_AGENTS")["agents"]
        roots = [one["disk"]["source"]["mount"]["root"] for one in agent["total_resources"] if "disk" in one]
    assert roots == [str(tmp_path / "link")]


def test_relative_roots_are_below_work_dir(tmp_path: Path) -> None:
    """Wherever the agent was started."""
    source = {"source": {"type": "PATH", "path": {"root": "second/disk"}}}
    volume = {**DISK, "disk": {**source, **VOLUME_INFO}}
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", resources=resources(source["source"])) as cluster:
        framework = Framework(cluster.master)
        offer = framework.offer()
        framework.accept(
            offer,
            {"type": "RESERVE", "reserve": {"resources": [{**DISK, "disk": source}]}},
            {"type": "CREATE", "create": {"volumes": [volume]}},
            launch(offer, "writer", "echo precious > data/file", disk=volume["disk"]),
        )
        assert framework.ends("writer") == "TASK_FINISHED"
        file = Path(cluster.agents[0].work_dir) / "second/disk/volumes/roles/db/v1/file"
        assert file.read_text() == "precious\n"
        framework.close()


def test_tasks_may_use_several_disks(tmp_path: Path) -> None:
    """The agent's own as plain space, two others as volumes."""
    sources = [{"source": {"type": "PATH", "path": {"root": f"disk-{number}"}}} for number in (1, 2)]
    volumes = [
        {**DISK, "disk": {**source, "persistence": {"id": name}, "volume": {"mode": "RW", "container_path": name}}}
        for source, name in zip(sources, ("one", "two"), strict=True)
    ]
    flags = resources(*(source["source"] for source in sources))
    with LocalCluster(agents=1, work_dir=tmp_path / "cluster", resources=flags) as cluster:
        framework = Framework(cluster.master)
        offer = framework.offer()
        info = {"name": "both", "task_id": {"value": "both"}, "agent_id": offer["agent_id"]}
        needs = [scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 10), *volumes]
        task = {**info, "resources": needs, "command": {"value": "echo 1 > one/file; echo 2 > two/file"}}
        framework.accept(
            offer,
            {"type": "RESERVE", "reserve": {"resources": [{**DISK, "disk": source} for source in sources]}},
            {"type": "CREATE", "create": {"volumes": volumes}},
            {"type": "LAUNCH", "launch": {"task_infos": [task]}},
        )
        assert framework.ends("both") == "TASK_FINISHED"
        work_dir = Path(cluster.agents[0].work_dir)
        assert (work_dir / "disk-1/volumes/roles/db/one/file").read_text() == "1\n"
        assert (work_dir / "disk-2/volumes/roles/db/two/file").read_text() == "2\n"
        framework.close()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (mount("{}/plain"), "Failed to find mount '{}/plain' in /proc/mounts"),
        (mount("{}/none"), "with path '{}/none': no such path"),
        ({"type": "MOUNT", "mount": {}}, "MOUNT disk root directory is not specified 'disk"),
        ({"type": "PATH", "path": {}}, "PATH disk root directory is not specified 'disk"),
        (
            {"type": "PATH", "path": {"root": "{}/file/below"}},
            "Failed to create DiskInfo path directory '{}/file/below'",
        ),
        ({"type": "RAW"}, "Unsupported 'DiskInfo.Source.Type' in 'disk"),
        ({"type": "BLOCK"}, "Unsupported 'DiskInfo.Source.Type' in 'disk"),
    ],
)
def test_an_agent_ends_with_one_sentence_when_a_disk_is_none(tmp_path: Path, source: dict[str, Any], text: str) -> None:
    """Nothing may be written where a disk should be."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").touch()
    listed = resources(json.loads(json.dumps(source).replace("{}/", f"{tmp_path}/")))
    flags = ["--master=127.0.0.1:1", "--ip=127.0.0.1", "--port=0", f"--work_dir={tmp_path}/work"]
    command = [sys.executable, "-m", "messor.agent.main", *flags, f"--runtime_dir={tmp_path}/run"]
    done = subprocess.run([*command, f"--resources={listed}"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert text.replace("{}", str(tmp_path)) in done.stderr
    assert "Traceback" not in done.stderr
