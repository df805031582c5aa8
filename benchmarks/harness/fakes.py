"""Fake agents and fake schedulers (v0 driver socket, v1 stream in protobuf or JSON)."""

import asyncio
import base64
import itertools
import os
import time

import orjson

from benchmarks.harness import http
from benchmarks.harness import messages as pb
from benchmarks.harness.libprocess import Endpoint

M = b"mesos.internal."
MARK = bytes(range(200, 216))  # stands for the uuid in an encoded status update
RUNNING, FINISHED = 1, 2
_uuids = itertools.count(1)
_salt = os.urandom(6)


def new_uuid():
    """A version 4 uuid (the C++ checks variant and version), cheaper than uuid.uuid4()."""
    return _salt + b"\x40\x00\x80" + next(_uuids).to_bytes(7, "big")


class Agent:
    __slots__ = ("ix", "id", "ep", "slave_id", "tasks", "registered", "upid")

    def __init__(self, ix, ep):
        self.ix, self.ep = ix, ep
        self.id = b"slave(%d)" % (ix + 1)
        self.upid = self.id + b"@" + ep.addr
        self.slave_id, self.tasks, self.registered = None, {}, False


class FakeAgents:
    """N agents spread over `groups` addresses; each address has one listener and one link to the master."""

    def __init__(self, n, groups=1, base_port=17200, resources=None, prefix="agent"):
        self.resources = resources or {"cpus": 20.0, "mem": 10240.0, "disk": 10240.0, "ports": (31000, 32000)}
        self.eps = [Endpoint(self._message, base_port + g) for g in range(min(groups, n))]
        self.agents = [Agent(i, self.eps[i % len(self.eps)]) for i in range(n)]
        self.by_id = {a.id: a for a in self.agents}
        self.prefix = prefix
        self.left = 0
        self.done = None
        self.on_run = self.on_ack = None
        self.pings = self.shutdowns = 0
        self.errors = []
        self._cls = {
            n: pb.msg("internal." + n)
            for n in (
                "RunTaskMessage",
                "StatusUpdateAcknowledgementMessage",
                "SlaveRegisteredMessage",
                "SlaveReregisteredMessage",
                "ShutdownMessage",
                "KillTaskMessage",
            )
        }

    async def start(self, host, port):
        for e in self.eps:
            await e.start()
        await self.connect(host, port)

    async def connect(self, host, port):
        for e in self.eps:
            await e.connect(host, port)

    async def stop(self):
        for e in self.eps:
            await e.stop()

    def slave_info(self, a, slave_id=None):
        s = pb.msg("SlaveInfo")()
        s.hostname = f"{self.prefix}{a.ix}"
        s.port = a.ep.port
        s.checkpoint = True
        pb.scalars(s, self.resources)
        if slave_id:
            s.id.value = slave_id
        return s

    @staticmethod
    def finish(m):
        m.version = "1.12.0"
        for c in ("MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT"):
            m.agent_capabilities.add().type = pb.enum("SlaveInfo.Capability.Type", c)
        return m

    async def register(self, timeout=120):
        enc = []
        for a in self.agents:
            m = pb.msg("internal.RegisterSlaveMessage")()
            m.slave.CopyFrom(self.slave_info(a))
            enc.append((a, M + b"RegisterSlaveMessage", self.finish(m).SerializeToString()))
        return await self._announce(enc, timeout)

    def encode_reregister(self, frameworks=5, tasks=2, done_frameworks=0, done_tasks=0, labels=10):
        """The work of MasterFailover AgentReregistrationDelay: tasks cpus:0.1;mem:5 with `labels` labels."""
        enc = []
        for a in self.agents:
            sid = a.slave_id or f"{self.prefix}{a.ix}"
            a.slave_id = sid
            m = pb.msg("internal.ReregisterSlaveMessage")()
            m.slave.CopyFrom(self.slave_info(a, sid))
            for f in range(frameworks):
                m.frameworks.append(_framework(f))
                for t in range(tasks):
                    _task(m.tasks.add(), f, sid, RUNNING, labels, f"{a.ix}-{f}-{t}")
            for f in range(frameworks, frameworks + done_frameworks):
                c = m.completed_frameworks.add()
                c.framework_info.CopyFrom(_framework(f))
                for t in range(done_tasks):
                    _task(c.tasks.add(), f, sid, FINISHED, labels, f"{a.ix}-{f}-{t}")
            enc.append((a, M + b"ReregisterSlaveMessage", self.finish(m).SerializeToString()))
        return enc

    async def reregister(self, enc, timeout=300):
        return await self._announce(enc, timeout)

    async def _announce(self, enc, timeout):
        """Send all, wait until every agent has its answer; (seconds, mean bytes per message)."""
        for a in self.agents:
            a.registered = False
        self.left = len(enc)
        self.done = asyncio.get_running_loop().create_future()
        t = time.perf_counter()
        for k, (a, name, body) in enumerate(enc):
            a.ep.send(b"master", name, a.id, body)
            if k % 200 == 199:
                for e in self.eps:
                    e.flush()
                await asyncio.sleep(0)
        for e in self.eps:
            e.flush()
        await asyncio.wait_for(self.done, timeout)
        return self.t_last - t, sum(len(b) for _a, _n, b in enc) / len(enc)

    def _message(self, ep, to, name, sender, body):
        a = self.by_id.get(to)
        if a is None:
            return
        kind = name[len(M) :]
        if kind == b"RunTaskMessage":
            m = self._cls["RunTaskMessage"].FromString(body)
            if self.on_run:
                self.on_run(a, m.task.task_id.value, m.framework.id.value)
        elif kind == b"StatusUpdateAcknowledgementMessage":
            m = self._cls["StatusUpdateAcknowledgementMessage"].FromString(body)
            if self.on_ack:
                self.on_ack(a, m.task_id.value, m.uuid)
        elif kind == b"PingSlaveMessage":
            self.pings += 1
            ep.send(sender.partition(b"@")[0], M + b"PongSlaveMessage", a.id, b"")
        elif kind in (b"SlaveRegisteredMessage", b"SlaveReregisteredMessage"):
            if not a.registered:
                a.registered = True
                if a.slave_id is None:
                    a.slave_id = self._cls["SlaveRegisteredMessage"].FromString(body).slave_id.value
                self.left -= 1
                if self.left == 0:
                    self.t_last = time.perf_counter()
                    if not self.done.done():
                        self.done.set_result(None)
        elif kind == b"ShutdownMessage":
            self.shutdowns += 1
            self.errors.append(body)

    def template(self, a, task_id, framework_id, state):
        """Encoded StatusUpdateMessage split at its uuids; join with a fresh uuid to use it."""
        m = pb.msg("internal.StatusUpdateMessage")()
        u = m.update
        u.framework_id.value = framework_id
        u.slave_id.value = a.slave_id
        u.executor_id.value = task_id
        u.timestamp = time.time()
        u.uuid = MARK
        u.latest_state = state
        s = u.status
        s.task_id.value = task_id
        s.state = state
        s.slave_id.value = a.slave_id
        s.executor_id.value = task_id
        s.timestamp = u.timestamp
        s.source = 2  # SOURCE_EXECUTOR
        s.uuid = MARK
        s.container_status.container_id.value = f"3f2c1d60-0000-4000-8000-{a.ix:012d}"
        s.container_status.network_infos.add().ip_addresses.add().ip_address = "127.0.0.1"
        m.pid = a.upid.decode()
        return m.SerializeToString().split(MARK)

    @staticmethod
    def update(a, template, uuid):
        a.ep.send(b"master", M + b"StatusUpdateMessage", a.id, uuid.join(template))


def _framework(ix):
    f = pb.msg("FrameworkInfo")()
    f.name = "default"
    f.user = "root"
    f.principal = "test-principal"
    f.id.value = f"framework{ix}"
    f.roles.append("*")
    for c in ("MULTI_ROLE", "RESERVATION_REFINEMENT"):
        f.capabilities.add().type = pb.enum("FrameworkInfo.Capability.Type", c)
    f.failover_timeout = 3600.0
    return f


def _task(t, fw, sid, state, labels, ix):
    t.name = "test-task"
    t.task_id.value = "5a1e9a3e-7f1c-4b2e-9a77-" + ix.rjust(12, "0")
    t.framework_id.value = f"framework{fw}"
    t.slave_id.value = sid
    t.state = state
    pb.scalars(t, {"cpus": 0.1, "mem": 5.0}, role="*")
    for i in range(labels):
        x = t.labels.labels.add()
        x.key, x.value = f"key{i}", f"value{i}"


class Scheduler:
    """What both transports share. Handlers: on_offers([(offer_id, slave_id, offer)]), on_update(task, state, agent, uuid)."""

    def __init__(self, host, port, name="bench", checkpoint=False, failover=0.0, roles=("*",), framework_id=None):
        self.host, self.port = host, port
        self.opts = dict(name=name, checkpoint=checkpoint, failover=failover, roles=roles)
        self.framework_id = framework_id
        self.on_offers = self.on_update = lambda *a: None
        self.updates = self.offers = 0
        self.errors = []
        self.failures = {}  # "state/reason/message" -> count, of ended tasks that did not finish
        self.subscribed = asyncio.get_running_loop().create_future()

    def info(self, f):
        f.user, f.name = "root", self.opts["name"]
        f.checkpoint = self.opts["checkpoint"]
        f.failover_timeout = self.opts["failover"]
        f.roles.extend(self.opts["roles"])
        for c in ("MULTI_ROLE", "RESERVATION_REFINEMENT"):
            f.capabilities.add().type = pb.enum("FrameworkInfo.Capability.Type", c)
        if self.framework_id:
            f.id.value = self.framework_id

    def _failure(self, *what):
        k = "/".join(str(x) for x in what)
        self.failures[k] = self.failures.get(k, 0) + 1


class V0(Scheduler):
    """A v0 driver: own listening socket, modern `mesos.scheduler.Call` messages to the master."""

    v1 = False

    def __init__(self, host, port, listen, **kw):
        super().__init__(host, port, **kw)
        self.ep = Endpoint(self._message, listen)
        self.id = b"scheduler-5b6d8f0e-bench"
        self.C = pb.msg("scheduler.Call")
        self.U = pb.msg("internal.StatusUpdateMessage")

    async def start(self):
        await self.ep.start()
        await self.ep.connect(self.host, self.port)
        c = self.C(type=1)
        self.info(c.subscribe.framework_info)
        self._send(c.SerializeToString())
        self.ep.flush()
        await asyncio.wait_for(self.subscribed, 20)

    def _send(self, raw):
        self.ep.send(b"master", b"mesos.scheduler.Call", self.id, raw)

    call_bytes = _send

    def flush(self):
        self.ep.flush()

    def _message(self, ep, to, name, sender, body):
        kind = name[len(M) :]
        if kind == b"StatusUpdateMessage":
            m = self.U.FromString(body)
            s = m.update.status
            self.updates += 1
            uuid = m.update.uuid
            if s.state in (3, 4, 5, 7):
                self._failure(s.state, s.reason, s.message)
            if uuid and m.pid:
                self._send(ack_v0(self.framework_id, m.update.slave_id.value, s.task_id.value, uuid))
            self.on_update(s.task_id.value, s.state, m.update.slave_id.value, uuid)
        elif kind == b"ResourceOffersMessage":
            m = pb.msg("internal.ResourceOffersMessage").FromString(body)
            self.offers += len(m.offers)
            self.on_offers([(o.id.value, o.slave_id.value, o) for o in m.offers])
        elif kind in (b"FrameworkRegisteredMessage", b"FrameworkReregisteredMessage"):
            self.framework_id = pb.msg("internal.FrameworkRegisteredMessage").FromString(body).framework_id.value
            if not self.subscribed.done():
                self.subscribed.set_result(None)
        elif kind == b"FrameworkErrorMessage":
            self.errors.append(pb.msg("internal.FrameworkErrorMessage").FromString(body).message)

    def accept(self, offers, tasks, refuse=0.0):
        c = self.C(type=3)
        c.framework_id.value = self.framework_id
        c.accept.offer_ids.extend(pb.msg("OfferID")(value=o) for o in offers)
        c.accept.filters.refuse_seconds = refuse
        if tasks:
            op = c.accept.operations.add(type=1)
            for t in tasks:
                op.launch.task_infos.append(t)
        self._send(c.SerializeToString())

    task_cls, agent_field = "TaskInfo", "slave_id"

    async def stop(self, teardown=True):
        if teardown:
            c = self.C(type=2)
            c.framework_id.value = self.framework_id
            self._send(c.SerializeToString())
            self.ep.flush()
            await asyncio.sleep(0.05)
        await self.ep.stop()


def _ld(field, data):
    """Length-delimited protobuf field with a short payload."""
    n = len(data)
    return bytes((field << 3 | 2, n)) + data if n < 128 else bytes((field << 3 | 2, n & 127 | 128, n >> 7)) + data


def ack_v0(framework, slave, task, uuid):
    """scheduler.Call ACKNOWLEDGE; v0 and v1 have the same field numbers (framework_id 1, type 2, acknowledge 8)."""
    body = _ld(1, _ld(1, slave.encode())) + _ld(2, _ld(1, task.encode())) + _ld(3, uuid)
    return _ld(1, _ld(1, framework.encode())) + b"\x10\x08" + _ld(8, body)


class V1(Scheduler):
    """v1 HTTP scheduler: one SUBSCRIBE stream, one pipelined connection for the other calls."""

    v1 = True
    task_cls, agent_field = "v1.TaskInfo", "agent_id"

    def __init__(self, host, port, json=False, **kw):
        super().__init__(host, port, **kw)
        self.json = json
        self.C, self.E = pb.msg("v1.scheduler.Call"), pb.msg("v1.scheduler.Event")
        self.out = []
        self.bad = 0

    async def start(self):
        c = self.C(type=1)
        self.info(c.subscribe.framework_info)
        if self.framework_id:
            c.framework_id.value = self.framework_id
        if self.json:
            from google.protobuf import json_format

            body, ct = json_format.MessageToJson(c, preserving_proto_field_name=True).encode(), "application/json"
        else:
            body, ct = c.SerializeToString(), "application/x-protobuf"
        self.calls = await http.connect(self.host, self.port)
        self.calls.on_reply = self._reply

        def opened(headers):
            self.head = (
                f"POST /api/v1/scheduler HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {ct}\r\n"
                f"Mesos-Stream-Id: {headers[b'mesos-stream-id'].decode()}\r\nContent-Length: "
            ).encode()

        self.stream = await http.open_stream(
            self.host,
            self.port,
            http.post("/api/v1/scheduler", body, ct, ct),
            self._json if self.json else self._event,
            opened,
            self.flush,
        )
        await asyncio.wait_for(self.subscribed, 20)

    def _reply(self, status, parts):
        if status not in (200, 202):
            self.bad += 1
            self.errors.append(f"{status} {b''.join(parts)!r}")

    def call_bytes(self, raw):
        self.out.append(self.head + b"%d\r\n\r\n" % len(raw) + raw)

    def flush(self):
        if self.out:
            self.calls.transport.write(b"".join(self.out))
            self.out = []

    def _event(self, raw):
        e = self.E.FromString(raw)
        t = e.type
        if t == 4:  # UPDATE
            s = e.update.status
            self.updates += 1
            if s.state in (3, 4, 5, 7):
                self._failure(s.state, s.reason, s.message)
            if s.uuid:
                self.call_bytes(ack_v0(self.framework_id, s.agent_id.value, s.task_id.value, s.uuid))
            self.on_update(s.task_id.value, s.state, s.agent_id.value, s.uuid)
        elif t == 2:  # OFFERS
            self.offers += len(e.offers.offers)
            self.on_offers([(o.id.value, o.agent_id.value, o) for o in e.offers.offers])
        elif t == 1:
            self.framework_id = e.subscribed.framework_id.value
            self.subscribed.done() or self.subscribed.set_result(None)
        elif t == 7:
            self.errors.append(e.error.message)

    STATES = {
        "TASK_RUNNING": 1,
        "TASK_FINISHED": 2,
        "TASK_FAILED": 3,
        "TASK_KILLED": 4,
        "TASK_LOST": 5,
        "TASK_STAGING": 6,
        "TASK_STARTING": 0,
        "TASK_ERROR": 7,
    }

    def _json(self, raw):
        e = orjson.loads(raw)
        t = e["type"]
        if t == "UPDATE":
            s = e["update"]["status"]
            self.updates += 1
            uuid = s.get("uuid")
            if uuid:
                self.call_bytes(
                    orjson.dumps(
                        {
                            "type": "ACKNOWLEDGE",
                            "framework_id": {"value": self.framework_id},
                            "acknowledge": {"agent_id": s["agent_id"], "task_id": s["task_id"], "uuid": uuid},
                        }
                    )
                )
                uuid = base64.b64decode(uuid)
            self.on_update(s["task_id"]["value"], self.STATES.get(s["state"], 99), s["agent_id"]["value"], uuid)
        elif t == "OFFERS":
            o = e["offers"]["offers"]
            self.offers += len(o)
            self.on_offers([(x["id"]["value"], x["agent_id"]["value"], x) for x in o])
        elif t == "SUBSCRIBED":
            self.framework_id = e["subscribed"]["framework_id"]["value"]
            self.subscribed.done() or self.subscribed.set_result(None)
        elif t == "ERROR":
            self.errors.append(e["error"]["message"])

    def accept(self, offers, tasks, refuse=0.0):
        if self.json:
            d = {
                "type": "ACCEPT",
                "framework_id": {"value": self.framework_id},
                "accept": {
                    "offer_ids": [{"value": o} for o in offers],
                    "filters": {"refuse_seconds": refuse},
                    "operations": [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else [],
                },
            }
            self.call_bytes(orjson.dumps(d))
            return
        c = self.C(type=3)
        c.framework_id.value = self.framework_id
        c.accept.offer_ids.extend(pb.msg("v1.OfferID")(value=o) for o in offers)
        c.accept.filters.refuse_seconds = refuse
        if tasks:
            op = c.accept.operations.add(type=1)
            for t in tasks:
                op.launch.task_infos.append(t)
        self.call_bytes(c.SerializeToString())

    def simple(self, type_, sub=None):
        c = self.C(type=type_)
        c.framework_id.value = self.framework_id
        if self.json:
            self.call_bytes(
                orjson.dumps(
                    {
                        "type": {2: "TEARDOWN", 12: "SUPPRESS", 5: "REVIVE"}.get(type_),
                        "framework_id": {"value": self.framework_id},
                    }
                )
            )
        else:
            self.call_bytes(c.SerializeToString())
        self.flush()

    async def stop(self, teardown=True):
        if teardown:
            self.simple(2)
            await asyncio.sleep(0.05)
        self.stream.close()
        self.calls.close()


class TaskMaker:
    """TaskInfo objects for a scheduler's dialect."""

    def __init__(self, sched, cpus=0.1, mem=32.0, command=None, executor=None, prefix="t"):
        self.s, self.n, self.prefix = sched, 0, prefix
        self.cpus, self.mem, self.command, self.executor = cpus, mem, command, executor
        self.salt = os.urandom(3).hex()

    def __call__(self, agent_id):
        self.n += 1
        tid = f"{self.prefix}-{self.salt}-{self.n}"
        if self.s.v1 and self.s.json:
            d = {
                "name": tid,
                "task_id": {"value": tid},
                "agent_id": {"value": agent_id},
                "resources": [
                    {
                        "name": "cpus",
                        "type": "SCALAR",
                        "scalar": {"value": self.cpus},
                        "allocation_info": {"role": "*"},
                    },
                    {"name": "mem", "type": "SCALAR", "scalar": {"value": self.mem}, "allocation_info": {"role": "*"}},
                ],
            }
            if self.executor is not None:
                d["executor"] = self.executor
            else:
                d["command"] = {"value": self.command or "true"}
            return tid, d
        t = pb.msg(self.s.task_cls)()
        t.name = t.task_id.value = tid
        getattr(t, self.s.agent_field).value = agent_id
        pb.scalars(t, {"cpus": self.cpus, "mem": self.mem}, role="*")
        if self.executor is not None:
            t.executor.CopyFrom(self.executor)
        else:
            t.command.value = self.command or "true"
        return tid, t
