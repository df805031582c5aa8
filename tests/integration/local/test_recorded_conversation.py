"""Has the v0 conversation of a recording again, over real sockets: every message that comes back, and its order."""

from __future__ import annotations

import ast
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from messor import LocalCluster
from messor.protos import internal, v0_scheduler

RECORDING = Path(__file__).parent / "recorded_conversation.txt"
IDS = {"sched1": "scheduler(1)", "sched2": "scheduler(1)", "sched3": "scheduler-x", "executor": "executor(1)"}
LEFT_OUT = ("ResourceOffersMessage", "RescindResourceOfferMessage", "Ping")
"""When offers are made depends on the moment; rescinding them is tested elsewhere."""
MASTER = "89570a6b-46b1-4ef7-8b6f-65cdb40ec1c1"
SECONDS = 60.0
RESOURCES = "cpus:4;mem:4096;disk:10240;ports:[31000-31099]"


class Line(NamedTuple):
    """One recorded message."""

    peer: str
    is_sent: bool
    other: str
    path: str
    body: bytes


def read_lines() -> list[Line]:
    """Read the recording."""
    found = []
    for line in RECORDING.read_text().splitlines():
        if line and not line.startswith("#"):
            peer, direction, other, path, body = line.split(" ", 4)
            found.append(Line(peer, direction == ">", other, path, ast.literal_eval(body)))
    return found


def parse(path: str, body: bytes) -> Message | None:
    """Decode a message; None when it is none."""
    name = path.rpartition("/")[2]
    kind = v0_scheduler.Call if name == "mesos.scheduler.Call" else getattr(internal, name.rpartition(".")[2], None)
    try:
        return kind.FromString(body) if kind is not None else None
    except DecodeError:
        return None


def replace_texts(message: Message, names: dict[str, str]) -> None:
    """Replace strings everywhere below a message."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        for index, one in enumerate(values):
            if isinstance(one, Message):
                replace_texts(one, names)
            elif isinstance(one, str) and one in names:
                if field.is_repeated:
                    value[index] = names[one]
                else:
                    setattr(message, field.name, names[one])


def shown(path: str, body: bytes, master_id: str) -> str:
    """Write a message without what differs from run to run."""
    message = parse(path, body)
    assert message is not None, path
    text = text_format.MessageToString(message).replace(master_id, "MASTER")
    for pattern, word in (
        (r"timestamp: [\d.]+", "timestamp: T"),
        (r'(container_id \{\s*value: )"[^"]+"', r'\1"ID"'),
        (r"executor_pid: \d+", "executor_pid: N"),
        (r"port: \d+", "port: N"),
        (r"127.0.0.1:\d+", "127.0.0.1:N"),
        (r'hostname: "[^"]*"', "hostname: H"),
        (r'version: "[^"]*"', "version: V"),
        (r'command \{\s*value: "[^"]*"', "command { value: C"),
        (r"MASTER-O\d+", "OFFER"),
        (r"\s+", " "),
    ):
        text = re.sub(pattern, word, text)
    if "SOURCE_EXECUTOR" not in text and "StatusUpdateMessage" in path:
        text = re.sub(r'uuid: "(?:[^"\\]|\\.)*"', "uuid: U", text)
    return f"{path} {text}"


def is_direct(path: str) -> bool:
    """Whether an agent sends it to schedulers itself."""
    return "ExecutorToFrameworkMessage" in path


class Peer:
    """A process of the recording: it listens, keeps what it gets, and sends what it is told to."""

    def __init__(self, name: str) -> None:
        """Listen."""
        self.id = IDS[name]
        self.got: list[tuple[str, bytes]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.pid = f"{self.id}@127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets: list[socket.socket] = []
        self.links: dict[int, socket.socket] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        try:
            while line := file.readline():
                path = line.split(b" ")[1].decode()
                headers = b"".join(iter(file.readline, b"\r\n"))
                body = b""
                if b"chunked" in headers:
                    while size := int(file.readline(), 16):
                        body += file.read(size)
                        file.readline()
                    file.readline()
                self.got.append((path, body))
                connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        except (OSError, ValueError):
            return
        finally:
            file.close()

    def send(self, port: int, path: str, body: bytes) -> None:
        """Send a message over the one connection to a port, and take the answer."""
        if port not in self.links:
            self.links[port] = socket.create_connection(("127.0.0.1", port))
        link = self.links[port]
        head = f"POST {path} HTTP/1.1\r\nUser-Agent: libprocess/{self.pid}\r\nLibprocess-From: {self.pid}\r\nHost: \r\n"
        chunk = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"\r\n"
        link.sendall(head.encode() + chunk)
        assert link.recv(4096).startswith(b"HTTP/1.1 202")

    def messages(self) -> list[tuple[str, bytes]]:
        """Give what it got, without what is left out."""
        return [(path, body) for path, body in self.got if not any(word in path for word in LEFT_OUT)]

    def offers(self) -> list[str]:
        """Give the ids of all offers it got."""
        found = [internal.ResourceOffersMessage.FromString(body) for path, body in self.got if "ResourceOffers" in path]
        return [offer.id.value for message in found for offer in message.offers]

    def close(self) -> None:
        """Vanish, and end the threads: only a shutdown wakes those that wait at a socket."""
        for one in (self.listener, *self.sockets, *self.links.values()):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Play:
    """The recorded processes on a real cluster."""

    def __init__(self, cluster: LocalCluster) -> None:
        """Nobody has said anything."""
        self.cluster = cluster
        self.ports = {"master": cluster.master_process.port, "agent": cluster.agents[0].port}
        self.peers = {name: Peer(name) for name in IDS}
        self.master_id = ""
        self.expected: dict[str, list[Line]] = {name: [] for name in IDS}
        self.used: dict[str, str] = {}
        self.begun = cluster.work_dir / "begun"
        self.end = cluster.work_dir / "end"

    def wait(self, what: str, condition: Any) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.005)

    def hear(self, line: Line) -> None:
        """Wait for as many messages as were recorded up to here, and learn the master's id from the first."""
        if any(word in line.path for word in LEFT_OUT):
            return
        expected, peer = self.expected[line.peer], self.peers[line.peer]
        expected.append(line)
        self.wait(f"{line.peer} did not get {line.path}", lambda: len(peer.messages()) >= len(expected))
        if "ShutdownExecutorMessage" in line.path:
            self.end.touch()
        if not self.master_id:
            registered = internal.FrameworkRegisteredMessage.FromString(peer.messages()[0][1])
            self.master_id = registered.master_info.id

    def say(self, line: Line) -> None:
        """Send a recorded message with the ids of this run."""
        peer = self.peers[line.peer]
        if "RegisterExecutorMessage" in line.path:
            # Before it has launched one, the agent shuts down whoever claims to be its executor.
            self.wait("no executor was launched", self.begun.exists)
        message = parse(line.path, line.body)
        body = line.body
        if message is not None:
            replace_texts(message, self._names(peer, message))
            self._run_something_harmless(message)
            body = message.SerializePartialToString()
        peer.send(self.ports[line.other], line.path, body)

    def _names(self, peer: Peer, message: Message) -> dict[str, str]:
        texts = set(re.findall(f"{MASTER}[-SO0-9]*", text_format.MessageToString(message)))
        names = {}
        for text in texts:
            if f"{MASTER}-O" not in text:
                names[text] = text.replace(MASTER, self.master_id)
            elif text not in self.used:
                self.wait("no offer came", lambda: self._fresh(peer))
                self.used[text] = self._fresh(peer)[-1]
        return names | self.used

    def _fresh(self, peer: Peer) -> list[str]:
        return [offer for offer in peer.offers() if offer not in self.used.values()]

    def _run_something_harmless(self, message: Message) -> None:
        """The recording's executor is not here: this test speaks for it, and has it exit when it was told to."""
        tasks = []
        if isinstance(message, v0_scheduler.Call):
            tasks = [task for operation in message.accept.operations for task in operation.launch.task_infos]
        elif isinstance(message, internal.LaunchTasksMessage):
            tasks = list(message.tasks)
        for task in tasks:
            if task.HasField("executor"):
                task.executor.command.Clear()
                task.executor.command.value = f"touch {self.begun}; while ! test -e {self.end}; do sleep 0.05; done"

    def close(self) -> None:
        """End all peers."""
        for peer in self.peers.values():
            peer.close()


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """A cluster like the recording's."""
    with LocalCluster(agents=1, work_dir=tmp_path, resources=RESOURCES) as cluster:
        playing = Play(cluster)
        try:
            yield playing
        finally:
            playing.close()


def test_the_recorded_conversation_goes_the_same_way(play: Play) -> None:
    """Calls and legacy messages, acknowledgements, messages both ways, fail-over, errors, and what is dropped."""
    for line in read_lines():
        if line.is_sent:
            play.say(line)
        else:
            play.hear(line)
    for name, peer in play.peers.items():
        # What agents send directly overtakes what goes through the master: order holds for each sender.
        for direct in (True, False):
            got = [shown(*message, play.master_id) for message in peer.messages() if is_direct(message[0]) is direct]
            expected = [line for line in play.expected[name] if is_direct(line.path) is direct]
            for mine, line in zip(got, expected, strict=True):
                assert mine == shown(line.path, line.body, MASTER), name
