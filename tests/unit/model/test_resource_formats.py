"""Reservations before and after refinement."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest
from messor.model.resource_formats import downgrade_all, downgraded, shown_both, upgrade_all, upgraded
from messor.protos import v0

STATIC = v0.Resource.ReservationInfo.STATIC
DYNAMIC = v0.Resource.ReservationInfo.DYNAMIC


def cpus(**fields: object) -> v0.Resource:
    """Make one cpu."""
    return v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=1), **fields)


def reserved(kind: int, role: str, principal: str | None = None) -> v0.Resource:
    """Make one reserved cpu in the stack form."""
    return cpus(reservations=[v0.Resource.ReservationInfo(type=kind, role=role, principal=principal)])


def test_an_unreserved_resource_has_role_star_in_the_old_form() -> None:
    """And nothing in the new one."""
    (old,) = downgraded([cpus()])
    assert old == cpus(role="*")
    assert upgraded([old]) == [cpus()]


def test_a_static_reservation_is_a_role() -> None:
    """Both ways."""
    (old,) = downgraded([reserved(STATIC, "r")])
    assert old == cpus(role="r")
    assert upgraded([old]) == [reserved(STATIC, "r")]


def test_a_dynamic_reservation_is_a_role_and_who_reserved_it() -> None:
    """An empty ReservationInfo still says that it is dynamic."""
    for principal in ("p", None):
        (old,) = downgraded([reserved(DYNAMIC, "r", principal)])
        assert old.role == "r"
        assert old.HasField("reservation")
        assert not old.reservation.HasField("type")
        assert upgraded([old]) == [reserved(DYNAMIC, "r", principal)]


def test_endpoints_show_both_forms() -> None:
    """And reading them back gives the stack."""
    (both,) = shown_both([reserved(DYNAMIC, "r", "p")])
    assert both.role == "r"
    assert len(both.reservations) == 1
    assert upgraded([both]) == [reserved(DYNAMIC, "r", "p")]


def test_refined_reservations_have_no_old_form() -> None:
    """They are an error one way and shown as they are the other."""
    refined = reserved(STATIC, "a")
    refined.reservations.add(type=DYNAMIC, role="a/b")
    with pytest.raises(InvalidRequest):
        downgraded([refined])
    assert shown_both([refined]) == [refined]


def test_resources_anywhere_in_a_message_are_converted() -> None:
    """Tasks in operations, executors in tasks."""
    operation = v0.Offer.Operation(type=v0.Offer.Operation.LAUNCH)
    task = operation.launch.task_infos.add(resources=[cpus(role="r")])
    task.executor.resources.append(cpus(role="*"))
    upgrade_all(operation)
    assert list(task.resources) == [reserved(STATIC, "r")]
    assert list(task.executor.resources) == [cpus()]
    downgrade_all(operation)
    assert list(task.resources) == [cpus(role="r")]
    assert list(task.executor.resources) == [cpus(role="*")]
