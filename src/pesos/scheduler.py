"""``PesosSchedulerDriver``: the scheduler driver with snake_case methods; offer ids may be plain strings."""

from __future__ import annotations

from typing import Any

from messor.drivers.scheduler.callbacks import MesosSchedulerDriver


class PesosSchedulerDriver(MesosSchedulerDriver):
    """A MesosSchedulerDriver made and called the way pesos was; the camelCase names work too (S67)."""

    def __init__(
        self, scheduler: Any, framework: Any, master_uri: str, credential: Any = None, context: Any = None
    ) -> None:
        """Take pesos' arguments; context belonged to its own libprocess and must be left out."""
        if context is not None:
            raise TypeError("a compactor context cannot be shared: leave the fifth argument out")
        super().__init__(scheduler, framework, master_uri, credential=credential)

    request_resources = MesosSchedulerDriver.requestResources
    launch_tasks = MesosSchedulerDriver.launchTasks
    accept_offers = MesosSchedulerDriver.acceptOffers
    decline_offer = MesosSchedulerDriver.declineOffer
    kill_task = MesosSchedulerDriver.killTask
    revive_offers = MesosSchedulerDriver.reviveOffers
    suppress_offers = MesosSchedulerDriver.suppressOffers
    acknowledge_status_update = MesosSchedulerDriver.acknowledgeStatusUpdate
    send_framework_message = MesosSchedulerDriver.sendFrameworkMessage
    reconcile_tasks = MesosSchedulerDriver.reconcileTasks
    update_framework = MesosSchedulerDriver.updateFramework
