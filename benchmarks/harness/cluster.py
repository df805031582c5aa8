"""System under test: launch it from a small JSON description, meter its CPU and memory from /proc."""

import asyncio
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from benchmarks.harness import http

TICK = os.sysconf("SC_CLK_TCK")


def become_subreaper():
    """Orphans of the system under test become our children instead of init's, so their CPU stays visible."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def _scan():
    out = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open(f"/proc/{d}/stat", "rb") as f:
                    s = f.read()
            except OSError:
                continue
            v = s[s.rindex(b")") + 2 :].split()
            out[int(d)] = (int(v[1]), int(v[11]) + int(v[12]), int(v[13]) + int(v[14]), v[0])
    return out


class Meter:
    """CPU seconds of process trees: own time plus that of already reaped children, for every live member."""

    def __init__(self, roots, helpers=()):
        self.roots, self.helpers = list(roots), set(helpers)
        self.lost = 0.0  # orphans that we reaped ourselves

    def _members(self, table):
        kids = {}
        for pid, (ppid, *_rest) in table.items():
            kids.setdefault(ppid, []).append(pid)
        seen, todo = set(), [r for r in self.roots if r in table]
        me = os.getpid()
        todo += [k for k in kids.get(me, ()) if k not in self.helpers and k not in todo]
        while todo:
            p = todo.pop()
            if p not in seen:
                seen.add(p)
                todo += kids.get(p, ())
        return seen

    def reap(self, table=None):
        table = table or _scan()
        me = os.getpid()
        for pid, (ppid, _u, _c, state) in table.items():
            if ppid == me and state == b"Z" and pid not in self.helpers and pid not in self.roots:
                try:
                    _p, _s, ru = os.wait4(pid, os.WNOHANG)
                    self.lost += ru.ru_utime + ru.ru_stime
                except OSError:
                    pass

    def cpu(self):
        table = _scan()
        self.reap(table)
        table = _scan()
        return self.lost + sum(table[p][1] + table[p][2] for p in self._members(table)) / TICK

    def cpu_of(self, pid, children=True):
        _pp, own, kids, _s = _scan()[pid]
        return (own + (kids if children else 0)) / TICK

    def count(self):
        return len(self._members(_scan()))


def pss(pid):
    """Proportional, resident and anonymous (private data) size in bytes."""
    out = {}
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            k, _, v = line.partition(":")
            if k in ("Pss", "Rss", "Pss_Anon"):
                out[k] = int(v.split()[0]) * 1024
    return out["Pss"], out["Rss"], out["Pss_Anon"]


def switches(pid):
    """Voluntary context switches of all live threads (wake-ups)."""
    n = 0
    for t in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{t}/status") as f:
                for line in f:
                    if line.startswith("voluntary_ctxt_switches"):
                        n += int(line.split()[1])
        except OSError:
            pass
    return n


def loadavg():
    with open("/proc/loadavg") as f:
        return [float(x) for x in f.read().split()[:3]]


class Proc:
    def __init__(self, popen, port, log):
        self.popen, self.pid, self.port, self.log, self.t0 = popen, popen.pid, port, log, None

    def alive(self):
        """Whether it has not ended; its exit status is left to whoever waits for it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


class System:
    """How to start Messor's programs."""

    COMMANDS = {
        "master": [sys.executable, "-m", "messor.cli.main", "master"],
        "agent": [sys.executable, "-m", "messor.cli.main", "agent"],
        "local": [sys.executable, "-m", "messor.cli.main", "local"],
    }

    def __init__(self):
        signal.signal(signal.SIGTERM, _terminated)

    def spawn(self, role, port, flags, log, env=None):
        """Start a program with its output in a log file."""
        e = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        e.update({"GLOG_minloglevel": "2", "LIBPROCESS_IP": "127.0.0.1"})
        e.update(env or {})
        with open(log, "ab") as out:
            return Proc(_popen(self.COMMANDS[role] + list(flags), e, out), port, log)


def _terminated(*_a):
    for c in list(Cluster.live):
        c.close()
    os._exit(143)


def _popen(argv, env, out):
    return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)


class Cluster:
    """A fresh master (and agents) of a System, or something that already runs (target + pids)."""

    ports = None  # next master port, shared by all clusters of this process
    live = set()
    base = 17000
    claims = {}
    """Locked files by port: what keeps two programs that measure at once from taking the same one."""

    def __init__(self, system=None, target=None, pids=(), keep_log=False):
        self.system, self.procs, self.agents = system, [], []
        self.keep_log = keep_log
        self.host = "127.0.0.1"
        if target:
            self.host, _, p = target.rpartition(":")
            self.port = int(p)
        self.pids = list(pids)
        self.master_pid = self.pids[0] if self.pids else None
        self.meter = Meter(self.pids)
        self.dir = None
        Cluster.live.add(self)

    @classmethod
    def next_port(cls):
        """A port of base..base+180 on which nobody listens or is about to."""
        while True:
            cls.ports = cls.base if cls.ports is None or cls.ports >= cls.base + 180 else cls.ports + 1
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", cls.ports)) and cls._claim(cls.ports):
                    return cls.ports

    @classmethod
    def _claim(cls, port):
        """Keep a port for this process until it ends; False when another one has it."""
        if port not in cls.claims:
            claim = open(f"{tempfile.gettempdir()}/bench-port-{port}", "w")
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                claim.close()
                return False
            cls.claims[port] = claim
        return True

    def _dir(self):
        if self.dir is None:
            root = os.environ.get("BENCH_TMP") or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
            self.dir = tempfile.mkdtemp(prefix="bench-", dir=root)
        return self.dir

    def _track(self, p):
        self.procs.append(p)
        self.pids.append(p.pid)
        self.meter.roots.append(p.pid)

    async def master(self, interval="50ms", registry="in_memory", flags=(), port=None, wait=True, work=None):
        if self.system is None:
            await http.wait_ready(self.host, self.port)
            return None
        d = self._dir()
        self.port = port or self.next_port()
        f = [
            "--ip=127.0.0.1",
            f"--port={self.port}",
            f"--work_dir={work or d + '/m'}",
            f"--registry={registry}",
            "--hostname=127.0.0.1",
            "--no-hostname_lookup",
            f"--allocation_interval={interval}",
        ]
        t = time.perf_counter()
        p = self.system.spawn("master", self.port, f + list(flags), d + "/master.log")
        p.t0 = t
        self._track(p)
        self.master_pid = p.pid
        if wait:
            await http.wait_ready(self.host, self.port, alive=p.alive)
        return p

    async def agent(
        self, resources="cpus:100;mem:100000;disk:100000;ports:[31000-32000]", flags=(), port=None, name="a", wait=True
    ):
        d = self._dir()
        port = port or self.next_port()
        f = [
            f"--master=127.0.0.1:{self.port}",
            "--ip=127.0.0.1",
            f"--port={port}",
            f"--work_dir={d}/{name}",
            f"--runtime_dir={d}/{name}-run",
            "--launcher=posix",
            "--isolation=posix/cpu,posix/mem",
            "--no-systemd_enable_support",
            "--hostname=127.0.0.1",
            "--no-hostname_lookup",
            f"--resources={resources}",
            "--registration_backoff_factor=10ms",
            "--no-switch_user",
        ]
        t = time.perf_counter()
        p = self.system.spawn("agent", port, f + list(flags), f"{d}/{name}.log")
        p.t0 = t
        self._track(p)
        self.agents.append(p)
        if wait:
            await http.wait_agent(self.host, self.port, alive=p.alive)
        return p

    async def local(self, agents=1):
        d = self._dir()
        self.port = self.next_port()
        f = ["--ip=127.0.0.1", f"--port={self.port}", f"--work_dir={d}/l", f"--num_slaves={agents}"]
        env = {
            "MESOS_LAUNCHER": "posix",
            "MESOS_ISOLATION": "posix/cpu,posix/mem",
            "MESOS_RUNTIME_DIR": d + "/l-run",
            "MESOS_SYSTEMD_ENABLE_SUPPORT": "false",
            "MESOS_HOSTNAME_LOOKUP": "false",
            "MESOS_RESOURCES": "cpus:4;mem:4096;disk:4096",
        }
        t = time.perf_counter()
        p = self.system.spawn("local", self.port, f, d + "/local.log", env)
        p.t0 = t
        self._track(p)
        self.master_pid = p.pid
        return p

    def kill(self, p, sig=signal.SIGKILL):
        try:
            os.kill(p.pid, sig)
        except OSError:
            pass
        p.popen.wait()
        for lst in (self.procs, self.agents):
            if p in lst:
                lst.remove(p)
        if p.pid in self.pids:
            self.pids.remove(p.pid)

    def close(self):
        Cluster.live.discard(self)
        if self.system is not None:
            members = self.meter._members(_scan())
            for p in reversed(self.procs):
                try:
                    os.kill(p.pid, signal.SIGTERM)
                except OSError:
                    pass
            for p in self.procs:
                try:
                    p.popen.wait(3)
                except subprocess.TimeoutExpired:
                    p.popen.kill()
                    p.popen.wait()
            live = _scan()
            for pid in members:  # executors and tasks left behind, by pid
                if pid in live and pid != os.getpid():
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except OSError:
                        pass
            for _ in range(60):  # killed orphans become ours; none may be left for the next cluster's meter
                self.meter.reap()
                if not self.meter._members(_scan()):
                    break
                time.sleep(0.05)
        if self.dir and not self.keep_log:
            shutil.rmtree(self.dir, ignore_errors=True)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        if exc[0] is not None and self.dir and os.path.isdir(self.dir):
            for n in os.listdir(self.dir):
                if n.endswith(".log"):
                    with open(f"{self.dir}/{n}", errors="replace") as f:
                        print(f"--- {n}\n{f.read()[-1500:]}")
        self.close()
        await asyncio.sleep(0)
