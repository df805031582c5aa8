"""The smallest v1 scheduler client, to send exactly what other clients send."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable
from typing import Any

SECONDS = 60.0


def post(
    port: int,
    path: str,
    body: bytes,
    headers: str = "",
    content_type: str = "application/json",
    seconds: float = SECONDS,
) -> tuple[int, bytes]:
    """POST and give status and body; raises TimeoutError when that is not all there within some seconds."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}"
    )
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    start, _, rest = answer.partition(b"\r\n\r\n")
    return int(start.split(b" ", 2)[1]), rest


class RawScheduler:
    """A subscribed framework; keeps the raw bytes of its stream and the decoded events."""

    def __init__(self, port: int, info: dict[str, Any]) -> None:
        """Subscribe; the head of the answer is in ``head``."""
        self.port = port
        self.events: list[dict[str, Any]] = []
        self.records: list[bytes] = []
        self.used: set[str] = set()
        self._raw = b""
        self._body = b""
        body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}).encode()
        head = "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        head += f"Content-Length: {len(body)}\r\nAccept: application/json\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        while b"\r\n\r\n" not in self._raw:
            self._raw += self.socket.recv(65536)
        start, _, self._raw = self._raw.partition(b"\r\n\r\n")
        self.head = start.decode()
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in self.head.split("\r\n")[1:])}
        self._parse()
        self.framework_id = self.wait(lambda event: event["type"] == "SUBSCRIBED")["subscribed"]["framework_id"][
            "value"
        ]

    def wait(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for an event and give it; earlier ones count too."""
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            for event in self.events[seen:]:
                if wanted(event):
                    return event
            seen = len(self.events)
            assert time.monotonic() < deadline, f"no such event among {[event['type'] for event in self.events]}"
            self._read()

    def status(self, task_id: str, state: str) -> dict[str, Any]:
        """Wait for a state of a task and give the status."""

        def is_it(event: dict[str, Any]) -> bool:
            status = event.get("update", {}).get("status", {})
            return bool(status.get("task_id", {}).get("value") == task_id and status.get("state") == state)

        found: dict[str, Any] = self.wait(is_it)["update"]["status"]
        return found

    def offer(self) -> dict[str, Any]:
        """Wait for an offer that launch() has not used and give it."""

        def fresh(event: dict[str, Any]) -> bool:
            return event["type"] == "OFFERS" and event["offers"]["offers"][0]["id"]["value"] not in self.used

        found: dict[str, Any] = self.wait(fresh)["offers"]["offers"][0]
        return found

    def call(self, call: dict[str, Any]) -> tuple[int, bytes]:
        """Make a call of this framework."""
        body = json.dumps({"framework_id": {"value": self.framework_id}, **call}).encode()
        stream = f"Mesos-Stream-Id: {self.headers['mesos-stream-id']}\r\n"
        return post(self.port, "/api/v1/scheduler", body, stream)

    def launch(self, *tasks: dict[str, Any], filters: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Accept the first fresh offer with tasks."""
        operation = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        offer = self.offer()
        self.used.add(offer["id"]["value"])
        accept = {"offer_ids": [offer["id"]], "operations": [operation], "filters": filters}
        return self.call({"type": "ACCEPT", "accept": accept})

    def read_for(self, seconds: float) -> None:
        """Read what comes within some seconds, if anything does."""
        if select.select([self.socket], [], [], seconds)[0]:
            self._read()

    def close(self) -> None:
        """Vanish."""
        self.socket.close()

    def _read(self) -> None:
        self.socket.settimeout(SECONDS)
        data = self.socket.recv(65536)
        assert data, "the stream ended"
        self._raw += data
        self._parse()

    def _parse(self) -> None:
        while True:
            size, line, rest = self._raw.partition(b"\r\n")
            if not line or len(rest) < int(size, 16) + 2:
                break
            length = int(size, 16)
            self._body += rest[:length]
            self._raw = rest[length + 2 :]
        while True:
            size, newline, rest = self._body.partition(b"\n")
            if not newline or len(rest) < int(size):
                return
            self.records.append(rest[: int(size)])
            event = json.loads(rest[: int(size)])
            self._body = rest[int(size) :]
            self.events.append(event)
            self._acknowledge(event.get("update", {}).get("status", {}))

    def _acknowledge(self, status: dict[str, Any]) -> None:
        """Acknowledge a status that wants it: the agent sends the next one only then."""
        if "uuid" in status:
            acknowledge = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
            answer = self.call({"type": "ACKNOWLEDGE", "acknowledge": acknowledge})
            assert answer[0] == 202, answer
