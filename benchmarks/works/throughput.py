"""B2a: offer, ACCEPT, RUNNING and FINISHED with all acknowledgements, on fake agents: the cost of the master alone."""

import asyncio
import time

from benchmarks.harness import cluster as sut
from benchmarks.harness import fakes as fake
from benchmarks.works.context import Span, pct, within
from benchmarks.works.launching import launcher


async def b2a(ctx):
    """offer -> ACCEPT -> RUNNING -> FINISHED, all acknowledged, on fake agents: cost of the master alone."""
    p = ctx.p
    kind, _, one = ctx.v.partition("/")
    total = p["one"] if one else p["tasks"]
    async with ctx.cluster() as c:
        await c.master(interval="50ms")
        fa = ctx.agents(
            p["agents"], p["agents"], resources={"cpus": 10.0, "mem": 3200.0, "disk": 1000.0, "ports": (31000, 32000)}
        )
        fin, acked = {}, [0]
        idle = asyncio.get_running_loop().create_future()

        def run(a, tid, fw):
            fin[tid] = (a, fw)
            fa.update(a, fa.template(a, tid, fw, fake.RUNNING), fake.new_uuid())

        def ack(a, tid, _uuid):
            f = fin.pop(tid, None)
            if f is not None:
                fa.update(a, fa.template(a, tid, f[1], fake.FINISHED), fake.new_uuid())
            else:
                acked[0] += 1
                if acked[0] == total:
                    idle.set_result(None)

        fa.on_run, fa.on_ack = run, ack
        await fa.start(c.host, c.port)
        await fa.register()
        s = ctx.scheduler(c, kind)
        start, done, launched, ended, failed = launcher(
            s, fake.TaskMaker(s, 0.1, 32.0), total, 1 if one else p["per_accept"]
        )
        await s.start()
        await asyncio.sleep(1)
        rss0 = sut.pss(c.master_pid)[0]
        with Span(c) as sp:
            start()
            await within(done, 300, s, f"{len(ended)} of {total} ended")
            wall = time.perf_counter() - sp.t0
            await within(idle, 60, s, f"{total - acked[0]} acks missing, {s.failures}, {len(fin)} running unacked")
        p50, p99 = pct([ended[t] - launched[t] for t in ended], 50, 99)
        rss1 = sut.pss(c.master_pid)[0]
        await s.stop()
        await fa.stop()
        return {
            "tasks": total,
            "failed": len(failed),
            "cpu_s": sp.cpu,
            "cpu_us_per_task": sp.cpu / total * 1e6,
            "tasks_per_cpu_s": total / sp.cpu,
            "wall_s": wall,
            "tasks_per_s": total / wall,
            "p50_ms": p50 * 1e3,
            "p99_ms": p99 * 1e3,
            "pss_growth_mb": (rss1 - rss0) / 1e6,
            "driver_cpu_s": sp.driver,
        }
