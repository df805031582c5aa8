"""CommandInfo, ContainerInfo and what is inside them, the same for tasks, executors and checks."""

from __future__ import annotations

from messor.errors import InvalidRequest
from messor.protos import v0

Variable = v0.Environment.Variable

VOLUME_SOURCES: dict[int, tuple[str, str]] = {
    v0.Volume.Source.DOCKER_VOLUME: ("docker_volume", "DOCKER_VOLUME"),
    v0.Volume.Source.HOST_PATH: ("host_path", "HOST_PATH"),
    v0.Volume.Source.SANDBOX_PATH: ("sandbox_path", "SANDBOX_PATH"),
    v0.Volume.Source.SECRET: ("secret", "SECRET"),
    v0.Volume.Source.CSI_VOLUME: ("csi_volume", "CSI"),
}
"""Field and spoken name of each kind of volume source."""


def validate_command(command: v0.CommandInfo) -> None:
    """Check a command's environment; raises InvalidRequest. A shell command without a value passes (recorded)."""
    for variable in command.environment.variables:
        _validate_variable(variable)


def validate_container(container: v0.ContainerInfo) -> None:
    """Check volumes and Docker settings; raises InvalidRequest."""
    for volume in container.volumes:
        try:
            _validate_volume(volume)
        except InvalidRequest as error:
            raise InvalidRequest(f"Invalid volume: {error}") from None
    if container.type == v0.ContainerInfo.DOCKER:
        if not container.HasField("docker"):
            raise InvalidRequest("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo")
        if any(parameter.key == "name" for parameter in container.docker.parameters):
            raise InvalidRequest("Parameter in DockerInfo must not be 'name'")


def _validate_variable(variable: v0.Environment.Variable) -> None:
    who = f"Environment variable '{variable.name}'"
    if variable.type == Variable.SECRET:
        if not variable.HasField("secret"):
            raise InvalidRequest(f"{who} of type 'SECRET' must have a secret set")
        if variable.HasField("value"):
            raise InvalidRequest(f"{who} of type 'SECRET' must not have a value set")
        try:
            _validate_secret(variable.secret)
        except InvalidRequest as error:
            raise InvalidRequest(f"{who} specifies an invalid secret: {error}") from None
        if b"\0" in variable.secret.value.data:
            raise InvalidRequest(
                f"{who} specifies a secret containing null bytes, which is not allowed in the environment"
            )
    elif variable.type == Variable.VALUE:
        if not variable.HasField("value"):
            raise InvalidRequest(f"{who} of type 'VALUE' must have a value set")
        if variable.HasField("secret"):
            raise InvalidRequest(f"{who} of type 'VALUE' must not have a secret set")
    else:
        raise InvalidRequest("Environment variable of type 'UNKNOWN' is not allowed")


def _validate_secret(secret: v0.Secret) -> None:
    if secret.type == v0.Secret.REFERENCE:
        if not secret.HasField("reference"):
            raise InvalidRequest("Secret of type REFERENCE must have the 'reference' field set")
        if secret.HasField("value"):
            raise InvalidRequest(
                f"Secret '{secret.reference.name}' of type REFERENCE must not have the 'value' field set"
            )
    elif secret.type == v0.Secret.VALUE:
        if not secret.HasField("value"):
            raise InvalidRequest("Secret of type VALUE must have the 'value' field set")
        if secret.HasField("reference"):
            raise InvalidRequest("Secret of type VALUE must not have the 'reference' field set")


def _validate_volume(volume: v0.Volume) -> None:
    given = [volume.HasField("host_path"), volume.HasField("image"), volume.HasField("source")]
    if given.count(True) != 1:
        raise InvalidRequest("Only one of them should be set: 'host_path', 'image' and 'source'")
    if not volume.HasField("source"):
        return
    source = VOLUME_SOURCES.get(volume.source.type)
    if source is None:
        raise InvalidRequest("'source.type' is unknown")
    field, name = source
    if not volume.source.HasField(field):
        raise InvalidRequest(f"'source.{field}' is not set for {name} volume")
    if field == "csi_volume" and not volume.source.csi_volume.HasField("static_provisioning"):
        raise InvalidRequest("'source.csi_volume.static_provisioning' is not set for CSI volume")
