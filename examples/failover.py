"""A scheduler that dies and comes back: its task lives on, and reconciliation tells how it is.

    python examples/failover.py [MASTER]

The framework's id and its tasks are written to a file; a real framework would use a database.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from messor import LocalCluster, aio
from messor.protos import v0


class Crash(Exception):
    """What happens to the first scheduler."""


async def schedule(master, store):
    """Go on from what the store says."""
    known = json.loads(store.read_text()) if store.exists() else {"framework_id": "", "tasks": {}}
    info = v0.FrameworkInfo(name="failover", checkpoint=True)  # a failover_timeout of a week is set for us
    if known["framework_id"]:
        info.id.value = known["framework_id"]
    async with aio.Scheduler(framework=info, master=master) as scheduler:
        async for event in scheduler:
            match event:
                case aio.Registered() | aio.Reregistered():
                    known["framework_id"] = scheduler.framework_id
                    store.write_text(json.dumps(known))
                    print("registered; reconciling", len(known["tasks"]), "tasks")
                    scheduler.reconcile(known["tasks"].items())
                case aio.Offers(offers=[offer, *_]) if not known["tasks"]:
                    task = v0.TaskInfo(name="survivor", slave_id=offer.slave_id)
                    task.task_id.value = "survivor"
                    task.command.value = "sleep 1000"
                    task.resources.add(name="cpus", type=v0.Value.SCALAR).scalar.value = 0.1
                    task.resources.add(name="mem", type=v0.Value.SCALAR).scalar.value = 32
                    known["tasks"]["survivor"] = offer.slave_id.value
                    store.write_text(json.dumps(known))  # before launching: a crash now must not lose it
                    scheduler.launch(offer, [task])
                case aio.Offers(offers=offers):
                    scheduler.decline(offers, refuse_seconds=3600)
                case aio.Update(status=status):
                    print(event.task_id, event.state, v0.TaskStatus.Reason.Name(status.reason))
                    if event.is_terminal:
                        return
                    if event.state == "TASK_RUNNING" and status.reason == v0.TaskStatus.REASON_RECONCILIATION:
                        scheduler.kill(event.task_id)
                    elif event.state == "TASK_RUNNING" and not info.id.value:
                        raise Crash


def main(master):
    """Crash, come back, reconcile, end."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "known.json"
        try:
            asyncio.run(schedule(master, store))
        except Crash:
            print("the scheduler crashed; another one takes over")
        asyncio.run(schedule(master, store))


if len(sys.argv) > 1:
    main(sys.argv[1])
else:
    with LocalCluster(agents=1) as cluster:
        main(cluster.master)
