"""Long-lived executor that reports RUNNING and FINISHED for every task at once: `noop_executor.py v0|v1`."""

import asyncio
import os
import sys
import time

from benchmarks.harness import fakes as fake
from benchmarks.harness import http
from benchmarks.harness import messages as pb
from benchmarks.harness.libprocess import Endpoint

ENV = os.environ
FW, EX = ENV["MESOS_FRAMEWORK_ID"], ENV["MESOS_EXECUTOR_ID"]
M = fake.M


def status(s, task, state, uuid):
    s.task_id.value, s.state, s.uuid, s.source, s.timestamp = task, state, uuid, 2, time.time()
    s.executor_id.value = EX
    return s


async def v0():
    slave, _, addr = ENV["MESOS_SLAVE_PID"].encode().partition(b"@")
    host, _, port = addr.decode().rpartition(":")
    over = asyncio.get_running_loop().create_future()
    me = b"executor(1)"

    def handle(ep, to, name, sender, body):
        kind = name[len(M) :]
        if kind == b"RunTaskMessage":
            task = pb.msg("internal.RunTaskMessage").FromString(body).task
            for state in (fake.RUNNING, fake.FINISHED):
                m = pb.msg("internal.StatusUpdateMessage")()
                u = m.update
                u.framework_id.value, u.executor_id.value, u.slave_id.value = FW, EX, ENV["MESOS_SLAVE_ID"]
                u.uuid = fake.new_uuid()
                status(u.status, task.task_id.value, state, u.uuid).slave_id.value = ENV["MESOS_SLAVE_ID"]
                u.timestamp = u.status.timestamp
                m.pid = f"executor(1)@{ep.addr.decode()}"
                ep.send(slave, M + b"StatusUpdateMessage", me, m.SerializeToString())
        elif kind in (b"ShutdownExecutorMessage",):
            over.done() or over.set_result(None)

    ep = Endpoint(handle, 0, ENV.get("LIBPROCESS_IP", "127.0.0.1"))
    await ep.start()
    ep.port = ep.server.sockets[0].getsockname()[1]
    ep.addr = f"{ep.host}:{ep.port}".encode()
    await ep.connect(host, int(port))
    m = pb.msg("internal.RegisterExecutorMessage")()
    m.framework_id.value, m.executor_id.value = FW, EX
    ep.send(slave, M + b"RegisterExecutorMessage", me, m.SerializeToString())
    ep.flush()
    while not over.done() and not ep.link.closed:
        await asyncio.sleep(0.2)


async def v1():
    host, _, port = ENV["MESOS_AGENT_ENDPOINT"].rpartition(":")
    C, E = pb.msg("v1.executor.Call"), pb.msg("v1.executor.Event")
    kind = {n: pb.enum("v1.executor.Event.Type", n) for n in ("LAUNCH", "SHUTDOWN")}
    update = pb.enum("v1.executor.Call.Type", "UPDATE")
    ct, out = "application/x-protobuf", []

    def call(type_):
        c = C(type=type_)
        c.framework_id.value, c.executor_id.value = FW, EX
        return c

    def event(raw):
        e = E.FromString(raw)
        if e.type == kind["LAUNCH"]:
            for state in (fake.RUNNING, fake.FINISHED):
                c = call(update)
                status(c.update.status, e.launch.task.task_id.value, state, fake.new_uuid())
                out.append(http.post("/api/v1/executor", c.SerializeToString(), ct, ct))
        elif e.type == kind["SHUTDOWN"]:
            stream.close()

    conn = await http.connect(host, int(port))
    conn.on_reply = lambda st, parts: st == 202 or print(st, parts, file=sys.stderr, flush=True)
    c = call(pb.enum("v1.executor.Call.Type", "SUBSCRIBE"))
    c.subscribe.SetInParent()

    def flush():
        if out:
            conn.send(b"".join(out))
            out.clear()

    stream = await http.open_stream(
        host, int(port), http.post("/api/v1/executor", c.SerializeToString(), ct, ct), event, None, flush
    )
    while not stream.closed:
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    main = {"v0": v0, "v1": v1}[sys.argv[1]]
    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())
