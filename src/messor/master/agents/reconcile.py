"""What master and agent believe of each other's tasks, set right when a registered agent re-registers (H2)."""

from __future__ import annotations

import logging

from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.tables import MasterState
from messor.master.state.task import TaskRecord
from messor.master.tasks.executors import Executors
from messor.model.task_states import is_terminal
from messor.protos import internal, v0
from messor.runtime.host import Clock

log = logging.getLogger(__name__)


class Reconciling:
    """Compares an agent's lists with ours and answers its re-registration."""

    def __init__(self, *, state: MasterState, outbox: Outbox, clock: Clock, executors: Executors) -> None:
        """See the modules of the collaborators."""
        self.state = state
        self.outbox = outbox
        self.clock = clock
        self.executors = executors

    def reconcile(
        self,
        agent: AgentRecord,
        message: internal.ReregisterSlaveMessage,
        connection: internal.MasterSlaveConnection,
    ) -> None:
        """Answer with the tasks the agent should know but did not list; repeat kills and shutdowns it missed.

        A task missing on the agent may be one whose launch it never got, or one whose launch is behind its
        re-registration on the wire. Only the agent can tell, so it is asked, and answers unknown ones with TASK_DROPPED
        or TASK_LOST.
        """
        listed = {(task.framework_id.value, task.task_id.value) for task in message.tasks}
        answer = internal.SlaveReregisteredMessage(slave_id=agent.info.id, connection=connection)
        for framework_id, tasks in agent.tasks.items():
            missing = [task for task in tasks.values() if (framework_id, task.id) not in listed]
            if missing:
                framework = self.state.frameworks[framework_id]
                answer.reconciliations.add(
                    framework_id=framework.info.id,
                    framework=framework.info,
                    statuses=[self._question(agent, task) for task in missing],
                )
                log.warning("Agent %s did not list %d tasks of %s: asking it", agent.id, len(missing), framework_id)
        self.outbox.to_agent(agent, answer)
        self._forget_executors(agent, message)
        self._kill_again(agent, message)
        self._end_forgotten(agent, message)
        self._shut_down_completed(agent, listed)

    def _question(self, agent: AgentRecord, task: TaskRecord) -> v0.TaskStatus:
        state = task.status_update_state if task.status_update_state is not None else task.state
        return v0.TaskStatus(
            task_id=v0.TaskID(value=task.id),
            slave_id=agent.info.id,
            state=state,  # type: ignore[arg-type]
            source=v0.TaskStatus.SOURCE_MASTER,
            reason=v0.TaskStatus.REASON_RECONCILIATION,
            message="Reconciliation request",
            timestamp=self.clock.now(),
        )

    def _forget_executors(self, agent: AgentRecord, message: internal.ReregisterSlaveMessage) -> None:
        """Free what executors held that the agent no longer has."""
        listed = {(info.framework_id.value, info.executor_id.value) for info in message.executor_infos}
        for framework_id, executors in list(agent.executors.items()):
            for executor_id in list(executors):
                if (framework_id, executor_id) not in listed:
                    log.warning("Agent %s has no executor '%s' of %s", agent.id, executor_id, framework_id)
                    self.executors.remove(agent, framework_id, executor_id)

    def _kill_again(self, agent: AgentRecord, message: internal.ReregisterSlaveMessage) -> None:
        """Repeat kills that the agent missed (S27)."""
        for task in message.tasks:
            killed = agent.killed_tasks.get(task.framework_id.value, ())
            if task.task_id.value in killed and not is_terminal(task.state):
                log.warning("Killing task %s again on %s", task.task_id.value, agent.id)
                self.outbox.to_agent(
                    agent, internal.KillTaskMessage(framework_id=task.framework_id, task_id=task.task_id)
                )

    def _end_forgotten(self, agent: AgentRecord, message: internal.ReregisterSlaveMessage) -> None:
        """End what we gave up when the connection broke although the agent lived on.

        Frameworks without checkpoints were told TASK_LOST then (H5), and its resources are being offered: a task that
        is over for its scheduler must not run on. The same goes for a launch that was still on its way when the agent
        was given up, and that the agent did not know of when it came back.
        """
        for info in message.executor_infos:
            framework_id, executor_id = info.framework_id.value, info.executor_id.value
            if framework_id in self.state.frameworks and agent.executor(framework_id, executor_id) is None:
                log.warning("Shutting down executor '%s' of %s, given up on %s", executor_id, framework_id, agent.id)
                self.outbox.to_agent(
                    agent,
                    internal.ShutdownExecutorMessage(executor_id=info.executor_id, framework_id=info.framework_id),
                )
        for task in message.tasks:
            framework_id, task_id = task.framework_id.value, task.task_id.value
            if is_terminal(task.state) or framework_id not in self.state.frameworks:
                continue
            if agent.task(framework_id, task_id) is None:
                agent.given_up_tasks.add((framework_id, task_id))
                log.warning("Killing task %s of framework %s, given up on %s", task_id, framework_id, agent.id)
                self.outbox.to_agent(
                    agent, internal.KillTaskMessage(framework_id=task.framework_id, task_id=task.task_id)
                )

    def _shut_down_completed(self, agent: AgentRecord, listed: set[tuple[str, str]]) -> None:
        """End frameworks on the agent that were removed while it was away."""
        for framework_id in dict.fromkeys(framework_id for framework_id, _ in sorted(listed)):
            if framework_id in self.state.completed_frameworks:
                log.warning("Shutting down framework %s, which ended meanwhile, on %s", framework_id, agent.id)
                self.outbox.to_agent(
                    agent, internal.ShutdownFrameworkMessage(framework_id=v0.FrameworkID(value=framework_id))
                )
