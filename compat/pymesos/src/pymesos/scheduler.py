"""``MesosSchedulerDriver``: a scheduler on the v1 API in JSON, with dicts in and out."""

from __future__ import annotations

import logging
from binascii import b2a_base64
from typing import Any

import orjson

from pymesos.attributes import Dict
from pymesos.connection import CallConnection, encode
from pymesos.interface import SchedulerDriver
from pymesos.process import SILENCE_FACTOR, Caller, Process, parse_address, subscribe_request, takes_driver
from pymesos.utils import DAY

logger = logging.getLogger(__name__)

PATH = "/api/v1/scheduler"
FAILOVER_SECONDS = 100
"""What a framework that names no failover_timeout gets, as with pymesos."""

MANY = 64
"""Acknowledgements after which they are sent, even if more updates are at hand."""


class MesosSchedulerDriver(Caller, Process, SchedulerDriver):
    """Connect a scheduler to a master.

    framework: a dict; its ``id`` is set when registered, and taken for failover when it is there already. master_uri:
    ``host[:port]``, ``zk://…`` or ``file://…``. principal, secret: for HTTP basic authentication. failover: whether the
    framework stays when the driver ends by itself. timeout: seconds of vain attempts after which it gives up.
    """

    _path = PATH

    def __init__(
        self,
        sched: Any,
        framework: Any,
        master_uri: Any,
        use_addict: bool = False,
        implicit_acknowledgements: bool = True,
        principal: str | None = None,
        secret: str | None = None,
        failover: bool = False,
        timeout: float = DAY,
    ) -> None:
        super().__init__(timeout=timeout)
        self.sched = sched
        self.master_uri = master_uri
        self.detector: Any = None
        self.version: str | None = None
        self.implicit_acknowledgements = implicit_acknowledgements
        self._framework = framework
        self._failover = failover
        self._dict_cls: Any = Dict if use_addict else dict
        self._basic_credential: str | None = None
        if principal is not None and secret is not None:
            login = b2a_base64(f"{principal}:{secret}".encode(), newline=False).decode("ascii")
            self._basic_credential = f"Basic {login}"
        self._acknowledgements: list[bytes] = []
        self._acknowledgement_head: bytes | None = None
        self._says_driver: bool | None = None
        self._handlers: dict[str, Any] = {}

    # --- the framework -----------------------------------------------------------------------------------------------

    @property
    def framework(self) -> dict[str, Any]:
        """The description to subscribe with: the given one, able to see GPUs, with a failover_timeout."""
        framework = dict(self._framework)
        capabilities = [one for one in framework.pop("capabilities", None) or () if one["type"] != "GPU_RESOURCES"]
        if self.version is not None:
            capabilities.append({"type": "GPU_RESOURCES"})
        if capabilities:
            framework["capabilities"] = capabilities
        framework.setdefault("failover_timeout", FAILOVER_SECONDS)
        return framework

    @property
    def framework_id(self) -> Any:
        """The framework's id, None before it has one; set it to take an existing framework over."""
        identifier = self._framework.get("id")
        return identifier and identifier.get("value")

    @framework_id.setter
    def framework_id(self, value: str) -> None:
        self._framework["id"] = {"value": value}

    # --- lifecycle ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin connecting; raises ValueError (or ConfigurationError) for an address that makes no sense."""
        uri = self.master_uri
        if not isinstance(uri, str) or not uri:
            raise ValueError(f"master_uri must be a string such as 'host:5050', not {uri!r}")
        if "://" not in uri and "," not in uri:
            host, port = parse_address(uri)
            super().start()
            self.change_master(f"{host}:{port}")
            return
        from pymesos.detector import MasterDetector  # needs much, and few need it

        self.detector = MasterDetector(uri.replace("zoo://", "zk://", 1), self)
        self.detector.start()
        super().start()

    def stop(self, failover: bool = False) -> None:
        """End; without failover the framework is removed and its tasks are killed. Does not wait: see join()."""
        self._failover = failover
        self._end()

    def abort(self) -> None:
        """End without tearing the framework down."""
        self._failover = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            detector, self.detector = self.detector, None
        if detector is not None:
            detector.stop()
        Process.stop(self)

    def change_master(self, master: str | None) -> None:
        """Subscribe at another master."""
        super().change_master(master)

    def onNewMasterDetectedMessage(self, data: bytes | str) -> None:
        """Take a MasterInfo in JSON, as masters write it into ZooKeeper."""
        try:
            address = orjson.loads(data).get("address") or {}
        except ValueError:
            logger.error("This is no MasterInfo in JSON: %r", data)
            return
        if address.get("ip") and address.get("port"):
            self.change_master(f"{address['ip']}:{address['port']}")

    def onNoMasterDetectedMessage(self) -> None:
        """Wait: nobody leads."""
        self.change_master(None)

    def detection_failed(self, error: Exception) -> None:
        """Hear that the master can never be found; the driver ends."""
        self.abort()
        self.sched.error(self, f"Failed to detect a master: {error}")

    def _prepare(self, address: tuple[str, int]) -> None:
        self.version = self._get_version(address)

    def _get_version(self, address: tuple[str, int]) -> str | None:
        """Ask which version the master is; raises OSError when it cannot be reached."""
        conn = CallConnection(*address, self._http_timeout)
        try:
            conn.request("GET", "/version")
            reply = conn.getresponse()
        finally:
            conn.close()
        try:
            version = orjson.loads(reply.read())["version"] if reply.status == 200 else None
        except (ValueError, KeyError, TypeError):
            version = None
        return version if isinstance(version, str) else None

    def gen_request(self) -> bytes:
        """Give the SUBSCRIBE request."""
        request: dict[str, Any] = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self.framework}}
        if "id" in self._framework:
            request["framework_id"] = self._framework["id"]
        headers = {"Authorization": self._basic_credential} if self._basic_credential else None
        return subscribe_request(self.master, PATH, request, headers)

    def on_close(self) -> None:
        """Forget what belonged to the subscription, then tell."""
        self._forget_calls()
        self.sched.disconnected(self)

    def _forget_calls(self) -> None:
        with self._lock:
            self._close_calls()
            self._acknowledgements.clear()
            self._acknowledgement_head = None

    def on_failed(self, failure: BaseException) -> None:
        """Tell; the framework is kept, whatever ended the driver."""
        with self._lock:
            detector, self.detector = self.detector, None
        if detector is not None:
            detector.stop()
        self.sched.error(self, f"{type(failure).__name__}: {failure}")

    def _shutdown(self) -> None:
        if not self._failover:
            try:
                self._teardown()
            except Exception:
                logger.exception("The framework could not be torn down")

    def _teardown(self) -> None:
        if self.connected and self.framework_id:
            self._call("TEARDOWN")
            self._framework.pop("id", None)

    # --- calls -------------------------------------------------------------------------------------------------------

    def _target(self) -> str | None:
        return self.master if self.connected else None

    def _extra_headers(self) -> dict[str, str]:
        headers = {}
        if self._stream_id:
            headers["Mesos-Stream-Id"] = self._stream_id
        if self._basic_credential:
            headers["Authorization"] = self._basic_credential
        return headers

    def _call(self, kind: str, name: str | None = None, body: dict[str, Any] | None = None) -> None:
        """Make a call; nothing happens while not connected."""
        if not self.connected:
            return
        call: dict[str, Any] = {"type": kind, "framework_id": {"value": self.framework_id}}
        if name is not None:
            call[name] = body
        self._send(call)

    @staticmethod
    def _offers(field: str, offer_ids: Any, filters: Any) -> dict[str, Any]:
        body = {field: [offer_ids] if isinstance(offer_ids, dict) else offer_ids}
        if filters is not None:
            body["filters"] = filters
        return body

    def acceptOffers(self, offer_ids: Any, operations: Any, filters: Any = None) -> None:
        """Run operations on offers; one offer id or several."""
        if not operations:
            self.declineOffer(offer_ids, filters=filters)
            return
        body = self._offers("offer_ids", offer_ids, filters)
        body["operations"] = operations
        self._call("ACCEPT", "accept", body)

    def launchTasks(self, offer_ids: Any, tasks: Any, filters: Any = None) -> None:
        """Launch tasks on offers; one offer id or several."""
        operations = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []
        self.acceptOffers(offer_ids, operations, filters=filters)

    def declineOffer(self, offer_ids: Any, filters: Any = None) -> None:
        """Give offers back; one id or several."""
        self._call("DECLINE", "decline", self._offers("offer_ids", offer_ids, filters))

    def acceptInverseOffers(self, offer_ids: Any, filters: Any = None) -> None:
        """Promise to leave in time."""
        body = self._offers("inverse_offer_ids", offer_ids, filters)
        self._call("ACCEPT_INVERSE_OFFERS", "accept_inverse_offers", body)

    def declineInverseOffer(self, offer_ids: Any, filters: Any = None) -> None:
        """Say that leaving in time may not work."""
        body = self._offers("inverse_offer_ids", offer_ids, filters)
        self._call("DECLINE_INVERSE_OFFERS", "decline_inverse_offers", body)

    def reviveOffers(self, roles: Any = ()) -> None:
        """Be offered again, for these roles or all."""
        self._call("REVIVE", *(("revive", {"roles": list(roles)}) if roles else ()))

    def suppressOffers(self, roles: Any = ()) -> None:
        """Be offered nothing until revived, for these roles or all."""
        self._call("SUPPRESS", *(("suppress", {"roles": list(roles)}) if roles else ()))

    def killTask(self, task_id: Any) -> None:
        """Kill a task."""
        self._call("KILL", "kill", {"task_id": task_id})

    def acknowledgeStatusUpdate(self, status: Any) -> None:
        """Acknowledge a status, if it has a uuid."""
        if "uuid" in status:
            self._call("ACKNOWLEDGE", "acknowledge", {name: status[name] for name in ("agent_id", "task_id", "uuid")})

    def acknowledgeOperationStatusUpdate(self, status: Any) -> None:
        """Acknowledge an operation's status, if it has a uuid and an operation id."""
        if "uuid" in status and "operation_id" in status:
            names = ("agent_id", "resource_provider_id", "uuid", "operation_id")
            body = {name: status[name] for name in names if name in status}
            self._call("ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status", body)

    def reconcileTasks(self, tasks: Any) -> None:
        """Ask for the latest state of tasks, all known ones when empty."""
        self._call("RECONCILE", "reconcile", {"tasks": [{"task_id": task["task_id"]} for task in tasks]})

    def reconcileOperations(self, operations_: Any) -> None:
        """Ask for the latest state of operations."""
        names = ("operation_id", "agent_id", "resource_provider_id")
        operations = [{name: one[name] for name in names if name in one} for one in operations_]
        self._call("RECONCILE_OPERATIONS", "reconcile_operations", {"operations": operations})

    def sendFrameworkMessage(self, executor_id: Any, agent_id: Any, data: Any) -> None:
        """Send base64 data to an executor."""
        self._call("MESSAGE", "message", {"agent_id": agent_id, "executor_id": executor_id, "data": data})

    def requestResources(self, requests: Any) -> None:
        """Ask the allocator for resources."""
        self._call("REQUEST", "request", {"requests": requests})

    # --- implicit acknowledgements: many in one write, answers read when something is written again -------------------

    def _acknowledge(self, acknowledge: dict[str, Any]) -> None:
        body = encode(
            {
                "type": "ACKNOWLEDGE",
                "framework_id": {"value": self.framework_id},
                "acknowledge": acknowledge,
            }
        )
        if self._acknowledgement_head is None:
            headers = {"Host": self.master, "Content-Type": "application/json", **self._extra_headers()}
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self._acknowledgement_head = f"POST {PATH} HTTP/1.1\r\n{lines}Content-Length: ".encode()
        self._acknowledgements.append(b"%b%d\r\n\r\n%b" % (self._acknowledgement_head, len(body), body))
        if len(self._acknowledgements) >= MANY:
            self._flush()

    def _flush(self) -> None:
        """Send what was acknowledged; when that fails the agents send their updates again."""
        if not self._acknowledgements:
            return
        with self._lock:
            requests, self._acknowledgements = self._acknowledgements, []
            conn = self._get_conn()
            if conn is None:
                return
            try:
                conn.post(requests)
            except OSError as error:
                self._close_calls()
                logger.warning("%d acknowledgements are lost, their updates will come again: %s", len(requests), error)

    # --- events ------------------------------------------------------------------------------------------------------

    def on_event(self, event: dict[str, Any]) -> None:
        """Hand an event to its handler."""
        try:
            handler, name = self._handlers[event["type"]]
        except KeyError:
            found = self._find_handler(event.get("type"))
            if found is None:
                logger.error("Ignoring an event of unknown type: %s", event)
                return
            handler, name = found
        if name is None:
            handler()
        elif name in event:
            handler(event[name])
        else:
            logger.error("Ignoring an event without its %s: %s", name, event)

    def _find_handler(self, kind: Any) -> Any:
        name = str(kind).lower()
        handler = getattr(self, f"on_{name}", None) if name not in {"event", "close", "failed"} else None
        if handler is None:
            return None
        self._handlers[kind] = found = (handler, None if name == "heartbeat" else name)
        return found

    def on_subscribed(self, info: dict[str, Any]) -> None:
        """Tell: the first time it is ``registered``, with an id that was there before ``reregistered``."""
        is_known = self.framework_id is not None
        self.framework_id = info["framework_id"]["value"]
        self._silence = float(info.get("heartbeat_interval_seconds") or 0) * SILENCE_FACTOR
        hostname, port = parse_address(self.master)
        master_info: dict[str, Any] = {"hostname": hostname, "port": port}
        version = self.version or (info.get("master_info") or {}).get("version")
        if version:
            master_info["version"] = version
        if is_known:
            self.sched.reregistered(self, self._dict_cls(master_info))
        else:
            self.sched.registered(self, self._dict_cls({"value": self.framework_id}), self._dict_cls(master_info))

    def on_offers(self, event: dict[str, Any]) -> None:
        """Tell of offers; masters before 1.0 put inverse offers in here too."""
        offers = event.get("offers")
        if offers:
            self.sched.resourceOffers(self, [self._dict_cls(offer) for offer in offers])
        self.on_inverse_offers(event)

    def on_inverse_offers(self, event: dict[str, Any]) -> None:
        """Tell of inverse offers."""
        offers = event.get("inverse_offers")
        if offers:
            self.sched.inverseOffers(self, [self._dict_cls(offer) for offer in offers])

    def on_rescind(self, event: dict[str, Any]) -> None:
        """Tell that an offer is void."""
        self.sched.offerRescinded(self, self._dict_cls(event["offer_id"]))

    def on_rescind_inverse_offer(self, event: dict[str, Any]) -> None:
        """Tell that an inverse offer is void."""
        self.sched.inverseOfferRescinded(self, self._dict_cls(event["inverse_offer_id"]))

    def on_update(self, event: dict[str, Any]) -> None:
        """Tell of a task's state, and acknowledge it after that, if the driver still runs then."""
        status = event["status"]
        identifier = status.get("uuid")
        if identifier is None or not self.implicit_acknowledgements:
            self.sched.statusUpdate(self, self._dict_cls(status) if self._dict_cls is Dict else status)
            return
        # Read before the callback, which may do with its dict what it likes.
        agent_id, task_id = status["agent_id"], status["task_id"]
        self.sched.statusUpdate(self, self._dict_cls(status) if self._dict_cls is Dict else status)
        if self._started and self._stream_id is not None:
            self._acknowledge({"agent_id": agent_id, "task_id": task_id, "uuid": identifier})

    def on_update_operation_status(self, event: dict[str, Any]) -> None:
        """Tell of an operation's state, and acknowledge it after that."""
        status = event["status"]
        self.sched.operationStatusUpdate(self, self._dict_cls(status))
        if self.implicit_acknowledgements and self._started:
            self.acknowledgeOperationStatusUpdate(status)

    def on_message(self, message: dict[str, Any]) -> None:
        """Tell of an executor's message."""
        executor_id, agent_id = self._dict_cls(message["executor_id"]), self._dict_cls(message["agent_id"])
        self.sched.frameworkMessage(self, executor_id, agent_id, message["data"])

    def on_failure(self, failure: dict[str, Any]) -> None:
        """Tell that an executor ended, or an agent was lost."""
        agent_id = self._dict_cls(failure["agent_id"])
        if "executor_id" in failure:
            executor_id = self._dict_cls(failure["executor_id"])
            self.sched.executorLost(self, executor_id, agent_id, failure.get("status"))
        else:
            self.sched.slaveLost(self, agent_id)

    def on_error(self, event: dict[str, Any]) -> None:
        """Tell of an unrecoverable error."""
        self.sched.error(self, event["message"])

    def on_heartbeat(self) -> None:
        """Tell of a heartbeat, with or without the driver: whichever the scheduler's method takes."""
        if self._says_driver is None:
            self._says_driver = takes_driver(self.sched.processHeartBeat)
        if self._says_driver:
            self.sched.processHeartBeat(self)
        else:
            self.sched.processHeartBeat()
