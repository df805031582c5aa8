"""Start a local cluster, run wordcount on it, stop the cluster: what ``make run`` does."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from report import main as run_and_report

from messor import LocalCluster
from messor.errors import MesosError


def main() -> int:
    """Run everything; 0 when every task finished."""
    parser = argparse.ArgumentParser(description="Count the words of Python's standard library on a local cluster.")
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--work_dir", type=Path, default=Path("build/wordcount"), help="replaced on every run")
    options = parser.parse_args()
    shutil.rmtree(options.work_dir, ignore_errors=True)
    begun = time.monotonic()
    print(f"Starting a cluster of one master and {options.agents} agents")
    try:
        cluster = LocalCluster(options.agents, work_dir=options.work_dir)
        with cluster.start(lambda what, seconds: print(f"  {seconds:5.2f} s  {what}", flush=True)):
            status = run_and_report(cluster.master)
    except MesosError as error:
        print(f"wordcount: {error}", file=sys.stderr)
        return 1
    print(f"The cluster is stopped. All in all {time.monotonic() - begun:.1f} s; sandboxes stay in {options.work_dir}.")
    return status


if __name__ == "__main__":
    sys.exit(main())
