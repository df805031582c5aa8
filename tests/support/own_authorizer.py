"""An authorizer as somebody else may write one."""

from __future__ import annotations

from messor.security.authorizer import Object, Subject


class Refusal:
    """Refuses."""

    verdict: bool | None = None

    def approved(self, thing: Object | None) -> bool:
        """Say no."""
        return False


class Forbidding:
    """Allows nobody anything."""

    def approver(self, subject: Subject | None, action: int) -> Refusal:
        """Refuse."""
        return Refusal()
