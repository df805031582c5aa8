"""``messor execute`` (mesos-execute): launch one command as a task, print what happens to it, wait for its end.

Unlike the original, which returns 0 even when the task failed, the exit status is 0 only for TASK_FINISHED.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from messor.drivers.scheduler.callbacks import ABORTED, MesosSchedulerDriver
from messor.errors import ConfigurationError, MesosError
from messor.model.resource_text import parse_resources
from messor.model.resources import Resources
from messor.model.task_states import is_terminal
from messor.protos import v0, v1
from messor.runtime.flag_types import Duration, Json
from messor.runtime.flags import REQUIRED, Usage, flag, load
from messor.wire.json_codec import from_dict
from messor.wire.versions import devolve

LATER = "is not supported yet: {} come with container images"


def _check_content_type(value: Any) -> str | None:
    return None if value in ("protobuf", "json") else "Expecting --content_type to be 'json' or 'protobuf'"


@dataclass(kw_only=True)
class ExecuteFlags:
    """The flags of mesos-execute."""

    master: str = flag(REQUIRED, "Mesos master (e.g., IP:PORT or zk://host1:port1,host2:port2/path)")
    name: str | None = flag(None, "Name for the command; also the task's id.")
    command: str | None = flag(None, "Shell command to launch.")
    shell: bool = flag(True, "Whether the command is a shell command (--no-shell: a program and nothing else).")
    task: Json | None = flag(None, "The whole TaskInfo as JSON, inline or file://; instead of --name and --command.")
    task_group: Json | None = flag(None, "A TaskGroupInfo.", unsupported="--task_group is not supported yet")
    env: Json | None = flag(None, "Shell command environment: a JSON object of names and values.")
    resources: str = flag("cpus:1;mem:128", "Resources to allocate for the command.")
    checkpoint: bool = flag(False, "Whether the framework is checkpointed, so that the task outlives its agent.")
    role: str = flag("*", "Role to use when registering.")
    principal: str | None = flag(None, "Principal to authenticate as, together with `--secret`.")
    secret: str | None = flag(None, "Secret of the principal, or `file:///path` of a file with it.", secret=True)
    kill_after: Duration | None = flag(None, "Kill the task after this long, unless it ended by then.")
    framework_capabilities: str | None = flag(None, "Comma separated list of capabilities to announce.")
    partition_aware: bool = flag(True, "Whether to announce PARTITION_AWARE.")
    content_type: str = flag("protobuf", "How to talk to the master: protobuf or json.", check=_check_content_type)
    networks: str | None = flag(None, "Networks to join.", unsupported="--networks is not supported yet")
    volumes: Json | None = flag(None, "Volumes to mount.", unsupported="--volumes is not supported yet")
    rlimits: Json | None = flag(None, "Resource limits.", unsupported="--rlimits is not supported yet")
    effective_capabilities: Json | None = flag(
        None, "Linux capabilities.", unsupported="--effective_capabilities is not supported yet"
    )
    bounding_capabilities: Json | None = flag(
        None, "Bounding set.", unsupported="--bounding_capabilities is not supported yet"
    )
    appc_image: str | None = flag(None, "Appc image.", unsupported="--appc_image " + LATER.format("appc images"))
    docker_image: str | None = flag(
        None, "Docker image.", unsupported="--docker_image " + LATER.format("Docker images")
    )
    containerizer: str = flag("mesos", "Containerizer to use.", unsupported="--containerizer: only mesos is supported")
    tty: bool = flag(False, "Attach a terminal.", unsupported="--tty is not supported yet")
    overwrite: bool = flag(False, "Overwrite a package.", unsupported="--overwrite needs HDFS, which is not supported")
    package: str | None = flag(None, "Package to upload.", unsupported="--package needs HDFS, which is not supported")
    hdfs: str | None = flag(None, "HDFS client.", unsupported="--hdfs is not supported")
    hadoop: str = flag("hadoop", "Hadoop client.", unsupported="--hadoop is not supported")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command on a cluster; gives 0 only when the task finished. argv includes the program's name."""
    try:
        flags = load(ExecuteFlags, sys.argv if argv is None else argv, os.environ, "mesos-execute")
        command = CommandScheduler(describe_task(flags), flags.kill_after)
        framework = describe_framework(flags)
        transport = "http+json" if flags.content_type == "json" else "http"
        driver = MesosSchedulerDriver(command, framework, flags.master, 0, credential(flags), transport=transport)
    except Usage as usage:
        print(usage)  # noqa: T201
        return 0
    except MesosError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return _wait(command, driver)


def _wait(command: CommandScheduler, driver: MesosSchedulerDriver) -> int:
    try:
        if driver.start() != ABORTED:
            command.over.wait()
    except KeyboardInterrupt:
        print("Interrupted: the task is killed", file=sys.stderr)  # noqa: T201
    driver.stop()
    driver.join()
    return 0 if command.final_state == v0.TASK_FINISHED else 1


def describe_framework(flags: ExecuteFlags) -> v0.FrameworkInfo:
    """Build the FrameworkInfo; raises ConfigurationError for an unknown capability."""
    framework = v0.FrameworkInfo(name=f"mesos-execute instance {os.getpid()}", checkpoint=flags.checkpoint)
    Capability = v0.FrameworkInfo.Capability  # noqa: N806  (a class)
    names = ["MULTI_ROLE", "RESERVATION_REFINEMENT"]
    names += [name.strip() for name in (flags.framework_capabilities or "").split(",") if name.strip()]
    names += ["PARTITION_AWARE"] * flags.partition_aware
    for name in dict.fromkeys(names):
        try:
            framework.capabilities.add(type=Capability.Type.Value(name))
        except ValueError:
            known = ", ".join(Capability.Type.keys())
            raise ConfigurationError(f"'{name}' is no framework capability; there are {known}") from None
    framework.roles.append(flags.role)
    if flags.principal is not None:
        framework.principal = flags.principal
    return framework


def credential(flags: ExecuteFlags) -> v0.Credential | None:
    """Give what to prove to the master; a principal without a secret is only announced. Raises ConfigurationError."""
    if flags.secret is None:
        return None
    if flags.principal is None:
        raise ConfigurationError("--secret needs a --principal whose secret it is")
    return v0.Credential(principal=flags.principal, secret=flags.secret)


def describe_task(flags: ExecuteFlags) -> v0.TaskInfo:
    """Build the TaskInfo, without agent; raises ConfigurationError when the flags do not make one."""
    if flags.task is not None:
        if flags.name is not None or flags.command is not None:
            raise ConfigurationError("Give either --task or --name and --command, not both")
        # The agent is known only with the offer; the JSON is that of the v1 API.
        description: v0.TaskInfo = devolve(
            from_dict({"agent_id": {"value": ""}, **_object(flags.task, "task")}, v1.TaskInfo)
        )
        return description
    if not flags.name:
        raise ConfigurationError("Either --task or --name and --command must be given: --name is missing")
    if not flags.command:
        raise ConfigurationError("Either --task or --name and --command must be given: --command is missing")
    task = v0.TaskInfo(name=flags.name)
    task.task_id.value = flags.name
    task.resources.extend(parse_resources(flags.resources).messages())
    task.command.shell = flags.shell
    task.command.value = flags.command
    if not flags.shell:
        task.command.arguments.append(flags.command)
    for name, value in (_object(flags.env, "env") if flags.env is not None else {}).items():
        task.command.environment.variables.add(name=name, value=str(value))
    return task


def _object(value: Any, name: str) -> Mapping[str, Any]:
    decoded = json.loads(value) if isinstance(value, (str, bytes)) else value
    if not isinstance(decoded, dict):
        raise ConfigurationError(f"Expecting --{name} to be a JSON object, not {json.dumps(decoded)}")
    return decoded


class CommandScheduler:
    """Launches one task on the first offer it fits in and follows it to its end."""

    def __init__(self, task: v0.TaskInfo, kill_after: float | None) -> None:
        """Take the task without its agent; kill_after in seconds."""
        self.task = task
        self.kill_after = kill_after
        self.needs = Resources.of(task.resources)
        self.is_launched = False
        self.final_state: int | None = None
        self.over = threading.Event()
        self._timer: threading.Timer | None = None

    def registered(self, driver: Any, framework_id: Any, master: Any) -> None:  # noqa: ARG002  (a callback)
        """Say which framework this is."""
        print(f"Subscribed with ID {framework_id.value}", flush=True)  # noqa: T201

    def reregistered(self, driver: Any, master: Any) -> None:  # noqa: ARG002
        """Ask what became of the task meanwhile."""
        driver.reconcileTasks([v0.TaskStatus(task_id=self.task.task_id, state=v0.TASK_RUNNING)])

    def disconnected(self, driver: Any) -> None:  # noqa: ARG002
        """Say that the master is lost; the driver keeps trying."""
        print("Disconnected from the master; waiting for it", flush=True)  # noqa: T201

    def resourceOffers(self, driver: Any, offers: Any) -> None:  # noqa: N802
        """Launch on the first offer that fits; give back the others."""
        for offer in offers:
            offered = Resources.of(offer.resources)
            role = offer.allocation_info.role
            if not self.is_launched and self._fits(offered, role):
                self.is_launched = True
                self.task.slave_id.CopyFrom(offer.slave_id)
                driver.launchTasks(offer.id, [self.task])
                print(f"Submitted task '{self.task.name}' to agent '{offer.slave_id.value}'", flush=True)  # noqa: T201
            else:
                driver.declineOffer(offer.id)
        if self.is_launched:
            driver.suppressOffers()

    def _fits(self, offered: Resources, role: str) -> bool:
        return offered.contains(self.needs.unallocated().allocated_to(role))

    def offerRescinded(self, driver: Any, offer_id: Any) -> None:  # noqa: N802
        """Nothing to do: another offer will come."""

    def statusUpdate(self, driver: Any, status: v0.TaskStatus) -> None:  # noqa: N802
        """Print the status, acknowledge it, and end with the terminal one."""
        print(f"Received status update {v0.TaskState.Name(status.state)} for task '{status.task_id.value}'")  # noqa: T201
        if status.message:
            print(f"  message: '{status.message}'")  # noqa: T201
        print(f"  source: {v0.TaskStatus.Source.Name(status.source)}")  # noqa: T201
        if status.HasField("reason"):
            print(f"  reason: {v0.TaskStatus.Reason.Name(status.reason)}")  # noqa: T201
        sys.stdout.flush()
        driver.acknowledgeStatusUpdate(status)
        if status.state == v0.TASK_RUNNING and self.kill_after is not None and self._timer is None:
            self._timer = threading.Timer(self.kill_after, driver.killTask, [status.task_id])
            self._timer.daemon = True
            self._timer.start()
        if is_terminal(status.state):
            self.final_state = status.state
            self.over.set()

    def frameworkMessage(self, driver: Any, executor_id: Any, agent_id: Any, data: bytes) -> None:  # noqa: N802
        """The built-in executor sends none."""

    def slaveLost(self, driver: Any, agent_id: Any) -> None:  # noqa: N802
        """A status update tells what it means for the task."""

    def executorLost(self, driver: Any, executor_id: Any, agent_id: Any, status: int) -> None:  # noqa: N802
        """A status update tells what it means for the task."""

    def error(self, driver: Any, message: str) -> None:  # noqa: ARG002
        """Say why and give up."""
        print(f"Received an ERROR: {message}", file=sys.stderr, flush=True)  # noqa: T201
        self.over.set()


if __name__ == "__main__":
    sys.exit(main())
