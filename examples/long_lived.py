"""A service: keep three copies of a command running, and start another one whenever one ends.

    python examples/long_lived.py [MASTER] [SECONDS]

It stops by itself after so many seconds (10), after three copies ran at once and one was replaced.
"""

import asyncio
import itertools
import sys

from messor import aio
from messor.protos import v0

COPIES = 3
COMMAND = "echo serving; sleep 2"


def copy(offer, number):
    """Describe one copy."""
    task = v0.TaskInfo(name=f"copy {number}", slave_id=offer.slave_id)
    task.task_id.value = f"copy-{number}"
    task.command.value = COMMAND
    task.resources.add(name="cpus", type=v0.Value.SCALAR).scalar.value = 0.1
    task.resources.add(name="mem", type=v0.Value.SCALAR).scalar.value = 32
    return task


async def serve(master):
    """Hold the number of copies."""
    numbers, alive, replaced, most = itertools.count(1), set(), 0, 0
    async with aio.Scheduler(framework="long-lived", master=master) as scheduler:
        async for event in scheduler:
            match event:
                case aio.Offers(offers=offers):
                    for offer in offers:
                        tasks = [copy(offer, next(numbers)) for _ in range(COPIES - len(alive))]
                        alive |= {task.task_id.value for task in tasks}
                        if tasks:
                            scheduler.launch(offer, tasks, refuse_seconds=0)
                        else:
                            scheduler.decline(offer)
                    if len(alive) == COPIES:
                        scheduler.suppress()  # nothing is needed until a copy ends
                case aio.Update() if event.is_terminal:
                    print(event.task_id, event.state)
                    alive.discard(event.task_id)
                    replaced += 1
                    scheduler.revive()
                case aio.Update():
                    most = max(most, len(alive))
                    print(event.task_id, event.state, f"({len(alive)} of {COPIES})")
                    if most == COPIES and replaced:
                        return


def main():
    """Serve for a while."""
    master = sys.argv[1] if len(sys.argv) > 1 else "local"
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    asyncio.run(asyncio.wait_for(serve(master), seconds))


if __name__ == "__main__":
    main()
