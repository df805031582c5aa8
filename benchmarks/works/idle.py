"""B10: CPU and wake-ups of an idle cluster."""

import asyncio

from benchmarks.harness import cluster as sut
from benchmarks.works.context import Span


async def b10(ctx):
    """CPU and wake-ups of an idle cluster."""
    sec = ctx.p["seconds"]
    async with ctx.cluster() as c:
        await c.master(interval="1secs")
        fa = None
        if ctx.v == "agent+framework":
            if c.system:
                await c.agent()
        else:
            fa = ctx.agents(int(ctx.v), 20)
            await fa.start(c.host, c.port)
            await fa.register()
        s = ctx.scheduler(c, "v1-pb")
        await s.start()
        await asyncio.sleep(3)
        pids = list(c.pids)
        w0 = {x: sut.switches(x) for x in pids}
        with Span(c) as sp:
            await asyncio.sleep(sec)
        w = {x: (sut.switches(x) - w0[x]) / sec for x in pids}
        await s.stop()
        if fa:
            await fa.stop()
        return {
            "cpu_s_per_min": sp.cpu / sec * 60,
            "master_cpu_s_per_min": sp.master / sec * 60,
            "agent_cpu_s_per_min": (sp.cpu - sp.master) / sec * 60,
            "master_wakeups_per_s": w[c.master_pid],
            "all_wakeups_per_s": sum(w.values()),
            "pings": fa.pings if fa else None,
        }
