"""Fetching item by item, with the log lines of the original."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import Any

from messor.containers.fetcher.extract import extract
from messor.containers.fetcher.schemes import (
    FetchFailed,
    base_name,
    copy_local,
    copy_with_hadoop,
    download,
    is_network,
    local_path,
)

Log = Callable[[str], object]


def fetch_all(request: Mapping[str, Any], log: Log, environment: Mapping[str, str]) -> None:
    """Fetch all items of a FetcherInfo in order. Raises FetchFailed at the first that cannot be had."""
    sandbox = request["sandbox_directory"]
    home = request.get("frameworks_home", "")
    stall_timeout = request.get("stall_timeout", {}).get("nanoseconds", 60_000_000_000) / 1e9
    for item in request["items"]:
        uri = item["uri"]
        value = uri["value"]
        log(f"Fetching URI '{value}'")
        try:
            fetched = fetch(uri, sandbox, home, stall_timeout, log, environment)
        except FetchFailed as error:
            raise FetchFailed(f"Failed to fetch '{value}': {error}") from error
        log(f"Fetched '{value}' to '{fetched}'")
    if request["items"]:
        log(f"Successfully fetched all URIs into '{sandbox}'")


def fetch(
    uri: Mapping[str, Any], sandbox: str, home: str, stall_timeout: float, log: Log, environment: Mapping[str, str]
) -> str:
    """Fetch one URI into the sandbox and unpack it if asked; gives the path of the file. Raises FetchFailed."""
    value = uri["value"]
    log(f"Fetching '{value}' directly into the sandbox directory")
    destination = target_path(uri, sandbox)
    if is_network(value):
        log(f"Downloading resource from '{value}' to '{destination}'")
        download(value, destination, stall_timeout)
    else:
        source = local_path(value, home)
        if source is not None:
            copy_local(source, destination)
        else:
            log(f"Downloading resource with Hadoop client from '{value}' to '{destination}'")
            copy_with_hadoop(value, destination, environment)
    if uri.get("executable", False):
        mode = os.stat(destination).st_mode
        os.chmod(destination, mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)  # noqa: S103  (what was asked for)
    elif uri.get("extract", True) and os.path.isfile(destination):
        extract(destination, sandbox)
    return destination


def target_path(uri: Mapping[str, Any], sandbox: str) -> str:
    """Give the path a URI's content gets, making folders of output_file. Raises FetchFailed for one outside."""
    output = uri.get("output_file")
    if not output:
        return os.path.join(sandbox, base_name(uri["value"]))
    if output.startswith("/") or ".." in output.split("/"):
        raise FetchFailed(f"The output file '{output}' is not a relative path inside the sandbox")
    destination = os.path.join(sandbox, output)
    try:
        os.makedirs(os.path.dirname(destination), exist_ok=True)
    except OSError as error:
        raise FetchFailed(f"Failed to create the folders of '{output}': {error.strerror}") from error
    return destination
