"""An asyncio framework: run a few commands side by side and print what each call came to.

python examples/asyncio_scheduler.py [MASTER]
"""

import asyncio
import sys

from messor import aio
from messor.protos import v0

COMMANDS = {"one": "echo 1", "two": "sleep 0.2", "three": "exit 3"}


def task(offer, name, command):
    """Describe a command task."""
    info = v0.TaskInfo(name=name, slave_id=offer.slave_id)
    info.task_id.value = name
    info.command.value = command
    info.resources.add(name="cpus", type=v0.Value.SCALAR).scalar.value = 0.1
    info.resources.add(name="mem", type=v0.Value.SCALAR).scalar.value = 32
    return info


async def main(master):
    """Launch all on the first offer and wait for their ends."""
    waiting, ended = dict(COMMANDS), {}
    async with aio.Scheduler(framework="asyncio", master=master) as scheduler:
        async for event in scheduler:
            match event:
                case aio.Registered(framework_id=framework_id):
                    print("registered as", framework_id)
                case aio.Offers(offers=[offer, *others]) if waiting:
                    tasks = [task(offer, *waiting.popitem()) for _ in list(waiting)]
                    print("launch:", await scheduler.launch(offer, tasks))
                    if others:
                        print("decline:", await scheduler.decline(others))
                case aio.Offers(offers=offers):
                    scheduler.decline(offers, refuse_seconds=3600)
                case aio.Update() if event.is_terminal:
                    ended[event.task_id] = event.state
                    if len(ended) == len(COMMANDS):
                        break
                case aio.Disconnected():
                    print("lost the master; reconnecting")
    for name, state in sorted(ended.items()):
        print(name, state)


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "local"))
