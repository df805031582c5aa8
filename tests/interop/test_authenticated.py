"""Third-party clients that prove who they are: CRAM-MD5 over libprocess and Basic over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from interop.conftest import CLIENTS, need, run
from messor import LocalCluster

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def secure_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster whose master wants to know every framework, and whose agent can say who it is."""
    folder = tmp_path_factory.mktemp("secure")
    credentials, credential = folder / "credentials", folder / "credential"
    agent = {"principal": "agents", "secret": "s2"}
    credentials.write_text(json.dumps({"credentials": [{"principal": "go", "secret": "s1"}, agent]}))
    credential.write_text(json.dumps(agent))
    for path in (credentials, credential):
        path.chmod(0o600)
    master_flags = {"authenticate_frameworks": "true", "authenticate_agents": "true", "credentials": credentials}
    agent_flags = {"credential": credential, "authentication_backoff_factor": "20ms"}
    with LocalCluster(
        agents=1,
        work_dir=folder / "cluster",
        master_flags=master_flags,
        agent_flags=agent_flags,
        resources="cpus:4;mem:2048",
    ) as running:
        yield running


def test_mesos_go_v0_authenticates(secure_cluster: LocalCluster) -> None:
    """Its own CRAM-MD5 and ours understand each other."""
    program = need(CLIENTS / "go-v0", "mesos-go's v0 program")
    output = run([str(program), secure_cluster.master, "3"], PRINCIPAL="go", SECRET="s1")
    assert "finished 3" in output


def test_mesos_go_v0_with_a_wrong_secret_hears_the_refusal(secure_cluster: LocalCluster) -> None:
    """Then its driver does nothing any more, without ending."""
    program = need(CLIENTS / "go-v0", "mesos-go's v0 program")
    process = subprocess.Popen(
        [str(program), secure_cluster.master, "3"],
        env={**os.environ, "PRINCIPAL": "go", "SECRET": "wrong"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("refused authentication" in line for line in process.stdout)
    finally:
        process.kill()
        process.communicate()
