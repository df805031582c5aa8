"""Flags that tune features the agent does not have, or not yet.

They are accepted with their default and refused with a sentence otherwise. Those of isolators and of Docker can only
matter together with ``--isolation`` or ``--containerizers``, which refuse those features already.
"""

from __future__ import annotations

from dataclasses import dataclass

from messor.runtime.flag_types import Bytes, Duration, Json, Path
from messor.runtime.flags import flag

NOT_ISOLATED = "No isolator that uses it is supported yet."
NO_DOCKER = "The Docker containerizer is not supported yet."
NO_IMAGES = "Container images are not supported yet."
NO_SOCKETS = "Domain sockets for executors are not supported yet."
NO_PORT_MAPPING = "The port mapping isolator is not supported."


@dataclass(kw_only=True)
class TuningFlags:
    """Flags without a feature."""

    # --- cgroups and other isolators ---------------------------------------------------------------------------------

    agent_subsystems: str | None = flag(
        None, "Cgroup subsystems of the agent itself.", aliases=("slave_subsystems",), unsupported=NOT_ISOLATED
    )
    allowed_devices: Json | None = flag(None, "Devices that containers may use.", unsupported=NOT_ISOLATED)
    bounding_capabilities: Json | None = flag(None, "Bounding Linux capabilities.", unsupported=NOT_ISOLATED)
    cgroups_cpu_enable_pids_and_tids_count: bool = flag(
        False, "Whether processes and threads are counted.", unsupported=NOT_ISOLATED
    )
    cgroups_destroy_timeout: Duration = flag(60.0, "How long destroying a cgroup may take.", unsupported=NOT_ISOLATED)
    cgroups_enable_cfs: bool = flag(False, "Whether cpus are hard limits.", unsupported=NOT_ISOLATED)
    cgroups_hierarchy: Path = flag("/sys/fs/cgroup", "Where cgroups are mounted.", unsupported=NOT_ISOLATED)
    cgroups_limit_swap: bool = flag(False, "Whether swap counts as memory.", unsupported=NOT_ISOLATED)
    cgroups_net_cls_primary_handle: str | None = flag(None, "net_cls primary handle.", unsupported=NOT_ISOLATED)
    cgroups_net_cls_secondary_handles: str | None = flag(None, "net_cls secondary handles.", unsupported=NOT_ISOLATED)
    cgroups_root: str = flag("mesos", "Name of the root cgroup.")
    check_agent_port_range_only: bool = flag(False, "Whether other ports are ignored.", unsupported=NOT_ISOLATED)
    container_disk_watch_interval: Duration = flag(
        15.0, "How often containers' disk usage is looked at.", unsupported=NOT_ISOLATED
    )
    container_ports_isolated_range: str | None = flag(None, "Ports to watch.", unsupported=NOT_ISOLATED)
    container_ports_watch_interval: Duration = flag(30.0, "How often ports are watched.", unsupported=NOT_ISOLATED)
    disallow_sharing_agent_ipc_namespace: bool = flag(
        False, "Whether containers need an IPC namespace of their own.", unsupported=NOT_ISOLATED
    )
    disallow_sharing_agent_pid_namespace: bool = flag(
        False, "Whether containers need a pid namespace of their own.", unsupported=NOT_ISOLATED
    )
    effective_capabilities: Json | None = flag(
        None, "Effective Linux capabilities.", aliases=("allowed_capabilities",), unsupported=NOT_ISOLATED
    )
    enforce_container_ports: bool = flag(False, "Whether port misuse kills.", unsupported=NOT_ISOLATED)
    host_path_volume_force_creation: str | None = flag(None, "Host paths to create.", unsupported=NOT_ISOLATED)
    nvidia_gpu_devices: str | None = flag(None, "GPUs to offer.", unsupported="GPUs are not supported yet.")
    perf_duration: Duration = flag(10.0, "How long perf samples.", unsupported=NOT_ISOLATED)
    perf_events: str | None = flag(None, "What perf samples.", unsupported=NOT_ISOLATED)
    perf_interval: Duration = flag(60.0, "How often perf samples.", unsupported=NOT_ISOLATED)
    revocable_cpu_low_priority: bool = flag(True, "Whether revocable cpus yield.", unsupported=NOT_ISOLATED)
    seccomp_config_dir: Path | None = flag(None, "Folder of seccomp profiles.", unsupported=NOT_ISOLATED)
    seccomp_profile_name: str | None = flag(None, "Default seccomp profile.", unsupported=NOT_ISOLATED)
    systemd_enable_support: bool = flag(True, "Accepted: nothing depends on systemd.")
    systemd_runtime_directory: Path = flag("/run/systemd/system", "Accepted: nothing depends on systemd.")
    volume_gid_range: str | None = flag(None, "Group ids of shared volumes.", unsupported=NOT_ISOLATED)
    xfs_kill_containers: bool = flag(False, "Whether XFS quotas kill.", unsupported=NOT_ISOLATED)
    xfs_project_range: str = flag("[5000-10000]", "XFS project ids.", unsupported=NOT_ISOLATED)
    xfs_quota_headroom: Bytes = flag(10 << 20, "XFS quota headroom.", unsupported=NOT_ISOLATED)

    # --- networks ----------------------------------------------------------------------------------------------------

    network_cni_config_dir: Path | None = flag(None, "Folder of CNI networks.", unsupported=NOT_ISOLATED)
    network_cni_metrics: bool = flag(True, "Whether CNI networks have metrics.", unsupported=NOT_ISOLATED)
    network_cni_plugins_dir: Path | None = flag(None, "Folder of CNI plugins.", unsupported=NOT_ISOLATED)
    network_cni_root_dir_persist: bool = flag(False, "Whether CNI survives a reboot.", unsupported=NOT_ISOLATED)
    http_executor_domain_sockets: bool = flag(False, "Whether executors use a socket file.", unsupported=NO_SOCKETS)
    domain_socket_location: Path | None = flag(None, "Where that socket is.", unsupported=NO_SOCKETS)
    ephemeral_ports_per_container: int = flag(1024, "Ephemeral ports.", unsupported=NO_PORT_MAPPING)
    eth0_name: str | None = flag(None, "Public interface.", unsupported=NO_PORT_MAPPING)
    lo_name: str | None = flag(None, "Loopback interface.", unsupported=NO_PORT_MAPPING)
    egress_rate_limit_per_container: Bytes | None = flag(None, "Egress limit.", unsupported=NO_PORT_MAPPING)
    egress_unique_flow_per_container: bool = flag(False, "Egress flows.", unsupported=NO_PORT_MAPPING)
    egress_flow_classifier_parent: str = flag("root", "Egress classifier.", unsupported=NO_PORT_MAPPING)
    network_enable_socket_statistics_summary: bool = flag(False, "Socket statistics.", unsupported=NO_PORT_MAPPING)
    network_enable_socket_statistics_details: bool = flag(False, "Socket details.", unsupported=NO_PORT_MAPPING)
    network_enable_snmp_statistics: bool = flag(False, "SNMP statistics.", unsupported=NO_PORT_MAPPING)
    egress_rate_per_cpu: str | None = flag(None, "Egress limit per CPU.", unsupported=NO_PORT_MAPPING)
    minimum_egress_rate_limit: str | None = flag(None, "Egress limit at least.", unsupported=NO_PORT_MAPPING)
    maximum_egress_rate_limit: str | None = flag(None, "Egress limit at most.", unsupported=NO_PORT_MAPPING)
    egress_ceil_limit: str | None = flag(None, "Egress limit while others are idle.", unsupported=NO_PORT_MAPPING)
    egress_burst: str | None = flag(None, "Egress limit in a burst.", unsupported=NO_PORT_MAPPING)
    ingress_rate_limit_per_container: str | None = flag(
        None, "Ingress limit of a container.", unsupported=NO_PORT_MAPPING
    )
    ingress_rate_per_cpu: str | None = flag(None, "Ingress limit per CPU.", unsupported=NO_PORT_MAPPING)
    minimum_ingress_rate_limit: str | None = flag(None, "Ingress limit at least.", unsupported=NO_PORT_MAPPING)
    maximum_ingress_rate_limit: str | None = flag(None, "Ingress limit at most.", unsupported=NO_PORT_MAPPING)
    ingress_ceil_limit: str | None = flag(None, "Ingress limit while others are idle.", unsupported=NO_PORT_MAPPING)
    ingress_burst: str | None = flag(None, "Ingress limit in a burst.", unsupported=NO_PORT_MAPPING)
    ingress_isolate_existing_containers: str | None = flag(
        None, "Whether running containers are limited.", unsupported=NO_PORT_MAPPING
    )
    network_link_speed: str | None = flag(None, "Speed of the link.", unsupported=NO_PORT_MAPPING)
    network_enable_rate_statistics: str | None = flag(None, "Rate statistics.", unsupported=NO_PORT_MAPPING)
    network_rate_statistics_window: str | None = flag(None, "Their window.", unsupported=NO_PORT_MAPPING)
    network_rate_statistics_interval: str | None = flag(None, "Their interval.", unsupported=NO_PORT_MAPPING)

    # --- Docker and images -------------------------------------------------------------------------------------------

    docker: str = flag("docker", "The Docker program.", unsupported=NO_DOCKER)
    docker_ignore_runtime: bool = flag(False, "Whether image defaults are ignored.", unsupported=NO_IMAGES)
    docker_kill_orphans: bool = flag(True, "Whether unknown Docker containers are killed.", unsupported=NO_DOCKER)
    docker_registry: str = flag("https://registry-1.docker.io", "Where Docker images are.", unsupported=NO_IMAGES)
    docker_remove_delay: Duration = flag(21600.0, "When Docker containers are removed.", unsupported=NO_DOCKER)
    docker_socket: Path = flag("/var/run/docker.sock", "Docker's socket.", unsupported=NO_DOCKER)
    docker_stop_timeout: Duration = flag(0.0, "Deprecated: Docker's stop timeout.", unsupported=NO_DOCKER)
    docker_store_dir: Path = flag("/tmp/mesos/store/docker", "Folder of Docker images.", unsupported=NO_IMAGES)  # noqa: S108
    docker_volume_checkpoint_dir: Path = flag(
        "/var/run/mesos/isolators/docker/volume", "Folder of Docker volumes.", unsupported=NOT_ISOLATED
    )
    docker_volume_chown: bool = flag(False, "Whether Docker volumes change owner.", unsupported=NOT_ISOLATED)
    appc_simple_discovery_uri_prefix: str = flag("http://", "Where Appc images are.", unsupported=NO_IMAGES)
    appc_store_dir: Path = flag("/tmp/mesos/store/appc", "Folder of Appc images.", unsupported=NO_IMAGES)  # noqa: S108
