"""Watch a cluster as operators do: list its agents, then print what happens.

    python examples/operator_events.py MASTER [EVENTS]

Ends after so many events (heartbeats not counted), or never without a number.
"""

import sys

from messor.operator import BlockingMasterClient, master_calls
from messor.protos import v1, v1_master

Event = v1_master.Event

with BlockingMasterClient(sys.argv[1]) as master:
    for agent in master.ask(master_calls.get_agents()).agents:
        resources = ", ".join(f"{one.name} {one.scalar.value:g}" for one in agent.total_resources if one.scalar.value)
        print("agent", agent.agent_info.hostname, "with", resources)
    left = int(sys.argv[2]) if len(sys.argv) > 2 else -1
    for event in master.events():
        match event.type:
            case Event.HEARTBEAT:
                continue
            case Event.TASK_ADDED:
                print("new task", event.task_added.task.task_id.value)
            case Event.TASK_UPDATED:
                updated = event.task_updated
                print("task", updated.status.task_id.value, "is", v1.TaskState.Name(updated.state))
            case _:
                print(Event.Type.Name(event.type).lower().replace("_", " "))
        left -= 1
        if left == 0:
            break
