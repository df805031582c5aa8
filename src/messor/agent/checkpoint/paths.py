"""Every path below ``work_dir`` as a function of ids, laid out as upstream (protocols f)."""

from __future__ import annotations

LATEST = "latest"


class Paths:
    """The agent's tree. All paths are absolute."""

    def __init__(self, work_dir: str) -> None:
        """Take an absolute work_dir."""
        self.work_dir = work_dir.rstrip("/") or "/"
        self.meta = f"{self.work_dir}/meta"

    # --- sandboxes ---------------------------------------------------------------------------------------------------

    def framework(self, agent_id: str, framework_id: str) -> str:
        """Folder of a framework's sandboxes."""
        return f"{self.work_dir}/slaves/{agent_id}/frameworks/{framework_id}"

    def executor(self, agent_id: str, framework_id: str, executor_id: str) -> str:
        """Folder of an executor's sandboxes, all its runs."""
        return f"{self.work_dir}/slaves/{agent_id}/frameworks/{framework_id}/executors/{executor_id}"

    def sandbox(self, agent_id: str, framework_id: str, executor_id: str, container_id: str) -> str:
        """Sandbox of one run of an executor."""
        return f"{self.executor(agent_id, framework_id, executor_id)}/runs/{container_id}"

    def latest_sandbox(self, agent_id: str, framework_id: str, executor_id: str) -> str:
        """Link to the executor's latest sandbox."""
        return f"{self.executor(agent_id, framework_id, executor_id)}/runs/{LATEST}"

    def slaves(self) -> str:
        """Folder of the sandboxes of all agent ids this work_dir ever had."""
        return f"{self.work_dir}/slaves"

    # --- meta --------------------------------------------------------------------------------------------------------

    def boot_id(self) -> str:
        """File with the id of the boot the checkpoints belong to."""
        return f"{self.meta}/boot_id"

    def resources_and_operations(self) -> str:
        """File with checkpointed resources."""
        return f"{self.meta}/resources/resources_and_operations.state"

    def resources_and_operations_target(self) -> str:
        """File with what checkpointed resources are about to be: there while volumes are being made or destroyed."""
        return f"{self.meta}/resources/resources_and_operations.target"

    def resources_info(self) -> str:
        """File with checkpointed resources in the format of old agents."""
        return f"{self.meta}/resources/resources.info"

    def resources_target(self) -> str:
        """File with what they are about to be in the format of old agents."""
        return f"{self.meta}/resources/resources.target"

    def operations(self, agent_id: str) -> str:
        """Folder of all operations whose status nobody acknowledged."""
        return f"{self.meta_agent(agent_id)}/operations"

    def operation(self, agent_id: str, uuid: str) -> str:
        """Folder of one operation."""
        return f"{self.operations(agent_id)}/{uuid}"

    def operation_updates(self, agent_id: str, uuid: str) -> str:
        """File with the stream of an operation's statuses and acknowledgements."""
        return f"{self.operation(agent_id, uuid)}/operation.updates"

    def latest_agent(self) -> str:
        """Link to the meta folder of the agent's present id."""
        return f"{self.meta}/slaves/{LATEST}"

    def meta_agent(self, agent_id: str) -> str:
        """Meta folder of an agent id."""
        return f"{self.meta}/slaves/{agent_id}"

    def agent_info(self, agent_id: str) -> str:
        """File with the SlaveInfo."""
        return f"{self.meta_agent(agent_id)}/slave.info"

    def drain_config(self, agent_id: str) -> str:
        """File with the DrainConfig of a draining agent."""
        return f"{self.meta_agent(agent_id)}/drain.config"

    def meta_frameworks(self, agent_id: str) -> str:
        """Folder of all checkpointed frameworks."""
        return f"{self.meta_agent(agent_id)}/frameworks"

    def meta_framework(self, agent_id: str, framework_id: str) -> str:
        """Meta folder of a framework."""
        return f"{self.meta_agent(agent_id)}/frameworks/{framework_id}"

    def framework_info(self, agent_id: str, framework_id: str) -> str:
        """File with the FrameworkInfo."""
        return f"{self.meta_framework(agent_id, framework_id)}/framework.info"

    def framework_pid(self, agent_id: str, framework_id: str) -> str:
        """File with the framework's UPID, ``@0.0.0.0:0`` for HTTP frameworks."""
        return f"{self.meta_framework(agent_id, framework_id)}/framework.pid"

    def meta_executor(self, agent_id: str, framework_id: str, executor_id: str) -> str:
        """Meta folder of an executor."""
        return f"{self.meta_framework(agent_id, framework_id)}/executors/{executor_id}"

    def executor_info(self, agent_id: str, framework_id: str, executor_id: str) -> str:
        """File with the ExecutorInfo."""
        return f"{self.meta_executor(agent_id, framework_id, executor_id)}/executor.info"

    def executor_generated(self, agent_id: str, framework_id: str, executor_id: str) -> str:
        """File with ``1`` for a generated command executor, else ``0``."""
        return f"{self.meta_executor(agent_id, framework_id, executor_id)}/executor_generated_for_command_task"

    def latest_run(self, agent_id: str, framework_id: str, executor_id: str) -> str:
        """Link to the meta folder of the executor's latest run."""
        return f"{self.meta_executor(agent_id, framework_id, executor_id)}/runs/{LATEST}"

    def run(self, agent_id: str, framework_id: str, executor_id: str, container_id: str) -> Run:
        """Files of one run of an executor."""
        return Run(f"{self.meta_executor(agent_id, framework_id, executor_id)}/runs/{container_id}")


class Run:
    """The meta folder of one run of an executor."""

    __slots__ = ("folder",)

    def __init__(self, folder: str) -> None:
        """Take its absolute path."""
        self.folder = folder

    @property
    def forked_pid(self) -> str:
        """File with the container's pid in decimal."""
        return f"{self.folder}/pids/forked.pid"

    @property
    def libprocess_pid(self) -> str:
        """File with the executor's UPID, for executors that speak libprocess."""
        return f"{self.folder}/pids/libprocess.pid"

    @property
    def http_marker(self) -> str:
        """Empty file that tells an executor that speaks HTTP."""
        return f"{self.folder}/http.marker"

    @property
    def sentinel(self) -> str:
        """Empty file, written when the run is over."""
        return f"{self.folder}/executor.sentinel"

    @property
    def tasks(self) -> str:
        """Folder of the run's tasks."""
        return f"{self.folder}/tasks"

    def task_info(self, task_id: str) -> str:
        """File with the Task."""
        return f"{self.folder}/tasks/{task_id}/task.info"

    def task_updates(self, task_id: str) -> str:
        """File with the stream of updates and acknowledgements."""
        return f"{self.folder}/tasks/{task_id}/task.updates"


def virtual_sandbox(framework_id: str, executor_id: str) -> str:
    """Path under which the files API shows an executor's latest sandbox (errata f: there is none per run)."""
    return f"/frameworks/{framework_id}/executors/{executor_id}/runs/{LATEST}"
