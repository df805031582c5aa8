"""What is served below ``/allocator``: more where the allocator is ours."""

from __future__ import annotations

from messor.allocator.interfaces import Allocator
from messor.allocator.service import AllocatorService
from messor.master.authorization import Authorization
from messor.master.doors.allocator_views import AllocatorViews
from messor.master.doors.offer_views import OfferConstraintsView, UnknownAllocatorViews
from messor.master.flags import MasterFlags
from messor.master.leadership import Leadership
from messor.master.state.tables import MasterState
from messor.runtime.actor import Component
from messor.runtime.host import Host


def allocator_doors(
    *,
    state: MasterState,
    flags: MasterFlags,
    allocator: Allocator,
    leadership: Leadership,
    host: Host,
    authorization: Authorization,
) -> tuple[Component, ...]:
    """Make the components that serve it."""
    constraints = OfferConstraintsView(state=state, flags=flags, leadership=leadership, authorization=authorization)
    if isinstance(allocator, AllocatorService):
        views: Component = AllocatorViews(
            state=state, allocator=allocator, leadership=leadership, host=host, authorization=authorization
        )
    else:  # the reasons of other allocators are their own
        views = UnknownAllocatorViews(
            state=state, flags=flags, leadership=leadership, clock=host.clock, authorization=authorization
        )
    return constraints, views
