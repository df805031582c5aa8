"""B11: how long starting takes: a local cluster to its first offer, an agent with live tasks until all are back."""

import asyncio
import time

from benchmarks.harness import cluster as sut
from benchmarks.harness import fakes as fake
from benchmarks.harness import http
from benchmarks.works.context import within


async def b11(ctx):
    async with ctx.cluster() as c:
        if ctx.v == "master":
            p = await c.master(wait=False)
            await http._poll(
                lambda: http.fetch(c.host, c.port, http.get("/health")), lambda r: r[0] == 200, 60, "no health", 0.002
            )
            t1, cpu1 = time.perf_counter() - p.t0, c.meter.cpu_of(p.pid)
            await http.wait_ready(c.host, c.port)
            return {
                "health_ms": t1 * 1e3,
                "health_cpu_ms": cpu1 * 1e3,
                "leading_ms": (time.perf_counter() - p.t0) * 1e3,
                "leading_cpu_ms": c.meter.cpu_of(p.pid) * 1e3,
                "pss_mb": sut.pss(p.pid)[0] / 1e6,
            }
        if ctx.v == "agent":
            await c.master()
            base = c.meter.cpu()
            p = await c.agent(wait=False)
            await http._poll(
                lambda: http.fetch(c.host, p.port, http.get("/health")), lambda r: r[0] == 200, 60, "no health", 0.002
            )
            t1, cpu1 = time.perf_counter() - p.t0, c.meter.cpu_of(p.pid)
            await http.wait_agent(c.host, c.port)
            return {
                "health_ms": t1 * 1e3,
                "health_cpu_ms": cpu1 * 1e3,
                "registered_ms": (time.perf_counter() - p.t0) * 1e3,
                "registered_cpu_ms": c.meter.cpu_of(p.pid) * 1e3,
                "all_cpu_ms": (c.meter.cpu() - base) * 1e3,
                "pss_mb": sut.pss(p.pid)[0] / 1e6,
            }
        if ctx.v == "local":
            p = await c.local()
            offer = asyncio.get_running_loop().create_future()
            while True:
                try:
                    s = ctx.scheduler(c, "v1-pb")
                    s.on_offers = lambda lst: offer.done() or offer.set_result(time.perf_counter())
                    await s.start()
                    break
                except (OSError, RuntimeError, ConnectionError):
                    await asyncio.sleep(0.005)
            t_sub = time.perf_counter()
            t = await within(offer, 30, s, "no offer")
            r = {
                "subscribed_ms": (t_sub - p.t0) * 1e3,
                "first_offer_ms": (t - p.t0) * 1e3,
                "cpu_ms": c.meter.cpu_of(p.pid) * 1e3,
            }
            await s.stop()
            return r
        return await restart(ctx, c)


async def restart(ctx, c):
    """Agent killed with live command tasks and started again, until it is registered and all executors are back."""
    n = ctx.p["live"]
    await c.master(interval="50ms")
    a = await c.agent(resources="cpus:100;mem:100000;disk:100000")
    s = ctx.scheduler(c, "v1-pb", checkpoint=True, failover=60.0)
    mk = fake.TaskMaker(s, 0.1, 32.0, command="sleep 1000")
    up, lost, one = set(), [], [False]
    done = asyncio.get_running_loop().create_future()

    def offers(lst):
        if not one[0]:
            one[0] = True
            s.accept([lst[0][0]], [mk(lst[0][1])[1] for _ in range(n)])

    def update(tid, state, _a, _u):
        if state == fake.RUNNING:
            up.add(tid)
            if len(up) == n and not done.done():
                done.set_result(None)
        elif state not in (0, 6):
            lost.append(state)

    s.on_offers, s.on_update = offers, update
    await s.start()
    await within(done, 120, s, f"{len(up)} of {n} tasks run")
    await asyncio.sleep(2)
    port = a.port
    c.kill(a)
    await asyncio.sleep(0.3)
    base = c.meter.cpu()
    b = await c.agent(resources="cpus:100;mem:100000;disk:100000", port=port, wait=False)
    await http._poll(
        lambda: http.fetch(c.host, port, http.get("/health")), lambda r: r[0] == 200, 60, "no health", 0.002
    )
    t1 = time.perf_counter() - b.t0
    await http.wait_executors(c.host, port, n)
    t3 = time.perf_counter() - b.t0
    await http.wait_agent(c.host, c.port)
    t2 = time.perf_counter() - b.t0
    st = await http.fetch_json(c.host, c.port, "/metrics/snapshot")
    r = {
        "tasks": n,
        "health_ms": t1 * 1e3,
        "registered_ms": t2 * 1e3,
        "executors_back_ms": t3 * 1e3,
        "agent_cpu_ms": c.meter.cpu_of(b.pid) * 1e3,
        "all_cpu_ms": (c.meter.cpu() - base) * 1e3,
        "tasks_running": st["master/tasks_running"],
        "lost": len(lost),
        "pss_mb": sut.pss(b.pid)[0] / 1e6,
    }
    await s.stop()
    return r
