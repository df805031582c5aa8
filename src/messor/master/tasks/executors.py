"""Executors: their end, and what frameworks and they say to each other through the master (M20, M21)."""

from __future__ import annotations

import logging

from messor.allocator.interfaces import Allocator
from messor.master.metrics import MasterMetrics
from messor.master.outbox import Outbox
from messor.master.state.agent import AgentRecord
from messor.master.state.framework import FrameworkRecord
from messor.master.state.tables import MasterState
from messor.protos import internal, v0_scheduler
from messor.runtime.actor import Component
from messor.runtime.handlers import on
from messor.wire.upid import Upid

log = logging.getLogger(__name__)


class Executors(Component):
    """Relays and shuts down."""

    def __init__(self, *, state: MasterState, outbox: Outbox, allocator: Allocator, metrics: MasterMetrics) -> None:
        """Collaborators."""
        self.state = state
        self.outbox = outbox
        self.allocator = allocator
        self._exited = metrics.counter("messages_exited_executor")
        self._down = metrics.counter("messages_framework_to_executor")
        self._valid_down = metrics.counter("valid_framework_to_executor_messages")
        self._invalid_down = metrics.counter("invalid_framework_to_executor_messages")
        self._up = metrics.counter("messages_executor_to_framework")
        self._valid_up = metrics.counter("valid_executor_to_framework_messages")
        self._invalid_up = metrics.counter("invalid_executor_to_framework_messages")

    @on(internal.ExitedExecutorMessage, with_bytes=True)
    def exited(self, sender: Upid, message: internal.ExitedExecutorMessage, body: bytes) -> None:  # noqa: ARG002
        """Take from an agent that an executor ended: free its resources, tell its framework."""
        self._exited.value += 1
        framework_id = message.framework_id.value
        executor_id = message.executor_id.value
        agent = self.state.agents.get(message.slave_id.value)
        if agent is None or agent.executor(framework_id, executor_id) is None:
            self.ignore(message, f"executor '{executor_id}' of framework {framework_id} is not known there")
            return
        log.info("Executor '%s' of framework %s on agent %s exited", executor_id, framework_id, agent.id)
        self.remove(agent, framework_id, executor_id)
        framework = self.state.frameworks.get(framework_id)
        if framework is None or not framework.is_connected:
            self.ignore(message, f"framework {framework_id} is not connected")
            return
        self.outbox.pass_on(framework, message, body)

    @on(internal.ExecutorToFrameworkMessage, with_bytes=True)
    def said(self, sender: Upid, message: internal.ExecutorToFrameworkMessage, body: bytes) -> None:  # noqa: ARG002
        """Relay what an executor says to its framework, for frameworks an agent does not reach itself."""
        self._up.value += 1
        framework = self.state.frameworks.get(message.framework_id.value)
        if message.slave_id.value not in self.state.agents or framework is None or not framework.is_connected:
            self._invalid_up.value += 1
            self.ignore(message, "its agent is unknown or its framework is not connected")
            return
        self.outbox.pass_on(framework, message, body)
        self._valid_up.value += 1

    def message(self, framework: FrameworkRecord, call: v0_scheduler.Call.Message) -> None:
        """Relay what a framework says to an executor."""
        self._down.value += 1
        agent = self.state.agents.get(call.slave_id.value)
        if agent is None or not agent.is_connected:
            self._invalid_down.value += 1
            self.ignore("MESSAGE call", f"agent {call.slave_id.value} is not registered and connected")
            return
        message = internal.FrameworkToExecutorMessage(data=call.data)
        message.slave_id.value = agent.id
        message.framework_id.value = framework.id
        message.executor_id.value = call.executor_id.value
        self.outbox.to_agent(agent, message)
        self._valid_down.value += 1

    def shut_down(self, framework: FrameworkRecord, call: v0_scheduler.Call.Shutdown) -> None:
        """Tell an agent to shut an executor down; the agent judges whether it exists."""
        agent = self.state.agents.get(call.slave_id.value)
        executor_id = call.executor_id.value
        if agent is None:
            self.ignore(f"SHUTDOWN of executor '{executor_id}'", f"agent {call.slave_id.value} is unknown")
            return
        log.info("Processing SHUTDOWN call for executor '%s' of framework %s", executor_id, framework.id)
        message = internal.ShutdownExecutorMessage()
        message.executor_id.value = executor_id
        message.framework_id.value = framework.id
        self.outbox.to_agent(agent, message)

    def remove(self, agent: AgentRecord, framework_id: str, executor_id: str) -> None:
        """Forget an executor and give its resources back; fine if it is not known."""
        executor = agent.executor(framework_id, executor_id)
        if executor is None:
            return
        self.state.remove_executor(executor)
        self.allocator.recover_resources(framework_id, agent.id, executor.resources, None, is_allocated=True)
