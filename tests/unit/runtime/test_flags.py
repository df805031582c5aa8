"""The flag grammar and its messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

import pytest

from messor.errors import ConfigurationError
from messor.runtime.flag_types import Bytes, Duration, Json, Path
from messor.runtime.flags import REQUIRED, Usage, flag, flags_of, load, texts, usage, warnings


@dataclass(kw_only=True)
class Flags:
    """Flags of all kinds."""

    work_dir: str = flag(REQUIRED, "Where to work.")
    port: int = flag(5050, "Port.")
    factor: float = flag(0.8, "Factor.")
    ping_timeout: Duration = flag(
        15.0,
        "How long to wait.",
        aliases=("slave_ping_timeout",),
        check=lambda value: None if value >= 1 else "Expected `--ping_timeout` to be at least 1secs",
    )
    cache_size: Bytes = flag(2 << 30, "Size.")
    authenticate: bool = flag(False, "Whether.", deprecated="The '--authenticate' flag is deprecated.")
    quiet: bool = flag(True, "Whether.")
    modules: Json = flag(None, "Modules.")
    master: str | None = flag(None, "Who leads.")
    rootfs: Path = flag("/", "A path.")
    zk: str | None = flag(None, "ZooKeeper.", unsupported="ZooKeeper is not there yet.")
    secret: str | None = flag(None, "Hidden.", secret=True)


def parse(*arguments: str, **environment: str) -> Flags:
    """Load flags with a work_dir."""
    return load(Flags, ["prog", "--work_dir=/w", *arguments], environment, "prog")


def refusal(*arguments: str, **environment: str) -> str:
    """Give the first line of the refusal of a command line."""
    with pytest.raises(ConfigurationError) as caught:
        load(Flags, ["prog", *arguments], environment, "prog")
    first, _, hint = str(caught.value).partition("\n\n")
    assert hint == "See `prog --help` for a list of supported flags."
    return first


def test_values_of_all_kinds_are_read() -> None:
    """Every kind reads its text."""
    flags = parse(
        "--port=1",
        "--factor=0.5",
        "--ping_timeout=2mins",
        "--cache_size=4KB",
        "--authenticate",
        "--no-quiet",
        '--modules={"a":[1]}',
    )
    assert (flags.port, flags.factor, flags.ping_timeout, flags.cache_size) == (1, 0.5, 120.0, 4096)
    assert (flags.authenticate, flags.quiet, flags.modules) == (True, False, {"a": [1]})


def test_defaults_are_values() -> None:
    """What is not given has its default, also when the class is made directly."""
    assert parse() == Flags(work_dir="/w")
    assert Flags(work_dir="/w").ping_timeout == 15.0


def test_the_command_line_wins_over_the_environment() -> None:
    """Variables count only for what the command line leaves out."""
    flags = parse("--port=1", MESOS_PORT="2", MESOS_FACTOR="0.25", MESOS_UNKNOWN="x", OTHER_QUIET="false")
    assert (flags.port, flags.factor, flags.quiet) == (1, 0.25, True)


def test_boolean_variables_may_be_empty() -> None:
    """An empty boolean variable means true."""
    assert parse(MESOS_AUTHENTICATE="").authenticate is True


def test_words_that_are_no_flags_are_ignored() -> None:
    """Positional words and all behind a lone -- do not matter."""
    assert parse("junk", "-x", "--", "--nonsense").port == 5050


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--no_such_flag=1"], "Failed to load unknown flag 'no_such_flag'"),
        (["--no-such"], "Failed to load unknown flag 'such' via 'no-such'"),
        (
            ["--ping_timeout=abc"],
            "Failed to load flag 'ping_timeout': Failed to load value 'abc': Failed to convert '' to number",
        ),
        (
            ["--authenticate=maybe"],
            (
                "Failed to load flag 'authenticate': Failed to load value 'maybe':"
                " Expecting a boolean (e.g., true or false)"
            ),
        ),
        (
            ["--port=abc"],
            "Failed to load flag 'port': Failed to load value 'abc': Failed to convert into required type",
        ),
        (["--master"], "Failed to load non-boolean flag 'master': Missing value"),
        (["--modules={"], "Failed to load flag 'modules': Failed to load value '{': syntax error at line 1 near: "),
        (
            ["--master=file:///no/such"],
            (
                "Failed to load flag 'master': Failed to load value 'file:///no/such':"
                " Error reading file '/no/such': No such file or directory"
            ),
        ),
        (
            ["--slave_ping_timeout=15secs", "--ping_timeout=15secs"],
            "Flag 'slave_ping_timeout' is already loaded via name 'ping_timeout'",
        ),
        (["--port=1", "--port=2"], "Duplicate flag 'port' on command line"),
        (["--no-port"], "Failed to load non-boolean flag 'port' via 'no-port'"),
        (["--no-quiet=true"], "Failed to load boolean flag 'quiet' via 'no-quiet' with value 'true'"),
        (["--port=1"], "Flag 'work_dir' is required, but it was not provided"),
        (["--work_dir=/w", "--ping_timeout=1ms"], "Expected `--ping_timeout` to be at least 1secs"),
        (["--work_dir=/w", "--zk=zk://x"], "Unsupported value of flag 'zk': ZooKeeper is not there yet."),
    ],
)
def test_what_cannot_be_is_refused_in_the_words_of_mesos(arguments: list[str], sentence: str) -> None:
    """Recorded sentences, then the hint at --help."""
    assert refusal(*arguments) == sentence


def test_values_may_stand_in_files(tmp_path: FilePath) -> None:
    """file:// reads text and JSON; JSON is read from a plain path too; paths are left alone."""
    text, data = tmp_path / "text", tmp_path / "data"
    text.write_text("127.0.0.1:5050\n")
    data.write_text('{"a":1}')
    flags = parse(f"--master=file://{text}", f"--modules={data}", f"--rootfs=file://{text}")
    assert flags.master == "127.0.0.1:5050"
    assert flags.modules == {"a": 1}
    assert flags.rootfs == f"file://{text}"
    assert parse(f"--modules=file://{data}").modules == {"a": 1}


def test_old_names_still_work_and_warn() -> None:
    """An alias loads its flag, is shown under its own name and gives a warning."""
    flags = parse("--slave_ping_timeout=20secs", "--authenticate")
    assert flags.ping_timeout == 20.0
    assert texts(flags)["slave_ping_timeout"] == "20secs"
    assert "ping_timeout" not in texts(flags)
    assert warnings(flags) == [
        "The '--authenticate' flag is deprecated.",
        "Loaded deprecated flag 'slave_ping_timeout', use 'ping_timeout' instead",
    ]


def test_flags_are_shown_as_mesos_shows_them() -> None:
    """All are strings, sorted, without those that are not set and those that are secret."""
    assert texts(parse("--secret=s", '--modules={"a": 1}')) == {
        "authenticate": "false",
        "cache_size": "2GB",
        "factor": "0.8",
        "help": "false",
        "modules": '{"a":1}',
        "ping_timeout": "15secs",
        "port": "5050",
        "quiet": "true",
        "rootfs": "/",
        "version": "false",
        "work_dir": "/w",
    }


def test_an_unsupported_flag_may_have_its_default() -> None:
    """Only another value is refused."""
    assert flags_of(Flags)["zk"].default is None
    assert parse().zk is None


def test_help_and_version_are_usage() -> None:
    """--help lists all flags with their defaults, --version prints the Mesos version."""
    with pytest.raises(Usage, match=r"^mesos \d+\.\d+\.\d+$"):
        load(Flags, ["prog", "--version"], {}, "prog")
    with pytest.raises(Usage) as caught:
        load(Flags, ["prog", "--help"], {}, "prog")
    assert str(caught.value) == usage(Flags, "prog")
    assert "--ping_timeout=VALUE, --slave_ping_timeout=VALUE" in str(caught.value)
    assert "(default: 2GB)" in str(caught.value)
    assert "--[no-]quiet" in str(caught.value)
