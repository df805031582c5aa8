"""Every flag of the agent, with the names and defaults of Mesos (FL2).

A flag whose feature does not exist yet is refused with a sentence as soon as it is given another value than its
default: whoever sets it relies on it. Flags that only tune such a feature are in ``tuning``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from messor.agent.tuning import NOT_ISOLATED, TuningFlags
from messor.model.domains import check_domain
from messor.model.durations import duration_text
from messor.runtime.flag_types import Acls, Bytes, Domain, Duration, Firewall, Json, Path
from messor.runtime.flags import REQUIRED, flag

LONGEST_REREGISTRATION = 15.0
SUPPORTED_ISOLATION = frozenset(
    ("posix", "process", "posix/cpu", "posix/mem", "filesystem/posix", "environment_secret", "network/cni")
)
"""Isolators that can be named. ``network/cni`` and ``environment_secret`` do nothing without networks or secrets."""

NO_MODULES = "Modules are not supported yet."
NO_DOCKER = "The Docker containerizer is not supported yet."
NO_IMAGES = "Container images are not supported yet."
NO_PROVIDERS = "Resource providers are not supported yet."
NO_OVERSUBSCRIPTION = "Oversubscription is not supported yet."
NO_CONTAINER_DEFAULTS = "Defaults for containers are not supported yet."


def _reregistration(value: float) -> str | None:
    if value <= LONGEST_REREGISTRATION:
        return None
    longest = duration_text(LONGEST_REREGISTRATION)
    return f"Expected `--executor_reregistration_timeout` to be not more than {longest}"


def _headroom(value: float) -> str | None:
    return None if 0 <= value <= 1 else f"Invalid value '{value:g}' for --gc_disk_headroom. Must be between 0.0 and 1.0"


def _one_of(name: str, *values: str, end: str = "") -> Any:
    """Make a check for one of several words, with Mesos' sentence."""

    def check(value: str) -> str | None:
        if value in values:
            return None
        return (
            f"Unknown option for '{name}' flag {value}. "
            f"Please run the agent with '--help' to see the valid options{end}"
        )

    return check


def _isolation(value: str) -> str | None:
    for name in value.split(","):
        if name.strip() not in SUPPORTED_ISOLATION:
            return (
                "Failed to create a containerizer: Could not create MesosContainerizer: "
                f"Unknown or unsupported isolator '{name.strip()}'"
            )
    return None


def _launcher(value: str) -> str | None:
    if value == "posix":
        return None
    return (
        "Failed to create a containerizer: Could not create MesosContainerizer: "
        f"Failed to create launcher: Unknown or unsupported launcher: {value}"
    )


def _containerizers(value: str) -> str | None:
    for name in value.split(","):
        if name != "mesos":
            return f"Failed to create a containerizer: Unknown or unsupported containerizer: {name}"
    return None


def _variables(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return None
    return "`executor_environment_variables` must only contain string values"


def _runtime_dir() -> str:
    return "/var/run/mesos" if os.geteuid() == 0 else "/tmp/mesos/runtime"  # noqa: S108  (the flag's default)


@dataclass(kw_only=True)
class AgentFlags(TuningFlags):
    """What operators may set. Durations are float seconds, sizes int bytes."""

    # --- network -----------------------------------------------------------------------------------------------------

    ip: str | None = flag(None, "IP address to listen on. Cannot be used together with `--ip_discovery_command`.")
    port: int = flag(5051, "Port to listen on.")
    advertise_ip: str | None = flag(None, "IP address that others are told to reach this agent at; not bound.")
    advertise_port: int | None = flag(None, "Port that others are told to reach this agent at; not bound.")
    ip_discovery_command: str | None = flag(
        None, "A command that prints the IP address to listen on. Cannot be used together with `--ip`."
    )
    ip6: str | None = flag(None, "IPv6 address to tell others.", unsupported="IPv6 is not supported yet.")
    ip6_discovery_command: str | None = flag(
        None, "A command that prints the IPv6 address.", unsupported="IPv6 is not supported yet."
    )
    hostname: str | None = flag(
        None, "The hostname to advertise. By default it is looked up from the IP address; see `--hostname_lookup`."
    )
    hostname_lookup: bool = flag(True, "Whether to look the hostname up; if not, the IP address is advertised.")
    firewall_rules: Firewall | None = flag(
        None,
        "Endpoints that answer 403, as JSON or a file of it:\n"
        '`{"disabled_endpoints": {"paths": ["/files/browse", "/metrics/snapshot"]}}`.',
    )

    # --- master ------------------------------------------------------------------------------------------------------

    master: str | None = flag(
        None,
        "Where the master is: `host:port`, `master@host:port`, `zk://[username:password@]host:port,.../path`,\n"
        "`host:port,host:port` of several masters, or `file:///path` of a file with one of these.",
    )
    master_detector: str | None = flag(None, "Module that detects the leader.", unsupported=NO_MODULES)
    zk_session_timeout: Duration = flag(10.0, "ZooKeeper session timeout; used when the master is found by ZooKeeper.")
    registration_backoff_factor: Duration = flag(
        1.0, "Registration waits a random time of up to this, doubled at every retry, 1mins at most."
    )
    domain: Domain | None = flag(
        None,
        "Where the agent is, as JSON or a file of it:\n"
        '`{"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}}`.',
        check=check_domain,
    )

    # --- folders -----------------------------------------------------------------------------------------------------

    work_dir: Path = flag(REQUIRED, "Folder of sandboxes and of what must survive a restart. Not below `/tmp`.")
    runtime_dir: Path = flag(
        _runtime_dir(),
        "Folder of what lives as long as containers; cleared by a reboot. /tmp/mesos/runtime unless root.",
    )
    launcher_dir: Path = flag("/usr/libexec/mesos", "Folder of helper programs, as told to executors.")
    sandbox_directory: Path = flag("/mnt/mesos/sandbox", "Where a sandbox is mounted in a container with an image.")
    frameworks_home: Path = flag("", "Folder that relative executor URIs are looked up in.")
    fetcher_cache_dir: Path = flag("/tmp/mesos/fetch", "Folder of cached downloads.")  # noqa: S108
    fetcher_cache_size: Bytes = flag(2 << 30, "How much the fetcher cache may hold.")
    fetcher_stall_timeout: Duration = flag(60.0, "How long a download may stand still until it fails.")
    hadoop_home: Path | None = flag(
        None, "Where Hadoop is, whose client fetches `hdfs://` URIs and others; by default one on the PATH."
    )

    # --- what the agent offers ---------------------------------------------------------------------------------------

    resources: str | None = flag(
        None, "Resources as `name(role):value;...` or JSON; cpus, mem, disk and ports are detected when not given."
    )
    attributes: str | None = flag(None, "Attributes as `name:value;...`.")
    default_role: str = flag("*", "Role of resources that name none.")
    agent_features: Json | None = flag(
        None, "Capabilities, as JSON.", unsupported="The agent's capabilities cannot be chosen."
    )

    # --- executors and containers ------------------------------------------------------------------------------------

    containerizers: str = flag("mesos", "Which containerizers to use, in order.", check=_containerizers)
    launcher: str = flag("posix", "How processes are launched; only `posix` is supported.", check=_launcher)
    isolation: str = flag("posix/cpu,posix/mem", "Which isolators to use.", check=_isolation)
    executor_registration_timeout: Duration = flag(60.0, "How long an executor may take to register.")
    executor_reregistration_timeout: Duration = flag(
        2.0, "How long executors may take to return after the agent restarted; 15secs at most.", check=_reregistration
    )
    executor_reregistration_retry_interval: Duration | None = flag(
        None, "How often executors that speak libprocess are asked again to return."
    )
    executor_shutdown_grace_period: Duration = flag(5.0, "How long an executor may take to shut down.")
    executor_environment_variables: Json | None = flag(
        None, "Environment variables of executors, as JSON; nothing else is inherited.", check=_variables
    )
    http_command_executor: bool = flag(
        False, "Accepted: the built-in command executor speaks HTTP either way, and is told this value."
    )
    switch_user: bool = flag(True, "Whether tasks run as the user they name, if the agent is root.")
    http_heartbeat_interval: Duration = flag(30.0, "How often connections to containers carry heartbeats.")

    # --- recovery ----------------------------------------------------------------------------------------------------

    recover: str = flag(
        "reconnect",
        "What to do with live executors after a restart: `reconnect`, or `cleanup` to kill them and exit.",
        check=_one_of("recover", "reconnect", "cleanup"),
    )
    recovery_timeout: Duration = flag(900.0, "How long executors wait for the agent to return.")
    strict: bool = flag(True, "Whether recovery fails when checkpoints make no sense; else they are skipped.")
    reconfiguration_policy: str = flag(
        "equal",
        "Which changes of the agent's configuration are allowed while it keeps its id: `equal` or `additive`.",
        check=_one_of("reconfiguration_policy", "equal", "additive", end="."),
    )

    # --- upkeep ------------------------------------------------------------------------------------------------------

    gc_delay: Duration = flag(604800.0, "How long sandboxes are kept at most.")
    gc_disk_headroom: float = flag(
        0.1, "How much of the disk to keep free, as a fraction; sandboxes go earlier as it fills.", check=_headroom
    )
    gc_non_executor_container_sandboxes: bool = flag(
        False,
        "Whether sandboxes of nested containers are collected.",
        unsupported="They are kept with their executor's.",
    )
    disk_watch_interval: Duration = flag(60.0, "How often disk usage is looked at.")
    max_completed_executors_per_framework: int = flag(150, "How many completed executors are remembered per framework.")

    # --- security ----------------------------------------------------------------------------------------------------

    authenticate_http_readonly: bool = flag(False, "Whether HTTP requests that read must be authenticated.")
    authenticate_http_readwrite: bool = flag(
        False,
        "Whether HTTP requests that change something must be authenticated.",
        aliases=("authenticate_http",),
    )
    http_authenticators: str | None = flag(
        None, "How HTTP requests are authenticated: `basic`, also when it is not given."
    )
    http_credentials: Path | None = flag(
        None,
        'File of principals and secrets for HTTP: `{"credentials": [{"principal": "alice", "secret": "…"}]}`.',
        secret=True,
    )
    credential: Path | None = flag(
        None,
        'File of what the agent proves to masters: `{"principal": "agents", "secret": "…"}`.',
        secret=True,
    )
    authenticatee: str = flag("crammd5", "How the agent authenticates: `crammd5`.")
    authentication_backoff_factor: Duration = flag(
        1.0, "An agent waits a random time of up to this before it authenticates, and longer at every retry."
    )
    authentication_timeout_min: Duration = flag(5.0, "How long an authentication may take at least.")
    authentication_timeout_max: Duration = flag(60.0, "How long an authentication may take at most, after retries.")
    acls: Acls | None = flag(
        None, "Who may do what, as JSON or a file of it; without them everybody may do everything."
    )
    authorizer: str = flag(
        "local",
        "Who decides what is allowed: `local`, by `--acls`, or `module:attribute` of an authorizer of your own.",
    )
    secret_resolver: str | None = flag(None, "Module that resolves secrets.", unsupported=NO_MODULES)

    # --- modules and oversubscription --------------------------------------------------------------------------------

    modules: Json | None = flag(None, "Modules to load, as JSON or a file of it.", unsupported=NO_MODULES)
    modules_dir: Path | None = flag(None, "Folder of module descriptions.", unsupported=NO_MODULES)
    hooks: str | None = flag(None, "Hook modules to install.", unsupported=NO_MODULES)
    container_logger: str | None = flag(
        None, "Module that logs a container's output; by default it goes to the sandbox.", unsupported=NO_MODULES
    )
    resource_estimator: str | None = flag(
        None, "Module that estimates spare resources.", unsupported=NO_OVERSUBSCRIPTION
    )
    qos_controller: str | None = flag(None, "Module that takes spare resources back.", unsupported=NO_OVERSUBSCRIPTION)
    qos_correction_interval_min: Duration = flag(0.0, "How often it does.", unsupported=NO_OVERSUBSCRIPTION)
    oversubscribed_resources_interval: Duration = flag(
        15.0, "How often spare resources are reported.", unsupported=NO_OVERSUBSCRIPTION
    )
    resource_provider_config_dir: Path | None = flag(
        None, "Folder of resource provider configurations.", unsupported=NO_PROVIDERS
    )
    csi_plugin_config_dir: Path | None = flag(None, "Folder of CSI plugin configurations.", unsupported=NO_PROVIDERS)
    disk_profile_adaptor: str | None = flag(None, "Module that knows disk profiles.", unsupported=NO_PROVIDERS)
    default_container_info: Json | None = flag(
        None, "ContainerInfo of containers without one, as JSON.", unsupported=NO_CONTAINER_DEFAULTS
    )
    default_container_dns: Json | None = flag(None, "DNS of containers, as JSON.", unsupported=NO_CONTAINER_DEFAULTS)
    default_container_shm_size: Bytes | None = flag(
        None, "Size of /dev/shm in containers.", unsupported=NO_CONTAINER_DEFAULTS
    )
    enforce_container_disk_quota: bool = flag(
        False, "Whether containers are killed when they use too much disk.", unsupported=NOT_ISOLATED
    )
    image_providers: str | None = flag(None, "Kinds of images.", unsupported=NO_IMAGES)
    image_provisioner_backend: str | None = flag(None, "How image layers are stacked.", unsupported=NO_IMAGES)
    image_gc_config: Json | None = flag(None, "When images are collected.", unsupported=NO_IMAGES)
    docker_mesos_image: str | None = flag(None, "Image of the Docker executor.", unsupported=NO_DOCKER)
    docker_config: Json | None = flag(None, "Docker's configuration, as JSON.", unsupported=NO_IMAGES)

    # --- the process -------------------------------------------------------------------------------------------------

    log_dir: Path | None = flag(None, "Folder of log files; without it nothing is written to files.")
    external_log_file: Path | None = flag(None, "File to show as the log when somebody else writes it.")
    quiet: bool = flag(False, "Whether to log nothing to stderr.")
    logging_level: str = flag("INFO", "Least severity to log: INFO, WARNING or ERROR.")
    logbufsecs: int = flag(0, "Accepted: log lines are written at once.")
    initialize_driver_logging: bool = flag(True, "Accepted: only drivers use it.")
    memory_profiling: bool = flag(False, "Memory profiling.", unsupported="Memory profiling is not supported.")
