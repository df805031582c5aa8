"""B4: status updates from agent to scheduler and their acknowledgements back."""

import asyncio
import time

from benchmarks.harness import fakes as fake
from benchmarks.works.context import Span, pct, within


async def updates_setup(ctx, c, kind, agents, window):
    """Fake agents with `window` running tasks in all; returns (agents, scheduler, tasks [(agent, task, fw)])."""
    fa = ctx.agents(agents, agents)
    await fa.start(c.host, c.port)
    await fa.register()
    s = ctx.scheduler(c, kind)
    per = window // agents
    mk = fake.TaskMaker(s, 0.1, 32.0)
    used, tasks, ready = set(), [], asyncio.get_running_loop().create_future()

    def run(a, tid, fw):
        tasks.append((a, tid, fw))
        if len(tasks) == per * agents and not ready.done():
            ready.set_result(None)

    def offers(lst):
        for oid, aid, _o in lst:
            if aid not in used:
                used.add(aid)
                s.accept([oid], [mk(aid)[1] for _ in range(per)])

    fa.on_run, s.on_offers = run, offers
    await s.start()
    await within(ready, 60, s, "tasks not launched")
    await asyncio.sleep(0.5)
    return fa, s, tasks


async def b4(ctx):
    p = ctx.p
    async with ctx.cluster() as c:
        await c.master(interval="1secs")
        kind, _, one = ctx.v.partition("/")
        if one:  # one update at a time: unloaded latency, nothing to coalesce
            fa, s, tasks = await updates_setup(ctx, c, kind, 1, 1)
            r = await flood(c, fa, s, tasks, p["updates"])
        else:
            fa, s, tasks = await updates_setup(ctx, c, kind, p["agents"], p["window"])
            r = await flood(c, fa, s, tasks, p["agents"] * p["updates"])
        await s.stop()
        await fa.stop()
        return r


async def flood(c, fa, s, tasks, total):
    """`total` updates, one outstanding per task; from the first update to the last ack at the agent."""
    tpl = {tid: fa.template(a, tid, fw, fake.RUNNING) for a, tid, fw in tasks}
    left = {tid: total // len(tasks) for tid in tpl}
    sent, lat = {}, []
    done = asyncio.get_running_loop().create_future()
    todo = [sum(left.values())]
    n = todo[0]
    clock = time.perf_counter

    def next_update(a, tid):
        left[tid] -= 1
        sent[tid] = clock()
        fa.update(a, tpl[tid], fake.new_uuid())

    def ack(a, tid, uuid):
        lat.append(clock() - sent[tid])
        todo[0] -= 1
        if left[tid]:
            next_update(a, tid)
        if not todo[0] and not done.done():
            done.set_result(None)

    fa.on_ack = ack
    with Span(c) as sp:
        for a, tid, _fw in tasks:
            next_update(a, tid)
        for e in fa.eps:
            e.flush()
        await within(done, 300, s, f"{todo[0]} updates left of {n}")
    p50, p99 = pct(lat, 50, 99)
    return {
        "updates": n,
        "cpu_s": sp.cpu,
        "cpu_us_per_update": sp.cpu / n * 1e6,
        "updates_per_cpu_s": n / sp.cpu,
        "wall_s": sp.wall,
        "updates_per_s": n / sp.wall,
        "p50_ms": p50 * 1e3,
        "p99_ms": p99 * 1e3,
        "driver_cpu_s": sp.driver,
    }
