"""Files that are shown under names of their own: sandboxes and logs, ``/files/browse|read|download`` (feature U17)."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from messor.errors import InvalidRequest, NotAuthorized, NotFound
from messor.runtime.actor import Actor
from messor.runtime.handlers import endpoint
from messor.runtime.http import TEXT, FileResponse, Request, Response, json_response, text_response

Authorize = Callable[[str | None], bool]
"""Whether a principal may see an attached tree."""

MAX_READ = 16 * 4096
"""Bytes one read gives at most."""


class Attachment(NamedTuple):
    """A real path under a virtual one."""

    path: str
    authorize: Authorize | None


class VirtualFiles(Actor):
    """The actor ``files``: attach real paths, others look into them."""

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__("files")
        self.attached: dict[str, Attachment] = {}

    def attach(self, name: str, path: str, authorize: Authorize | None = None) -> None:
        """Show the file or folder at path as name (``/slave/log``, a sandbox path); replaces an older one."""
        self.attached[name.rstrip("/")] = Attachment(os.path.realpath(path), authorize)

    def detach(self, name: str) -> None:
        """Stop showing; fine if unknown."""
        self.attached.pop(name.rstrip("/"), None)

    # --- for the v1 calls LIST_FILES and READ_FILE, and for the endpoints --------------------------------------------

    def browse(self, path: str, principal: str | None = None) -> list[dict[str, Any]]:
        """List a folder as Mesos' FileInfo objects sorted by path; a file gives an empty list.

        Raises NotFound, NotAuthorized, InvalidRequest (outside of what is attached).
        """
        real = self.resolve(path, principal)
        try:
            names = sorted(os.listdir(real))
        except OSError:
            return []
        found = []
        for name in names:
            try:
                status = os.stat(os.path.join(real, name))
            except OSError:
                continue  # gone meanwhile, or a dangling link
            found.append(file_info(f"{path.rstrip('/')}/{name}", status))
        return found

    def read(
        self, path: str, offset: int | None, length: int | None = None, principal: str | None = None
    ) -> tuple[int, bytes]:
        """Read part of a file: (where it begins, data), at most 64 KiB.

        Without an offset, or beyond the end: (size, nothing). Raises as browse does.
        """
        real = self.resolve(path, principal)
        if os.path.isdir(real):
            raise InvalidRequest("Cannot read a directory")
        try:
            with open(real, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                if offset is None or offset >= size:
                    return (size if offset is None else offset), b""
                file.seek(offset)
                return offset, file.read(MAX_READ if length is None else min(length, MAX_READ))
        except OSError as error:
            raise InvalidRequest(f"Failed to open file at '{real}': {error.strerror}") from error

    def size(self, path: str, principal: str | None = None) -> int:
        """Give the size of a file in bytes; raises as browse does."""
        return self.read(path, None, None, principal)[0]

    def resolve(self, path: str, principal: str | None = None) -> str:
        """Find the real path of a virtual one; the longest attached prefix wins.

        Links are followed and must stay inside of what is attached.
        """
        name = path.rstrip("/")
        suffix = ""
        while name not in self.attached:
            name, slash, last = name.rpartition("/")
            if not slash:
                raise NotFound
            suffix = f"{last}/{suffix}" if suffix else last
        attachment = self.attached[name]
        if attachment.authorize is not None and not attachment.authorize(principal):
            raise NotAuthorized
        if suffix and not os.path.isdir(attachment.path):
            raise NotFound
        real = os.path.realpath(os.path.join(attachment.path, suffix)) if suffix else attachment.path
        if not os.path.exists(real):
            raise NotFound
        if real != attachment.path and not real.startswith(attachment.path.rstrip("/") + "/"):
            raise InvalidRequest(f"'{os.path.join(attachment.path, suffix)}' is inaccessible")
        return real

    # --- endpoints ---------------------------------------------------------------------------------------------------

    @endpoint("/browse", realm="readonly")
    def serve_browse(self, request: Request) -> Response:
        """List a folder; ``path`` says which."""
        path = _path(request)
        try:
            return json_response(orjson.dumps(self.browse(path, request.principal)), request)
        except NotFound:
            return Response(404, b"", TEXT)

    @endpoint("/read", realm="readonly")
    def serve_read(self, request: Request) -> Response:
        """Read from a file; ``path``, ``offset`` (-1: just its size) and ``length``."""
        path = _path(request)
        offset = _number(request, "offset")
        length = _number(request, "length")
        try:
            begin, data = self.read(path, offset, length, request.principal)
        except NotFound:
            return Response(404, b"", TEXT)
        except InvalidRequest as error:
            if isinstance(error, NotAuthorized):
                raise
            raise InvalidRequest(f"{error}.\n") from error
        body = orjson.dumps({"data": data.decode("utf-8", "replace"), "offset": begin})
        return json_response(body, request)

    @endpoint("/download", realm="readonly")
    def serve_download(self, request: Request) -> Response:
        """Give a whole file."""
        path = _path(request)
        try:
            real = self.resolve(path, request.principal)
        except NotFound:
            return text_response(404)
        if os.path.isdir(real):
            raise InvalidRequest("Cannot download a directory.\n")
        name = os.path.basename(real)
        return FileResponse(real, _media_type(name), {"Content-Disposition": f"attachment; filename={name}"})

    @endpoint("/debug", realm="readonly")
    def serve_debug(self, request: Request) -> Response:
        """Show what is attached where."""
        names = {name: attachment.path for name, attachment in sorted(self.attached.items())}
        return json_response(orjson.dumps(names), request)


def file_info(path: str, status: os.stat_result) -> dict[str, Any]:
    """Describe a file as the JSON of Mesos does."""
    return {
        "gid": _group(status.st_gid),
        "mode": stat.filemode(status.st_mode),
        "mtime": float(int(status.st_mtime)),
        "nlink": status.st_nlink,
        "path": path,
        "size": status.st_size,
        "uid": _user(status.st_uid),
    }


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@lru_cache(maxsize=256)
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _path(request: Request) -> str:
    path = request.query.get("path")
    if not path:
        raise InvalidRequest("Expecting 'path=value' in query.\n")
    return path


def _number(request: Request, name: str) -> int | None:
    """Read an optional number of the query; -1 is as good as none."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        raise InvalidRequest(f"Failed to parse {name}: Failed to convert '{text}' to number.\n") from None
    if number == -1:
        return None
    if number < 0:
        raise InvalidRequest(f"Negative {name} provided: {number}.\n")
    return number


def _media_type(name: str) -> str:
    if "." not in name:
        return "application/octet-stream"
    import mimetypes  # reads tables of the system: only for who downloads files with an extension

    return mimetypes.guess_type(name)[0] or "application/octet-stream"
