"""Virtual paths: what they show and what they keep to themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from messor.errors import InvalidRequest, MesosError, NotAuthorized, NotFound
from messor.runtime.http import FileResponse, Request, Response
from messor.runtime.virtual_files import MAX_READ, VirtualFiles


@pytest.fixture
def files(tmp_path: Path) -> VirtualFiles:
    """A sandbox with two files and a folder, shown as /sandbox; a log shown as /slave/log."""
    (tmp_path / "box" / "sub").mkdir(parents=True)
    (tmp_path / "box" / "stdout").write_text("out\n")
    (tmp_path / "box" / "page.html").write_text("<p>")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "box" / "escape").symlink_to(tmp_path / "secret")
    (tmp_path / "log").write_text("line\n")
    files = VirtualFiles()
    files.attach("/sandbox/", str(tmp_path / "box"))
    files.attach("/slave/log", str(tmp_path / "log"))
    return files


def ask(files: VirtualFiles, path: str, query: str) -> Response:
    """Call an endpoint of the actor."""
    handler = {"browse": files.serve_browse, "read": files.serve_read, "download": files.serve_download}[path]
    return handler(Request("GET", f"/files/{path}", {}, b"", query))


def body(response: Response) -> object:
    """Parse a JSON body."""
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_browsing_lists_a_folder_sorted(files: VirtualFiles) -> None:
    """Names come with the virtual path asked for; a dangling or escaping name is shown as it is."""
    found = files.browse("/sandbox")
    assert [one["path"] for one in found] == [
        "/sandbox/escape",
        "/sandbox/page.html",
        "/sandbox/stdout",
        "/sandbox/sub",
    ]
    stdout = found[2]
    assert (stdout["size"], stdout["mode"][0], found[3]["mode"][0]) == (4, "-", "d")
    assert list(stdout) == ["gid", "mode", "mtime", "nlink", "path", "size", "uid"]


def test_browsing_a_file_gives_an_empty_list(files: VirtualFiles) -> None:
    """As recorded for /slave/log."""
    assert files.browse("/slave/log") == []


@pytest.mark.parametrize("path", ["/", "/nope", "/sandbox/nope", "/slave/log/below", "/sandbox/../../nope"])
def test_what_is_not_attached_is_not_found(files: VirtualFiles, path: str) -> None:
    """Browse and read answer 404 without a body."""
    with pytest.raises(NotFound):
        files.browse(path)
    for kind in ("browse", "read"):
        response = ask(files, kind, f"path={path}")
        assert (response.status, response.body) == (404, b"")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_nothing_outside_of_an_attached_folder_is_shown(files: VirtualFiles) -> None:
    """Neither dots nor links lead out."""
    for path in ("/sandbox/../secret", "/sandbox/escape"):
        with pytest.raises(InvalidRequest, match="is inaccessible"):
            files.read(path, 0)


def test_a_folder_whose_name_only_begins_alike_is_outside(files: VirtualFiles, tmp_path: Path) -> None:
    """The check is on whole names."""
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "x").write_text("x")
    with pytest.raises(InvalidRequest):
        files.read("/sandbox/../boxes/x", 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("offset=0", {"data": "out\n", "offset": 0}),
        ("offset=1&length=2", {"data": "ut", "offset": 1}),
        ("offset=-1", {"data": "", "offset": 4}),
        ("", {"data": "", "offset": 4}),
        ("offset=100000", {"data": "", "offset": 100000}),
        ("offset=0&length=-1", {"data": "out\n", "offset": 0}),
    ],
)
def test_reading_gives_data_and_offset(files: VirtualFiles, query: str, expected: dict[str, object]) -> None:
    """The forms recorded from Mesos."""
    assert body(ask(files, "read", f"path=/sandbox/stdout&{query}")) == expected


@pytest.mark.parametrize(
    ("kind", "query", "sentence"),
    [
        ("browse", "", "Expecting 'path=value' in query.\n"),
        ("browse", "path=", "Expecting 'path=value' in query.\n"),
        ("read", "path=/sandbox/stdout&offset=abc", "Failed to parse offset: Failed to convert 'abc' to number.\n"),
        (
            "read",
            "path=/sandbox/stdout&offset=0&length=abc",
            "Failed to parse length: Failed to convert 'abc' to number.\n",
        ),
        ("read", "path=/sandbox/stdout&offset=-5", "Negative offset provided: -5.\n"),
        ("read", "path=/sandbox", "Cannot read a directory.\n"),
        ("download", "path=/sandbox", "Cannot download a directory.\n"),
    ],
)
def test_bad_questions_are_refused_as_recorded(files: VirtualFiles, kind: str, query: str, sentence: str) -> None:
    """Status 400 with these texts."""
    with pytest.raises(MesosError) as caught:
        ask(files, kind, query)
    assert (caught.value.status, str(caught.value)) == (400, sentence)


def test_one_read_is_limited(files: VirtualFiles, tmp_path: Path) -> None:
    """Sixteen pages at most."""
    (tmp_path / "box" / "big").write_bytes(b"x" * (MAX_READ + 10))
    offset, data = files.read("/sandbox/big", 5, 10 * MAX_READ)
    assert (offset, len(data)) == (5, MAX_READ)


def test_downloads_name_the_file(files: VirtualFiles) -> None:
    """Type by extension, else bytes."""
    response = ask(files, "download", "path=/sandbox/stdout")
    assert isinstance(response, FileResponse)
    assert response.headers == {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment; filename=stdout",
    }
    assert ask(files, "download", "path=/sandbox/page.html").headers["Content-Type"] == "text/html"
    missing = ask(files, "download", "path=/nope")
    assert (missing.status, missing.body) == (404, b"404 Not Found.")


def test_jsonp_wraps_answers(files: VirtualFiles) -> None:
    """The web UI reads files through a script."""
    response = ask(files, "read", "path=/sandbox/stdout&offset=0&jsonp=cb")
    assert isinstance(response.body, list)
    assert b"".join(response.body) == b'cb({"data":"out\\n","offset":0})'
    assert response.headers["Content-Type"] == "text/javascript"


def test_who_may_not_look_is_refused(files: VirtualFiles, tmp_path: Path) -> None:
    """The hook of an attachment decides by principal."""
    files.attach("/private", str(tmp_path / "box"), lambda principal: principal == "alice")
    assert files.size("/private/stdout", "alice") == 4
    with pytest.raises(NotAuthorized):
        files.read("/private/stdout", 0, principal="bob")


def test_what_is_detached_is_gone(files: VirtualFiles) -> None:
    """Detaching twice is fine."""
    files.detach("/sandbox")
    files.detach("/sandbox")
    with pytest.raises(NotFound):
        files.browse("/sandbox")
    assert body(files.serve_debug(Request("GET", "/files/debug", {}))) == {
        name: attachment.path for name, attachment in files.attached.items()
    }
