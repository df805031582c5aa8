"""Five minutes of a cluster's life in a fraction of a second: an agent dies and comes back, and no task is lost.

python examples/simulated_cluster.py [seed]
"""

from __future__ import annotations

import logging
import sys
import time

from messor.simulation.cluster import Cluster


def main(seed: int) -> int:
    """Run the story and tell it; gives the exit status."""
    logging.disable(logging.CRITICAL)
    began = time.perf_counter()
    cluster = Cluster(seed, agents=3)
    framework = cluster.framework(http=True, checkpoint=True, failover_timeout=600)
    tasks = [framework.launch(f"sleep {10 * number}; exit 0") for number in range(1, 11)]
    cluster.advance(35)
    cluster.agents[0].kill()
    cluster.advance(20)
    cluster.agents[0].start()
    cluster.network.partition(["master"], ["agent-2"])
    cluster.advance(40)
    cluster.network.heal()
    cluster.run_until(lambda: all("FINISHED" in framework.states(task) for task in tasks), within=1200)

    print(
        f"{len(tasks)} tasks finished after {cluster.time:.0f} simulated seconds,"
        f" in {time.perf_counter() - began:.2f} real ones."
    )
    print(f"Seed {seed} always gives the trace {cluster.trace.hash}.")
    print(f"\nThe story of {tasks[-1]}, messages only:")
    for line in cluster.story(tasks[-1]).splitlines():
        if "  message " in line:
            print(line[:150])
    cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
