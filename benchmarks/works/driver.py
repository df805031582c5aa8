"""B9: what our drivers cost their framework: the driver's process alone is measured, by itself."""

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.harness import fakes as fake
from messor.protos import internal, v0_scheduler
from messor.runtime.actor import Actor
from messor.runtime.address import Address
from messor.runtime.handlers import on
from messor.runtime.node import Node

ROOT = Path(__file__).resolve().parents[2]
OFFERS = 1000
ROUNDS = 7


async def program(*arguments):
    """Start the framework."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.works.driver_program", *map(str, arguments), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip


async def result_of(master, *arguments):
    """Run the framework to its end and give what it measured; a master that ends meanwhile is not waited for."""
    process = await program(*arguments)
    ending = asyncio.ensure_future(process.communicate())
    while not (await asyncio.wait([ending], timeout=1))[0]:
        if master is not None and not master.alive():
            process.kill()
            raise RuntimeError("the master ended before the driver's program did")
    out, _ = ending.result()
    if process.returncode:
        raise RuntimeError(f"the driver's program ended with {process.returncode}")
    return json.loads(out)


async def b9_reconcile(ctx):
    """Ask about tasks nobody knows and take the master's answers in callbacks."""
    async with ctx.cluster() as c:
        master = await c.master()
        measured = await result_of(master, "reconcile", "classic", ctx.v, f"127.0.0.1:{c.port}", ctx.p["updates"])
        return {"cpu_us_per_update": measured["cpu_us"], "wall_s": measured["wall_s"]}


async def b9_launches(ctx):
    """Launch tasks one by one on fake agents and take their updates: through messor.aio beside the classic driver."""
    ratios = []
    for _ in range(3):
        classic = await launches(ctx, "classic")
        ratios.append((await launches(ctx, "aio") / classic, classic))
    ratio, classic = statistics.median(ratios), ratios[0][1]
    return {"aio_to_classic": ratio[0], "classic_us_per_launch": classic}


async def launches(ctx, face):
    """Launch with one face; gives microseconds of CPU per launch."""
    total = ctx.p["launches"]
    async with ctx.cluster() as c:
        master = await c.master(interval="20ms")
        agents = ctx.agents(total, 10, resources={"cpus": 0.1, "mem": 64.0, "disk": 100.0, "ports": (31000, 32000)})
        finishing = {}

        def run(agent, task_id, framework_id):
            finishing[task_id] = framework_id
            agents.update(agent, agents.template(agent, task_id, framework_id, fake.RUNNING), fake.new_uuid())

        def acknowledged(agent, task_id, _uuid):
            framework_id = finishing.pop(task_id, None)
            if framework_id is not None:
                agents.update(agent, agents.template(agent, task_id, framework_id, fake.FINISHED), fake.new_uuid())

        agents.on_run, agents.on_ack = run, acknowledged
        await agents.start(c.host, c.port)
        await agents.register()
        measured = await result_of(master, "launch", face, ctx.v, f"127.0.0.1:{c.port}", total)
        await agents.stop()
        return measured["cpu_us"]


class OfferingMaster(Actor):
    """Registers whoever comes and sends prepared offers when told to."""

    def __init__(self, subscribed):
        super().__init__("master")
        self.subscribed = subscribed

    @on(v0_scheduler.Call)
    def called(self, sender, call):
        if call.type == v0_scheduler.Call.SUBSCRIBE and not self.subscribed.done():
            message = internal.FrameworkRegisteredMessage()
            message.framework_id.value = "F"
            message.master_info.id, message.master_info.ip, message.master_info.port = "M", 0, self.upid.port
            self.send(sender, message)
            self.subscribed.set_result(sender)

    def offer(self, receiver, body):
        """Send offers and give when."""
        self.host.network.send(self.upid, receiver, internal.ResourceOffersMessage.DESCRIPTOR.full_name, body)
        return time.monotonic()


def offers():
    """A thousand offers with six resources each, encoded."""
    message = internal.ResourceOffersMessage()
    for number in range(OFFERS):
        offer = message.offers.add(hostname=f"agent-{number}.example.com")
        offer.id.value, offer.framework_id.value, offer.slave_id.value = f"O{number}", "F", f"S{number}"
        offer.allocation_info.role = "*"
        for name, amount in (("cpus", 4.0), ("mem", 8192.0), ("disk", 100000.0), ("gpus", 1.0), ("net", 1000.0)):
            resource = offer.resources.add(name=name, type=0, role="*")
            resource.scalar.value = amount
            resource.allocation_info.role = "*"
        ports = offer.resources.add(name="ports", type=1, role="*")
        ports.ranges.range.add(begin=31000, end=32000)
        ports.allocation_info.role = "*"
        message.pids.append(f"slave(1)@10.0.{number // 250}.{number % 250}:5051")
    return message.SerializeToString()


async def b9_offers(ctx):
    """Wall time from a fake master's sending of 1,000 offers until the callback begins, in another process."""
    node = Node(Address("127.0.0.1", 0))
    await node.start()
    try:
        subscribed = asyncio.get_running_loop().create_future()
        master = OfferingMaster(subscribed)
        node.spawn(master)
        process = await program("offers", "classic", "libprocess", f"127.0.0.1:{node.network.port}", 1)
        receiver = await asyncio.wait_for(subscribed, 30)
        await asyncio.sleep(0.5)
        body, took = offers(), []
        for _ in range(ROUNDS):
            sent = master.offer(receiver, body)
            line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
            assert line["offers"] == OFFERS
            took.append(line["begun"] - sent)
            await asyncio.sleep(0.1)
        process.kill()
        await process.wait()
        return {"callback_ms": statistics.median(took) * 1e3}
    finally:
        await node.stop()
