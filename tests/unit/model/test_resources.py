"""The bag of resources."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest
from messor.model.resource import resource_text
from messor.model.resource_text import parse_resources
from messor.model.resources import EMPTY, Resources, validate_resources
from messor.protos import v0

STATIC = v0.Resource.ReservationInfo.STATIC
DYNAMIC = v0.Resource.ReservationInfo.DYNAMIC


def scalar(name: str, value: float, role: str | None = None, **fields: object) -> v0.Resource:
    """Make a scalar, statically reserved when a role is given."""
    resource = v0.Resource(name=name, type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=value), **fields)
    if role is not None:
        resource.reservations.add(type=STATIC, role=role)
    return resource


def volume(identity: str, size: float = 64, path: str = "data", *, shared: bool = False) -> v0.Resource:
    """Make a persistent volume reserved for ``r``."""
    resource = scalar("disk", size)
    resource.reservations.add(type=DYNAMIC, role="r", principal="p")
    resource.disk.persistence.id = identity
    resource.disk.volume.container_path = path
    resource.disk.volume.mode = v0.Volume.RW
    if shared:
        resource.shared.SetInParent()
    return resource


def mount(root: str, size: float) -> v0.Resource:
    """Make a MOUNT disk."""
    resource = scalar("disk", size)
    resource.disk.source.type = v0.Resource.DiskInfo.Source.MOUNT
    resource.disk.source.mount.root = root
    return resource


def test_equal_kinds_add_up_and_other_kinds_stay_apart() -> None:
    """Role, principal and labels make a kind."""
    resources = Resources.of([scalar("cpus", 1), scalar("cpus", 2), scalar("cpus", 3, "r")])
    assert str(resources) == "cpus:3; cpus(reservations: [(STATIC,r)]):3"
    assert resources.cpus == 6


def test_old_and_new_forms_of_a_reservation_are_the_same() -> None:
    """The stack form is what the bag keeps."""
    old = v0.Resource(name="cpus", type=v0.Value.SCALAR, scalar=v0.Value.Scalar(value=1), role="r")
    assert Resources.of([old]) == Resources.of([scalar("cpus", 1, "r")])
    old.reservation.principal = "p"
    assert str(Resources.of([old])) == "cpus(reservations: [(DYNAMIC,r,p)]):1"


def test_subtraction_leaves_nothing_negative() -> None:
    """Subtracting too much leaves nothing of that kind."""
    assert parse_resources("cpus:1;mem:5") - parse_resources("cpus:2;mem:1") == parse_resources("mem:4")


def test_contains_looks_at_every_kind() -> None:
    """Unreserved does not contain reserved."""
    have = parse_resources("cpus:2;ports:[1-5]")
    assert have.contains(parse_resources("cpus:2;ports:[2-3]"))
    assert not have.contains(parse_resources("cpus:2.001"))
    assert not have.contains(parse_resources("cpus(r):1"))
    assert not have.contains(parse_resources("ports:[5-6]"))


def test_equal_messages_give_the_same_object() -> None:
    """Ten thousand tasks that ask for the same share one bag."""
    first = Resources.of([scalar("cpus", 1)])
    assert Resources.of([scalar("cpus", 1)]) is first


def test_encoding_is_what_protobuf_would_write() -> None:
    """All value types, reservations, disks; ready to be spliced into an offer."""
    resources = parse_resources("cpus:4.5;ports:[1-5,7-9];zones:{a,b};mem(r):7").allocated_to("x")
    resources += Resources.of([volume("v1")])
    offer = v0.Offer(resources=resources.messages())
    assert v0.Offer.FromString(resources.encoded(5)) == offer
    assert resources.encoded(5) == offer.SerializePartialToString()


def test_old_frameworks_get_roles_instead_of_the_stack() -> None:
    """And no allocation mark unless they are MULTI_ROLE."""
    resources = parse_resources("cpus:4;mem(r):7").allocated_to("r")
    offer = v0.Offer.FromString(resources.encoded(5, old=True, allocated=False))
    assert [(item.name, item.role, item.HasField("allocation_info")) for item in offer.resources] == [
        ("cpus", "*", False),
        ("mem", "r", False),
    ]
    offer = v0.Offer.FromString(resources.encoded(5, old=True))
    assert [item.allocation_info.role for item in offer.resources] == ["r", "r"]
    assert not offer.resources[1].reservations


def test_refined_reservations_cannot_be_written_the_old_way() -> None:
    """There is no place for the second one."""
    resource = scalar("cpus", 1, "a")
    resource.reservations.add(type=DYNAMIC, role="a/b")
    with pytest.raises(InvalidRequest, match="Cannot downgrade resources containing refined reservations"):
        Resources.of([resource]).encoded(5, old=True)


def test_the_path_of_a_volume_is_not_part_of_its_identity() -> None:
    """A task may mount it elsewhere; the message keeps what it said."""
    offered = Resources.of([volume("v1", path="data")])
    used = Resources.of([volume("v1", path="elsewhere")])
    assert offered == used
    assert hash(offered) == hash(used)
    assert offered.contains(used)
    assert not offered - used
    assert used.messages()[0].disk.volume.container_path == "elsewhere"


def test_volumes_cannot_be_divided() -> None:
    """Half a volume is not contained in it."""
    assert not Resources.of([volume("v1", 64)]).contains(Resources.of([volume("v1", 32)]))


def test_equal_volumes_of_two_agents_stay_two() -> None:
    """A framework's sum over agents must not merge or lose one."""
    both = Resources.of([volume("v1")]) + Resources.of([volume("v1")])
    assert both.disk == 128
    assert len(both.messages()) == 2
    assert (both - Resources.of([volume("v1")])).disk == 64


def test_mount_disks_are_taken_whole() -> None:
    """Two of them do not merge, and none can be split."""
    disks = Resources.of([mount("/a", 10), mount("/b", 10)])
    assert disks.disk == 20
    assert not disks.contains(Resources.of([mount("/a", 5)]))
    assert disks - Resources.of([mount("/a", 10)]) == Resources.of([mount("/b", 10)])


def test_shared_volumes_are_counted_in_copies_but_once_in_amounts() -> None:
    """Several tasks may use one."""
    one = Resources.of([volume("v1", shared=True)])
    two = one + one
    assert two.disk == 64
    assert len(two.messages()) == 1
    assert two - one == one
    assert not one - one
    assert str(two).endswith("<SHARED>:64<2>")


def test_the_order_of_labels_does_not_matter() -> None:
    """A reservation with the same labels is the same reservation."""

    def labelled(*pairs: tuple[str, str]) -> Resources:
        resource = scalar("cpus", 1, "r")
        for key, value in pairs:
            resource.reservations[0].labels.labels.add(key=key, value=value)
        return Resources.of([resource])

    assert labelled(("a", "1"), ("b", "2")) == labelled(("b", "2"), ("a", "1"))
    assert labelled(("a", "1")) != labelled(("a", "2"))


def test_allocation_marks_come_and_go() -> None:
    """They are part of the identity."""
    resources = parse_resources("cpus:1;mem(r):2")
    marked = resources.allocated_to("r")
    assert marked != resources
    assert str(marked) == "cpus(allocated: r):1; mem(allocated: r)(reservations: [(STATIC,r)]):2"
    assert marked.unallocated() == resources
    both = marked + resources.allocated_to("s")
    assert both.allocations() == {"r": marked, "s": resources.allocated_to("s")}


def test_views_select_parts() -> None:
    """Reserved, revocable, shared, volumes, allocatable."""
    revocable = scalar("cpus", 3)
    revocable.revocable.SetInParent()
    resources = Resources.of([scalar("cpus", 1), scalar("cpus", 2, "a"), revocable, volume("v", shared=True)])
    assert resources.unreserved().cpus == 4
    assert resources.reserved().names() == {"cpus", "disk"}
    assert resources.reserved("a").cpus == 2
    assert resources.revocable().cpus == 3
    assert resources.nonrevocable().cpus == 3
    assert resources.shared() == resources.persistent_volumes()
    assert resources.nonshared().disk == 0
    assert resources.allocatable_to("a/b").cpus == 6
    assert resources.allocatable_to("b").cpus == 4
    assert set(resources.reservations()) == {"a", "r"}


def test_reservations_are_pushed_and_popped() -> None:
    """The stack grows by refinement."""
    pushed = parse_resources("cpus(a):1").push_reservation(v0.Resource.ReservationInfo(type=DYNAMIC, role="a/b"))
    assert str(pushed) == "cpus(reservations: [(STATIC,a),(DYNAMIC,a/b)]):1"
    assert pushed.pop_reservation() == parse_resources("cpus(a):1")
    assert pushed.to_unreserved() == parse_resources("cpus:1")
    with pytest.raises(InvalidRequest):
        parse_resources("cpus:1").pop_reservation()


def test_quantities_count_members_of_ranges_for_the_minimum_to_offer() -> None:
    """Trap 21."""
    resources = parse_resources("cpus:1;ports:[1-10]")
    assert resources.covers({"cpus": 1000, "ports": 10_000})
    assert not resources.covers({"ports": 11_000})
    assert not resources.covers({"mem": 1})


def test_empty_bags_print_as_braces() -> None:
    """As errors show them."""
    assert str(EMPTY) == "{}"
    assert not EMPTY


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (scalar("cpus", -1), "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"),
        (scalar("cpus", 0.0001), "Resource 'cpus:0' is invalid: Invalid scalar resource: value <= 0"),
        (scalar("", 1), "Resource ':1' is invalid: Empty resource name"),
        (scalar("cpus", 1, "*"), 'role "*" cannot be reserved'),
        (scalar("cpus", 1, "a/../b"), "cannot include '..' as a component"),
        (scalar("cpus", 1, shared=v0.Resource.SharedInfo()), "Resource cpus cannot be shared"),
        (scalar("disk", 1, shared=v0.Resource.SharedInfo()), "Only persistent volumes can be shared"),
        (v0.Resource(name="cpus", type=v0.Value.SCALAR), "Invalid scalar resource"),
    ],
)
def test_invalid_resources_are_refused_by_name(resource: v0.Resource, message: str) -> None:
    """And vanish when nobody validates them."""
    with pytest.raises(InvalidRequest) as caught:
        validate_resources([resource])
    assert message in str(caught.value)
    assert not Resources.of([resource])


def test_overlapping_ranges_are_refused_as_they_came() -> None:
    """The message shows them unmerged."""
    resource = v0.Resource(name="ports", type=v0.Value.RANGES)
    resource.ranges.range.add(begin=31000, end=31002)
    resource.ranges.range.add(begin=31001, end=31003)
    with pytest.raises(InvalidRequest) as caught:
        validate_resources([resource])
    assert (
        str(caught.value)
        == "Resource 'ports:[31000-31002, 31001-31003]' is invalid: Invalid ranges resource: overlapping ranges"
    )


def test_zero_is_valid_and_vanishes() -> None:
    """``gpus: 0`` in a task is legal."""
    validate_resources([scalar("gpus", 0)])
    assert Resources.of([scalar("gpus", 0), scalar("cpus", 1)]) == parse_resources("cpus:1")


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([(STATIC, "a"), (STATIC, "a/b")], "A refined reservation cannot be STATIC"),
        ([(STATIC, "a"), (DYNAMIC, "b")], "role 'b' is not a refinement of 'a'"),
    ],
)
def test_badly_refined_reservations_are_refused(stack: list[tuple[int, str]], message: str) -> None:
    """Each must lie strictly below the one before."""
    resource = scalar("cpus", 1)
    for kind, role in stack:
        resource.reservations.add(type=kind, role=role)
    with pytest.raises(InvalidRequest, match=message):
        validate_resources([resource])


def test_volumes_print_as_in_errors() -> None:
    """Id and path in brackets."""
    assert resource_text(volume("p1", 80)) == "disk(reservations: [(DYNAMIC,r,p)])[p1:data]:80"
