"""A master and an agent that want to know who everybody is, as real processes (K1-K3)."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from messor.containers.native.zygote_client import destroy_everything
from messor.drivers.scheduler.callbacks import MesosSchedulerDriver
from messor.errors import ConfigurationError
from messor.local.daemons import Daemon
from messor.local.leftovers import kill_leftovers
from messor.local.probe import free_port
from messor.protos import v0

SECONDS = 60.0
ENVIRONMENT = {"PATH": os.environ["PATH"], "LIBPROCESS_IP": "127.0.0.1"}

CREDENTIALS = {"alice": "s1", "bob": "s3", "agentp": "s2"}


class Answer(NamedTuple):
    """What somebody answered."""

    status: int
    challenge: str | None
    body: bytes


def ask(port: int, path: str, who: str | None = None, method: str = "GET", body: bytes = b"") -> Answer:
    """Ask for something; who: the Authorization header."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"Content-Type": "application/json"} if body else {}
    if who is not None:
        headers["Authorization"] = who
    try:
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers.get("WWW-Authenticate"), response.read())
    finally:
        connection.close()


def basic(principal: str, secret: str) -> str:
    """Write the header of a principal."""
    return "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()


ALICE = basic("alice", "s1")


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Poll until something is true and give it."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {SECONDS:g} s for {what}"
        time.sleep(0.01)
    return value


def write(folder: Path, name: str, content: object) -> Path:
    """Write a file that only we may read."""
    path = folder / name
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


class Secure(NamedTuple):
    """A running master and agent."""

    master: Daemon
    agent: Daemon


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """Start a master with every kind of authentication, and an agent that can prove who it is."""
    folder = tmp_path_factory.mktemp("secure")
    listed = [{"principal": principal, "secret": secret} for principal, secret in CREDENTIALS.items()]
    credentials = write(folder, "credentials", {"credentials": listed})
    credential = write(folder, "credential", {"principal": "agentp", "secret": "s2"})
    runtime = folder / "agent" / "runtime"
    ports = free_port(), free_port()
    common = {"ip": "127.0.0.1", "hostname": "localhost"}
    on = dict.fromkeys(("authenticate_http_readonly", "authenticate_http_readwrite"), "true")
    master_flags = {
        **common,
        **on,
        "port": ports[0],
        "registry": "in_memory",
        "authenticate_frameworks": "true",
        "authenticate_agents": "true",
        "authenticate_http_frameworks": "true",
        "http_framework_authenticators": "basic",
        "credentials": credentials,
    }
    agent_flags = {
        **common,
        **on,
        "port": ports[1],
        "master": f"127.0.0.1:{ports[0]}",
        "work_dir": folder / "agent",
        "runtime_dir": runtime,
        "credential": credential,
        "http_credentials": credentials,
        "authentication_backoff_factor": "20ms",
    }
    master = Daemon("messor.master.main", "master", master_flags, folder / "master", ports[0])
    agent = Daemon("messor.agent.main", "agent", agent_flags, folder / "agent", ports[1])
    try:
        master.start()
        agent.start()
        for daemon in (master, agent):
            wait_for(daemon.is_up, f"{daemon.name} to answer")
        wait_for(lambda: agents(master), "the agent to register")
        yield Secure(master, agent)
    finally:
        agent.kill()
        master.kill()
        destroy_everything(str(runtime))
        kill_leftovers(runtime)


def agents(master: Daemon) -> list[Any]:
    """List the registered agents."""
    return list(json.loads(ask(master.port, "/slaves", ALICE).body)["slaves"])


READONLY, READWRITE, SCHEDULER, OPEN = "readonly", "readwrite", "scheduler", None

MASTER_REALMS = {
    "/state": READONLY,
    "/master/flags": READONLY,
    "/metrics/snapshot?timeout=1ms": READONLY,
    "/health": OPEN,
    "/version": OPEN,
    "/files/debug": READONLY,
    "/logging/toggle": READWRITE,
    "/roles": READONLY,
    "/weights": READWRITE,
    "/maintenance/schedule": READWRITE,
    "/registrar(1)/registry": READONLY,
    "/system/stats.json": OPEN,
    "/tasks": READONLY,
    "/__processes__": OPEN,
    "/help": OPEN,
    "/quota": READWRITE,
}
AGENT_REALMS = {
    "/state": READONLY,
    "/flags": READONLY,
    "/metrics/snapshot?timeout=1ms": READONLY,
    "/health": OPEN,
    "/version": OPEN,
    "/files/debug": READONLY,
    "/logging/toggle": READWRITE,
    "/monitor/statistics": READONLY,
    "/containers": READONLY,
    "/containerizer/debug": READONLY,
}
"""What a recording without credentials showed: which realm's challenge was answered, if any."""


def check(port: int, path: str, realm: str | None, daemon: str, **how: Any) -> None:
    """Check one path without credentials, with wrong ones and with right ones."""
    if realm is OPEN:
        assert ask(port, path, **how).status == 200, path
        return
    challenge = f'Basic realm="mesos-{daemon}-{realm}"'
    wrong = (None, basic("alice", "no"), basic("carol", "s1"), "Basic garbage", "Bearer YWxpY2U6czE=")
    for who in wrong:
        assert ask(port, path, who, **how) == (401, challenge, b"401 Unauthorized."), (path, who)
    assert ask(port, path, ALICE, **how).status != 401, path


@pytest.mark.parametrize(("path", "realm"), MASTER_REALMS.items())
def test_the_master_asks_who_asks(secure: Secure, path: str, realm: str | None) -> None:
    """Endpoint by endpoint as recorded."""
    check(secure.master.port, path, realm, "master")


@pytest.mark.parametrize(("path", "realm"), AGENT_REALMS.items())
def test_the_agent_asks_who_asks(secure: Secure, path: str, realm: str | None) -> None:
    """Endpoint by endpoint as recorded."""
    check(secure.agent.port, path, realm, "agent")


def test_calls_are_authenticated_before_they_are_read(secure: Secure) -> None:
    """Even garbage is first asked for its sender."""
    health = b'{"type":"GET_HEALTH"}'
    for body in (health, b"x"):
        check(secure.master.port, "/api/v1", READWRITE, "master", method="POST", body=body)
        check(secure.agent.port, "/api/v1", READWRITE, "agent", method="POST", body=body)
        check(secure.master.port, "/api/v1/scheduler", SCHEDULER, "master", method="POST", body=body)
    assert ask(secure.master.port, "/api/v1", ALICE, "POST", health).status == 200


def test_http_frameworks_are_who_they_prove_to_be(secure: Secure) -> None:
    """Another principal in FrameworkInfo is refused in the recorded words."""
    body = b'{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"auth","principal":"bob"}}}'
    answer = ask(secure.master.port, "/api/v1/scheduler", ALICE, "POST", body)
    assert answer.status == 400
    assert answer.body.decode() == (
        "Failed to validate scheduler::Call: Authenticated principal 'alice' does not match principal 'bob' set in"
        " `FrameworkInfo`"
    )


class Heard:
    """A scheduler that keeps the first thing it hears."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.first: tuple[str, str] | None = None
        self.done = threading.Event()

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Keep a callback's name, and an error's text."""

        def heard(driver: Any, *arguments: Any) -> None:
            if self.first is None:
                self.first = (name, arguments[0] if name == "error" else "")
                self.done.set()

        return heard


def outcome(master: str, transport: str, credential: Any) -> tuple[tuple[str, str] | None, int]:
    """Run a driver until it hears something; gives that and what stop() says."""
    heard = Heard()
    info = v0.FrameworkInfo(user="root", name="x", failover_timeout=0)
    driver = MesosSchedulerDriver(heard, info, master, 1, credential, transport=transport)
    driver.start()
    assert heard.done.wait(SECONDS)
    status = driver.stop()
    driver.join()
    return heard.first, status


@pytest.mark.parametrize("transport", ["libprocess", "http", "http+json"])
def test_a_driver_proves_its_credential_or_is_aborted(
    secure: Secure, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a message, a pair, or something that gives one; refusal is one documented error (S42, S71)."""
    monkeypatch.setenv("LIBPROCESS_IP", "127.0.0.1")
    master = f"127.0.0.1:{secure.master.port}"
    refused = (("error", "Master refused authentication"), v0.DRIVER_ABORTED)
    registered = (("registered", ""), v0.DRIVER_STOPPED)
    message = v0.Credential(principal="alice", secret="s1")
    for credential in (message, ("alice", "s1"), lambda: message, lambda: ("alice", b"s1")):
        assert outcome(master, transport, credential) == registered
    for credential in (("alice", "no"), ("nobody", "s1")):
        assert outcome(master, transport, credential) == refused
    (callback, text), status = outcome(master, transport, None)  # type: ignore[misc]
    assert (callback, status) == ("error", v0.DRIVER_ABORTED)
    assert text == "Master refused authentication" or text.endswith("is not authenticated")


def test_what_is_no_credential_is_refused_at_once() -> None:
    """Naming what is expected."""
    info = v0.FrameworkInfo(user="root", name="x", failover_timeout=1)
    with pytest.raises(TypeError, match=r"expecting a mesos\.Credential or a pair"):
        MesosSchedulerDriver(Heard(), info, "127.0.0.1:1", 1, 17)
    with pytest.raises(ConfigurationError, match=r"credential\.principal must be a non-empty string"):
        MesosSchedulerDriver(Heard(), info, "127.0.0.1:1", 1, ("", "x"))


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (["--principal=alice", "--secret=s1"], 0, "TASK_FINISHED"),
        (["--principal=alice", "--secret=no", "--content_type=json"], 1, "Master refused authentication"),
        (["--secret=s1"], 1, "--secret needs a --principal"),
    ],
)
def test_a_command_is_run_for_who_proves_it(secure: Secure, flags: list[str], status: int, words: str) -> None:
    """``messor execute`` takes principal and secret as mesos-execute does."""
    command = [sys.executable, "-m", "messor.cli.main", "execute", f"--master=127.0.0.1:{secure.master.port}"]
    done = subprocess.run(
        [*command, "--name=proof", "--command=true", "--resources=cpus:0.1;mem:32", *flags],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr


def last_words(module: str, *flags: object) -> str:
    """Run a daemon that must end with status 1; gives its last line on stderr."""
    command = [sys.executable, "-m", module, "--ip=127.0.0.1", "--port=0", *map(str, flags)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_an_agent_that_is_refused_ends(secure: Secure, tmp_path: Path) -> None:
    """In the recorded words."""
    credential = write(tmp_path, "credential", {"principal": "agentp", "secret": "wrong"})
    words = last_words(
        "messor.agent.main",
        f"--master=127.0.0.1:{secure.master.port}",
        f"--work_dir={tmp_path}/work",
        f"--runtime_dir={tmp_path}/runtime",
        f"--credential={credential}",
        "--authentication_backoff_factor=10ms",
    )
    destroy_everything(f"{tmp_path}/runtime")
    expected = f"EXIT with status 1: Master master@127.0.0.1:{secure.master.port} refused authentication"
    assert words.endswith(expected)


MISSING = "EXIT with status 1: Failed to read credentials file '/no/such': No such file or directory"
NO_CREDENTIALS = (
    "EXIT with status 1: Failed to create HTTP authenticator module 'basic': No credentials provided for the default"
    " 'basic' HTTP authenticator for realm 'mesos-master-readwrite'"
)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--credentials=/no/such"], f"{MISSING} (see --credentials flag)"),
        (["--authenticate_http_readwrite"], NO_CREDENTIALS),
        (["--authenticate_http_frameworks"], "Missing `--http_framework_authenticators` flag. This must be used in"),
        (
            ["--authenticators=kerberos"],
            "Authenticator 'kerberos' not found. Check the spelling (compare to 'crammd5')",
        ),
    ],
)
def test_a_master_that_cannot_authenticate_does_not_start(flags: list[str], words: str) -> None:
    """The first three are recorded."""
    assert words in last_words("messor.master.main", "--registry=in_memory", *flags)


NO_FILE = (
    "EXIT with status 1: Failed to read credential file '/no/such': No such file or directory (see --credential flag)"
)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--credential=/no/such"], NO_FILE),
        (["--http_credentials=/no/such", "--authenticate_http_readwrite"], "(see --http_credentials flag)"),
        (["--authenticate_http_readonly"], "for realm 'mesos-agent-readonly'"),
    ],
)
def test_an_agent_that_cannot_authenticate_does_not_start(flags: list[str], words: str, tmp_path: Path) -> None:
    """In the recorded words."""
    folders = (f"--work_dir={tmp_path}/work", f"--runtime_dir={tmp_path}/runtime")
    assert words in last_words("messor.agent.main", "--master=127.0.0.1:1", *folders, *flags)
