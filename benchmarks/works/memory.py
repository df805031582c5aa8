"""B8: memory of a master after agents and tasks registered; slopes are taken between variants."""

import asyncio

from benchmarks.harness import cluster as sut


async def b8(ctx):
    """Master PSS after the shape has registered and 2 s have passed; slopes are taken between variants."""
    n, fw, tasks, dfw, dtasks = (int(x) for x in ctx.v.split("-"))
    async with ctx.cluster() as c:
        await c.master(interval="1secs", flags=["--max_completed_tasks_per_framework=1000000"])
        await asyncio.sleep(1)
        p0, _r, a0 = sut.pss(c.master_pid)
        if n:
            fa = ctx.agents(n, 20)
            await fa.start(c.host, c.port)
            await fa.reregister(fa.encode_reregister(fw, tasks, dfw, dtasks))
            await asyncio.sleep(2)
        p1, r1, a1 = sut.pss(c.master_pid)
        if n:
            await fa.stop()
        return {
            "agents": n,
            "tasks": n * fw * tasks,
            "completed": n * dfw * dtasks,
            "pss_start_mb": p0 / 1e6,
            "pss_mb": p1 / 1e6,
            "rss_mb": r1 / 1e6,
            "anon_mb": a1 / 1e6,
            "anon_growth_b_per_agent": (a1 - a0) / n if n else None,
        }
