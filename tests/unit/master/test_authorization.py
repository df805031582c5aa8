"""What the master asks its authorizer, and its words when the answer is no (K8)."""

from __future__ import annotations

from typing import Any

import pytest

from messor.errors import NotAuthorized
from messor.master.authorization import Authorization, agent_deeds, deeds_of, launch, registration
from messor.protos import acls, v0
from messor.security.authorizer import Action, Object, Subject
from messor.security.local_authorizer import LocalAuthorizer
from messor.wire.json_codec import message_from
from support import builders

Operation = v0.Offer.Operation


class Asked:
    """An authorizer that allows everything and remembers what it was asked."""

    verdict: bool | None = None

    def __init__(self) -> None:
        """Start with nothing."""
        self.subjects: list[Subject | None] = []
        self.actions: list[str] = []
        self.things: list[Object | None] = []

    def approver(self, subject: Subject | None, action: int) -> Asked:
        """Remember."""
        self.subjects.append(subject)
        self.actions.append(Action.Name(action))
        return self

    def approved(self, thing: Object | None) -> bool:
        """Allow."""
        self.things.append(thing)
        return True


def resource(*reserved: tuple[str, str], name: str = "cpus", volume: str | None = None) -> v0.Resource:
    """Make a resource reserved for (role, by)."""
    made = v0.Resource(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=1))
    for owner, principal in reserved:
        reservation = made.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=owner)
        if principal:
            reservation.principal = principal
    if volume is not None:
        made.disk.persistence.id = "v"
        made.disk.persistence.principal = volume
    return made


def operation(kind: str, **parts: Any) -> v0.Offer.Operation:
    """Make an operation."""
    made = Operation(type=Operation.Type.Value(kind))
    body = getattr(made, kind.lower())
    body.SetInParent()
    for name, value in parts.items():
        field = getattr(body, name)
        (field.extend if isinstance(value, list) else field.CopyFrom)(value)
    return made


PLAIN, A, AB = resource(), resource(("a", "p")), resource(("a", "p"), ("a/b", "q"))
B, NOBODYS = resource(("b", "r")), resource(("a", ""))
VOLUME = resource(("a", "p"), name="disk", volume="maker")

STORY: list[tuple[v0.Offer.Operation, list[tuple[str, str | None]]]] = [
    (operation("RESERVE", resources=[A, A, AB]), [("RESERVE_RESOURCES", "a"), ("RESERVE_RESOURCES", "a/b")]),
    (operation("RESERVE", resources=[A, PLAIN]), [("RESERVE_RESOURCES", "a"), ("RESERVE_RESOURCES", "*")]),
    (operation("RESERVE"), []),
    (operation("RESERVE", source=[A], resources=[AB]), [("RESERVE_RESOURCES", "a/b")]),
    (operation("RESERVE", source=[AB], resources=[A]), [("UNRESERVE_RESOURCES", "q")]),
    (
        operation("RESERVE", source=[AB], resources=[B]),
        [("UNRESERVE_RESOURCES", "q"), ("UNRESERVE_RESOURCES", "p"), ("RESERVE_RESOURCES", "b")],
    ),
    (operation("RESERVE", source=[PLAIN], resources=[AB]), [("RESERVE_RESOURCES", "a"), ("RESERVE_RESOURCES", "a/b")]),
    (operation("RESERVE", source=[A], resources=[A]), []),
    (operation("UNRESERVE", resources=[AB, B]), [("UNRESERVE_RESOURCES", "q"), ("UNRESERVE_RESOURCES", "r")]),
    (operation("UNRESERVE", resources=[NOBODYS, A]), [("UNRESERVE_RESOURCES", "p"), ("UNRESERVE_RESOURCES", None)]),
    (operation("CREATE", volumes=[VOLUME, VOLUME]), [("CREATE_VOLUME", "a")]),
    (operation("CREATE"), [("CREATE_VOLUME", None)]),
    (operation("DESTROY", volumes=[VOLUME]), [("DESTROY_VOLUME", "maker")]),
    (operation("DESTROY"), [("DESTROY_VOLUME", None)]),
    (operation("GROW_VOLUME", volume=VOLUME), [("RESIZE_VOLUME", "a")]),
    (operation("SHRINK_VOLUME", volume=VOLUME), [("RESIZE_VOLUME", "a")]),
]


@pytest.mark.parametrize(("given", "expected"), STORY)
def test_an_operation_is_asked_about_by_what_it_does(
    given: v0.Offer.Operation, expected: list[tuple[str, str | None]]
) -> None:
    """By role or by whoever reserved or made it; reservations that are changed are undone and made anew."""
    found = [(Action.Name(deed.action), deed.thing.value if deed.thing else None) for deed in deeds_of(given)]
    assert found == expected


def test_each_step_of_a_changed_reservation_is_asked_about_as_it_is_then() -> None:
    """First with both reservations, then with the outer one."""
    deeds = list(deeds_of(operation("RESERVE", source=[AB], resources=[B])))
    depths = [len(deed.thing.resource.reservations) for deed in deeds if deed.thing and deed.thing.resource]
    assert depths == [2, 1, 1]


def test_disks_of_providers_are_asked_about_by_kind() -> None:
    """Of another kind nobody may make or destroy any."""
    kinds = v0.Resource.DiskInfo.Source
    source = resource(("a", "p"), name="disk")
    made = Operation(type=Operation.CREATE_DISK)
    made.create_disk.source.CopyFrom(source)
    destroyed = Operation(type=Operation.DESTROY_DISK)
    destroyed.destroy_disk.source.CopyFrom(source)
    found = []
    for kind in (kinds.MOUNT, kinds.BLOCK, kinds.RAW, kinds.PATH):
        made.create_disk.target_type = kind
        destroyed.destroy_disk.source.disk.source.type = kind
        found.append([Action.Name(deed.action) for each in (made, destroyed) for deed in deeds_of(each)])
    assert found == [
        ["CREATE_MOUNT_DISK", "DESTROY_MOUNT_DISK"],
        ["CREATE_BLOCK_DISK", "DESTROY_BLOCK_DISK"],
        ["UNKNOWN", "DESTROY_RAW_DISK"],
        ["UNKNOWN", "UNKNOWN"],
    ]


def test_agents_are_asked_about_and_what_they_reserve() -> None:
    """Once anything is reserved, the rest counts as reserved for ``*``, as in Mesos."""

    def asked(text: str) -> list[tuple[str, str | None]]:
        deeds = agent_deeds(builders.agent_info(text=text))
        return [(Action.Name(deed.action), deed.thing.value if deed.thing else None) for deed in deeds]

    assert asked("cpus:1;mem:2") == [("REGISTER_AGENT", None)]
    assert asked("cpus(a):1;mem:2") == [
        ("RESERVE_RESOURCES", "a"),
        ("RESERVE_RESOURCES", "*"),
        ("REGISTER_AGENT", None),
    ]


def test_deeds_are_told_as_mesos_tells_them() -> None:
    """They follow "not authorized to"."""
    info = builders.framework_info(framework_id="F", roles=["b", "a"], user="root", capabilities=["multi_role"])
    assert str(registration(info)) == "register framework F with roles { a, b }"
    task = builders.task("t")
    assert str(launch(task, info)) == "launch task t of framework F under user 'root'"
    task.command.user = "me"
    assert str(launch(task, info)) == "launch task t of framework F under user 'me'"
    (deed,) = deeds_of(operation("DESTROY"))
    assert str(deed) == "perform action DESTROY_VOLUME on ANY object"
    (deed,) = deeds_of(operation("UNRESERVE", resources=[A]))
    assert str(deed) == (
        'perform action UNRESERVE_RESOURCES on object {"value":"p","resource":{"name":"cpus","type":"SCALAR",'
        '"scalar":{"value":1.0},"reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]}}'
    )


def test_who_asks_is_who_it_is_done_for() -> None:
    """Frameworks under their principal, or nobody's; agents and operators under the one they gave."""
    asked = Asked()
    ours = Authorization(asked)
    ours.check_framework(builders.framework_info(principal="f"))
    ours.check_framework(builders.framework_info())
    ours.check_agent(builders.agent_info(), "a", "register")
    ours.check_operation(operation("RESERVE", resources=[A]), "op")
    ours.check_teardown(builders.framework_info(principal="f"), None)
    ours.check_teardown(builders.framework_info(), "op")
    ours.check_roles(Action.UPDATE_WEIGHT, [], "op")
    assert asked.subjects == [Subject("f"), None, Subject("a"), Subject("op"), None, Subject("op"), Subject("op")]
    assert asked.actions[-3:] == ["TEARDOWN_FRAMEWORK", "TEARDOWN_FRAMEWORK", "UPDATE_WEIGHT"]
    assert [thing.value if thing else None for thing in asked.things[-3:]] == ["f", None, None]


def test_refusals_say_what_was_not_allowed() -> None:
    """To operators nothing but 403."""
    nothing = Authorization(LocalAuthorizer(message_from({"permissive": False}, acls.ACLs)))
    info = builders.framework_info(framework_id="F", principal="p", roles=["r"])
    with pytest.raises(NotAuthorized, match=r"^Not authorized to register framework F with roles \{ r \}$"):
        nothing.check_framework(info)
    with pytest.raises(NotAuthorized, match=r"^Not authorized to register agent providing resources 'cpus:1' without"):
        nothing.check_agent(builders.agent_info(text="cpus:1"), None, "register")
    with pytest.raises(NotAuthorized, match=r"^Not authorized to reregister agent .* with principal 'p'$"):
        nothing.check_agent(builders.agent_info(text="cpus:1"), "p", "reregister")
    with pytest.raises(NotAuthorized) as caught:
        nothing.check_operation(operation("RESERVE", resources=[A]), "op")
    assert str(caught.value) == ""


def test_without_an_authorizer_nothing_is_asked() -> None:
    """And everything is seen."""
    free = Authorization(None)
    assert not free.is_on
    assert free.viewer("anybody") is None
    free.check_framework(builders.framework_info())
    free.check_agent(builders.agent_info(), None, "register")
    free.check_operation(operation("RESERVE", resources=[A]), None)
    free.check_sees_all(None)
