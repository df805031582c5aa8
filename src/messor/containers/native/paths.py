"""Where containers leave traces under the agent's runtime folder (protocols f). Pure."""

from __future__ import annotations


def zygote_socket(runtime_folder: str) -> str:
    """Give the socket on which the zygote of this runtime folder listens."""
    return f"{runtime_folder}/zygote.sock"


def zygote_log(runtime_folder: str) -> str:
    """Give the file that takes what the zygote has to say."""
    return f"{runtime_folder}/zygote.log"


def zygote_pid(runtime_folder: str) -> str:
    """Give the file that holds the pid of the zygote, decimal."""
    return f"{runtime_folder}/zygote.pid"


def containers_folder(runtime_folder: str) -> str:
    """Give the folder that has one folder per container."""
    return f"{runtime_folder}/containers"


def container_folder(runtime_folder: str, container_id: str) -> str:
    """Give a container's folder; a nested container's lies inside its parent's: ``containers/a/containers/b``."""
    return f"{runtime_folder}/containers/" + "/containers/".join(container_id.split("."))


def pid_file(container_folder: str) -> str:
    """Give the file that holds the pid of a container's first process, decimal."""
    return f"{container_folder}/pid"


def status_file(container_folder: str) -> str:
    """Give the file that holds the raw wait status, decimal, once it is known; it is empty before."""
    return f"{container_folder}/status"


def config_file(container_folder: str) -> str:
    """Give the file that holds the ContainerConfig, a length-prefixed protobuf."""
    return f"{container_folder}/config"


def stdout_file(sandbox: str) -> str:
    """Give the file a container's standard output goes to."""
    return f"{sandbox}/stdout"


def stderr_file(sandbox: str) -> str:
    """Give the file a container's standard error goes to."""
    return f"{sandbox}/stderr"


def parse_decimal(text: bytes) -> int | None:
    """Read the number in a pid or status file; None when it is empty or torn."""
    stripped = text.strip()
    return int(stripped) if stripped.isdigit() else None
