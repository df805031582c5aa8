"""Write docs/reference from the code: handlers, endpoints, flags, metrics and errors.

    python tools/make_reference.py            # writes the pages
    python tools/make_reference.py --check    # exits 1 when a page is not what the code says

Whatever is a table in code is a page in docs; nothing here is typed in by hand.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import messor
from messor import errors
from messor.runtime.actor import Component
from messor.runtime.flags import flags_of
from messor.runtime.handlers import ENDPOINT_MARK, MESSAGE_MARK
from messor.simulation.cluster import Cluster

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
PACKAGES = ("agent", "coordination", "drivers", "executors", "master", "runtime")
"""Where actors and components live."""

FLAGS = {
    "messor master": "messor.master.flags:MasterFlags",
    "messor agent": "messor.agent.flags:AgentFlags",
    "messor execute": "messor.cli.execute:ExecuteFlags",
}

EXECUTOR_EVENTS = ("Registered", "Reregistered", "Disconnected", "Launch", "Kill", "Message", "Shutdown")
API: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("asyncio", "messor.aio", ()),
    ("The events of an asyncio executor", "messor.drivers.executor.events", EXECUTOR_EVENTS),
    ("The classic scheduler driver", "messor.drivers.scheduler.callbacks", ("MesosSchedulerDriver",)),
    ("The classic executor driver", "messor.drivers.executor.callbacks", ("MesosExecutorDriver",)),
    ("Operators", "messor.operator", ()),
    ("Clusters on this machine", "messor.local.cluster", ("LocalCluster", "LocalAgent")),
    ("The pytest plugin's clusters", "messor.testing.cluster", ("Mesos",)),
    ("Schedulers in virtual time", "messor.simulation.driver", ("SimulatedDriver", "SimulatedScheduler")),
)
"""Heading, module, and the names of it to describe, all of ``__all__`` for none."""

NOTE = "<!-- Written by tools/make_reference.py; change the code, then run it. -->\n\n"


def main() -> int:
    """Write or check all pages; gives the exit status."""
    wrong = []
    for name, text in pages().items():
        path = FOLDER / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                wrong.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if wrong:
        print(f"not up to date: {', '.join(wrong)}; run tools/make_reference.py", file=sys.stderr)
    return 1 if wrong else 0


def pages() -> dict[str, str]:
    """Make all pages, by file name."""
    return {
        "handlers.md": handlers(),
        "endpoints.md": endpoints(),
        "flags.md": flags(),
        "metrics.md": metrics(),
        "errors.md": error_page(),
        "api.md": api(),
    }


def api() -> str:
    """Describe what framework authors and operators import, from signatures and docstrings."""
    text = f"{NOTE}# The Python API\n\nWhat frameworks, their tests and operators' programs import. "
    text += "The guide is [frameworks](../guide/frameworks.md).\n"
    for heading, path, names in API:
        module = importlib.import_module(path)
        text += f"\n## {heading}\n\n`{path}`: {inspect.getdoc(module)}\n"
        for name in names or module.__all__:
            text += api_entry(name, getattr(module, name))
    return text


def api_entry(name: str, thing: Any) -> str:
    """Describe one class, function or module of calls."""
    if inspect.ismodule(thing):
        found = [(key, value) for key, value in vars(thing).items() if value.__class__.__name__ == "function"]
        own = [(key, value) for key, value in found if value.__module__ == thing.__name__]
        kinds = [(k, v) for k, v in vars(thing).items() if inspect.isclass(v) and v.__module__ == thing.__name__]
        lines = "".join(api_method(key, value) for key, value in [*kinds, *own])
        return f"\n### {name}\n\n{inspect.getdoc(thing)}\n\n{lines}"
    if not inspect.isclass(thing):
        signature = f"`{name}{signed(thing)}`: " if inspect.isfunction(thing) else ""
        return f"\n### {name}\n\n{signature}{inspect.getdoc(thing) if signature else 'Any of the events.'}\n"
    text = f"\n### {name}\n\n{inspect.getdoc(thing)}\n"
    if dataclasses.is_dataclass(thing) and dataclasses.fields(thing):
        text += "\nFields: " + ", ".join(f"`{field.name}`" for field in dataclasses.fields(thing)) + ".\n"
    maker = vars(thing).get("__init__")
    if maker is not None and maker.__doc__:
        text += f"\n`{name}{signed(maker)}`\n\n{inspect.getdoc(maker)}\n"
    members = [(key, inspect.getattr_static(thing, key)) for key in dir(thing) if not key.startswith("_")]
    items = [api_method(key, member) for key, member in members if is_ours(member)]
    return text + ("\n" + "".join(items) if items else "")


def is_ours(member: Any) -> bool:
    """Whether a class's member is a documented method or property of Messor's."""
    call = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    return inspect.isfunction(call) and bool(call.__doc__) and call.__module__.startswith("messor")


def api_method(name: str, member: Any) -> str:
    """Describe a method, a property or a small class in one list item."""
    call = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    shown = f"`{name}{signed(call)}`" if inspect.isfunction(call) and not isinstance(member, property) else f"`{name}`"
    return f"- {shown} {' '.join((inspect.getdoc(call) or '').split())}\n"


def signed(call: Any) -> str:
    """Write a function's parameters without its annotations, which the code shows better."""
    parameters = [
        one.replace(annotation=inspect.Parameter.empty) for one in inspect.signature(call).parameters.values()
    ]
    shown = inspect.Signature([one for one in parameters if one.name not in ("self", "cls")])
    return str(shown)


def handlers() -> str:
    """List every message, who handles it, and where."""
    rows = []
    for kind in components():
        for name, method in marked(kind, MESSAGE_MARK):
            for mark in getattr(method, MESSAGE_MARK):
                full = mark.type.DESCRIPTOR.full_name
                rows.append((full, part_of(kind), f"`{where(kind)}.{name}`", sentence(method)))
    return page(
        "Messages and their handlers",
        "One message has exactly one handler in an actor. Messages come over libprocess; Calls that come over HTTP"
        " are under [endpoints](endpoints.md).",
        ("message", "part", "handler", "what it does"),
        sorted(rows),
    )


def endpoints() -> str:
    """List every HTTP path."""
    rows = []
    for kind in components():
        for name, method in marked(kind, ENDPOINT_MARK):
            for mark in getattr(method, ENDPOINT_MARK):
                methods = ", ".join(mark.methods) or "any"
                rows.append(
                    (
                        f"`{mark.path}`",
                        part_of(kind),
                        methods,
                        mark.realm or "open",
                        f"`{where(kind)}.{name}`",
                        sentence(method),
                    )
                )
    return page(
        "HTTP endpoints",
        "Below the actor's id: `/master/state`, `/slave(1)/state`; those of the main actor also work without.",
        ("path", "part", "methods", "realm", "handler", "what it does"),
        sorted(rows),
    )


DEFAULTS_OF_ROOT = {"runtime_dir": "`/var/run/mesos`"}
"""Defaults that depend on who runs; the page must not."""


def flags() -> str:
    """List every flag of every program."""
    text = f"{NOTE}# Flags\n\nEach is also read from the environment as `MESOS_NAME`.\n"
    for program, path in FLAGS.items():
        module, _, name = path.partition(":")
        rows = []
        for flag in flags_of(getattr(importlib.import_module(module), name)).values():
            default = "required" if flag.is_required else ""
            if not flag.is_required and flag.default is not None:
                default = DEFAULTS_OF_ROOT.get(flag.name, f"`{flag.kind.write(flag.default)}`")
            notes = [cell(flag.mark.help)]
            if flag.mark.aliases:
                notes.append("Older names: " + ", ".join(f"`--{alias}`" for alias in flag.mark.aliases) + ".")
            if flag.mark.deprecated:
                notes.append(f"Deprecated: {flag.mark.deprecated}")
            if flag.mark.unsupported:
                notes.append(f"**Not yet:** {flag.mark.unsupported}")
            rows.append((f"`--{flag.name}`", default, " ".join(notes)))
        text += f"\n## {program}\n\n" + table(("flag", "default", "meaning"), rows)
    return text


def metrics() -> str:
    """List every metric that a fresh master and agent have."""
    cluster = Cluster(seed=1)
    text = f"{NOTE}# Metrics\n\nAs `/metrics/snapshot` shows them, before any framework has subscribed.\n"
    for title, host in (("Master", cluster.master.host), ("Agent", cluster.agents[0].host)):
        names = sorted(host.metrics.snapshot())
        text += f"\n## {title}\n\n" + "".join(f"- `{name}`\n" for name in names)
    cluster.close()
    return text


def error_page() -> str:
    """List every error class with its status and reason."""
    rows = []
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.MesosError):
            parents = [parent.__name__ for parent in kind.__mro__[1:] if issubclass(parent, errors.MesosError)]
            rows.append(
                (f"`{name}`", parents[0] if parents else "", str(kind.status), kind.reason or "", sentence(kind))
            )
    return page(
        "Errors",
        "The class says which HTTP status a door answers with, and which reason a task gets.",
        ("error", "kind of", "status", "task reason", "meaning"),
        rows,
    )


def components() -> Iterator[type[Component]]:
    """Find every component and actor class, sorted by where it stands."""
    found: dict[str, type[Component]] = {}
    for package in PACKAGES:
        root = importlib.import_module(f"messor.{package}")
        for info in pkgutil.walk_packages(root.__path__, f"messor.{package}."):
            if info.name.endswith(("__main__", ".main")):
                continue
            for kind in vars(importlib.import_module(info.name)).values():
                if inspect.isclass(kind) and issubclass(kind, Component) and kind.__module__ == info.name:
                    found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    yield from (kind for _, kind in sorted(found.items()))


def marked(kind: type, attribute: str) -> Iterator[tuple[str, Any]]:
    """Give a class's own marked methods."""
    for name, method in vars(kind).items():
        if getattr(method, attribute, None):
            yield name, method


def part_of(kind: type) -> str:
    """Name the part of Messor a class belongs to."""
    return kind.__module__.split(".")[1]


def where(kind: type) -> str:
    """Say where a class stands, without the package's name."""
    return f"{kind.__module__.removeprefix(messor.__name__ + '.')}.{kind.__qualname__}"


def sentence(thing: object) -> str:
    """Give the first sentence of a docstring."""
    return cell((inspect.getdoc(thing) or "").partition("\n\n")[0])


def page(title: str, text: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Make a page with one table."""
    return f"{NOTE}# {title}\n\n{text}\n\n" + table(head, rows)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Make a table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(text: str) -> str:
    """Make text fit into a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
