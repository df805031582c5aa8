"""Operator drivers: a master's events and calls, and an agent's calls, with dicts in and out."""

from __future__ import annotations

import json
import logging
from threading import RLock
from typing import Any
from urllib.parse import urlsplit

from pymesos.attributes import Dict
from pymesos.interface import OperatorAgentDriver, OperatorDaemonDriver, OperatorMasterDriver
from pymesos.process import Caller, Process, parse_address, subscribe_request
from pymesos.utils import DAY

logger = logging.getLogger(__name__)

PATH = "/api/v1/operator"


class MesosOperatorDaemonDriver(Caller, OperatorDaemonDriver):
    """Calls that masters and agents answer. Each gives the answer; RuntimeError for refusals, OSError without peer."""

    _path = PATH

    def __init__(self, daemon_uri: Any) -> None:
        """Take host:port."""
        self._lock = RLock()
        self.init(daemon_uri)

    def init(self, daemon_uri: Any) -> None:
        """Aim at another daemon."""
        self._daemon = daemon_uri
        self._conn = None

    def _target(self) -> str | None:
        return self._daemon  # type: ignore[no-any-return]

    def _moved(self, location: str) -> bool:
        address = urlsplit(location)
        if not address.hostname:
            return False
        self._daemon = f"{address.hostname}:{address.port or 5050}"
        self._close_calls()
        return True

    def _ask(self, kind: str, **fields: Any) -> Any:
        """Make a call whose body, if it has one, is a message of its own named after the type."""
        body: dict[str, Any] = {"type": kind}
        if fields:
            body[kind.lower()] = fields
        return self._send(body)

    def getHealth(self) -> Any:
        """Ask whether it is alive."""
        return self._ask("GET_HEALTH")

    def getFlags(self) -> Any:
        """Ask for its flags."""
        return self._ask("GET_FLAGS")

    def getVersion(self) -> Any:
        """Ask for its version."""
        return self._ask("GET_VERSION")

    def getMetrics(self, timeout: Any) -> Any:
        """Ask for its metrics; timeout in nanoseconds."""
        return self._ask("GET_METRICS", timeout={"nanoseconds": timeout})

    def getLoggingLevel(self) -> Any:
        """Ask how much it logs."""
        return self._ask("GET_LOGGING_LEVEL")

    def setLoggingLevel(self, level: Any, duration: Any) -> Any:
        """Have it log more; duration in nanoseconds."""
        return self._ask("SET_LOGGING_LEVEL", duration={"nanoseconds": duration}, level=level)

    def listFiles(self, path: Any) -> Any:
        """List a virtual folder."""
        return self._ask("LIST_FILES", path=path)

    def readFile(self, path: Any, length: Any, offset: Any) -> Any:
        """Read part of a virtual file; the data is base64."""
        return self._ask("READ_FILE", length=length, offset=offset, path=path)

    def getState(self) -> Any:
        """Ask for everything."""
        return self._ask("GET_STATE")

    def getFrameworks(self) -> Any:
        """Ask for frameworks."""
        return self._ask("GET_FRAMEWORKS")

    def getExecutors(self) -> Any:
        """Ask for executors."""
        return self._ask("GET_EXECUTORS")

    def getTasks(self) -> Any:
        """Ask for tasks."""
        return self._ask("GET_TASKS")


class MesosOperatorMasterDriver(Process, MesosOperatorDaemonDriver, OperatorMasterDriver):
    """A master's calls and, once started, its events for an OperatorMaster.

    master_uri: ``host[:port]``, ``zk://…`` or ``file://…``; calls before start() need the first form.
    """

    def __init__(self, master_uri: Any, operator: Any = None, use_addict: bool = False, timeout: float = DAY) -> None:
        Process.__init__(self, master=master_uri, timeout=timeout)
        self.init(master_uri)
        self.operator = operator
        self.master_uri = master_uri
        self.detector: Any = None
        self._dict_cls: Any = Dict if use_addict else dict

    # --- lifecycle ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin following events; raises ValueError (or ConfigurationError) for an address that makes no sense."""
        uri = self.master_uri
        if not isinstance(uri, str) or not uri:
            raise ValueError(f"master_uri must be a string such as 'host:5050', not {uri!r}")
        if "://" not in uri and "," not in uri:
            host, port = parse_address(uri)
            self._new_master = f"{host}:{port}"
            Process.start(self)
            return
        self._new_master = None
        from pymesos.detector import MasterDetector  # needs much, and few need it

        self.detector = MasterDetector(uri.replace("zoo://", "zk://", 1), self)
        self.detector.start()
        Process.start(self)

    def stop(self) -> None:
        """End; does not wait: see join()."""
        detector, self.detector = self.detector, None
        if detector is not None:
            detector.stop()
        Process.stop(self)

    def change_master(self, new_master: str | None) -> None:
        """Talk to another master, calls included."""
        with self._lock:
            if new_master is not None and new_master != self._daemon:
                self._daemon = new_master
                self._close_calls()
        Process.change_master(self, new_master)

    def onNoMasterDetectedMessage(self) -> None:
        """Wait: nobody leads."""
        self.change_master(None)

    def detection_failed(self, error: Exception) -> None:
        """Hear that the master can never be found; the driver ends and join() raises."""
        self._failure = error
        self.stop()

    def gen_request(self) -> bytes:
        """Give the SUBSCRIBE request."""
        return subscribe_request(self.master, PATH, {"type": "SUBSCRIBE"})

    def on_close(self) -> None:
        """Close the connection for calls too."""
        with self._lock:
            self._close_calls()

    # --- events ------------------------------------------------------------------------------------------------------

    def on_event(self, event: dict[str, Any]) -> None:
        """Hand an event to its handler."""
        name = str(event.get("type")).lower()
        if name == "heartbeat":
            return
        handler = getattr(self, f"on_{name}", None) if name not in {"event", "close", "failed"} else None
        if handler is None or name not in event:
            logger.error("Ignoring an event of unknown type: %s", event)
        else:
            handler(event[name])

    def on_subscribed(self, info: dict[str, Any]) -> None:
        """Note the beginning; the state that comes with it is getState()'s."""
        logger.info("Subscribed to the events of %s: %d keys of state", self.master, len(info.get("get_state") or ()))

    def on_task_added(self, event: dict[str, Any]) -> None:
        """Tell."""
        self.operator.taskAdded(self._dict_cls(event["task"]))

    def on_task_updated(self, event: dict[str, Any]) -> None:
        """Tell; this one gets the whole event."""
        self.operator.taskUpdated(self._dict_cls(event))

    def on_framework_added(self, event: dict[str, Any]) -> None:
        """Tell."""
        self.operator.frameworkAdded(self._dict_cls(event["framework"]))

    def on_framework_updated(self, event: dict[str, Any]) -> None:
        """Tell."""
        self.operator.frameworkUpdated(self._dict_cls(event["framework"]))

    def on_framework_removed(self, event: dict[str, Any]) -> None:
        """Tell."""
        self.operator.frameworkRemoved(self._dict_cls(event["framework_info"]))

    def on_agent_added(self, event: dict[str, Any]) -> None:
        """Tell."""
        self.operator.agentAdded(self._dict_cls(event["agent"]))

    def on_agent_removed(self, event: dict[str, Any]) -> None:
        """Tell; this one gets the bare id."""
        self.operator.agentRemoved(event["agent_id"]["value"])

    # --- calls -------------------------------------------------------------------------------------------------------

    def getAgents(self) -> Any:
        """Ask for agents."""
        return self._ask("GET_AGENTS")

    def getRoles(self) -> Any:
        """Ask for roles."""
        return self._ask("GET_ROLES")

    def getWeights(self) -> Any:
        """Ask for weights."""
        return self._ask("GET_WEIGHTS")

    def updateWeights(self, weight_infos: Any) -> Any:
        """Set weights: dicts with role and weight."""
        infos = [{"role": info["role"], "weight": info["weight"]} for info in weight_infos]
        return self._ask("UPDATE_WEIGHTS", weight_infos=infos)

    def getMaster(self) -> Any:
        """Ask for the master itself."""
        return self._ask("GET_MASTER")

    def reserveResources(self, agent_id: str, resources: Any) -> Any:
        """Reserve an agent's resources."""
        return self._ask("RESERVE_RESOURCES", agent_id={"value": agent_id}, resources=resources)

    def unreserveResources(self, agent_id: str, resources: Any) -> Any:
        """Undo a reservation."""
        return self._ask("UNRESERVE_RESOURCES", agent_id={"value": agent_id}, resources=resources)

    def createVolumes(self, agent_id: str, volumes: Any) -> Any:
        """Create persistent volumes."""
        return self._ask("CREATE_VOLUMES", agent_id={"value": agent_id}, volumes=volumes)

    def destroyVolumes(self, agent_id: str, volumes: Any) -> Any:
        """Destroy persistent volumes."""
        return self._ask("DESTROY_VOLUMES", agent_id={"value": agent_id}, volumes=volumes)

    def getMaintenanceStatus(self) -> Any:
        """Ask which machines are draining or down."""
        return self._ask("GET_MAINTENANCE_STATUS")

    def getMaintenanceSchedule(self) -> Any:
        """Ask for the windows of maintenance."""
        return self._ask("GET_MAINTENANCE_SCHEDULE")

    def updateMaintenanceSchedule(self, windows: Any) -> Any:
        """Set the windows of maintenance."""
        return self._ask("UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": windows})

    def startMaintenance(self, machines: Any) -> Any:
        """Take machines down: dicts with hostname and ip."""
        return self._ask("START_MAINTENANCE", machines=_machines(machines))

    def stopMaintenance(self, machines: Any) -> Any:
        """Bring machines up again."""
        return self._ask("STOP_MAINTENANCE", machines=_machines(machines))

    def getQuota(self) -> Any:
        """Ask for quotas."""
        return self._ask("GET_QUOTA")

    def setQuota(self, quota_request: Any) -> Any:
        """Set a role's quota."""
        return self._ask("SET_QUOTA", quota_request=quota_request)

    def removeQuota(self, role: str) -> Any:
        """Remove a role's quota."""
        return self._ask("REMOVE_QUOTA", role=role)

    def markAgentGone(self, agent_id: str) -> Any:
        """Give an agent up for good."""
        return self._ask("MARK_AGENT_GONE", agent_id={"value": agent_id})


def _machines(machines: Any) -> list[dict[str, Any]]:
    return [{"hostname": machine["hostname"], "ip": machine["ip"]} for machine in machines]


class MesosOperatorAgentDriver(MesosOperatorDaemonDriver, OperatorAgentDriver):
    """An agent's calls."""

    def getContainers(self, show_nested: bool = False, show_standalone: bool = False) -> Any:
        """Ask for containers."""
        return self._ask("GET_CONTAINERS", show_nested=show_nested, show_standalone=show_standalone)

    def launchNestedContainer(self, launch_nested_container: Any) -> Any:
        """Launch a container inside another."""
        return self._send({"type": "LAUNCH_NESTED_CONTAINER", "launch_nested_container": launch_nested_container})

    def waitNestedContainer(self, container_id: str, parent_id: str | None = None) -> Any:
        """Wait for a container's end."""
        return self._ask("WAIT_NESTED_CONTAINER", container_id=_container(container_id, parent_id))

    def killNestedContainer(self, container_id: str, parent_id: str | None = None) -> Any:
        """Kill a container."""
        return self._ask("KILL_NESTED_CONTAINER", container_id=_container(container_id, parent_id))

    def removeNestedContainer(self, container_id: str, parent_id: str | None = None) -> Any:
        """Remove what a container left behind."""
        return self._ask("REMOVE_NESTED_CONTAINER", container_id=_container(container_id, parent_id))

    def launchNestedContainerSession(self, launch_nested_container_session: Any) -> Any:
        """Launch a container and give its output, as ProcessIO messages, when it ended."""
        kind = "LAUNCH_NESTED_CONTAINER_SESSION"
        body = {"type": kind, kind.lower(): launch_nested_container_session}
        return self._send(body, headers={"Accept": "application/recordio"})

    def attachContainerInput(self, container_id: str, process_ios: Any) -> Any:
        """Write to a container's terminal or standard input: ProcessIO dicts of type DATA or CONTROL."""
        messages: list[dict[str, Any]] = [{"type": "CONTAINER_ID", "container_id": {"value": container_id}}]
        for process_io in process_ios:
            if process_io["type"] not in {"DATA", "CONTROL"}:
                raise ValueError(f"process_ios must be of type DATA or CONTROL, not {process_io['type']}")
            messages.append({"type": "PROCESS_IO", "process_io": process_io})
        kind = "ATTACH_CONTAINER_INPUT"
        texts = [json.dumps({"type": kind, kind.lower(): message}, sort_keys=True) for message in messages]
        records = "".join(f"{len(text)}\n{text}" for text in texts)
        return self._send(records, headers={"Accept": "application/recordio"})

    def attachContainerOutput(self, container_id: str) -> Any:
        """Give a container's output, as ProcessIO messages, when it ended."""
        kind = "ATTACH_CONTAINER_OUTPUT"
        body = {"type": kind, kind.lower(): {"container_id": {"value": container_id}}}
        return self._send(body, headers={"Accept": "application/recordio", "Message-Accept": "application/json"})

    def addResourceProviderConfig(self, info: Any) -> Any:
        """Add a local resource provider."""
        return self._ask("ADD_RESOURCE_PROVIDER_CONFIG", info=info)

    def updateResourceProviderConfig(self, info: Any) -> Any:
        """Change a local resource provider."""
        return self._ask("UPDATE_RESOURCE_PROVIDER_CONFIG", info=info)

    def removeResourceProviderConfig(self, type: str, name: str) -> Any:
        """Remove a local resource provider."""
        return self._ask("REMOVE_RESOURCE_PROVIDER_CONFIG", type=type, name=name)

    def pruneImages(self, excluded_images: Any = None) -> Any:
        """Remove images that nobody uses, but for these."""
        return self._ask("PRUNE_IMAGES", **({} if excluded_images is None else {"excluded_images": excluded_images}))


def _container(container_id: str, parent_id: str | None) -> dict[str, Any]:
    container: dict[str, Any] = {"value": container_id}
    if parent_id is not None:
        container["parent"] = {"value": parent_id}
    return container
