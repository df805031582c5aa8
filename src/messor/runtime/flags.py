"""Command-line flags: a dataclass per program, read with the grammar of Mesos (feature W15).

``--name=value``, ``--[no-]boolean``, ``MESOS_NAME`` in the environment (the command line wins), ``file:///path`` for
a value that stands in a file; anything that does not begin with ``--`` is ignored, and so is all after ``--``. Error
texts are those of Mesos: operators' tools look for them.

    @dataclass(kw_only=True)
    class MasterFlags:
        port: int = flag(5050, "Port to listen on.")
        agent_ping_timeout: Duration = flag(15.0, "…", aliases=("slave_ping_timeout",))
        zk: str | None = flag(None, "…", unsupported="ZooKeeper is not supported yet.")

    flags = load(MasterFlags, sys.argv, os.environ, "mesos-master")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, get_type_hints

from messor import MESOS_VERSION
from messor.errors import ConfigurationError, InvalidRequest, MesosError
from messor.runtime.flag_types import BOOL, Kind, kind_of, read_file

MARK = "messor_flag"
LOADED = "_messor_loaded"

HELP_COLUMN = 40
"""Where the sentences of --help begin."""

REQUIRED: Any = dataclasses.MISSING
"""The default of a flag that must be given."""


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


F = TypeVar("F", bound=Dataclass)


class Usage(MesosError):
    """Not an error: ``--help`` or ``--version`` was asked for; print the text to stdout and exit with status 0."""


class Mark(NamedTuple):
    """What ``flag`` says beyond a default."""

    help: str
    aliases: tuple[str, ...]
    check: Callable[[Any], str | None] | None
    unsupported: str | None
    deprecated: str | None
    secret: bool


class Flag(NamedTuple):
    """One flag of a program."""

    name: str
    kind: Kind
    default: Any
    mark: Mark

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED


class Loaded(NamedTuple):
    """What loading left on a flags object."""

    names: dict[str, str]
    """The name, possibly an alias, by which each given flag was given."""
    warnings: list[str]


def flag(
    default: Any,
    help: str,  # noqa: A002  (reads best where flags are declared)
    *,
    aliases: Sequence[str] = (),
    check: Callable[[Any], str | None] | None = None,
    unsupported: str | None = None,
    deprecated: str | None = None,
    secret: bool = False,
) -> Any:
    """Declare a flag as a dataclass field.

    default: a value (seconds for durations, bytes for sizes), or REQUIRED. aliases: older names, still accepted with a
    warning. check: gives a sentence when a value cannot be. unsupported: the sentence that refuses any value but the
    default. deprecated: the sentence that warns when the flag is given. secret: never shown by ``texts``.
    """
    mark = Mark(help, tuple(aliases), check, unsupported, deprecated, secret)
    if default is REQUIRED:
        return dataclasses.field(metadata={MARK: mark})
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=default.copy, metadata={MARK: mark})
    return dataclasses.field(default=default, metadata={MARK: mark})


@cache
def flags_of(kind: type[Dataclass]) -> dict[str, Flag]:
    """List the flags of a program by name, sorted, with ``help`` and ``version``."""
    hints = get_type_hints(kind, include_extras=True)
    found = [
        Flag(field.name, kind_of(hints[field.name]), _default(field), field.metadata[MARK])
        for field in dataclasses.fields(kind)
        if MARK in field.metadata
    ]
    names = {one.name for one in found}
    for name, text in (("help", "Prints this help message."), ("version", "Show version and exit.")):
        if name not in names:
            found.append(Flag(name, BOOL, False, Mark(text, (), None, None, None, secret=False)))
    return {one.name: one for one in sorted(found)}


def load(kind: type[F], argv: Sequence[str], environ: Mapping[str, str], program: str, *, prefix: str = "MESOS_") -> F:
    """Read a program's flags; argv[0] is skipped. Raises ConfigurationError, or Usage for --help and --version."""
    flags = flags_of(kind)
    try:
        given = {**_from_environment(flags, environ, prefix), **_from_command_line(flags, argv)}
        values, loaded = _parse(flags, given)
    except InvalidRequest as error:
        raise ConfigurationError(_with_hint(str(error), program)) from error
    if values.get("help"):
        raise Usage(usage(kind, program))
    if values.get("version"):
        raise Usage(f"mesos {MESOS_VERSION}")
    problem = _problem(flags, values)
    if problem is not None:
        raise ConfigurationError(_with_hint(problem, program))
    known = {field.name for field in dataclasses.fields(kind)}
    result = kind(**{name: value for name, value in values.items() if name in known})
    object.__setattr__(result, LOADED, loaded)
    return result


def warnings(flags: Dataclass) -> list[str]:
    """Give what loading wants logged once logging works: deprecated names and flags."""
    loaded: Loaded | None = getattr(flags, LOADED, None)
    return loaded.warnings if loaded is not None else []


def texts(flags: Dataclass) -> dict[str, str]:
    """Give every set flag as Mesos prints it, for ``/flags`` and GET_FLAGS: sorted, under the name it was given by."""
    loaded: Loaded | None = getattr(flags, LOADED, None)
    names = loaded.names if loaded is not None else {}
    result = {}
    for one in flags_of(type(flags)).values():
        value = getattr(flags, one.name, one.default)
        if value is not None and not one.mark.secret:
            result[names.get(one.name, one.name)] = one.kind.write(value)
    return dict(sorted(result.items()))


def usage(kind: type[Dataclass], program: str) -> str:
    """Write the help text: all flags in two columns."""
    lines = [f"Usage: {program} [options]", ""]
    indent = " " * HELP_COLUMN
    for one in flags_of(kind).values():
        spelling, text = _spelling(one), one.mark.help
        if not one.is_required and one.default is not None:
            text += ("\n" if text.endswith("\n") else " ") + f"(default: {one.kind.write(one.default)})"
        first, *more = text.splitlines()
        if len(spelling) + 2 <= HELP_COLUMN:
            lines.append(f"{spelling:<{HELP_COLUMN}}{first}")
        else:
            lines += [spelling, indent + first]
        lines += [indent + line for line in more]
    return "\n".join(lines)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _with_hint(problem: str, program: str) -> str:
    return f"{problem}\n\nSee `{program} --help` for a list of supported flags."


def _spelling(one: Flag) -> str:
    names = (one.name, *one.mark.aliases)
    if one.kind is BOOL:
        return "  " + ", ".join(f"--[no-]{name}" for name in names)
    return "  " + ", ".join(f"--{name}=VALUE" for name in names)


def _aliases(flags: dict[str, Flag]) -> dict[str, str]:
    """Every accepted name of every flag to its real one."""
    return {name: one.name for one in flags.values() for name in (one.name, *one.mark.aliases)}


def _from_environment(flags: dict[str, Flag], environ: Mapping[str, str], prefix: str) -> dict[str, tuple[str, str]]:
    """Collect flag -> (name it came by, text); unknown variables are none of our business."""
    aliases = _aliases(flags)
    found: dict[str, tuple[str, str]] = {}
    for variable in sorted(environ):
        if not variable.startswith(prefix):
            continue
        name = variable[len(prefix) :].lower()
        plain = name.removeprefix("no-")
        if plain in aliases:
            _remember(flags[aliases[plain]], name, environ[variable], found)
    return found


def _from_command_line(flags: dict[str, Flag], argv: Sequence[str]) -> dict[str, tuple[str, str]]:
    aliases = _aliases(flags)
    given: dict[str, str | None] = {}
    for raw in argv[1:]:
        argument = raw.strip()
        if argument == "--":
            break
        if not argument.startswith("--"):
            continue
        name, equals, value = argument[2:].partition("=")
        name = name.lower()
        if name in given or name.removeprefix("no-") in given:
            raise InvalidRequest(f"Duplicate flag '{name}' on command line")
        given[name] = value if equals else None
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(given):
        plain = name if name in aliases else name.removeprefix("no-")
        if plain not in aliases:
            via = f" via '{name}'" if plain != name else ""
            raise InvalidRequest(f"Failed to load unknown flag '{plain}'{via}")
        _remember(flags[aliases[plain]], name, given[name], found)
    return found


def _remember(one: Flag, name: str, value: str | None, found: dict[str, tuple[str, str]]) -> None:
    """Check the form ``name[=value]`` and keep it; raises InvalidRequest."""
    plain = name.removeprefix("no-")
    is_negated = plain != name
    if one.name in found:
        raise InvalidRequest(f"Flag '{plain}' is already loaded via name '{found[one.name][0]}'")
    if one.kind is not BOOL:
        if is_negated:
            raise InvalidRequest(f"Failed to load non-boolean flag '{plain}' via '{name}'")
        if value is None:
            raise InvalidRequest(f"Failed to load non-boolean flag '{plain}': Missing value")
    elif not value:
        value = "false" if is_negated else "true"
    elif is_negated:
        raise InvalidRequest(f"Failed to load boolean flag '{plain}' via '{name}' with value '{value}'")
    found[one.name] = (plain, value)


def _parse(flags: dict[str, Flag], given: dict[str, tuple[str, str]]) -> tuple[dict[str, Any], Loaded]:
    values: dict[str, Any] = {}
    loaded = Loaded({}, [])
    for name, (by, text) in sorted(given.items()):
        one = flags[name]
        try:
            content = text
            if one.kind.reads_files and text.startswith("file://"):
                content = read_file(text.removeprefix("file://")).rstrip("\n")
            values[name] = one.kind.read(content)
        except InvalidRequest as error:
            raise InvalidRequest(f"Failed to load flag '{by}': Failed to load value '{text}': {error}") from error
        loaded.names[name] = by
        if by != name:
            loaded.warnings.append(f"Loaded deprecated flag '{by}', use '{name}' instead")
        if one.mark.deprecated is not None:
            loaded.warnings.append(one.mark.deprecated)
    return values, loaded


def _problem(flags: dict[str, Flag], values: dict[str, Any]) -> str | None:
    """Find the first flag that is missing, cannot be, or is not supported."""
    for name, one in flags.items():
        if name not in values:
            if one.is_required:
                return f"Flag '{name}' is required, but it was not provided"
            continue
        if one.mark.unsupported is not None and values[name] != one.default:
            return f"Unsupported value of flag '{name}': {one.mark.unsupported}"
        if one.mark.check is not None and (sentence := one.mark.check(values[name])) is not None:
            return sentence
    return None
