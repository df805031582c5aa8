"""What every benchmark uses: its context, percentiles, and a metered span of time."""

import asyncio
import time

from benchmarks.harness import fakes as fake


class Ctx:
    def __init__(self, cluster, variant, params, base):
        self.cluster, self.v, self.p, self.base = cluster, variant, params, base

    def scheduler(self, c, kind, **kw):
        if kind == "v0":
            return fake.V0(c.host, c.port, self.base + 190, **kw)
        return fake.V1(c.host, c.port, json=kind.endswith("json"), **kw)

    def agents(self, n, groups=1, **kw):
        return fake.FakeAgents(n, groups, self.base + 200, **kw)


def pct(v, *ps):
    v = sorted(v)
    return [v[min(len(v) - 1, int(len(v) * p / 100))] if v else None for p in ps]


class Span:
    """CPU (all processes, and the master alone) and wall of a with-block."""

    def __init__(self, c):
        self.c = c

    def __enter__(self):
        self.c0, self.m0 = self.c.meter.cpu(), self.c.meter.cpu_of(self.c.master_pid)
        self.d0, self.t0 = time.process_time(), time.perf_counter()  # d: this driver's own CPU
        return self

    def __exit__(self, *exc):
        self.wall, self.driver = time.perf_counter() - self.t0, time.process_time() - self.d0
        if exc[0] is None:
            self.cpu, self.master = self.c.meter.cpu() - self.c0, self.c.meter.cpu_of(self.c.master_pid) - self.m0


async def within(fut, timeout, sched=None, what=""):
    try:
        return await asyncio.wait_for(fut, timeout)
    except TimeoutError:
        raise TimeoutError(f"{what} {sched.errors[:2] if sched else ''}") from None
