"""B9d: the module pymesos of compat/ beside pymesos 0.3.15, with the same framework on the same master, in one run."""

import asyncio
import json
import os
import sys
from pathlib import Path

from benchmarks.works.context import within
from benchmarks.works.updates import flood

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("pymesos_framework.py")
SITE = ROOT / "build" / "interop" / "site"
MODULES = {
    "original": [ROOT / "tests" / "interop" / "standin", SITE],  # its parser does not build on Python 3.11
    "ours": [ROOT / "compat" / "pymesos" / "src"],
}


async def b9d(ctx):
    """CPU per update of both, and how many times less ours needs."""
    if not (SITE / "pymesos").exists():
        raise FileNotFoundError("pymesos 0.3.15 is not there: scripts/setup-interop fetches it")
    results = {}
    for name, folders in MODULES.items():
        async with ctx.cluster() as c:
            await c.master(interval="1secs")
            measure = reconcile if ctx.v == "reconcile" else acknowledge
            results[name] = (await measure(ctx, c, folders))["cpu_us_per_update"]
    return {
        "original_cpu_us_per_update": results["original"],
        "cpu_us_per_update": results["ours"],
        "times_less": results["original"] / results["ours"],
    }


async def framework(c, folders, updates, mode):
    """Start the framework's process."""
    path = os.pathsep.join(str(folder) for folder in folders)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        f"{c.host}:{c.port}",
        str(updates),
        mode,
        env={**os.environ, "PYTHONPATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finish(process):
    """Wait for its figure."""
    out, err = await asyncio.wait_for(process.communicate(), 300)
    if process.returncode:
        raise RuntimeError(err.decode()[-2000:])
    return json.loads(out.decode().splitlines()[-1])


async def reconcile(ctx, c, folders):
    return await finish(await framework(c, folders, ctx.p["updates"], "reconcile"))


async def acknowledge(ctx, c, folders):
    """Fake agents send updates, one outstanding per task, until all are acknowledged."""
    agents = ctx.p["agents"]
    fa = ctx.agents(agents, agents)
    await fa.start(c.host, c.port)
    await fa.register()
    tasks, ready = [], asyncio.get_running_loop().create_future()

    def run(agent, task_id, framework_id):
        tasks.append((agent, task_id, framework_id))
        if len(tasks) == 10 * agents and not ready.done():
            ready.set_result(None)

    fa.on_run = run
    process = await framework(c, folders, ctx.p["updates"], "acknowledge")
    try:
        await within(ready, 60, None, "tasks not launched")
        await flood(c, fa, None, tasks, ctx.p["updates"])
        return await finish(process)
    finally:
        if process.returncode is None:
            process.kill()
        await fa.stop()
