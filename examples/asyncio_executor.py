"""An asyncio executor: many tasks in one process, killed within the grace period that the scheduler asks for.

    python examples/asyncio_executor.py [MASTER]

Started by an agent it is the executor; started by you it is the scheduler.
"""

import asyncio
import os
import sys

from messor import aio
from messor.aio import executor_events as events
from messor.protos import v0


async def work(executor, task):
    """Count up to the number in the task's data; told to stop, say so."""
    await executor.update(task.task_id, v0.TASK_RUNNING)  # returns when the agent has it
    try:
        for _ in range(int(task.data)):
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await executor.update(task.task_id, v0.TASK_KILLED, message="stopped counting")
    else:
        await executor.update(task.task_id, v0.TASK_FINISHED)


async def execute():
    """Run each task as an asyncio task."""
    running = {}
    async with aio.Executor() as executor:
        async for event in executor:
            match event:
                case events.Launch():
                    running[event.task_id] = asyncio.create_task(work(executor, event.task))
                case events.Kill(task_id=task_id) if task_id in running:
                    running[task_id].cancel()
                case events.Shutdown():
                    for one in running.values():
                        one.cancel()
                    await asyncio.gather(*running.values(), return_exceptions=True)


def counter(offer, name, steps):
    """Describe a task for our executor."""
    info = v0.TaskInfo(name=name, slave_id=offer.slave_id, data=str(steps).encode())
    info.task_id.value = name
    info.executor.executor_id.value = "counters"
    info.executor.command.value = f"exec '{sys.executable}' '{os.path.abspath(__file__)}'"
    info.resources.add(name="cpus", type=v0.Value.SCALAR).scalar.value = 0.1
    info.resources.add(name="mem", type=v0.Value.SCALAR).scalar.value = 32
    return info


async def schedule(master):
    """Launch a short counter and an endless one, and kill that when the short one is done."""
    launched, ended = False, {}
    async with aio.Scheduler(framework="counters", master=master) as scheduler:
        async for event in scheduler:
            match event:
                case aio.Offers(offers=[offer, *_]) if not launched:
                    launched = True
                    await scheduler.launch(offer, [counter(offer, "short", 3), counter(offer, "endless", 10**9)])
                case aio.Offers(offers=offers):
                    scheduler.decline(offers, refuse_seconds=3600)
                case aio.Update() if event.is_terminal:
                    print(event.task_id, event.state, event.status.message)
                    ended[event.task_id] = event.state
                    if len(ended) == 2:
                        return
                    scheduler.kill("endless", grace_seconds=2)


if "MESOS_SLAVE_PID" in os.environ:
    asyncio.run(execute())
else:
    asyncio.run(schedule(sys.argv[1] if len(sys.argv) > 1 else "local"))
