"""How many requests per CPU-second of the server a node takes: libprocess messages and calls, one by one and pipelined.

Prints one JSON line per figure: {id, work, value, unit, limit, ok}. Run: python benchmarks/ingest.py [--seconds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import time

CONNECTIONS = 16
DEPTH = 16


def serve() -> None:
    """Be the server: one actor that counts status updates and takes calls; prints its port."""
    from messor.protos import internal
    from messor.runtime.actor import Actor
    from messor.runtime.address import Address
    from messor.runtime.handlers import endpoint, on
    from messor.runtime.http import Request, Response
    from messor.runtime.node import Node
    from messor.wire.upid import Upid

    class Sink(Actor):
        """Counts."""

        handled = 0

        @on(internal.StatusUpdateMessage)
        def update(self, sender: Upid, message: internal.StatusUpdateMessage) -> None:  # noqa: ARG002
            """Read a few keys, as the master does."""
            update = message.update
            if update.slave_id.value and update.status.task_id.value:
                self.handled += 1

        @endpoint("/api/v1/scheduler", methods=("POST",), realm="scheduler")
        def call(self, request: Request) -> Response:
            """Accept."""
            self.handled += len(request.body) > 0
            return Response(202)

    def setup(node: Node) -> None:
        node.spawn(Sink("master"))
        node.directory.delegate = "master"
        sys.stdout.write(f"{node.network.port}\n")
        sys.stdout.flush()

    Node(Address("127.0.0.1", 0)).run(setup)


def message() -> bytes:
    """Make a StatusUpdateMessage of 317 bytes in its HTTP envelope."""
    from messor.protos import internal, v0
    from messor.wire.libprocess import encode_message
    from messor.wire.upid import Upid

    status = internal.StatusUpdateMessage()
    update = status.update
    update.framework_id.value = "0b4f2d44-7c1c-4a0c-b3d1-1b8bd1d0a7a6-0000"
    update.executor_id.value = "task-0000000001"
    update.slave_id.value = "0b4f2d44-7c1c-4a0c-b3d1-1b8bd1d0a7a6-S0"
    update.status.task_id.value = "task-0000000001"
    update.status.state = v0.TASK_RUNNING
    update.status.slave_id.value = update.slave_id.value
    update.status.timestamp = 1.5e9
    update.status.uuid = b"0123456789abcdef"
    update.timestamp = 1.5e9
    update.uuid = b"0123456789abcdef"
    status.pid = "slave(1)@127.0.0.1:5051"
    status.update.status.message = "x"
    while status.ByteSize() < 317:
        status.update.status.message += "x"
    return encode_message(
        Upid("slave(1)", "127.0.0.1", 5051),
        Upid("master", "127.0.0.1", 5050),
        "mesos.internal.StatusUpdateMessage",
        status.SerializeToString(),
    )


def call() -> bytes:
    """Make a scheduler call of usual size."""
    body = b"x" * 180
    return (
        b"POST /api/v1/scheduler HTTP/1.1\r\nHost: 127.0.0.1:5050\r\nAccept: application/json\r\n"
        b"Content-Type: application/x-protobuf\r\nMesos-Stream-Id: 130ae4e3-6b13-4ef4-baa9-9f2e85c3e9af\r\n"
        b"User-Agent: bench\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


class Client:
    """One connection that always has ``depth`` requests under way."""

    def __init__(self, port: int, request: bytes, depth: int, reply_length: int) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.batch = request * depth
        self.depth = depth
        self.expected = reply_length * depth
        self.missing = 0

    def send(self) -> None:
        """Send a batch."""
        self.socket.sendall(self.batch)
        self.missing = self.expected

    def receive(self) -> int:
        """Read replies; gives how many requests were completed."""
        self.missing -= len(self.socket.recv(262144))
        if self.missing > 0:
            return 0
        self.send()
        return self.depth


def cpu_seconds(pid: int) -> float:
    """Read a process's user and system time."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid: int, port: int, request: bytes, depth: int, seconds: float) -> float:
    """Give requests per CPU-second of the server."""
    probe = socket.create_connection(("127.0.0.1", port))
    probe.sendall(request)
    reply = b""
    while b"\r\n\r\n" not in reply:
        reply += probe.recv(65536)
    if not reply.startswith(b"HTTP/1.1 202 "):
        raise SystemExit(f"The server answered {reply!r}")
    probe.close()
    clients = [Client(port, request, depth, len(reply)) for _ in range(CONNECTIONS)]
    selector = selectors.EpollSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send()
    warm = time.monotonic() + 0.3
    while time.monotonic() < warm:
        for key, _ in selector.select(0.1):
            key.data.receive()
    done = 0
    cpu = cpu_seconds(pid)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(0.1):
            done += key.data.receive()
    cpu = cpu_seconds(pid) - cpu
    for client in clients:
        client.socket.close()
    return done / cpu


def main() -> int:
    """Run all and print; exit status 1 when a limit is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return 0
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    good = True
    try:
        port = int(server.stdout.readline())
        for identifier, work, request, depth, limit in (
            ("ingest/message", "StatusUpdateMessage of 317 bytes, 16 connections", message(), 1, 80_000),
            ("ingest/message-pipelined", "the same, 16 in a row", message(), DEPTH, 250_000),
            ("ingest/call", "scheduler call answered 202, 16 connections", call(), 1, 1_000_000 / 15),
            ("ingest/call-pipelined", "the same, 16 in a row", call(), DEPTH, 100_000),
        ):
            value = measure(server.pid, port, request, depth, arguments.seconds)
            ok = value >= limit
            good = good and ok
            print(
                json.dumps(
                    {
                        "id": identifier,
                        "work": work,
                        "value": round(value),
                        "unit": "requests per server CPU-second",
                        "limit": round(limit),
                        "ok": ok,
                    }
                ),
                flush=True,
            )
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
