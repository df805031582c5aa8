"""B6: the read endpoints of a master with many tasks; every body is read fully."""

import asyncio
import json
import time

from benchmarks.harness import http
from benchmarks.works.context import Span, pct


def _v1(kind, accept):
    body = {"type": kind}
    if kind == "GET_METRICS":
        body["get_metrics"] = {}
    return http.post("/api/v1", json.dumps(body).encode(), accept=accept)


ENDPOINTS = {
    "state": http.get("/state"),
    "state-gzip": http.get("/state", "Accept-Encoding: gzip\r\n"),
    "state-summary": http.get("/state-summary"),
    "tasks-100": http.get("/tasks?limit=100"),
    "tasks-all": http.get("/tasks?limit=1000000"),
    "slaves": http.get("/slaves"),
    "frameworks": http.get("/frameworks"),
    "metrics": http.get("/metrics/snapshot"),
    "health": http.get("/health"),
    "GET_STATE-json": _v1("GET_STATE", "application/json"),
    "GET_STATE-pb": _v1("GET_STATE", "application/x-protobuf"),
    "GET_TASKS-json": _v1("GET_TASKS", "application/json"),
    "GET_METRICS-json": _v1("GET_METRICS", "application/json"),
}


async def clients(host, port, raw, n, each, seconds=0.0):
    """n keep-alive clients, `each` requests one after the other; (latencies, bytes of one body)."""
    conns = [await http.connect(host, port, keep=False) for _ in range(n)]
    lat, size = [], [0]
    end = time.perf_counter() + seconds

    async def one(cn):
        k = 0
        while k < each or (seconds and time.perf_counter() < end):
            t = time.perf_counter()
            st, _b, nb = await asyncio.wait_for(cn.request(raw), 120)
            if st != 200:
                raise RuntimeError(f"status {st} for {raw[:60]}")
            lat.append(time.perf_counter() - t)
            size[0] = nb
            k += 1

    await asyncio.gather(*(one(cn) for cn in conns))
    for cn in conns:
        cn.close()
    return lat, size[0]


async def b6(ctx):
    """Read endpoints with agents x 10 tasks; every body is read fully."""
    p, out = ctx.p, {}
    n = int(ctx.v.rstrip("k")) * 100
    async with ctx.cluster() as c:
        await c.master(interval="1secs")
        fa = ctx.agents(n, 20)
        await fa.start(c.host, c.port)
        await fa.reregister(fa.encode_reregister(5, 2))
        await asyncio.sleep(1)
        for name, raw in ENDPOINTS.items():
            if p["only"] and name not in p["only"].split("+"):
                continue
            for k in [int(x) for x in p["clients"].split("+")]:
                if name == "metrics" and k > 1:
                    continue  # the C++ answers only two of these a second
                each = max(
                    2, (500 if name in ("health", "tasks-100") else 6 if name == "metrics" else p["requests"]) // k
                )
                await clients(c.host, c.port, raw, 1, 1)
                with Span(c) as sp:
                    lat, size = await clients(c.host, c.port, raw, k, each)
                p50, p99 = pct(lat, 50, 99)
                out[f"{name}.c{k}.cpu_ms"] = sp.cpu / len(lat) * 1e3
                out[f"{name}.c{k}.p50_ms"], out[f"{name}.c{k}.p99_ms"] = p50 * 1e3, p99 * 1e3
                out[f"{name}.bytes"] = size
        await fa.stop()
    return out
