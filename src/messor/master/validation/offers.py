"""The offers an ACCEPT names: live, of one framework, one agent and one role (S25)."""

from __future__ import annotations

from collections.abc import Sequence

from messor.errors import InvalidRequest
from messor.master.state.offer import OfferRecord
from messor.master.state.tables import MasterState


def validate_offers(state: MasterState, framework_id: str, offer_ids: Sequence[str]) -> list[OfferRecord]:
    """Give the offers named by a framework; raises InvalidRequest when any of them does not fit the others."""
    if not offer_ids:
        raise InvalidRequest("No offers specified")
    if len(offer_ids) > 1:
        _validate_unique(offer_ids)
    offers: list[OfferRecord] = []
    for identifier in offer_ids:
        offer = state.offers.get(identifier)
        if offer is None:
            raise InvalidRequest(f"Offer {identifier} is no longer valid")
        offers.append(offer)
    for offer in offers:
        if offer.framework_id != framework_id:
            raise InvalidRequest(
                f"Offer {offer.id} has invalid framework {offer.framework_id}"
                f" while framework {framework_id} is expected"
            )
    first = offers[0]
    for offer in offers:
        if offer.role != first.role:
            raise InvalidRequest(
                f"Aggregated offers must be allocated to the same role. Offer {offer.id} uses role '{offer.role}"
                f" but another is using role '{first.role}"
            )
    for offer in offers:
        if offer.agent_id != first.agent_id:
            raise InvalidRequest(
                f"Aggregated offers must belong to one single agent. Offer {offer.id} uses agent {offer.agent_id}"
                f" and agent {first.agent_id}"
            )
    return offers


def _validate_unique(offer_ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for identifier in offer_ids:
        if identifier in seen:
            raise InvalidRequest(f"Duplicate offer {identifier} in offer list")
        seen.add(identifier)
