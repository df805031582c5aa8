"""Files stay under 600 lines and functions under 60; exceptions are listed with their reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"

MOST_LINES_IN_A_FILE = 600
MOST_LINES_IN_A_FUNCTION = 60

LONG_FILES: dict[str, str] = {}
"""Path below src -> why it may be longer."""

LONG_FUNCTIONS: dict[str, str] = {
    "messor/agent/agent.py:components": "builds all parts of the agent: a table of contents, an argument a line",
}
"""``path:function`` below src -> why it may be longer."""


def source_files() -> Iterator[tuple[str, str]]:
    """Give every hand-written file below src, as (path, text)."""
    for path in sorted(SOURCES.rglob("*.py")):
        name = path.relative_to(SOURCES).as_posix()
        if not name.startswith("messor/protos/"):
            yield name, path.read_text()


def test_no_file_is_too_long() -> None:
    """A file that grows is two files."""
    long = {name: text.count("\n") for name, text in source_files() if text.count("\n") > MOST_LINES_IN_A_FILE}
    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}


def test_no_function_is_too_long() -> None:
    """Counted from its def to its end, docstring included."""
    long = {}
    for name, text in source_files():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                key = f"{name}:{node.name}"
                if lines > MOST_LINES_IN_A_FUNCTION and key not in LONG_FUNCTIONS:
                    long[key] = lines
    assert long == {}


def test_exceptions_are_still_needed() -> None:
    """A list of exceptions that only grows is no list."""
    lengths = {name: text.count("\n") for name, text in source_files()}
    functions = {
        f"{name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, text in source_files()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert [name for name in LONG_FILES if lengths.get(name, 0) <= MOST_LINES_IN_A_FILE] == []
    assert [name for name in LONG_FUNCTIONS if functions.get(name, 0) <= MOST_LINES_IN_A_FUNCTION] == []


def test_no_name_says_nothing() -> None:
    """Folders and files are named for what happens in them."""
    empty = {"utils", "util", "common", "helpers", "misc", "base"}
    names = [name for name, _ in source_files() if empty & set(name.removesuffix(".py").split("/"))]
    assert names == []


def test_every_package_says_what_lives_in_it() -> None:
    """Each folder's ``__init__`` has a paragraph."""
    silent = [
        name
        for name, text in source_files()
        if name.endswith("__init__.py") and name.startswith("messor/") and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_every_public_name_has_a_sentence() -> None:
    """Classes, functions and methods whose name has no underscore."""
    silent = []
    for name, text in source_files():
        if name.startswith(("mesos/", "pesos/")):
            continue
        tree = ast.parse(text)
        for owner in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
            if isinstance(owner, ast.ClassDef) and owner.name.startswith("_"):
                continue
            silent.extend(
                f"{name}:{node.name}"
                for node in owner.body
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and not node.name.startswith("_")
                and not any(
                    getattr(mark, "id", getattr(mark, "attr", "")) == "overload" for mark in node.decorator_list
                )
                and ast.get_docstring(node) is None
            )
    assert silent == []
