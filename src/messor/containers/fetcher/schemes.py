"""Where URIs point and how their content gets here."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

from messor.errors import Lost

_CHUNK = 1 << 20
_NET_SCHEMES = ("http", "https", "ftp", "ftps")
_GOOD_STATUSES = (200, 226)
"""HTTP's and FTP's words for a whole file."""


class FetchFailed(Lost):
    """A URI could not be fetched; the text says why in the words the original's log has."""


def is_network(uri: str) -> bool:
    """Tell whether a URI is downloaded."""
    return uri.partition("://")[0].lower() in _NET_SCHEMES and "://" in uri


def local_path(uri: str, frameworks_home: str) -> str | None:
    """Give the file of a local URI: a path, ``file://``, or relative to frameworks_home; None for other schemes.

    Raises FetchFailed for a relative one without a home.
    """
    if uri.startswith("file://"):
        path = uri[len("file://") :]
        return path.removeprefix("localhost") if path.startswith("localhost/") else path
    if "://" in uri:
        return None
    if uri.startswith("/"):
        return uri
    if not frameworks_home:
        raise FetchFailed(
            "A relative path was passed for the resource but the Mesos framework home was not specified. "
            "Please either provide this config option or avoid using a relative path"
        )
    return os.path.join(frameworks_home, uri)


def base_name(uri: str) -> str:
    """Give the file name a URI's content gets. Raises FetchFailed when it has none."""
    if "'" in uri or "\\" in uri or "\0" in uri:
        raise FetchFailed(f"URI '{uri}' has illegal characters")
    rest = uri.partition("://")[2] if "://" in uri else uri
    path = rest.partition("?")[0].partition("#")[0] if is_network(uri) else rest
    name = path.rpartition("/")[2]
    if is_network(uri) and "/" not in path:
        raise FetchFailed("Malformed URI (missing path): " + uri)
    if not name or name in (".", ".."):
        raise FetchFailed("Malformed URI (missing path): " + uri)
    return name


def copy_local(source: str, destination: str) -> None:
    """Copy a file or a whole folder. Raises FetchFailed."""
    try:
        if os.path.isdir(source):
            shutil.copytree(source, destination, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(source, destination)
    except OSError as error:
        os.write(2, f"cp: cannot stat '{source}': {error.strerror}\n".encode())
        raise FetchFailed("cp failed with status: 256") from error


def download(uri: str, destination: str, stall_timeout: float) -> None:
    """Download over http, https or ftp. Raises FetchFailed, also when nothing arrives for stall_timeout seconds."""
    request = urllib.request.Request(uri, headers={"User-Agent": "messor-fetcher"})  # noqa: S310  (schemes are checked)
    try:
        with (
            urllib.request.urlopen(request, timeout=stall_timeout) as reply,  # noqa: S310
            open(destination, "wb") as file,
        ):
            status = getattr(reply, "status", None)
            if status is not None and status not in _GOOD_STATUSES:
                raise FetchFailed(f"Error downloading resource, received HTTP return code {status}")
            while data := reply.read(_CHUNK):
                file.write(data)
    except urllib.error.HTTPError as error:
        raise FetchFailed(f"Error downloading resource, received HTTP return code {error.code}") from error
    except TimeoutError as error:
        raise FetchFailed("Error downloading resource: Timeout was reached") from error
    except (OSError, ValueError) as error:
        raise FetchFailed(f"Error downloading resource: {_words(error)}") from error


def copy_with_hadoop(uri: str, destination: str, environment: Mapping[str, str]) -> None:
    """Have a Hadoop client fetch what no other way leads to; raises FetchFailed.

    It is found in HADOOP_HOME, else on the PATH; what it says goes to the log.
    """
    home = environment.get("HADOOP_HOME")
    client = os.path.join(home, "bin", "hadoop") if home else "hadoop"
    try:
        pid = os.posix_spawnp(client, [client, "fs", "-copyToLocal", uri, destination], dict(environment))
    except OSError as error:
        raise FetchFailed(f"Failed to create HDFS client: Hadoop client is not available: {error}") from error
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise FetchFailed(f"HDFS copyToLocal failed: exit status {status}")


def _words(error: Exception) -> str:
    """Say what went wrong as curl does where it has its own words, which people search logs for."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ConnectionRefusedError):
        return "Couldn't connect to server"
    if isinstance(reason, socket.gaierror):
        return "Couldn't resolve host name"
    if isinstance(reason, TimeoutError):
        return "Timeout was reached"
    return str(reason)
