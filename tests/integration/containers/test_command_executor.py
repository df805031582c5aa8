"""The built-in command executor, forked from a real zygote, against a fake agent."""

# ruff: noqa: ASYNC220  (stories are async for the loop they live in; looking at files is fine there)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from integration.containers.fake_agent import task
from integration.containers.world import World, is_alive, until
from messor.protos import v0, v1

InWorld = Callable[[Callable[[World], Awaitable[None]]], None]

REHEARSAL = """
import os, sys
from messor.executors.command.main import prepare
other = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
os.waitid(os.P_PID, other, os.WEXITED | os.WNOWAIT)
prepare()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
"""
STUBBORN = 'trap "" TERM; touch ready; while true; do sleep 0.05; done'


async def run_task(world: World, name: str, command: str, **command_fields: Any) -> Any:
    """Run one command task to its end; gives its last status."""
    await world.containerizer.recover([])
    world.agent.tasks[name] = task(name, command, **command_fields)
    info = v0.CommandInfo.FromString(world.agent.tasks[name].command.SerializeToString())
    await world.containerizer.launch(name, world.spec(name, "", info=info, task=True))
    termination = await world.containerizer.wait(name)
    assert termination is not None
    assert termination.status == 0
    return world.agent.updates[name][-1]


def test_a_task_that_exits_with_0_is_finished_in_three_updates(in_world: InWorld) -> None:
    """The sequence and the words are those every framework tests against."""

    async def story(world: World) -> None:
        last = await run_task(world, "t", "echo out; echo err >&2")
        assert world.agent.states()["t"] == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        assert last.message == "Command exited with status 0"
        assert last.source == v1.TaskStatus.SOURCE_EXECUTOR
        assert last.executor_id.value == "t"
        assert len(last.uuid) == 16
        assert (world.sandbox("t") / "stdout").read_text() == "out\n"
        assert "err\n" in (world.sandbox("t") / "stderr").read_text()

    in_world(story)


@pytest.mark.parametrize(
    ("command", "fields", "message"),
    [
        ("exit 3", {}, "Command exited with status 3"),
        ("kill -9 $$", {}, "Command terminated with signal Killed"),
        ("kill -11 $$", {}, "Command terminated with signal Segmentation fault"),
        ("/no/such/program", {"shell": False}, "Command exited with status 1"),
        ("no-such-command", {}, "Command exited with status 127"),
    ],
)
def test_a_command_that_does_not_exit_with_0_fails_its_task(
    in_world: InWorld, command: str, fields: dict[str, Any], message: str
) -> None:
    """Exit codes, signals and missing programs have the messages recorded of Mesos."""

    async def story(world: World) -> None:
        last = await run_task(world, "t", command, **fields)
        assert world.agent.states()["t"] == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
        assert last.message.removesuffix(" (core dumped)") == message

    in_world(story)


def test_a_program_without_a_shell_gets_exactly_its_arguments(in_world: InWorld) -> None:
    """arguments[0] is argv[0]; nothing is split or joined."""

    async def story(world: World) -> None:
        await run_task(world, "t", "echo", shell=False, arguments=["echo", "a b", "$HOME"])
        assert (world.sandbox("t") / "stdout").read_text() == "a b $HOME\n"

    in_world(story)


def test_a_task_sees_its_variables_and_those_of_its_executor(in_world: InWorld) -> None:
    """The command's own variables win over MESOS_* ones; nothing of the agent's environment leaks."""

    async def story(world: World) -> None:
        variables = v1.Environment(
            variables=[
                v1.Environment.Variable(name="MINE", value="x y"),
                v1.Environment.Variable(name="MESOS_SANDBOX", value="overridden"),
            ]
        )
        os.environ["SECRET_OF_THE_AGENT"] = "1"
        try:
            await run_task(world, "t", "env", environment=variables)
        finally:
            del os.environ["SECRET_OF_THE_AGENT"]
        seen = dict(line.split("=", 1) for line in (world.sandbox("t") / "stdout").read_text().splitlines())
        assert seen.pop("PWD") == str(world.sandbox("t"))
        log = (world.sandbox("t") / "stderr").read_text()
        assert log.startswith("Overwriting environment variable 'MESOS_SANDBOX'\n")
        assert seen == {
            **world.agent.environment("t"),
            "MESOS_SANDBOX": "overridden",
            "MESOS_ALLOCATION_ROLE": "*",
            "MINE": "x y",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }

    in_world(story)


async def start_stubborn(world: World, name: str, policy: float | None = None, **environment: str) -> None:
    """Run a task that ignores SIGTERM."""
    await world.containerizer.recover([])
    world.agent.capabilities = [v1.FrameworkInfo.Capability.TASK_KILLING_STATE]
    world.agent.tasks[name] = task(name, STUBBORN)
    if policy is not None:
        world.agent.tasks[name].kill_policy.grace_period.nanoseconds = int(policy * 1e9)
    await world.containerizer.launch(name, world.spec(name, STUBBORN, task=True, environment=environment))
    await until((world.sandbox(name) / "ready").exists, "the task's start")


def test_a_killed_task_that_ignores_sigterm_is_killed_after_its_grace(in_world: InWorld) -> None:
    """TASK_KILLING at once, SIGKILL after the task's own policy; the call's policy does not count for this executor."""

    async def story(world: World) -> None:
        await start_stubborn(world, "t", policy=0.3)
        started = time.monotonic()
        world.agent.kill("t", grace=0.0)
        last = await world.agent.until_state("t", "TASK_KILLED")
        assert time.monotonic() - started >= 0.3
        assert world.agent.states()["t"][2:] == ["TASK_KILLING", "TASK_KILLED"]
        assert last.message == "Command terminated with signal Killed"
        assert await world.containerizer.wait("t") is not None

    in_world(story)


def test_the_http_command_executor_honours_the_policy_of_the_call(in_world: InWorld) -> None:
    """With --http_command_executor the kill's own grace wins over the task's."""

    async def story(world: World) -> None:
        await start_stubborn(world, "t", policy=600.0, MESOS_HTTP_COMMAND_EXECUTOR="1")
        world.agent.kill("t", grace=0.1)
        await world.agent.until_state("t", "TASK_KILLED")
        assert await world.containerizer.wait("t") is not None

    in_world(story)


def test_a_second_kill_shortens_the_grace_of_the_first(in_world: InWorld) -> None:
    """Eight seconds become half a second, counted from the first kill (recorded of Mesos)."""

    async def story(world: World) -> None:
        await start_stubborn(world, "t", policy=600.0, MESOS_HTTP_COMMAND_EXECUTOR="1")
        world.agent.kill("t")
        await world.agent.until_state("t", "TASK_KILLING")
        world.agent.kill("t", grace=0.1)
        await world.agent.until_state("t", "TASK_KILLED")
        assert world.agent.states()["t"].count("TASK_KILLING") == 1

    in_world(story)


def test_a_task_that_exits_with_0_on_sigterm_was_killed_not_finished(in_world: InWorld) -> None:
    """Trap 33: what was asked to die is KILLED; no TASK_KILLING for a framework that does not know it."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        command = 'trap "exit 0" TERM; touch ready; while true; do sleep 0.05; done'
        world.agent.tasks["t"] = task("t", command)
        await world.containerizer.launch("t", world.spec("t", command, task=True))
        await until((world.sandbox("t") / "ready").exists, "the task's start")
        world.agent.kill("t")
        last = await world.agent.until_state("t", "TASK_KILLED")
        assert last.message == "Command exited with status 0"
        assert world.agent.states()["t"] == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]

    in_world(story)


def test_a_kill_reaches_children_that_left_the_session(in_world: InWorld) -> None:
    """SIGTERM goes to the whole tree, daemonised parts included."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        command = "setsid sh -c 'sleep 300 & echo $! > daemon; exit 0'; touch ready; sleep 300"
        world.agent.tasks["t"] = task("t", command)
        await world.containerizer.launch("t", world.spec("t", command, task=True))
        await until((world.sandbox("t") / "ready").exists, "the task's start")
        daemon = int((world.sandbox("t") / "daemon").read_text())
        assert is_alive(daemon)
        world.agent.kill("t")
        await world.agent.until_state("t", "TASK_KILLED")
        assert await world.containerizer.wait("t") is not None
        await until(lambda: not is_alive(daemon), "the daemon's end")

    in_world(story)


@pytest.mark.root
def test_a_task_of_another_user_runs_and_dies_as_that_user(in_world: InWorld) -> None:
    """The executor is that user too: it must see and reach its own tree without root."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        for folder in [world.folder, *world.folder.parents][:4]:
            folder.chmod(0o755)
        world.sandbox("t").chmod(0o777)
        command = "id -un; (setsid sleep 300 & echo $! > daemon); touch ready; sleep 300"
        world.agent.tasks["t"] = task("t", command)
        await world.containerizer.launch("t", world.spec("t", command, task=True, user="nobody"))
        await until((world.sandbox("t") / "ready").exists, "the task's start")
        daemon = int((world.sandbox("t") / "daemon").read_text())
        world.agent.kill("t")
        last = await world.agent.until_state("t", "TASK_KILLED")
        assert last.message == "Command terminated with signal Terminated"
        await until(lambda: not is_alive(daemon), "the daemon's end")
        assert (world.sandbox("t") / "stdout").read_text() == "nobody\n"

    in_world(story)


def test_a_task_that_outlives_its_completion_time_fails(in_world: InWorld) -> None:
    """No grace, no TASK_KILLING, and FAILED with its reason whatever the exit status."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        world.agent.capabilities = [v1.FrameworkInfo.Capability.TASK_KILLING_STATE]
        world.agent.tasks["t"] = task("t", "sleep 300")
        world.agent.tasks["t"].max_completion_time.nanoseconds = 200_000_000
        await world.containerizer.launch("t", world.spec("t", "sleep 300", task=True))
        last = await world.agent.until_state("t", "TASK_FAILED")
        assert last.reason == v1.TaskStatus.REASON_MAX_COMPLETION_TIME_REACHED
        assert last.message == "Command terminated with signal Terminated"
        assert world.agent.states()["t"] == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]

    in_world(story)


def test_a_shut_down_executor_kills_its_task_and_leaves(in_world: InWorld) -> None:
    """SHUTDOWN ends the task with an update and the executor with 0."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        world.agent.tasks["t"] = task("t", "sleep 300")
        await world.containerizer.launch("t", world.spec("t", "sleep 300", task=True))
        await world.agent.until_state("t", "TASK_RUNNING")
        world.agent.shut_down("t")
        await world.agent.until_state("t", "TASK_KILLED")
        termination = await world.containerizer.wait("t")
        assert termination is not None
        assert termination.status == 0

    in_world(story)


def test_a_task_with_a_check_is_refused_in_words(in_world: InWorld) -> None:
    """Running it without checking would be a lie."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        world.agent.tasks["t"] = task("t", "true")
        world.agent.tasks["t"].health_check.command.value = "true"
        await world.containerizer.launch("t", world.spec("t", "true", task=True))
        last = await world.agent.until_state("t", "TASK_FAILED")
        assert "not supported yet" in last.message
        assert world.agent.states()["t"] == ["TASK_FAILED"]

    in_world(story)


def test_a_checkpointing_executor_waits_for_its_agent_and_repeats_what_was_not_acknowledged(in_world: InWorld) -> None:
    """The task goes on while the agent is away; its end is told in the new subscription."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        world.agent.tasks["t"] = task("t", "while [ ! -e go ]; do sleep 0.02; done")
        spec = world.spec("t", "", task=True, environment={"MESOS_CHECKPOINT": "1"})
        await world.containerizer.launch("t", spec)
        await world.agent.until_state("t", "TASK_RUNNING")
        await world.agent.stop()
        (world.sandbox("t") / "go").touch()
        await until(
            lambda: "Command exited with status 0" in (world.sandbox("t") / "stderr").read_text(), "the task's end"
        )
        world.agent.refusals = 2
        await world.agent.start()
        await world.agent.until_state("t", "TASK_FINISHED")
        assert world.agent.refusals == 0
        call = world.agent.subscriptions["t"].call
        assert [update.status.state for update in call.subscribe.unacknowledged_updates] == [v1.TASK_FINISHED]
        termination = await world.containerizer.wait("t")
        assert termination is not None
        assert termination.status == 0

    in_world(story)


def test_an_executor_without_checkpointing_dies_with_its_agent(in_world: InWorld) -> None:
    """Nobody would ever hear of its task again."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        world.agent.tasks["t"] = task("t", "sleep 300")
        await world.containerizer.launch("t", world.spec("t", "sleep 300", task=True))
        await world.agent.until_state("t", "TASK_RUNNING")
        await world.agent.stop()
        termination = await world.containerizer.wait("t")
        assert termination is not None
        assert termination.status == 1 << 8

    in_world(story)


def test_an_executor_exits_only_when_its_last_update_was_acknowledged(in_world: InWorld) -> None:
    """An exit before would look like a lost executor to the agent."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        world.agent.acknowledges = False
        world.agent.tasks["t"] = task("t", "true")
        pid = await world.containerizer.launch("t", world.spec("t", "true", task=True))
        await world.agent.until_state("t", "TASK_FINISHED")
        assert is_alive(pid)
        for status in world.agent.updates["t"]:
            world.agent.acknowledge("t", status)
        termination = await world.containerizer.wait("t")
        assert termination is not None
        assert termination.status == 0

    in_world(story)


def test_the_executor_runs_as_a_program_too(in_world: InWorld) -> None:
    """``python -m messor.executors.command.main`` is mesos-executor."""

    async def story(world: World) -> None:
        world.agent.tasks["t"] = task("t", "echo standalone")
        output = world.sandbox("t") / "stdout"
        with output.open("wb") as file:
            child = subprocess.Popen(
                [sys.executable, "-m", "messor.executors.command.main", "--launcher_dir=/nowhere"],
                env={**world.agent.environment("t"), "PATH": os.environ["PATH"]},
                cwd=world.sandbox("t"),
                stdout=file,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            await world.agent.until_state("t", "TASK_FINISHED")
            await until(lambda: child.poll() is not None, "the executor's end")
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        assert child.returncode == 0
        assert output.read_text() == "standalone\n"

    in_world(story)


def test_a_missing_variable_is_one_readable_line(tmp_path: Path) -> None:
    """Whoever starts it by hand learns what is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "messor.executors.command.main"],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == b"EXIT with status 1: Expecting 'MESOS_SLAVE_PID' to be set in the environment\n"


def test_the_zygote_s_rehearsal_leaves_other_containers_alone() -> None:
    """One that ended meanwhile, as a fetcher may, is still there to be collected; else its end would never be told."""
    done = subprocess.run([sys.executable, "-c", REHEARSAL], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
