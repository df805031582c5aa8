"""A real ZooKeeper ensemble on loopback: three servers from Debian's package, started for a test run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

JAR = Path("/usr/share/java/zookeeper.jar")
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"

START_SECONDS = 60.0

CONFIG = """tickTime=200
initLimit=100
syncLimit=50
minSessionTimeout=400
maxSessionTimeout=20000
admin.enableServer=false
4lw.commands.whitelist=*
dataDir={folder}
clientPort={port}
clientPortAddress=127.0.0.1
{servers}
"""


def why_unavailable() -> str | None:
    """Say why no ensemble can be started here; None when one can."""
    if shutil.which("java") is None:
        return "there is no java; scripts/setup-interop installs it as root"
    if not JAR.exists():
        return "there is no ZooKeeper; scripts/setup-interop installs it as root"
    return None


def free_ports(count: int) -> list[int]:
    """Find that many free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Server:
    """One server of an ensemble."""

    def __init__(self, folder: Path, number: int, port: int, servers: str) -> None:
        """Write its files."""
        self.port = port
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "myid").write_text(f"{number}\n")
        (folder / "zoo.cfg").write_text(CONFIG.format(folder=folder, port=port, servers=servers))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; does not wait."""
        options = ["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", *options, "-cp", str(JAR), MAIN, str(self.folder / "zoo.cfg")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send(self, number: int) -> None:
        """Send a signal."""
        if self._process is not None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, word: str) -> str:
        """Ask with a four letter word; empty when it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(word.encode())
                connection.settimeout(1)
                return connection.makefile("r").read()
        except OSError:
            return ""

    def serves(self) -> bool:
        """Whether it is part of a quorum and takes clients."""
        return "Mode:" in self.ask("srvr")


class Ensemble:
    """Three servers."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        """Write all files."""
        ports = free_ports(count * 3)
        quorum = "\n".join(
            f"server.{n + 1}=127.0.0.1:{ports[count + 2 * n]}:{ports[count + 2 * n + 1]}" for n in range(count)
        )
        self.servers = [Server(folder / str(n + 1), n + 1, ports[n], quorum) for n in range(count)]

    @property
    def hosts(self) -> str:
        """All servers, as in a URL."""
        return ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def url(self, path: str, credentials: str = "") -> str:
        """Give the URL of a path."""
        return f"zk://{credentials + '@' if credentials else ''}{self.hosts}{path}"

    def start(self) -> None:
        """Start all servers and wait until all serve."""
        for server in self.servers:
            server.start()
        self.wait()

    def wait(self) -> None:
        """Wait until all serve."""
        deadline = time.monotonic() + START_SECONDS
        while not all(server.serves() for server in self.servers):
            assert time.monotonic() < deadline, (
                "ZooKeeper did not start: " + (self.servers[0].folder / "log").read_text(errors="replace")[-2000:]
            )
            time.sleep(0.05)

    def kill(self) -> None:
        """End all servers at once; what they stored is kept."""
        for server in self.servers:
            server.kill()

    def stop(self) -> None:
        """End the ensemble."""
        for server in self.servers:
            server.send(signal.SIGCONT)
        self.kill()
