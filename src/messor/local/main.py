"""``messor local``: a cluster on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

from messor import __version__
from messor.errors import MesosError
from messor.local.cluster import LocalCluster

DEFAULT_PORT = 5050

SETTINGS = ("MESOS_", "LIBPROCESS_SSL_", "GLOG_")
"""Variables that configure the parts of the cluster, as they do for mesos-local."""

OWN_SETTINGS = {"MESOS_PORT", "MESOS_NUM_SLAVES", "MESOS_WORK_DIR", "MESOS_IP"}
"""Those that mean the cluster as a whole."""


def main(argv: list[str] | None = None) -> int:
    """Run a local cluster; gives the exit status. argv includes the program's name."""
    options = _parse((sys.argv if argv is None else argv)[1:])
    begun = time.monotonic()
    print(f"Messor {__version__}: starting one master and {options.agents} agents")  # noqa: T201
    cluster = LocalCluster(
        options.agents,
        port=options.port,
        work_dir=options.work_dir,
        resources=options.resources,
        attributes=options.attributes,
        settings={k: v for k, v in os.environ.items() if k.startswith(SETTINGS) and k not in OWN_SETTINGS},
    )
    stop_requested: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: _interrupt(stop_requested, received))
    try:
        cluster.start(lambda what, seconds: print(f"  {seconds:5.2f} s  {what}", flush=True))  # noqa: T201
        _welcome(cluster, time.monotonic() - begun)
        _watch(cluster)
    except _Stopped:
        pass
    except MesosError as error:
        print(f"messor local: {error}", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        # A second Ctrl-C must not leave half of the cluster behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cluster.stop()
    print("\nStopped; no process is left.")  # noqa: T201
    return 0


class _Stopped(BaseException):
    """Ctrl-C or SIGTERM arrived."""


def _interrupt(requested: list[int], number: int) -> None:
    if not requested:
        requested.append(number)
        raise _Stopped


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="messor local", description="A whole cluster on this machine.")
    environment = os.environ
    parser.add_argument(
        "--agents", "--num_slaves", type=int, default=int(environment.get("MESOS_NUM_SLAVES", "2")),
        help="number of agents (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=int(environment.get("MESOS_PORT", str(DEFAULT_PORT))),
        help=f"the master's port, 0 for any free one (default: {DEFAULT_PORT})",
    )  # fmt: skip
    parser.add_argument("--ip", choices=["127.0.0.1"], default="127.0.0.1", help="a local cluster is on loopback only")
    parser.add_argument("--work_dir", "--work-dir", help="where state and sandboxes go; kept afterwards when given")
    parser.add_argument(
        "--resources", help="resources of each agent, such as 'cpus:4;mem:2048' (default: this machine)"
    )
    parser.add_argument("--attributes", help="attributes of each agent, such as 'rack:a;os:linux'")
    return parser.parse_args(arguments)


def _welcome(cluster: LocalCluster, seconds: float) -> None:
    lines = (
        "",
        f"The cluster is up after {seconds:.2f} s:  {cluster.url}",
        f"State and sandboxes:  {cluster.work_dir}",
        "",
        "What to try next, in another terminal:",
        f"  messor execute --master={cluster.master} --name=hello --command='echo hello; sleep 1'",
        f"  curl {cluster.url}/state-summary",
        f"  python examples/wordcount/scheduler.py {cluster.master}",
        "",
        "Ctrl-C stops everything.",
    )
    print("\n".join(lines), flush=True)  # noqa: T201


def _watch(cluster: LocalCluster) -> None:
    """Wait for Ctrl-C; raises ConfigurationError when a part of the cluster ends by itself."""
    while True:
        time.sleep(0.5)
        for part in (cluster.master_process, *cluster.agents):
            part.check()


if __name__ == "__main__":
    sys.exit(main())
