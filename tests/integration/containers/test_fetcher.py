"""Fetching into sandboxes, through a real zygote: what arrives, what is logged, and how failures are told."""

from __future__ import annotations

import asyncio
import io
import socket
import tarfile
import threading
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from integration.containers.world import World, is_alive, until
from messor.containers.containerizer import Termination
from messor.errors import ContainerError
from messor.linux import processes
from messor.protos import v0

InWorld = Callable[[Callable[[World], Awaitable[None]]], None]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without saying so."""

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def archive(path: Path, mode: str) -> None:
    """Make a tar file with one file ``inner/hello.txt`` in it."""
    with tarfile.open(path, mode) as tar:
        info = tarfile.TarInfo("inner/hello.txt")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"hello\n"))


def command(value: str, *uris: v0.CommandInfo.URI) -> v0.CommandInfo:
    """Make a command with URIs."""
    return v0.CommandInfo(value=value, uris=uris)


URI = v0.CommandInfo.URI


async def run(world: World, value: str, *uris: v0.CommandInfo.URI) -> Termination | None:
    """Run a command with its URIs to its end."""
    await world.containerizer.recover([])
    await world.containerizer.launch("c", world.spec("c", "", info=command(value, *uris)))
    return await world.containerizer.wait("c")


def test_archives_programs_and_renamed_files_arrive_before_the_command_runs(in_world: InWorld) -> None:
    """Local paths and file:// URIs: unpacked, made executable, put where output_file says; logged as recorded."""

    async def story(world: World) -> None:
        source = world.folder / "source"
        source.mkdir()
        archive(source / "arch.tar.gz", "w:gz")
        (source / "script.sh").write_text("#!/bin/sh\necho ran\n")
        (source / "plain.txt").write_text("plain\n")
        uris = [
            URI(value=str(source / "arch.tar.gz")),
            URI(value=str(source / "script.sh"), executable=True),
            URI(value=f"file://{source}/plain.txt", extract=False, output_file="sub/out.txt"),
        ]
        assert await run(world, "./script.sh; cat inner/hello.txt sub/out.txt", *uris) == Termination(0)
        sandbox = world.sandbox("c")
        assert (sandbox / "stdout").read_text() == "ran\nhello\nplain\n"
        assert (sandbox / "arch.tar.gz").exists()
        log = [line.partition("] ")[2] for line in (sandbox / "stderr").read_text().splitlines()]
        assert log[0].startswith('Fetcher Info: {"cache_directory":')
        first = source / "arch.tar.gz"
        assert log[1:4] == [
            f"Fetching URI '{first}'",
            f"Fetching '{first}' directly into the sandbox directory",
            f"Fetched '{first}' to '{sandbox}/arch.tar.gz'",
        ]
        assert log[-1] == f"Successfully fetched all URIs into '{sandbox}'"

    in_world(story)


def test_files_come_over_http(in_world: InWorld) -> None:
    """The name is that of the URI without its query."""

    async def story(world: World) -> None:
        source = world.folder / "source"
        source.mkdir()
        with zipfile.ZipFile(source / "a.zip", "w") as packed:
            packed.writestr("inner.txt", "zipped\n")
        with web_server(source) as url:
            done = await run(world, "cat inner.txt", URI(value=f"{url}/a.zip?x=1"))
        assert done == Termination(0)
        assert (world.sandbox("c") / "stdout").read_text() == "zipped\n"
        log = (world.sandbox("c") / "stderr").read_text()
        assert f"Downloading resource from '{url}/a.zip?x=1' to '{world.sandbox('c')}/a.zip'" in log

    in_world(story)


def test_frameworks_home_completes_relative_paths(in_world: InWorld) -> None:
    """A framework may ship its executor beside others on every agent."""

    async def story(world: World) -> None:
        home = world.folder / "home"
        home.mkdir()
        (home / "tool").write_text("#!/bin/sh\necho tool\n")
        world.containerizer = world.new_containerizer(frameworks_home=str(home))
        assert await run(world, "./tool", URI(value="tool", executable=True)) == Termination(0)
        assert (world.sandbox("c") / "stdout").read_text() == "tool\n"

    in_world(story)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        (
            "/no/such",
            [
                "cp: cannot stat '/no/such': No such file or directory",
                "Failed to fetch '/no/such': cp failed with status: 256",
            ],
        ),
        ("http://127.0.0.1:{closed}/x", ["Error downloading resource: Couldn't connect to server"]),
        ("{web}/missing", ["Error downloading resource, received HTTP return code 404"]),
        ("hdfs://host/x", ["Failed to create HDFS client: Hadoop client is not available"]),
        ("relative", ["A relative path was passed for the resource"]),
    ],
)
def test_a_failed_fetch_fails_the_launch_and_says_why_in_the_sandbox(
    in_world: InWorld, uri: str, words: list[str]
) -> None:
    """The framework gets the recorded message, the log the details."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        with socket.socket() as unused, web_server(world.folder) as url:
            unused.bind(("127.0.0.1", 0))
            value = uri.format(closed=unused.getsockname()[1], web=url)
            with pytest.raises(ContainerError) as failure:
                await world.containerizer.launch("c", world.spec("c", "", info=command("true", URI(value=value))))
        assert str(failure.value) == (
            "Failed to launch container: Failed to fetch all URIs for container 'c': exited with status 1"
        )
        assert failure.value.reason == "REASON_CONTAINER_LAUNCH_FAILED"
        log = (world.sandbox("c") / "stderr").read_text()
        for word in words:
            assert word in log
        assert world.containerizer.containers() == []
        assert await world.containerizer.wait("c") is not None

    in_world(story)


def test_a_stalled_download_is_given_up(in_world: InWorld) -> None:
    """A server that stops sending does not hold a task forever."""

    async def story(world: World) -> None:
        world.containerizer = world.new_containerizer(fetcher_stall_timeout=0.2)
        await world.containerizer.recover([])
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            uri = URI(value=f"http://127.0.0.1:{silent.getsockname()[1]}/x")
            with pytest.raises(ContainerError, match="exited with status 1"):
                await world.containerizer.launch("c", world.spec("c", "", info=command("true", uri)))
        assert "Timeout was reached" in (world.sandbox("c") / "stderr").read_text()

    in_world(story)


def test_destroying_a_container_that_is_fetching_ends_the_fetcher(in_world: InWorld) -> None:
    """The launch fails, the destroy's verdict stands, and no process is left."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            uri = URI(value=f"http://127.0.0.1:{silent.getsockname()[1]}/x")
            launching = asyncio.create_task(
                world.containerizer.launch("c", world.spec("c", "", info=command("true", uri)))
            )
            log = world.sandbox("c") / "stderr"
            await until(lambda: log.exists() and "Downloading" in log.read_text(), "the download")
            fetcher = processes.children(world.zygote_pid())
            verdict = Termination(None, "REASON_EXECUTOR_REGISTRATION_TIMEOUT", "too slow")
            assert await world.containerizer.destroy("c", verdict) == verdict
            with pytest.raises(ContainerError, match="destroyed"):
                await launching
        assert fetcher
        assert not [pid for pid in fetcher if is_alive(pid)]

    in_world(story)


@pytest.mark.root
def test_the_fetcher_reads_with_the_eyes_of_the_tasks_user(in_world: InWorld) -> None:
    """Else a task could fetch files its user may not read."""

    async def story(world: World) -> None:
        await world.containerizer.recover([])
        for folder in [world.folder, *world.folder.parents][:4]:
            folder.chmod(0o755)
        world.sandbox("c").chmod(0o777)
        secret = world.folder / "secret"
        secret.write_text("secret")
        secret.chmod(0o600)
        spec = world.spec("c", "", info=command("true", URI(value=str(secret))), user="nobody")
        with pytest.raises(ContainerError, match="exited with status 1"):
            await world.containerizer.launch("c", spec)
        assert not (world.sandbox("c") / "secret").exists()

    in_world(story)


def test_other_schemes_are_left_to_a_hadoop_client(in_world: InWorld) -> None:
    """It is called as the original calls it, below --hadoop_home; what it says of a failure is in the log."""

    async def story(world: World) -> None:
        home = world.folder / "hadoop"
        (home / "bin").mkdir(parents=True)
        client = home / "bin" / "hadoop"
        client.write_text('#!/bin/sh\ntest "$3" != s3://no || { echo no bucket >&2; exit 3; }\necho "$@" > "$4"\n')
        client.chmod(0o755)
        world.containerizer = world.new_containerizer(hadoop_home=str(home))
        uri = "hdfs://name/dir/data.txt"
        assert await run(world, "cat data.txt", URI(value=uri)) == Termination(0)
        target = world.sandbox("c") / "data.txt"
        assert (world.sandbox("c") / "stdout").read_text() == f"fs -copyToLocal {uri} {target}\n"
        log = (world.sandbox("c") / "stderr").read_text()
        assert f"Downloading resource with Hadoop client from '{uri}' to '{target}'" in log

    in_world(story)
