"""B2b: the same through one real agent and one long-lived executor that does nothing."""

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.harness import fakes as fake
from benchmarks.harness import messages as pb
from benchmarks.works.context import Span, pct, within
from benchmarks.works.launching import launcher

ROOT = Path(__file__).resolve().parents[2]


async def b2b(ctx):
    """The same through one real agent and one long-lived executor that does nothing (ours, for both systems)."""
    p = ctx.p
    pair, _, room = ctx.v.partition("/")  # /100: an agent with room for 100 tasks at a time, else 1000
    sk, _, ek = pair.partition("+")
    slots = int(room or 1000)
    async with ctx.cluster() as c:
        await c.master(interval="50ms")
        if c.system:
            await c.agent(resources=f"cpus:{slots / 10 + 0.2};mem:{slots * 32 + 100};disk:100000")
        s = ctx.scheduler(c, sk)
        e = pb.msg("v1.ExecutorInfo" if s.v1 else "ExecutorInfo")()
        e.executor_id.value = "noop"
        e.command.value = f"PYTHONPATH={ROOT} exec {sys.executable} -m benchmarks.noop_executor {ek}"
        e.type = 2  # CUSTOM
        pb.scalars(e, {"cpus": 0.1, "mem": 64.0}, role="*")
        total, held = p["tasks"], []
        start, done, launched, ended, failed = launcher(s, fake.TaskMaker(s, 0.1, 32.0, executor=e), 1, 1, held)
        await s.start()
        start()
        await within(done, 60, s, "executor did not start")
        if failed:
            raise RuntimeError(s.failures)
        agent = c.agents[0].pid if c.agents else c.pids[1]
        start, done, launched, ended, failed = launcher(
            s, fake.TaskMaker(s, 0.1, 32.0, executor=e), total, p["per_accept"], held
        )
        await asyncio.sleep(0.5)
        with Span(c) as sp:
            a0 = c.meter.cpu_of(agent, False)
            start()
            await within(done, 300, s, f"{len(ended)} of {total} ended")
            wall = time.perf_counter() - sp.t0
            await asyncio.sleep(0.5)
            own = c.meter.cpu_of(agent, False) - a0
        p50, p99 = pct([ended[t] - launched[t] for t in ended], 50, 99)
        await s.stop()
        return {
            "tasks": total,
            "failed": len(failed),
            "master_agent_cpu_us_per_task": (sp.master + own) / total * 1e6,
            "master_cpu_us_per_task": sp.master / total * 1e6,
            "agent_cpu_us_per_task": own / total * 1e6,
            "executor_cpu_us_per_task": (sp.cpu - sp.master - own) / total * 1e6,
            "wall_s": wall,
            "tasks_per_s": total / wall,
            "p50_ms": p50 * 1e3,
            "p99_ms": p99 * 1e3,
            "failures": json.dumps(s.failures),
        }
