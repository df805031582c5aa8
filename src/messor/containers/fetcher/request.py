"""What the agent tells a fetcher: a FetcherInfo as JSON, as mesos-fetcher takes it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from messor.protos import v0


def fetch_request(
    uris: Iterable[v0.CommandInfo.URI],
    sandbox: str,
    *,
    user: str,
    frameworks_home: str,
    cache_folder: str,
    stall_timeout: float,
) -> str:
    """Give the JSON text; keys are sorted, as the original prints them. stall_timeout in seconds.

    Everything bypasses the cache: there is none yet, and bypassing is always allowed.
    """
    request = {
        "cache_directory": f"{cache_folder}/{user}" if user else cache_folder,
        "items": [{"action": "BYPASS_CACHE", "uri": _uri(uri)} for uri in uris],
        "sandbox_directory": sandbox,
        "stall_timeout": {"nanoseconds": round(stall_timeout * 1e9)},
    }
    if user:
        request["user"] = user
    if frameworks_home:
        request["frameworks_home"] = frameworks_home
    return json.dumps(request, sort_keys=True, separators=(",", ":"))


def _uri(uri: v0.CommandInfo.URI) -> dict[str, object]:
    fields: dict[str, object] = {"extract": uri.extract, "value": uri.value}
    if uri.HasField("executable"):
        fields["executable"] = uri.executable
    if uri.HasField("cache"):
        fields["cache"] = uri.cache
    if uri.HasField("output_file"):
        fields["output_file"] = uri.output_file
    return fields
