"""One outstanding offer."""

from __future__ import annotations

from messor.model.resources import Resources
from messor.protos import v0
from messor.runtime.host import Timer


class OfferRecord:
    """Resources of one agent, of one allocation role, promised to one framework until used, declined or rescinded."""

    __slots__ = ("agent_id", "encoded", "framework_id", "id", "made_at", "resources", "role", "timer")

    def __init__(
        self, identifier: str, framework_id: str, agent_id: str, role: str, resources: Resources, made_at: float
    ) -> None:
        """Take resources that carry the allocation role; made_at is seconds since the epoch."""
        self.id = identifier
        self.framework_id = framework_id
        self.agent_id = agent_id
        self.role = role
        self.resources = resources
        self.made_at = made_at
        self.encoded: bytes | None = None
        """The encoded v0 Offer in the internal format, when somebody needed it."""
        self.timer: Timer | None = None
        """Runs when --offer_timeout is set."""


class InverseOfferRecord:
    """A question whether a framework will leave an agent before its maintenance, until answered or withdrawn."""

    __slots__ = ("agent_id", "framework_id", "id", "timer", "unavailability")

    def __init__(
        self, identifier: str, framework_id: str, agent_id: str, unavailability: v0.Unavailability | None = None
    ) -> None:
        """Note who was asked about what, and for when."""
        self.unavailability = unavailability
        self.id = identifier
        self.framework_id = framework_id
        self.agent_id = agent_id
        self.timer: Timer | None = None
        """Runs when --offer_timeout is set."""
