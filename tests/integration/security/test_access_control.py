"""A real master and agent with access control lists, and users who prove who they are (K7, K11)."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from messor.containers.native.zygote_client import destroy_everything
from messor.local.daemons import Daemon
from messor.local.leftovers import kill_leftovers
from messor.local.probe import free_port

from .test_secure_cluster import (
    ALICE,
    CREDENTIALS,
    ENVIRONMENT,
    Secure,
    agents,
    ask,
    basic,
    last_words,
    wait_for,
    write,
)

BOB = basic("bob", "s3")
USER = getpass.getuser()
FORBIDDEN = (403, b"403 Forbidden.")

NOBODY: dict[str, Any] = {"type": "NONE"}
ANY: dict[str, Any] = {"type": "ANY"}


def only_alice(field: str, *values: str) -> list[dict[str, Any]]:
    """Make rules that allow alice something and nobody else anything."""
    return [
        {"principals": {"values": ["alice"]}, field: {"values": list(values)} if values else ANY},
        {"principals": NOBODY, field: ANY},
    ]


@contextmanager
def running(
    folder: Path, master_rules: dict[str, Any], agent_rules: dict[str, Any], **more: object
) -> Iterator[Secure]:
    """Run a master and an agent that ask for credentials and heed rules; more: flags of the master."""
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
        "credentials": credentials,
        "acls": f"file://{write(folder, 'master_acls', master_rules)}",
        **more,
    }
    agent_flags = {
        **common,
        **on,
        "port": ports[1],
        "master": f"127.0.0.1:{ports[0]}",
        "work_dir": folder / "agent",
        "runtime_dir": runtime,
        "resources": "cpus:4;mem:4096;disk:10240;ports:[31000-31099]",
        "credential": credential,
        "http_credentials": credentials,
        "authentication_backoff_factor": "20ms",
        "acls": write(folder, "agent_acls", agent_rules),
        "external_log_file": write(folder, "agent_log", "x"),
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


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """Start a cluster where alice may do things and bob may not."""
    folder = tmp_path_factory.mktemp("guarded")
    master_rules = {
        "register_frameworks": only_alice("roles", "*"),
        "run_tasks": only_alice("users", USER),
        "view_flags": only_alice("flags"),
        "access_mesos_logs": only_alice("logs"),
        "update_weights": only_alice("roles"),
        "get_endpoints": only_alice("paths"),
    }
    agent_rules = {
        "access_sandboxes": only_alice("users", USER),
        "access_mesos_logs": only_alice("logs"),
        "view_frameworks": only_alice("users", USER),
        "get_endpoints": only_alice("paths"),
    }
    with running(folder, master_rules, agent_rules, external_log_file=write(folder, "log", "x")) as cluster:
        yield cluster


def execute(guarded: Secure, principal: str, secret: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run ``true`` on the cluster as somebody."""
    command = [sys.executable, "-m", "messor.cli.main", "execute", f"--master=127.0.0.1:{guarded.master.port}"]
    named = ["--name=proof", "--command=true", "--resources=cpus:0.1;mem:32"]
    return subprocess.run(
        [*command, *named, f"--principal={principal}", f"--secret={secret}", *flags],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_tasks_run_for_who_may_run_them(guarded: Secure) -> None:
    """Others are told why not."""
    done = execute(guarded, "alice", "s1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TASK_FINISHED" in done.stdout + done.stderr
    done = execute(guarded, "bob", "s3")
    assert done.returncode == 1
    assert "Not authorized to register framework  with roles { * }" in done.stdout + done.stderr


def test_sandboxes_and_logs_are_shown_to_who_may_see_them(guarded: Secure) -> None:
    """Through the endpoints and through the API."""
    assert execute(guarded, "alice", "s1").returncode == 0
    port = guarded.agent.port
    state = json.loads(ask(port, "/state", ALICE).body)
    frameworks = [*state["frameworks"], *state["completed_frameworks"]]
    directory = next(
        executor["directory"]
        for framework in frameworks
        for executor in (*framework["executors"], *framework["completed_executors"])
    )
    assert json.loads(ask(port, "/state", BOB).body)["completed_frameworks"] == []
    path = quote(directory)
    for port, log in ((guarded.master.port, "/master/log"), (guarded.agent.port, "/slave/log")):
        assert ask(port, f"/files/read?path={log}&offset=0", ALICE).status == 200
        refused = ask(port, f"/files/read?path={log}&offset=0", BOB)
        assert (refused.status, refused.body) == FORBIDDEN
        call = json.dumps({"type": "READ_FILE", "read_file": {"path": log, "offset": 0}}).encode()
        assert ask(port, "/api/v1", ALICE, "POST", call).status == 200
        assert ask(port, "/api/v1", BOB, "POST", call).status == 403
    for what in ("browse", "read", "download"):
        refused = ask(guarded.agent.port, f"/files/{what}?path={path}", BOB)
        assert refused.status == 403, what
    call = json.dumps({"type": "LIST_FILES", "list_files": {"path": directory}}).encode()
    assert ask(guarded.agent.port, "/api/v1", BOB, "POST", call).status == 403


@pytest.mark.parametrize("path", ["/flags", "/metrics/snapshot", "/logging/toggle", "/files/debug"])
def test_endpoints_are_for_who_may_ask_them(guarded: Secure, path: str) -> None:
    """403, after the question who it is."""
    assert ask(guarded.master.port, path).status == 401
    refused = ask(guarded.master.port, path, BOB)
    assert (refused.status, refused.body) == FORBIDDEN
    assert ask(guarded.master.port, path, ALICE).status == 200


def test_operators_are_refused_too(guarded: Secure) -> None:
    """As the wrong principal; what the right one does is done."""
    call = json.dumps({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [{"role": "w", "weight": 2.0}]}})
    refused = ask(guarded.master.port, "/api/v1", BOB, "POST", call.encode())
    assert (refused.status, refused.body) == FORBIDDEN
    assert ask(guarded.master.port, "/api/v1", ALICE, "POST", call.encode()).status == 200


def test_commands_say_that_something_is_not_allowed(guarded: Secure) -> None:
    """``messor why`` needs leave to see everybody."""
    command = [sys.executable, "-m", "messor.cli.main", "why", "*", "--as=role"]
    done = subprocess.run(
        [*command, f"--master=127.0.0.1:{guarded.master.port}", "--credential=bob:s3"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "403 Forbidden." in done.stderr


@pytest.mark.parametrize("program", ["messor.master.main", "messor.agent.main"])
def test_bad_rules_end_a_daemon_with_a_sentence(program: str, tmp_path: Any) -> None:
    """Before it does anything."""
    rules = json.dumps({"view_flags": [{"principals": ANY, "flags": {"values": ["x"]}}]})
    where = [f"--work_dir={tmp_path}", "--registry=in_memory"] if "master" in program else [f"--work_dir={tmp_path}"]
    more = [] if "master" in program else ["--master=127.0.0.1:1", f"--runtime_dir={tmp_path}/run"]
    words = last_words(program, *where, *more, f"--acls={rules}")
    assert words.endswith("Could not create 'local' authorizer: ACL.ViewFlags type must be either NONE or ANY")
