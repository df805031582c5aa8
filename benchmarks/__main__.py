"""Run benchmarks, print their figures beside the limits, write build/bench.json.

    python -m benchmarks [--only B1,B3] [--runs 3] [--out build/bench.json]

Every figure is the median of the runs. CPU is that of the system under test only (all its processes, also reaped ones),
because machines are noisy; wall time is used where the limit is wall time.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import traceback
from pathlib import Path

from benchmarks.harness.cluster import Cluster, System, become_subreaper
from benchmarks.works.commands import b3
from benchmarks.works.context import Ctx
from benchmarks.works.driver import b9_launches, b9_offers, b9_reconcile
from benchmarks.works.executor import b2b
from benchmarks.works.idle import b10
from benchmarks.works.imports import import_messor
from benchmarks.works.memory import b8
from benchmarks.works.pymesos_beside import b9d
from benchmarks.works.reading import b6
from benchmarks.works.starting import b11
from benchmarks.works.throughput import b2a
from benchmarks.works.updates import b4

ROOT = Path(__file__).resolve().parents[1]

AIO_RATIO = [("aio_to_classic", "times the CPU", 1.3, False)]


def per_update(limit):
    """The figure of a driver's update."""
    return [("cpu_us_per_update", "us CPU/update", limit, False)]


# id, what is done, benchmark, variant, parameters, [(figure, unit, limit, is more better)]
WORKS = [
    ("B2a", "task through the master, v0", b2a, "v0", [("cpu_us_per_task", "us CPU/task", 200, False)]),
    ("B2a", "task through the master, v1 protobuf", b2a, "v1-pb", [("cpu_us_per_task", "us CPU/task", 250, False)]),
    ("B2a", "task through the master, v1 JSON", b2a, "v1-json", [("cpu_us_per_task", "us CPU/task", 300, False)]),
    (
        "B2b",
        "task through master and agent, v1 executor",
        b2b,
        "v1-pb+v1",
        [("master_agent_cpu_us_per_task", "us CPU/task", 1500, False)],
    ),
    (
        "B2b",
        "task through master and agent, v0 executor",
        b2b,
        "v0+v0",
        [("master_agent_cpu_us_per_task", "us CPU/task", 1500, False)],
    ),
    (
        "B3",
        "command task `true`",
        b3,
        "v1-pb",
        [
            ("tasks_per_s", "tasks/s", 100, True),
            ("agent_executor_cpu_ms_per_task", "ms CPU/task", 10, False),
            ("failed", "tasks failed", 0, False),
        ],
    ),
    ("B4", "status update and acknowledgement, v0", b4, "v0", [("cpu_us_per_update", "us CPU/update", 45, False)]),
    ("B4", "the same, v1 protobuf", b4, "v1-pb", [("cpu_us_per_update", "us CPU/update", 70, False)]),
    ("B4", "the same, v1 JSON", b4, "v1-json", [("cpu_us_per_update", "us CPU/update", 90, False)]),
    ("B4", "one at a time, v0", b4, "v0/one", [("p50_ms", "ms wall p50", 0.43, False)]),
    (
        "B6",
        "read 10,000 tasks",
        b6,
        "10k",
        [
            ("state.c1.cpu_ms", "ms CPU /state", 25, False),
            ("state-summary.c1.cpu_ms", "ms CPU /state-summary", 10, False),
        ],
    ),
    (
        "B8",
        "memory",
        b8,
        None,
        [("bytes_per_agent", "B/agent", 15000, False), ("bytes_per_task", "B/task", 3000, False)],
    ),
    ("B9d", "pymesos module, update", b9d, "reconcile", [("times_less", "times less CPU", 3, True)]),
    ("B9d", "pymesos module, acknowledged update", b9d, "acknowledge", [("times_less", "times less CPU", 3, True)]),
    ("B9a", "driver: answer to reconciliation, callbacks, v0", b9_reconcile, "libprocess", per_update(25)),
    ("B9b", "the same, v1 protobuf", b9_reconcile, "http", per_update(35)),
    ("B9b", "the same, v1 JSON", b9_reconcile, "http+json", per_update(45)),
    ("B9c", "driver: callback with 1,000 offers", b9_offers, None, [("callback_ms", "ms wall", 12, False)]),
    ("B9e", "1,000 launches, aio beside classic, v0", b9_launches, "libprocess", AIO_RATIO),
    ("B9e", "the same, v1 protobuf", b9_launches, "http", AIO_RATIO),
    ("B10", "idle: master, agent, framework", b10, "agent+framework", [("cpu_s_per_min", "CPU-s/min", 0.2, False)]),
    ("B10", "idle: master with 1,000 agents", b10, "1000", [("master_cpu_s_per_min", "CPU-s/min", 0.6, False)]),
    ("B11", "messor local to the first offer", b11, "local", [("first_offer_ms", "ms wall", 900, False)]),
    ("B11", "import messor", import_messor, None, [("wall_ms", "ms wall", 60, False)]),
    ("B11", "agent restarted with 100 tasks", b11, "restart", [("executors_back_ms", "ms wall", 2300, False)]),
]
PARAMETERS = {
    b2a: {"agents": 50, "tasks": 20000, "per_accept": 100, "one": 500},
    b2b: {"tasks": 2000, "per_accept": 100},
    b3: {"tasks": 500, "inflight": 50, "timeout": 400},
    b4: {"agents": 10, "updates": 3000, "window": 100},
    b6: {"requests": 20, "clients": "1", "only": "state+state-summary"},
    b9d: {"updates": 30000, "agents": 5},
    b9_reconcile: {"updates": 100000},
    b9_launches: {"launches": 1000},
    b10: {"seconds": 60},
    b11: {"live": 100},
}
ALONE = {
    "ingest": "benchmarks.ingest",
    "B1": "benchmarks.allocator_cycle",
    "B1q": "benchmarks.quota_cycle",
    "B1f": "benchmarks.allocator_books",
    "B1w": "benchmarks.why_cost",
}
"""Programs by the first of the figures they print."""


async def memory_slopes(context):
    """B8 as slopes between shapes of a cluster: bytes per agent and per task."""
    grown = {}
    for shape in ("1000-0-0-0-0", "4000-0-0-0-0", "4000-5-2-0-0"):
        context.v = shape
        grown[shape] = (await b8(context))["anon_mb"] * 1e6
    few, many, tasks = grown.values()
    return {"bytes_per_agent": (many - few) / 3000, "bytes_per_task": (tasks - many) / 40000}


def figures(work, variant, port, system):
    """Run a benchmark once."""
    if work is import_messor:
        return import_messor()
    if work is b4 and variant.endswith("/one"):
        parameters = {"agents": 1, "updates": 2000, "window": 1}
    else:
        parameters = PARAMETERS.get(work, {})
    context = Ctx(lambda: Cluster(system), variant, parameters, port)
    result = runner()(memory_slopes(context) if work is b8 else work(context))
    if work is b3:
        own = result["agent_own_cpu_ms_per_task"] + result["executor_cpu_ms_per_task"]
        result["agent_executor_cpu_ms_per_task"] = own
    return result


def runner():
    """The fastest way to run a loop that is there."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def alone(name, module, runs):
    """Run a benchmark that is a program of its own and prints one JSON object per figure; gives each one's median."""
    found = {}
    for _ in range(runs):
        # Its exit status says whether limits were kept; that stands in the rows too.
        done = subprocess.run([sys.executable, "-m", module], capture_output=True, text=True, cwd=ROOT, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if not rows:
            print(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}", file=sys.stderr)
            return [{"id": name, "work": module, "value": None, "unit": "", "limit": None, "ok": False}]
        for row in rows:
            found.setdefault((row["id"], row["work"]), []).append(row)
    return [sorted(rows, key=lambda row: row["value"])[(len(rows) - 1) // 2] for rows in found.values()]


def measure(wanted, runs, port):
    """Give one row per figure."""
    rows = []
    system = System()
    for name, module in ALONE.items():
        if not wanted or name in wanted:
            more = alone(name, module, runs)
            rows += more
            show(more)
    for name, what, work, variant, limits in WORKS:
        if wanted and name not in wanted:
            continue
        results = []
        for _ in range(runs):
            try:
                results.append(figures(work, variant, port, system))
            except Exception:
                traceback.print_exc()
        for figure, unit, limit, is_more_better in limits:
            values = [result[figure] for result in results if result.get(figure) is not None]
            value = statistics.median(values) if values else None
            ok = value is not None and (value >= limit if is_more_better else value <= limit)
            rows.append({"id": name, "work": what, "value": value, "unit": unit, "limit": limit, "ok": ok})
            show(rows[-1:])
    return rows


def show(rows):
    """Print rows of the table."""
    for row in rows:
        value = "failed" if row["value"] is None else f"{row['value']:,.6g}"
        verdict = "ok" if row["ok"] else "MISSED"
        limit = "" if row["limit"] is None else f"{row['limit']:,g}"
        print(f"{row['id']:<7} {row['work']:<46} {value:>12} {limit:>12} {row['unit']:<22} {verdict}", flush=True)


def main():
    """Run what was asked for; the exit status tells only whether everything ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma separated ids")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--base-port", type=int, default=17000)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    options = parser.parse_args()
    Cluster.base = options.base_port
    become_subreaper()
    wanted = {name for name in options.only.split(",") if name}
    known = {*ALONE, *(work[0] for work in WORKS)}
    if wanted - known:
        parser.error(f"there is no benchmark {', '.join(sorted(wanted - known))}; there are {', '.join(sorted(known))}")
    print(f"{'id':<7} {'work':<46} {'value':>12} {'limit':>12} {'unit':<22}")
    rows = measure(wanted, options.runs, options.base_port)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"written to {options.out}")
    return 1 if any(row["value"] is None for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
