"""The native containerizer with real processes: launching, ends, destruction, recovery."""

# ruff: noqa: ASYNC240  (stories are async for the loop they live in; looking at files is fine there)

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from integration.containers.world import World, is_alive, until
from messor.containers.containerizer import KnownContainer, Termination
from messor.containers.native.zygote_client import destroy_everything
from messor.errors import ConfigurationError, ContainerError, NotFound
from messor.linux import processes
from messor.protos import v0

InWorld = Callable[[Callable[[World], Awaitable[None]]], None]


async def ended(world: World, name: str) -> Termination:
    """Wait for a container that must be known."""
    termination = await world.containerizer.wait(name)
    assert termination is not None
    return termination


def test_a_custom_executor_gets_exactly_its_environment_folder_and_files(in_world: InWorld) -> None:
    """Executors of others break on a variable too many or a wrong folder."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pid = await world.containerizer.launch("c", world.spec("c", "env; pwd >&2; ps -o pid=,sid= -p $$ >> ids"))
        assert (await ended(world, "c")).status == 0
        sandbox = world.sandbox("c")
        seen = dict(line.split("=", 1) for line in (sandbox / "stdout").read_text().splitlines())
        assert seen.pop("PWD") == str(sandbox)
        assert seen == {
            **world.agent.environment("c"),
            "MESOS_SANDBOX": str(sandbox),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        assert (sandbox / "stderr").read_text() == f"{sandbox}\n"
        assert (sandbox / "ids").read_text().split() == [str(pid), str(pid)], "it leads its own session"
        assert oct((sandbox / "stdout").stat().st_mode & 0o777) == "0o644"

    in_world(story)


def test_the_wait_status_of_an_executor_is_told_as_it_was(in_world: InWorld) -> None:
    """Frameworks get the raw status word in FAILURE."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        await world.containerizer.launch("a", world.spec("a", "exit 5"))
        await world.containerizer.launch("b", world.spec("b", "kill -9 $$"))
        assert (await ended(world, "a")).status == 5 << 8
        assert (await ended(world, "b")).status == signal.SIGKILL
        assert (await ended(world, "a")).status == 5 << 8, "it can be asked for after the end too"
        assert await world.containerizer.wait("never") is None

    in_world(story)


def test_the_pid_is_on_disk_before_the_program_runs(in_world: InWorld) -> None:
    """An agent that dies right after a launch finds the container again."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        checkpoint = world.folder / "meta" / "pids" / "forked.pid"
        command = f"cat {checkpoint} > seen; cat {world.runtime_dir}/containers/c/pid >> seen; sleep 300"
        pid = await world.containerizer.launch("c", world.spec("c", command, forked_pid_path=str(checkpoint)))
        seen = world.sandbox("c") / "seen"
        await until(lambda: seen.exists() and seen.read_text() == f"{pid}{pid}", "the program's look at its pid files")
        assert (Path(world.runtime_dir) / "containers" / "c" / "status").read_text() == ""
        await world.containerizer.destroy("c")
        assert not (Path(world.runtime_dir) / "containers" / "c").exists()

    in_world(story)


def test_destroying_kills_the_whole_tree_whatever_it_did_to_escape(in_world: InWorld) -> None:
    """Own sessions, ignored signals and orphaned daemons do not help."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        command = (
            'trap "" TERM HUP INT; '
            "(setsid sh -c 'trap \"\" TERM HUP; sleep 300 & echo $! > deep; wait' & ) ; "
            "sleep 300 & echo $! > near; wait"
        )
        pid = await world.containerizer.launch("c", world.spec("c", command))
        await until(lambda: all((world.sandbox("c") / name).exists() for name in ("deep", "near")), "the tree's start")
        tree = [pid, *processes.descendants(pid)]
        assert len(tree) >= 4
        verdict = Termination(None, "REASON_TASK_UNKNOWN", "because", state="TASK_LOST")
        termination = await world.containerizer.destroy("c", verdict)
        assert termination == Termination(signal.SIGKILL, "REASON_TASK_UNKNOWN", "because", state="TASK_LOST")
        assert not [member for member in tree if is_alive(member)]
        assert await world.containerizer.destroy("c") == termination
        assert world.containerizer.containers() == []

    in_world(story)


def test_what_a_container_leaves_behind_dies_with_it(in_world: InWorld) -> None:
    """A daemon started by an executor does not outlive its container."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        await world.containerizer.launch("other", world.spec("other", "sleep 300"))
        command = "(setsid sh -c 'sleep 300 & echo $! > daemon; wait' &); while [ ! -s daemon ]; do sleep 0.01; done"
        await world.containerizer.launch("c", world.spec("c", command))
        assert (await ended(world, "c")).status == 0
        assert not is_alive(int((world.sandbox("c") / "daemon").read_text()))
        assert world.containerizer.containers() == ["other"], "neighbours are not touched"

    in_world(story)


def test_a_program_that_cannot_be_executed_ends_like_one_that_exits_with_1(in_world: InWorld) -> None:
    """The launch itself succeeded; the words are in the sandbox."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        info = v0.CommandInfo(value="/no/such/executor", shell=False)
        await world.containerizer.launch("c", world.spec("c", "", info=info))
        assert (await ended(world, "c")).status == 1 << 8
        words = (world.sandbox("c") / "stderr").read_text()
        assert words == "Failed to execute '/no/such/executor': No such file or directory\n"

    in_world(story)


@pytest.mark.parametrize(
    ("info", "container", "message", "reason"),
    [
        (
            v0.CommandInfo(value="true"),
            v0.ContainerInfo(
                type="MESOS",
                mesos=v0.ContainerInfo.MesosInfo(image=v0.Image(type="DOCKER", docker=v0.Image.Docker(name="alpine"))),
            ),
            "Failed to launch container: Unsupported container image type: DOCKER",
            "REASON_CONTAINER_LAUNCH_FAILED",
        ),
        (
            v0.CommandInfo(value="true"),
            v0.ContainerInfo(type="DOCKER", docker=v0.ContainerInfo.DockerInfo(image="alpine")),
            "Abnormal executor termination: unknown container",
            "REASON_EXECUTOR_TERMINATED",
        ),
        (
            v0.CommandInfo.FromString(b"\x1a\x02\xff\xfe"),
            None,
            "Failed to launch container: The command's 'value' is not valid UTF-8",
            "REASON_CONTAINER_LAUNCH_FAILED",
        ),
        (
            v0.CommandInfo(),
            None,
            "Failed to launch container: The command has no value",
            "REASON_CONTAINER_LAUNCH_FAILED",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_recorded_words(
    in_world: InWorld, info: v0.CommandInfo, container: v0.ContainerInfo | None, message: str, reason: str
) -> None:
    """The error's text and reason go to the framework as they are, and nothing is left behind."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        with pytest.raises(ContainerError) as refusal:
            await world.containerizer.launch("c", world.spec("c", "", info=info, container=container))
        assert (str(refusal.value), refusal.value.reason) == (message, reason)
        assert world.containerizer.containers() == []

    in_world(story)


@pytest.mark.root
def test_a_container_runs_as_its_user(in_world: InWorld) -> None:
    """Groups too, and its output belongs to that user."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        for folder in [world.folder, *world.folder.parents][:4]:
            folder.chmod(0o755)
        world.sandbox("c").chmod(0o777)
        await world.containerizer.launch("c", world.spec("c", "id -un; id -G; touch made", user="nobody"))
        assert (await ended(world, "c")).status == 0
        nobody = pwd.getpwnam("nobody")
        name, groups = (world.sandbox("c") / "stdout").read_text().splitlines()
        assert name == "nobody"
        assert set(map(int, groups.split())) == set(os.getgrouplist("nobody", nobody.pw_gid))
        assert (world.sandbox("c") / "stdout").stat().st_uid == nobody.pw_uid
        assert (world.sandbox("c") / "made").stat().st_uid == nobody.pw_uid

    in_world(story)


def test_an_unknown_user_fails_the_launch(in_world: InWorld) -> None:
    """Running as somebody else instead would be dangerous."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        with pytest.raises(ContainerError, match="No such user 'nosuchuser'"):
            await world.containerizer.launch("c", world.spec("c", "true", user="nosuchuser"))

    in_world(story)


def resource(name: str, amount: float) -> v0.Resource:
    """Make a scalar resource."""
    made = v0.Resource(name=name, type="SCALAR")
    made.scalar.value = amount
    return made


def volume(persistence_id: str, path: str) -> v0.Resource:
    """Make a persistent volume of role ``r``."""
    made = resource("disk", 1)
    made.role = "r"
    made.disk.persistence.id = persistence_id
    made.disk.volume.container_path = path
    made.disk.volume.mode = v0.Volume.RW
    return made


def test_usage_shows_the_fields_of_the_posix_isolators(in_world: InWorld) -> None:
    """Recorded of Mesos: these and no others; limits follow the resources."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        resources = [resource("cpus", 0.1), resource("cpus", 0.1), resource("mem", 64)]
        spec = world.spec("c", "while :; do :; done", resources=resources, limits={"mem": 128.0})
        pid = await world.containerizer.launch("c", spec)
        deadline = time.monotonic() + 60
        while (usage := await world.containerizer.usage("c")).cpus_user_time_secs == 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert {field.name for field, _ in usage.ListFields()} == {
            "timestamp",
            "cpus_user_time_secs",
            "cpus_system_time_secs",
            "cpus_soft_limit",
            "mem_rss_bytes",
            "mem_soft_limit_bytes",
            "mem_limit_bytes",
        }
        assert usage.cpus_soft_limit == 0.2
        assert (usage.mem_soft_limit_bytes, usage.mem_limit_bytes) == (64 << 20, 128 << 20)
        assert usage.mem_rss_bytes > 0
        await world.containerizer.update("c", [resource("cpus", 2)])
        assert (await world.containerizer.usage("c")).cpus_soft_limit == 2
        status = await world.containerizer.status("c")
        assert (status.container_id.value, status.executor_pid) == ("c", pid)
        with pytest.raises(NotFound):
            await world.containerizer.usage("nobody")

    in_world(story)


def test_persistent_volumes_come_and_go_as_links(in_world: InWorld) -> None:
    """filesystem/posix: a link per volume, its data stays when the container or the link goes."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        await world.containerizer.launch(
            "c", world.spec("c", "echo kept > data/file; sleep 300", resources=[volume("id1", "data")])
        )
        kept = Path(world.work_dir, "volumes/roles/r/id1/file")
        await until(kept.exists, "the file in the volume")
        assert os.readlink(world.sandbox("c") / "data") == str(kept.parent)
        await world.containerizer.update("c", [volume("id2", "more/deep")])
        assert not (world.sandbox("c") / "data").is_symlink()
        assert (world.sandbox("c") / "more" / "deep").is_dir()
        assert kept.exists()

    in_world(story)


@pytest.mark.root
def test_a_volume_belongs_to_the_user_of_its_container(in_world: InWorld) -> None:
    """Else a task that is not root could not write to what it was given."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        for folder in [world.folder, *world.folder.parents][:4]:
            folder.chmod(0o755)
        world.sandbox("c").chmod(0o777)
        resources = [volume("id1", "data")]
        await world.containerizer.launch("c", world.spec("c", "touch data/made", resources=resources, user="nobody"))
        assert (await ended(world, "c")).status == 0
        assert (Path(world.work_dir) / "volumes/roles/r/id1/made").exists()

    in_world(story)


def test_a_volume_is_not_linked_through_a_link_of_the_tasks(in_world: InWorld) -> None:
    """The agent is root; the task decides what is in its sandbox."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        outside = world.folder / "outside"
        outside.mkdir()
        await world.containerizer.launch("c", world.spec("c", f"ln -s {outside} more; sleep 300"))
        await until((world.sandbox("c") / "more").is_symlink, "the link")
        with pytest.raises(ContainerError, match="is not inside the sandbox"):
            await world.containerizer.update("c", [volume("id", "more/data")])
        assert list(outside.iterdir()) == []

    in_world(story)


def known(world: World, name: str, pid: int | None = None) -> KnownContainer:
    """Describe a container as an agent's checkpoints do."""
    return KnownContainer(name, pid, str(world.sandbox(name)))


def test_a_restarted_agent_takes_its_containers_over(in_world: InWorld) -> None:
    """Running ones go on, ends that came meanwhile are told, strangers are destroyed."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pids = {
            name: await world.containerizer.launch(name, world.spec(name, command))
            for name, command in (("runs", "sleep 300"), ("ends", "exec sleep 300"), ("orphan", "sleep 300"))
        }
        world.containerizer.detach()
        os.kill(pids["ends"], signal.SIGTERM)
        status = Path(world.runtime_dir, "containers/ends/status")
        await until(lambda: status.read_text() == "15", "the status file")
        world.containerizer = world.new_containerizer()
        await world.containerizer.recover([known(world, "runs"), known(world, "ends"), known(world, "lost")])
        assert (await ended(world, "ends")).status == signal.SIGTERM
        assert (await ended(world, "lost")).status is None
        await until(lambda: not is_alive(pids["orphan"]), "the orphan's end")
        assert is_alive(pids["runs"])
        assert (await world.containerizer.status("runs")).executor_pid == pids["runs"]
        destroyed = await world.containerizer.destroy("runs")
        assert destroyed is not None
        assert destroyed.status == signal.SIGKILL

    in_world(story)


def test_containers_survive_the_death_of_their_zygote(in_world: InWorld) -> None:
    """Another one adopts them; only the exit status is lost."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pid = await world.containerizer.launch("c", world.spec("c", "sleep 300"))
        first = world.zygote_pid()
        os.kill(first, signal.SIGKILL)
        await until(lambda: world.zygote_pid() != first, "another zygote")
        assert is_alive(pid)
        await world.containerizer.launch("d", world.spec("d", "exit 2"))
        assert (await ended(world, "d")).status == 2 << 8
        assert await world.containerizer.destroy("c") == Termination(None)
        assert not is_alive(pid)

    in_world(story)


def test_nothing_escapes_when_the_zygote_dies_first(in_world: InWorld) -> None:
    """Orphans that went to init are found by the variable they were started with."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        command = "(setsid sh -c 'sleep 300 & echo $! > daemon; wait' &); while [ ! -e go ]; do sleep 0.01; done"
        await world.containerizer.launch("c", world.spec("c", command))
        daemon = world.sandbox("c") / "daemon"
        await until(lambda: daemon.exists() and daemon.read_text(), "the daemon")
        first = world.zygote_pid()
        os.kill(first, signal.SIGKILL)
        await until(lambda: world.zygote_pid() != first, "another zygote")
        (world.sandbox("c") / "go").touch()
        assert await ended(world, "c") == Termination(None)
        await until(lambda: not is_alive(int(daemon.read_text())), "the daemon's end")

    in_world(story)


def test_an_agent_that_runs_nothing_needs_no_zygote(in_world: InWorld) -> None:
    """Nothing is started before it is needed, and nothing is left."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        assert Path(world.runtime_dir, "zygote.sock").exists()
        await world.containerizer.shut_down()
        assert not Path(world.runtime_dir, "zygote.sock").exists()
        assert not Path(world.runtime_dir, "zygote.pid").exists()

    in_world(story)


def test_an_agent_whose_zygote_died_with_it_still_finds_its_containers(in_world: InWorld) -> None:
    """Pids on disk are believed only for a process that is in the container's sandbox."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pid = await world.containerizer.launch("mine", world.spec("mine", "sleep 300"))
        stray = await world.containerizer.launch("stray", world.spec("stray", "sleep 300"))
        for name, begun in {"mine": pid, "stray": stray}.items():
            home = str(world.sandbox(name))
            await until(lambda begun=begun, home=home: os.readlink(f"/proc/{begun}/cwd") == home, f"{name} to move in")
        world.containerizer.detach()
        zygote = world.zygote_pid()
        os.kill(zygote, signal.SIGKILL)
        await until(lambda: not is_alive(zygote), "the zygote's end")
        reused = Path(world.runtime_dir, "containers/reused")
        reused.mkdir()
        (reused / "pid").write_text(str(os.getpid()))
        world.containerizer = world.new_containerizer()
        await world.containerizer.recover([known(world, "mine", pid), known(world, "reused")])
        assert (await ended(world, "reused")).status is None
        await until(lambda: not is_alive(stray), "the stray's end")
        assert is_alive(pid)
        await world.containerizer.destroy("mine")
        assert not is_alive(pid)

    in_world(story)


def test_an_idle_zygote_leaves_by_itself(in_world: InWorld) -> None:
    """An agent that never comes back leaves no process and no socket."""

    async def story(world: World) -> None:
        world.containerizer = world.new_containerizer(zygote_linger=0.1)
        await world.containerizer.recover([])
        await world.containerizer.launch("c", world.spec("c", "until test -e go; do sleep 0.02; done"))
        zygote = world.zygote_pid()
        world.containerizer.detach()
        await asyncio.sleep(0.3)
        assert is_alive(zygote)
        (world.sandbox("c") / "go").touch()
        await until(lambda: not is_alive(zygote), "the zygote's end")
        assert not Path(world.runtime_dir, "zygote.sock").exists()
        assert Path(world.runtime_dir, "containers/c/status").read_text() == "0"

    in_world(story)


def test_shutting_down_leaves_no_process(in_world: InWorld) -> None:
    """Ctrl-C of a local cluster ends everything."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pids = [await world.containerizer.launch(f"c{n}", world.spec(f"c{n}", "sleep 300")) for n in range(3)]
        zygote = world.zygote_pid()
        await world.containerizer.shut_down()
        assert not [pid for pid in [*pids, zygote] if is_alive(pid)]

    in_world(story)


def test_everything_can_be_destroyed_from_outside(in_world: InWorld) -> None:
    """Whoever cleans up after a killed agent needs no agent for it."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pid = await world.containerizer.launch("c", world.spec("c", "sleep 300"))
        world.containerizer.detach()
        assert await asyncio.to_thread(destroy_everything, world.runtime_dir)
        assert not is_alive(pid)
        assert not await asyncio.to_thread(destroy_everything, world.runtime_dir)

    in_world(story)


def test_signals_to_the_agents_group_do_not_reach_the_zygote(in_world: InWorld) -> None:
    """It has a session of its own, and shrugs off an interrupt sent to itself."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pid = await world.containerizer.launch("c", world.spec("c", "sleep 300"))
        zygote = world.zygote_pid()
        assert os.getsid(zygote) == zygote != os.getsid(0)
        os.kill(zygote, signal.SIGINT)
        os.kill(zygote, signal.SIGHUP)
        await world.containerizer.launch("d", world.spec("d", "true"))
        assert (await ended(world, "d")).status == 0
        assert is_alive(pid)

    in_world(story)


def test_a_signal_to_a_newborn_container_hits_it_alone(in_world: InWorld) -> None:
    """Between fork and its own life it still looks like the zygote, whose SIGTERM means everybody."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        neighbour = await world.containerizer.launch("n", world.spec("n", "sleep 300"))
        for number in range(20):
            name = f"c{number}"
            os.kill(await world.containerizer.launch(name, world.spec(name, "exec sleep 300")), signal.SIGTERM)
            assert (await ended(world, name)).status == signal.SIGTERM
        assert is_alive(neighbour)

    in_world(story)


def test_two_agents_cannot_share_a_runtime_folder(in_world: InWorld) -> None:
    """The second one would destroy the containers of the first as orphans."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        pid = await world.containerizer.launch("c", world.spec("c", "sleep 300"))
        world.work_dir = str(world.folder / "other")
        other = world.new_containerizer()
        with pytest.raises(ConfigurationError, match="in use by an agent with work_dir"):
            await other.recover([])
        assert is_alive(pid)

    in_world(story)


def test_a_runtime_folder_that_cannot_be_made_is_a_wrong_flag(in_world: InWorld) -> None:
    """One readable sentence instead of a traceback."""

    async def story(world: World) -> None:
        (world.folder / "file").write_text("")
        world.runtime_dir = str(world.folder / "file" / "run")
        with pytest.raises(ConfigurationError, match=r"Failed to make the runtime_dir '.*': Not a directory"):
            await world.new_containerizer().recover([])

    in_world(story)


def test_a_long_runtime_folder_works(in_world: InWorld) -> None:
    """Socket addresses end at 107 bytes, folders do not."""

    async def story(world: World) -> None:
        world.runtime_dir = str(world.folder / ("long" * 30))
        world.containerizer = world.new_containerizer()
        await world.containerizer.recover([])
        await world.containerizer.launch("c", world.spec("c", "exit 4"))
        assert (await ended(world, "c")).status == 4 << 8
        await world.containerizer.shut_down()

    in_world(story)
