"""Live many bad hours of a framework in the simulator; print the seeds that fail and how to replay them.

    python -m benchmarks.reliability [--seeds 2000] [--first 0] [--processes 2]

Each seed is one virtual hour of a framework with 50 tasks under random leader changes, dropped and duplicated messages,
agent restarts and scheduler crashes (``messor.simulation.reliability``).
"""

import argparse
import gc
import logging
import multiprocessing
import sys
import time

from messor.simulation.reliability import Hour

THOROUGH = 10
"""One hour of so many is checked after every event, which takes twice the time."""

OTHERWISE_EVERY = 100
"""Events between two checks in the others."""


def live(seed):
    """Live one hour; gives the seed and what went wrong."""
    logging.disable(logging.CRITICAL)
    gc.disable()  # what an hour leaves is collected at its end
    try:
        Hour(seed, checked_every=1 if seed % THOROUGH == 0 else OTHERWISE_EVERY).run()
    except Exception as error:
        return seed, "\n".join([repr(error), *getattr(error, "__notes__", ())])
    finally:
        gc.collect()
    return seed, ""


def main():
    """Live them all; the exit status is 1 when any failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    begun, failed = time.monotonic(), []
    with multiprocessing.Pool(options.processes) as pool:
        for number, (seed, why) in enumerate(pool.imap_unordered(live, seeds), 1):
            if why:
                failed.append(seed)
                print(f"seed {seed} FAILED; replay with: PYTEST_SEED={seed} pytest tests/scenarios/test_reliability.py")
                print(why, flush=True)
            if number % 100 == 0:
                print(f"{number} hours lived, {len(failed)} failed", flush=True)
    print(f"{len(seeds)} virtual hours in {time.monotonic() - begun:.0f} s, failed: {sorted(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
