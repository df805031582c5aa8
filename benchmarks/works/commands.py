"""B3: command tasks ``true`` on one real agent, a bounded number in flight."""

import asyncio
import json
import time

from benchmarks.harness import fakes as fake
from benchmarks.works.context import Span, pct, within
from benchmarks.works.launching import capacity


async def b3(ctx):
    """Command tasks `true` on one real agent, a bounded number in flight."""
    p, inflight = ctx.p, set()
    async with ctx.cluster() as c:
        await c.master(interval="50ms")
        if c.system:
            await c.agent()
        s = ctx.scheduler(c, ctx.v)
        mk = fake.TaskMaker(s, 0.1, 32.0)
        held, launched, t_run, t_end, failed = [], {}, {}, {}, []
        done = asyncio.get_running_loop().create_future()
        clock = time.perf_counter
        go = [False]

        def pump():
            n = min(p["inflight"] - len(inflight), p["tasks"] - len(launched))
            while go[0] and n > 0 and held:
                oid, aid, room = held.pop()  # an offer may hold what a few ended tasks gave back
                ts = [mk(aid) for _ in range(min(n, room))]
                n -= len(ts)
                now = clock()
                for tid, _t in ts:
                    launched[tid] = now
                    inflight.add(tid)
                s.accept([oid], [t for _i, t in ts])

        def offers(lst):
            held.extend((o, a, capacity(x, mk.cpus, mk.mem)) for o, a, x in lst)
            pump()

        def update(tid, state, _agent, _uuid):
            if state == fake.RUNNING:
                t_run.setdefault(tid, clock())
            elif state in (2, 3, 4, 5, 7) and tid in inflight:
                inflight.discard(tid)
                t_end[tid] = clock()
                if state != 2:
                    failed.append(state)
                if len(t_end) == p["tasks"]:
                    done.set_result(None)
                pump()

        s.on_offers, s.on_update = offers, update
        await s.start()
        await asyncio.sleep(1)
        base = c.meter.count()
        agent = c.agents[0].pid if c.agents else (c.pids[1] if len(c.pids) > 1 else c.master_pid)
        with Span(c) as sp:
            a0 = c.meter.cpu_of(agent, False)
            go[0] = True
            pump()
            s.flush()
            await within(done, p["timeout"], s, f"{len(t_end)} of {p['tasks']} tasks ended")
            wall = clock() - sp.t0
            for _ in range(100):  # executors linger a little; their CPU belongs here
                if c.meter.count() <= base:
                    break
                await asyncio.sleep(0.1)
            own = c.meter.cpu_of(agent, False) - a0
        n = p["tasks"]
        r50, r99 = pct([t_run[t] - launched[t] for t in t_run], 50, 99)
        e50, e99 = pct([t_end[t] - launched[t] for t in t_end], 50, 99)
        await s.stop()
        return {
            "tasks": n,
            "failed": len(failed),
            "wall_s": wall,
            "tasks_per_s": n / wall,
            "cpu_ms_per_task": sp.cpu / n * 1e3,
            "master_cpu_ms_per_task": sp.master / n * 1e3,
            "agent_own_cpu_ms_per_task": own / n * 1e3,
            "executor_cpu_ms_per_task": (sp.cpu - sp.master - own) / n * 1e3,
            "running_p50_ms": r50 * 1e3,
            "running_p99_ms": r99 * 1e3,
            "end_p50_ms": e50 * 1e3,
            "end_p99_ms": e99 * 1e3,
            "failures": json.dumps(s.failures),
        }
