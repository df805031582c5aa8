"""B1w: what it costs that somebody may ask why: recording in each cycle, and an answer when it is asked for.

The same cycles as B1 with and without the recording, by turns, and the recording alone; then a full answer for one
framework over all agents, which is worked out only when somebody asks.

    python -m benchmarks.why_cost
"""

from __future__ import annotations

import gc
import statistics
import time

from benchmarks.allocator_cycle import Cluster
from benchmarks.figures import show
from messor.allocator.explanation import Inquiry
from messor.allocator.history import RoundHistory
from messor.runtime.node import GC_THRESHOLD

AGENTS, FRAMEWORKS = 10_000, 1_000
CYCLES = 8


class Silent(RoundHistory):
    """Records nothing."""

    def note(self, began, ended, candidates, offers):
        """Leave it."""


def main() -> None:
    """Print the figures."""
    cluster = Cluster(AGENTS, FRAMEWORKS, 1, distinct=False)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)  # as a daemon does
    kinds = {True: RoundHistory(), False: Silent()}
    figures = {True: [], False: []}
    for cycle in range(2 * CYCLES + 2):
        recording = bool(cycle % 2)
        cluster.service.history = kinds[recording]
        begun = time.process_time()
        cluster.cycle()
        spent = (time.process_time() - begun) * 1000
        if cycle >= 2:  # in the first ones nothing is cached
            figures[recording].append(spent)
        cluster.sent.clear()
        cluster.give_back()
    offers = cluster.service.books.allocate(None, 1e9)
    without = statistics.median(figures[False])
    begun = time.process_time()
    for _ in range(100):
        kinds[True].note(0.0, 0.0, None, offers)
    alone = (time.process_time() - begun) * 10
    work = f"{AGENTS:,} agents x {FRAMEWORKS:,} frameworks"
    show("B1w", f"{work}, recording alone, of a cycle", alone / without * 100, "% CPU", 10.0)
    show("B1w", f"{work}, cycle with recording", statistics.median(figures[True]), "ms CPU", None)
    show("B1w", f"{work}, cycle without", without, "ms CPU", None)
    framework_id = next(iter(cluster.state.frameworks))
    begun = time.process_time()
    inquiry = Inquiry(cluster.service.books, time.monotonic())
    for agent_id in cluster.service.books.agents:
        inquiry.verdict(agent_id, framework_id, "role0")
    show("B1w", f"answer for a framework and {AGENTS:,} agents", (time.process_time() - begun) * 1000, "ms CPU", None)
    gc.unfreeze()


if __name__ == "__main__":
    main()
