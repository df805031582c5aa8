"""Every flag of the master, with the names and defaults of Mesos.

A flag whose feature does not exist yet is refused with a sentence as soon as it is given another value than its
default: whoever sets it relies on it (FL1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from messor.errors import InvalidRequest
from messor.model.domains import check_domain
from messor.model.durations import duration_text, parse_duration
from messor.model.quantities import parse_min_allocatable
from messor.model.roles import parse_roles, parse_weights
from messor.runtime.flag_types import Acls, Bytes, Domain, Duration, Firewall, Json, Kind, Path
from messor.runtime.flags import flag

SHORTEST_REREGISTER_TIMEOUT = 600.0
SHORTEST_PING_TIMEOUT = 1.0
LONGEST_PING_TIMEOUT = 900.0

NO_MODULES = "Modules are not supported yet."
ROLES_DEPRECATED = "The '--roles' flag is deprecated; any role name can be used without it."
NO_RATE_LIMITS = "Rate limits are not supported yet."
NO_REPLICATED_LOG = "There is no replicated log; the registry is kept in a file below --work_dir."


def _without_password(url: str) -> str:
    """Write a ZooKeeper URL as others may read it."""
    scheme, slashes, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    return f"{scheme}{slashes}{credentials.partition(':')[0]}:***@{place}" if at else url


ZooKeeper = Annotated[str, Kind("str", str, _without_password)]
"""A ZooKeeper URL; its password is shown to nobody."""


def _ping_timeout(value: float) -> str | None:
    if SHORTEST_PING_TIMEOUT <= value <= LONGEST_PING_TIMEOUT:
        return None
    shortest, longest = duration_text(SHORTEST_PING_TIMEOUT), duration_text(LONGEST_PING_TIMEOUT)
    return f"Expected `--agent_ping_timeout` to be between {shortest} and {longest}"


def _reregister_timeout(value: float) -> str | None:
    if value >= SHORTEST_REREGISTER_TIMEOUT:
        return None
    shortest = duration_text(SHORTEST_REREGISTER_TIMEOUT)
    return f"Invalid value '{duration_text(value)}' for --agent_reregister_timeout: Must be at least {shortest}"


def _removal_limit(value: str) -> str | None:
    try:
        percentage = float(value.removesuffix("%"))
    except ValueError:
        percentage = -1.0
    if value.endswith("%") and 0 <= percentage <= 100:
        return None
    return f"Invalid value '{value}' for --recovery_agent_removal_limit: Must be a percentage, as 50%"


def _removal_rate(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        removal_interval(value)
    except InvalidRequest as error:
        return str(error)
    return None


def removal_interval(text: str) -> float:
    """Read ``N/duration`` and give the seconds per removal; raises InvalidRequest."""
    count, _, duration = text.partition("/")
    if not count.isdigit() or int(count) == 0:
        raise InvalidRequest(f"Invalid agent_removal_rate_limit: {text}. Format is <Number of agents>/<Duration>")
    return parse_duration(duration) / int(count)


def _heartbeat_interval(value: float) -> str | None:
    return None if value > 0 else "Expected `--heartbeat_interval` to be positive"


def _sorter(value: str) -> str | None:
    if value in ("drf", "random") or ":" in value:
        return None
    return f"Unknown sorter '{value}': Must be one of: [drf, random] or module:attribute"


def _registry(value: str) -> str | None:
    if value in ("in_memory", "sqlite", "replicated_log", "zookeeper"):
        return None
    return f"'{value}' is not a supported option for registry persistence"


def _allocator(value: str) -> str | None:
    if value in ("hierarchical", "HierarchicalDRF") or ":" in value:
        return None
    return f"Failed to create allocator '{value}': Module '{value}' unknown"


def _min_allocatable(value: str) -> str | None:
    try:
        parse_min_allocatable(value)
    except InvalidRequest as error:
        return f"Invalid value '{value}' for --min_allocatable_resources: {error}"
    return None


def _roles(value: str | None) -> str | None:
    try:
        parse_roles(value or "")
    except InvalidRequest as error:
        return f"Failed to parse roles: {error}"
    return None


def _weights(value: str | None) -> str | None:
    try:
        parse_weights(value or "")
    except InvalidRequest as error:
        return str(error)
    return None


def _offer_timeout(value: float | None) -> str | None:
    if value is None or value > 0:
        return None
    return f"Invalid value '{duration_text(value)}' for --offer_timeout: Must be greater than zero"


def _fraction(value: float) -> str | None:
    return None if 0 <= value <= 1 else "Expected `--allocator_agent_recovery_factor` to be between 0 and 1"


def _quorum(value: int | None) -> str | None:
    return None if value is None or value > 0 else "Expected `--quorum` to be positive"


def _strict(value: bool) -> str | None:
    return "Support for '--registry_strict' has been disabled" if value else None


@dataclass(kw_only=True)
class MasterFlags:
    """What operators may set. Durations are float seconds, sizes int bytes."""

    # --- network -----------------------------------------------------------------------------------------------------

    ip: str | None = flag(None, "IP address to listen on. Cannot be used together with `--ip_discovery_command`.")
    port: int = flag(5050, "Port to listen on.")
    advertise_ip: str | None = flag(None, "IP address that others are told to reach this master at; not bound.")
    advertise_port: int | None = flag(None, "Port that others are told to reach this master at; not bound.")
    ip_discovery_command: str | None = flag(
        None, "A command that prints the IP address to listen on. Cannot be used together with `--ip`."
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

    # --- cluster -----------------------------------------------------------------------------------------------------

    cluster: str | None = flag(None, "Name of the cluster, for humans.")
    work_dir: Path | None = flag(
        None, "Folder of what must survive a restart: the registry. Not below `/tmp` in production."
    )
    registry: str = flag(
        "replicated_log",
        "Where the registry is kept: `sqlite` (a file below `--work_dir`), `zookeeper` (below the path of `--zk`, for\n"
        "several masters) or `in_memory` (gone with the process). `replicated_log` means `zookeeper` with `--zk`, and\n"
        "`sqlite` without.",
        check=_registry,
    )
    registry_strict: bool = flag(False, "Disabled; must be false.", check=_strict)
    registry_fetch_timeout: Duration = flag(60.0, "How long reading the registry may take; the master exits then.")
    registry_store_timeout: Duration = flag(20.0, "How long storing the registry may take; the master exits then.")
    registry_gc_interval: Duration = flag(
        900.0, "How often unreachable and gone agents that are too old or too many are forgotten."
    )
    registry_max_agent_age: Duration = flag(1209600.0, "How long unreachable and gone agents are remembered.")
    registry_max_agent_count: int = flag(102400, "How many unreachable, and how many gone, agents are remembered.")
    quorum: int | None = flag(
        None,
        "How many masters make a majority. Must be given with `--zk` and `--registry=replicated_log`, as it is for\n"
        "Mesos; the majority that counts here is ZooKeeper's own.",
        check=_quorum,
    )
    zk: ZooKeeper | None = flag(
        None,
        "ZooKeeper URL for electing a leader among several masters: `zk://host1:port1,host2:port2/path`, or\n"
        "`zk://username:password@host1:port1,host2:port2/path`, or `file:///path` of a file with one of these.",
    )
    zk_session_timeout: Duration = flag(
        10.0, "ZooKeeper session timeout: how long a leader that cannot be reached keeps others from leading."
    )
    log_auto_initialize: bool = flag(
        True, "Whether to initialize the replicated log of the registry.", unsupported=NO_REPLICATED_LOG
    )
    master_contender: str | None = flag(None, "Module that stands for election.", unsupported=NO_MODULES)
    master_detector: str | None = flag(None, "Module that detects the leader.", unsupported=NO_MODULES)
    domain: Domain | None = flag(
        None,
        "Where the master is, as JSON or a file of it:\n"
        '`{"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}}`.\n'
        "Agents of other regions are offered to frameworks with the capability REGION_AWARE only.",
        check=check_domain,
    )
    require_agent_domain: bool = flag(False, "Whether only agents with a domain can register.")

    # --- agents ------------------------------------------------------------------------------------------------------

    agent_ping_timeout: Duration = flag(
        15.0,
        "How long an agent may take to answer a ping.",
        aliases=("slave_ping_timeout",),
        check=_ping_timeout,
    )
    max_agent_ping_timeouts: int = flag(
        5,
        "How many pings in a row an agent may leave unanswered until it is marked unreachable.",
        aliases=("max_slave_ping_timeouts",),
        check=lambda value: None if value >= 1 else "Expected `--max_agent_ping_timeouts` to be at least 1",
    )
    agent_reregister_timeout: Duration = flag(
        600.0,
        "How long agents may take to re-register after their connection broke or the master failed over;\n"
        "then they are marked unreachable. At least 10mins.",
        aliases=("slave_reregister_timeout",),
        check=_reregister_timeout,
    )
    recovery_agent_removal_limit: str = flag(
        "100%",
        "If more agents than this do not return after a failover, the master exits instead of giving them up.",
        aliases=("recovery_slave_removal_limit",),
        check=_removal_limit,
    )
    agent_removal_rate_limit: str | None = flag(
        None,
        "How many agents may be marked unreachable per time, as `1/10mins`. By default there is no limit.",
        aliases=("slave_removal_rate_limit",),
        check=_removal_rate,
    )
    whitelist: Path | None = flag(
        None, "File of the host names of the agents to make offers of, one per line; read again every 5 seconds."
    )
    max_executors_per_agent: int | None = flag(
        None,
        "How many executors an agent may run, where the network isolator hands out ports.",
        aliases=("max_executors_per_slave",),
        unsupported="The port mapping isolator is not supported.",
    )

    # --- allocation --------------------------------------------------------------------------------------------------

    allocator: str = flag(
        "hierarchical",
        "Which allocator to use: `hierarchical` (also called `HierarchicalDRF`), or `module:attribute` of a Python\n"
        "object that makes one (`messor.allocator.interfaces.AllocatorFactory`).",
        check=_allocator,
    )
    allocation_interval: Duration = flag(1.0, "How long to wait between allocations of the whole cluster.")
    allocator_agent_recovery_factor: float = flag(
        0.8, "Which part of the known agents must return after a failover before offers are made.", check=_fraction
    )
    allocator_recovery_timeout: Duration = flag(600.0, "How long to wait for them at most.")
    role_sorter: str = flag(
        "drf",
        "How resources are shared between roles: `drf`, `random`, or `module:attribute` of a Python object that makes\n"
        "a sorter (`messor.allocator.interfaces.SorterFactory`).",
        aliases=("user_sorter",),
        check=_sorter,
    )
    framework_sorter: str = flag(
        "drf", "The same between the frameworks of a role: `drf`, `random` or `module:attribute`.", check=_sorter
    )
    fair_sharing_excluded_resource_names: str | None = flag(
        None, "Names of resources, comma separated, that do not count when fair shares are worked out."
    )
    filter_gpu_resources: bool = flag(
        True, "Whether agents with GPUs are offered only to frameworks with the GPU_RESOURCES capability."
    )
    min_allocatable_resources: str = flag(
        "cpus:0.01|mem:32",
        "Least quantities worth an offer: sets separated by `|`, each of quantities separated by `;`.",
        check=_min_allocatable,
    )
    offer_timeout: Duration | None = flag(
        None, "How long a framework may keep an offer. By default forever.", check=_offer_timeout
    )
    offer_constraints_re2_max_mem: Bytes = flag(
        4096, "Memory limit of each regular expression in offer constraints, which need `messor[constraints]`."
    )
    offer_constraints_re2_max_program_size: int = flag(
        100, "Program size limit of each regular expression in offer constraints."
    )
    roles: str | None = flag(
        None,
        "The roles frameworks may have, comma separated. By default any.",
        check=_roles,
        deprecated=ROLES_DEPRECATED,
    )
    weights: str | None = flag(
        None,
        "Weights of roles, as `role=weight,role=weight`; used until weights were changed for the first time.",
        check=_weights,
    )

    # --- frameworks --------------------------------------------------------------------------------------------------

    heartbeat_interval: Duration = flag(
        15.0,
        "How often HTTP schedulers and operators hear a heartbeat; not a flag of Mesos.",
        check=_heartbeat_interval,
    )
    root_submissions: bool = flag(True, "Whether frameworks may run as root.")
    max_completed_frameworks: int = flag(50, "How many completed frameworks are remembered.")
    max_completed_tasks_per_framework: int = flag(1000, "How many completed tasks are remembered per framework.")
    max_unreachable_tasks_per_framework: int = flag(1000, "How many unreachable tasks are remembered per framework.")
    max_operator_event_stream_subscribers: int = flag(
        1000, "How many may read the operator event stream; beyond that the oldest are closed."
    )
    publish_per_framework_metrics: bool = flag(True, "Whether metrics of each framework are published.")
    rate_limits: Json | None = flag(
        None, "How many messages frameworks may send, as JSON or a file of it.", unsupported=NO_RATE_LIMITS
    )

    # --- security ----------------------------------------------------------------------------------------------------

    authenticate_frameworks: bool = flag(
        False,
        "Whether only authenticated frameworks may register; for HTTP see `--authenticate_http_frameworks`.",
        aliases=("authenticate",),
    )
    authenticate_agents: bool = flag(
        False,
        "Whether only authenticated agents may register.",
        aliases=("authenticate_slaves",),
    )
    authenticate_http_readonly: bool = flag(False, "Whether HTTP requests that read must be authenticated.")
    authenticate_http_readwrite: bool = flag(
        False,
        "Whether HTTP requests that change something must be authenticated.",
        aliases=("authenticate_http",),
    )
    authenticate_http_frameworks: bool = flag(
        False,
        "Whether only authenticated HTTP frameworks may subscribe; needs `--http_framework_authenticators`.",
    )
    http_framework_authenticators: str | None = flag(None, "How HTTP frameworks are authenticated: `basic`.")
    http_authenticators: str = flag("basic", "How HTTP requests are authenticated: `basic`.")
    authenticators: str = flag("crammd5", "How frameworks and agents are authenticated: `crammd5`.")
    authentication_v0_timeout: Duration = flag(
        15.0, "How long an authentication of a framework or agent that speaks libprocess may take."
    )
    credentials: Path | None = flag(
        None,
        "File of principals and secrets, of frameworks, agents and HTTP users:\n"
        '`{"credentials": [{"principal": "alice", "secret": "…"}]}`.',
        secret=True,
    )
    acls: Acls | None = flag(
        None,
        "Who may do what, as JSON or a file of it; without them everybody may do everything:\n"
        '`{"run_tasks": [{"principals": {"values": ["alice"]}, "users": {"values": ["alice"]}}]}`.',
    )
    authorizers: str = flag(
        "local",
        "Who decides what is allowed: `local`, by `--acls`, or `module:attribute` of an authorizer of your own.",
    )

    # --- modules and the process -------------------------------------------------------------------------------------

    modules: Json | None = flag(None, "Modules to load, as JSON or a file of it.", unsupported=NO_MODULES)
    modules_dir: Path | None = flag(None, "Folder of files that list modules to load.", unsupported=NO_MODULES)
    hooks: str | None = flag(None, "Hook modules to install, comma separated.", unsupported=NO_MODULES)
    webui_dir: Path | None = flag(None, "Folder of the web interface; by default the one that comes with Messor.")
    memory_profiling: bool = flag(
        False, "Whether to profile memory.", unsupported="Memory profiling needs jemalloc, which Python does not use."
    )
    quiet: bool = flag(False, "Whether to log nothing to stderr.")
    log_dir: Path | None = flag(None, "Folder to write log files to; nothing is written to disk without it.")
    logbufsecs: int = flag(0, "How many seconds to buffer log messages for.")
    logging_level: str = flag("INFO", "Log messages at or above this level: INFO, WARNING or ERROR.")
    initialize_driver_logging: bool = flag(True, "Whether drivers log; of no effect in a master.")
    external_log_file: Path | None = flag(
        None, "Where stderr is written to by whoever started the master, to be shown as its log."
    )
