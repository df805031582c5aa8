"""The master's flags: names, defaults, and the sentences that refuse values."""

from __future__ import annotations

import pytest

from messor.errors import ConfigurationError
from messor.master.allocation import allocator_options
from messor.master.flags import MasterFlags, removal_interval
from messor.runtime.flags import flags_of, load, texts, warnings

DEFAULTS = {
    "agent_ping_timeout": "15secs",
    "agent_reregister_timeout": "10mins",
    "allocation_interval": "1secs",
    "allocator": "hierarchical",
    "allocator_agent_recovery_factor": "0.8",
    "allocator_recovery_timeout": "10mins",
    "authenticate_agents": "false",
    "authenticate_frameworks": "false",
    "authenticate_http_frameworks": "false",
    "authenticate_http_readonly": "false",
    "authenticate_http_readwrite": "false",
    "authentication_v0_timeout": "15secs",
    "authenticators": "crammd5",
    "authorizers": "local",
    "filter_gpu_resources": "true",
    "framework_sorter": "drf",
    "heartbeat_interval": "15secs",
    "help": "false",
    "hostname_lookup": "true",
    "http_authenticators": "basic",
    "initialize_driver_logging": "true",
    "log_auto_initialize": "true",
    "logbufsecs": "0",
    "logging_level": "INFO",
    "max_agent_ping_timeouts": "5",
    "max_completed_frameworks": "50",
    "max_completed_tasks_per_framework": "1000",
    "max_operator_event_stream_subscribers": "1000",
    "max_unreachable_tasks_per_framework": "1000",
    "memory_profiling": "false",
    "min_allocatable_resources": "cpus:0.01|mem:32",
    "offer_constraints_re2_max_mem": "4KB",
    "offer_constraints_re2_max_program_size": "100",
    "port": "5050",
    "publish_per_framework_metrics": "true",
    "quiet": "false",
    "recovery_agent_removal_limit": "100%",
    "registry": "replicated_log",
    "registry_fetch_timeout": "1mins",
    "registry_gc_interval": "15mins",
    "registry_max_agent_age": "2weeks",
    "registry_max_agent_count": "102400",
    "registry_store_timeout": "20secs",
    "registry_strict": "false",
    "require_agent_domain": "false",
    "role_sorter": "drf",
    "root_submissions": "true",
    "version": "false",
    "zk_session_timeout": "10secs",
}
"""What ``/flags`` of a recorded master shows beside the flags it was given, and heartbeat_interval, which is ours."""

WITHOUT_DEFAULT = {
    "acls",
    "advertise_ip",
    "advertise_port",
    "agent_removal_rate_limit",
    "cluster",
    "credentials",
    "domain",
    "external_log_file",
    "fair_sharing_excluded_resource_names",
    "firewall_rules",
    "hooks",
    "hostname",
    "http_framework_authenticators",
    "ip",
    "ip_discovery_command",
    "log_dir",
    "master_contender",
    "master_detector",
    "max_executors_per_agent",
    "modules",
    "modules_dir",
    "offer_timeout",
    "quorum",
    "rate_limits",
    "roles",
    "webui_dir",
    "weights",
    "whitelist",
    "work_dir",
    "zk",
}


def loaded(*arguments: str) -> MasterFlags:
    """Load flags from a command line only."""
    return load(MasterFlags, ["mesos-master", *arguments], {}, "mesos-master")


def test_every_flag_of_mesos_is_there_with_its_default() -> None:
    """Unit files that set flags to their defaults keep working; only the registry's differs."""
    assert texts(loaded()) == DEFAULTS
    assert set(flags_of(MasterFlags)) == set(DEFAULTS) | WITHOUT_DEFAULT


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--no_such_flag=1", "Failed to load unknown flag 'no_such_flag'"),
        (
            "--agent_ping_timeout=abc",
            "Failed to load flag 'agent_ping_timeout': Failed to load value 'abc': Failed to convert '' to number",
        ),
        ("--agent_ping_timeout=1ms", "Expected `--agent_ping_timeout` to be between 1secs and 15mins"),
        ("--max_agent_ping_timeouts=0", "Expected `--max_agent_ping_timeouts` to be at least 1"),
        (
            "--agent_reregister_timeout=1secs",
            "Invalid value '1secs' for --agent_reregister_timeout: Must be at least 10mins",
        ),
        ("--offer_timeout=0secs", "Invalid value '0ns' for --offer_timeout: Must be greater than zero"),
        ("--allocator=nope", "Failed to create allocator 'nope': Module 'nope' unknown"),
        ("--roles=/a", "Failed to parse roles: Role '/a' cannot start with a slash"),
        (
            "--authenticate_agents=maybe",
            "Failed to load flag 'authenticate_agents': Failed to load value 'maybe': Expecting a boolean",
        ),
        ("--modules={", "Failed to load flag 'modules': Failed to load value '{': syntax error at line 1 near: "),
        ("--cluster", "Failed to load non-boolean flag 'cluster': Missing value"),
        ("--registry=etcd", "'etcd' is not a supported option for registry persistence"),
        ("--agent_removal_rate_limit=x", "Invalid agent_removal_rate_limit: x. Format is"),
        ("--recovery_agent_removal_limit=200%", "Invalid value '200%' for --recovery_agent_removal_limit"),
        ("--role_sorter=fair", "Unknown sorter 'fair'"),
        ("--min_allocatable_resources=cpus:x", "Invalid value 'cpus:x' for --min_allocatable_resources"),
        ("--domain={}", "`domain` must define `fault_domain`"),
        (
            '--domain={"fault_domain":{}}',
            "Failed to load flag 'domain': Failed to load value '{\"fault_domain\":{}}': Missing required fields: ",
        ),
        (
            '--acls={"run_tasks":[{"principals":{"type":"ANY"}}]}',
            "Failed to load flag 'acls': Failed to load value '",
        ),
        ("--quorum=0", "Expected `--quorum` to be positive"),
    ],
)
def test_a_bad_value_is_refused_with_a_sentence(argument: str, sentence: str) -> None:
    """The recorded sentences, as operators' tools look for them."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(argument)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "argument",
    [
        "--modules_dir=/etc/modules",
        "--rate_limits={}",
        "--memory_profiling",
    ],
)
def test_a_flag_whose_feature_is_missing_is_refused(argument: str) -> None:
    """Whoever sets it relies on it: silence would be a lie (FL1)."""
    with pytest.raises(ConfigurationError, match="Unsupported value of flag"):
        loaded(argument)


def test_old_names_are_accepted_with_a_warning() -> None:
    """Configurations from before the agents' renaming keep working."""
    flags = loaded("--slave_ping_timeout=20secs", "--max_slave_ping_timeouts=3", "--slave_reregister_timeout=15mins")
    assert (flags.agent_ping_timeout, flags.max_agent_ping_timeouts, flags.agent_reregister_timeout) == (20.0, 3, 900.0)
    assert len(warnings(flags)) == 3


@pytest.mark.parametrize(("text", "seconds"), [("1/10mins", 600.0), ("2/3hrs", 5400.0), ("10/1secs", 0.1)])
def test_a_removal_rate_is_the_time_between_removals(text: str, seconds: float) -> None:
    """Two per three hours are one per one and a half."""
    assert removal_interval(text) == seconds


def test_both_sorters_must_be_alike() -> None:
    """A mixture was never meant, and Mesos refuses it too."""
    with pytest.raises(ConfigurationError):
        allocator_options(MasterFlags(role_sorter="drf", framework_sorter="random"))
    assert allocator_options(MasterFlags(role_sorter="random", framework_sorter="random")).sorter == "random"


def test_weights_are_for_roles_that_may_be_used() -> None:
    """With a list of roles the others have none."""
    allocator_options(MasterFlags(roles="a,b", weights="a=2,*=3"))
    with pytest.raises(ConfigurationError, match=r"Invalid weight: 'c=1'\. c is not a valid role"):
        allocator_options(MasterFlags(roles="a,b", weights="a=2,c=1"))


def test_names_that_do_not_count_for_shares_are_read_as_a_list() -> None:
    """Blanks around names are nobody's intention."""
    options = allocator_options(MasterFlags(fair_sharing_excluded_resource_names="gpus, fpgas"))
    assert options.fair_sharing_excluded == ("gpus", "fpgas")
