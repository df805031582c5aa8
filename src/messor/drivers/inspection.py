"""What both blocking drivers tell of themselves, under the names of mesos-go and of Python (S72-S76, S79)."""

from __future__ import annotations

from messor.errors import MesosError
from messor.protos import v0


class DriverNotRunning(MesosError):
    """A driver was called in the wrong state (only drivers made with ``raise_errors=True`` raise it)."""

    def __init__(self, call: str, status: int) -> None:
        """Take the call's name and the status it would have returned."""
        self.driver_status = status
        name = v0.Status.Name(status)
        super().__init__(f"{call} needs another state: the driver is {name}")


class Inspection:
    """Accessors of a driver's state; safe to call from any thread, callbacks included."""

    _status: int
    _raise_errors: bool = False

    def status(self) -> int:
        """Give the driver's Status."""
        return self._status

    def running(self) -> bool:
        """Whether the driver was started and neither stopped nor aborted."""
        return self._status == v0.DRIVER_RUNNING

    def stopped(self) -> bool:
        """Whether the driver is not running: before start too, as in mesos-go (S75)."""
        return self._status != v0.DRIVER_RUNNING

    def connected(self) -> bool:
        """Whether it is registered, which includes authentication, and not disconnected since (S74)."""
        session = getattr(self, "_session", None)
        return self._status == v0.DRIVER_RUNNING and session is not None and bool(session.is_connected)

    Status = status
    Running = running
    Stopped = stopped
    Connected = connected

    def _wrong_state(self, call: str) -> int:
        """Answer a call that the state does not allow: the status, or an exception where those are wanted."""
        if self._raise_errors:
            raise DriverNotRunning(call, self._status)
        return self._status
