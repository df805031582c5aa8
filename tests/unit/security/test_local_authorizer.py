"""Access control lists: what matches, what is allowed, which rule decides (K7, K8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messor.errors import ConfigurationError
from messor.protos import acls, v0, v0_quota
from messor.security.acl_lists import ENDPOINTS, LISTS, PARENT_LISTS
from messor.security.authorizer import Action, Object, Subject
from messor.security.create_authorizer import create_authorizer
from messor.security.local_authorizer import LocalAuthorizer
from messor.wire.json_codec import message_from

ANY: dict[str, Any] = {"type": "ANY"}
NONE: dict[str, Any] = {"type": "NONE"}


def some(*values: str) -> dict[str, Any]:
    """Make an entity."""
    return {"type": "SOME", "values": list(values)}


def rules(**lists: Any) -> acls.ACLs:
    """Make ACLs."""
    return message_from(lists, acls.ACLs)


def may(given: acls.ACLs, principal: str | None, action: int, thing: Object | None) -> bool:
    """Ask a local authorizer."""
    subject = None if principal is None else Subject(principal)
    return LocalAuthorizer(given).approver(subject, action).approved(thing)


def user(name: str) -> Object:
    """Make a framework of a user, as VIEW_FRAMEWORK is asked about."""
    return Object(framework_info=v0.FrameworkInfo(user=name, name="x"))


def role(name: str) -> Object:
    """Make a role, as VIEW_ROLE is asked about."""
    return Object(value=name)


# --- one rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "asked", "expected"),
    [
        (ANY, "alice", True),
        (ANY, None, True),
        (NONE, "alice", False),
        (NONE, None, False),
        (some("alice"), "alice", True),
        (some("alice"), "bob", "unmatched"),
        (some("alice"), None, "unmatched"),
        (some(), "alice", "unmatched"),
    ],
)
@pytest.mark.parametrize("permissive", [False, True])
def test_a_rule_matches_and_allows_by_its_principals(
    entity: dict[str, Any], asked: str | None, expected: bool | str, permissive: bool
) -> None:
    """NONE matches whoever asks, to forbid it; who asks without a name is matched by ANY and NONE only."""
    given = rules(permissive=permissive, view_frameworks=[{"principals": entity, "users": ANY}])
    answer = permissive if expected == "unmatched" else expected
    assert may(given, asked, Action.VIEW_FRAMEWORK, user("u")) is answer


@pytest.mark.parametrize(
    ("entity", "thing", "expected"),
    [
        (ANY, user("u"), True),
        (ANY, None, True),
        (NONE, user("u"), False),
        (NONE, None, False),
        (some("u", "w"), user("u"), True),
        (some("u"), user("v"), "unmatched"),
        (some("u"), None, "unmatched"),
        (some(), user("u"), "unmatched"),
    ],
)
@pytest.mark.parametrize("permissive", [False, True])
def test_a_rule_matches_and_allows_by_its_objects(
    entity: dict[str, Any], thing: Object | None, expected: bool | str, permissive: bool
) -> None:
    """NONE matches whatever is asked about; what is nothing in particular is matched by ANY and NONE only."""
    given = rules(permissive=permissive, view_frameworks=[{"principals": some("alice"), "users": entity}])
    answer = permissive if expected == "unmatched" else expected
    assert may(given, "alice", Action.VIEW_FRAMEWORK, thing) is answer


# --- several rules ---------------------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_decides() -> None:
    """What stands behind it does not count, nor does permissive."""
    given = rules(
        permissive=True,
        view_frameworks=[
            {"principals": some("alice"), "users": some("root")},
            {"principals": some("alice", "bob"), "users": NONE},
            {"principals": ANY, "users": ANY},
        ],
    )
    assert may(given, "alice", Action.VIEW_FRAMEWORK, user("root"))
    assert not may(given, "alice", Action.VIEW_FRAMEWORK, user("other"))
    assert not may(given, "bob", Action.VIEW_FRAMEWORK, user("root"))
    assert may(given, "carol", Action.VIEW_FRAMEWORK, user("other"))


@pytest.mark.parametrize("permissive", [False, True])
def test_where_no_rule_matches_permissive_decides(permissive: bool) -> None:
    """It is true unless somebody says otherwise."""
    given = rules(permissive=permissive)
    assert may(given, "alice", Action.RUN_TASK, None) is permissive
    assert may(rules(), "alice", Action.RUN_TASK, None)


def test_lists_do_not_mix() -> None:
    """A rule about frameworks says nothing of tasks."""
    given = rules(permissive=False, view_frameworks=[{"principals": ANY, "users": ANY}])
    assert may(given, "alice", Action.VIEW_FRAMEWORK, user("u"))
    assert not may(given, "alice", Action.VIEW_TASK, user("u"))


# --- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "asked", "expected"),
    [
        (["a/%"], "a/b", True),
        (["a/%"], "a/b/c", True),
        (["a/%"], "a", False),
        (["a/%"], "ab", False),
        (["a", "a/%"], "a", True),
        (["a", "a/%"], "a/b", True),
        (["a"], "a/b", False),
        (["b/%", "c", "a/%"], "a/x", True),
        (["%"], "a", False),
    ],
)
def test_roles_below_a_role_are_named_with_a_percent_sign(named: list[str], asked: str, expected: bool) -> None:
    """The role itself is not among them."""
    given = rules(permissive=False, view_roles=[{"principals": some("alice"), "roles": some(*named)}])
    assert may(given, "alice", Action.VIEW_ROLE, role(asked)) is expected
    assert not may(given, "bob", Action.VIEW_ROLE, role(asked))


def test_forbidding_roles_below_a_role() -> None:
    """A rule for nobody comes first."""
    given = rules(
        view_roles=[{"principals": NONE, "roles": some("secret/%")}, {"principals": ANY, "roles": ANY}],
    )
    assert not may(given, "alice", Action.VIEW_ROLE, role("secret/x"))
    assert may(given, "alice", Action.VIEW_ROLE, role("secret"))
    assert may(given, "alice", Action.VIEW_ROLE, None), "any role there is: no rule about some matches"


def test_a_percent_sign_means_nothing_where_objects_are_no_roles() -> None:
    """A user may be called so."""
    given = rules(permissive=False, view_frameworks=[{"principals": ANY, "users": some("a/%")}])
    assert may(given, "alice", Action.VIEW_FRAMEWORK, user("a/%"))
    assert not may(given, "alice", Action.VIEW_FRAMEWORK, user("a/b"))


def framework(*roles: str, **fields: Any) -> v0.FrameworkInfo:
    """Make a MULTI_ROLE framework."""
    info = v0.FrameworkInfo(user="u", name="n", roles=roles, **fields)
    info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
    return info


def test_a_framework_needs_leave_for_all_its_roles() -> None:
    """With none there is nothing to match: permissive decides."""
    given = rules(permissive=False, register_frameworks=[{"principals": some("alice"), "roles": some("a", "b/%")}])
    assert may(given, "alice", Action.REGISTER_FRAMEWORK, Object(framework_info=framework("a", "b/c")))
    assert not may(given, "alice", Action.REGISTER_FRAMEWORK, Object(framework_info=framework("a", "c")))
    assert not may(given, "alice", Action.REGISTER_FRAMEWORK, Object(framework_info=framework()))
    single = v0.FrameworkInfo(user="u", name="n", role="a")
    assert may(given, "alice", Action.REGISTER_FRAMEWORK, Object(framework_info=single))


# --- what actions are about ------------------------------------------------------------------------------------------


def resource(*reserved: tuple[str, str], volume_by: str | None = None, **old: Any) -> v0.Resource:
    """Make a resource reserved for (role, by) in the form of today."""
    made = v0.Resource(name="disk", type=v0.Value.SCALAR, **old)
    for owner, principal in reserved:
        reservation = made.reservations.add(type=v0.Resource.ReservationInfo.DYNAMIC, role=owner)
        if principal:
            reservation.principal = principal
    if volume_by is not None:
        made.disk.persistence.id = "v"
        made.disk.persistence.principal = volume_by
    return made


def task(**users: str) -> v0.TaskInfo:
    """Make a task; its command or its executor names a user."""
    made = v0.TaskInfo(name="t")
    if "command" in users:
        made.command.user = users["command"]
    if "executor" in users:
        made.executor.command.user = users["executor"]
    return made


EXECUTOR = v0.ExecutorInfo(command=v0.CommandInfo(user="exec"))
PLAIN_EXECUTOR = v0.ExecutorInfo(command=v0.CommandInfo())
FRAMEWORK = v0.FrameworkInfo(user="frame", name="n", principal="owner")
CONTAINER = v0.ContainerID(value="cid")

ABOUT: list[tuple[int, Object, str | None]] = [
    (Action.RUN_TASK, Object(task_info=task(command="c"), framework_info=FRAMEWORK), "c"),
    (Action.RUN_TASK, Object(task_info=task(executor="e"), framework_info=FRAMEWORK), "e"),
    (Action.RUN_TASK, Object(task_info=task(), framework_info=FRAMEWORK), "frame"),
    (Action.TEARDOWN_FRAMEWORK, Object(framework_info=FRAMEWORK), "owner"),
    (Action.TEARDOWN_FRAMEWORK, Object(value="named"), "named"),
    (Action.RESERVE_RESOURCES, Object(resource=resource(("a", ""), ("a/b", ""))), "a/b"),
    (Action.RESERVE_RESOURCES, Object(resource=resource(role="old")), "old"),
    (Action.RESERVE_RESOURCES, Object(value="named"), "named"),
    (Action.UNRESERVE_RESOURCES, Object(resource=resource(("a", "first"), ("a/b", "last"))), "last"),
    (Action.CREATE_VOLUME, Object(resource=resource(("a", ""))), "a"),
    (Action.DESTROY_VOLUME, Object(resource=resource(("a", ""), volume_by="maker")), "maker"),
    (Action.RESIZE_VOLUME, Object(resource=resource(("a", ""))), "a"),
    (Action.GET_ENDPOINT_WITH_PATH, Object(value="/containers"), "/containers"),
    (Action.VIEW_ROLE, Object(value="r"), "r"),
    (Action.UPDATE_WEIGHT, Object(weight_info=v0.WeightInfo(role="w", weight=1)), "w"),
    (Action.GET_QUOTA, Object(value="q"), "q"),
    (Action.UPDATE_QUOTA, Object(quota_info=v0_quota.QuotaInfo(role="q")), "q"),
    (Action.UPDATE_QUOTA_WITH_CONFIG, Object(value="q"), "q"),
    (Action.VIEW_FRAMEWORK, Object(framework_info=FRAMEWORK), "frame"),
    (Action.VIEW_TASK, Object(task=v0.Task(user="t"), framework_info=FRAMEWORK), "t"),
    (Action.VIEW_TASK, Object(task=v0.Task(), framework_info=FRAMEWORK), "frame"),
    (Action.VIEW_TASK, Object(task_info=task(command="c"), framework_info=FRAMEWORK), "c"),
    (Action.VIEW_EXECUTOR, Object(executor_info=EXECUTOR, framework_info=FRAMEWORK), "exec"),
    (Action.VIEW_EXECUTOR, Object(executor_info=PLAIN_EXECUTOR, framework_info=FRAMEWORK), "frame"),
    (Action.ACCESS_SANDBOX, Object(executor_info=EXECUTOR, framework_info=FRAMEWORK), "exec"),
    (Action.ACCESS_SANDBOX, Object(framework_info=FRAMEWORK), "frame"),
    (Action.ACCESS_SANDBOX, Object(), None),
    (Action.VIEW_CONTAINER, Object(executor_info=EXECUTOR, framework_info=FRAMEWORK), "exec"),
    (Action.KILL_NESTED_CONTAINER, Object(container_id=CONTAINER), "cid"),
    (Action.ATTACH_CONTAINER_INPUT, Object(framework_info=FRAMEWORK, container_id=CONTAINER), "frame"),
    (Action.ACCESS_MESOS_LOG, Object(value="whatever"), None),
    (Action.MARK_AGENT_GONE, Object(), None),
    (Action.START_MAINTENANCE, Object(machine_id=v0.MachineID(hostname="h")), None),
]


@pytest.mark.parametrize(("action", "thing", "value"), ABOUT)
def test_an_action_is_about_one_thing_of_its_object(action: int, thing: Object, value: str | None) -> None:
    """Of several reservations the innermost; the user of a task before its framework's."""
    found = LISTS[action].values(thing)
    assert found is None if value is None else tuple(found or ()) == (value,)


def test_every_action_has_a_list_and_every_list_an_action() -> None:
    """53 actions, 54 lists: quotas are two actions, nested containers have two lists each."""
    assert set(LISTS) == set(Action.values()) - {Action.UNKNOWN}
    assert len(LISTS) == 53
    named = {each.name for each in (*LISTS.values(), *PARENT_LISTS.values())}
    assert named == {field.name for field in acls.ACLs.DESCRIPTOR.fields} - {"permissive"}
    assert len(named) == 54


@pytest.mark.parametrize("action", [0, 4711])
def test_unknown_actions_are_allowed_to_nobody(action: int) -> None:
    """Even where everything else is."""
    assert not may(rules(permissive=True), "alice", action, None)


# --- containers in containers ----------------------------------------------------------------------------------------


def test_nested_containers_need_leave_for_what_they_run_as_and_what_they_run_under() -> None:
    """Without a command only the parent counts."""
    given = rules(
        permissive=False,
        launch_nested_containers_as_user=[{"principals": some("alice"), "users": some("child")}],
        launch_nested_containers_under_parent_with_user=[{"principals": ANY, "users": some("exec")}],
    )

    def asked(command_user: str | None, executor: v0.ExecutorInfo = EXECUTOR, who: str = "alice") -> bool:
        command = None if command_user is None else v0.CommandInfo(user=command_user)
        thing = Object(command_info=command, executor_info=executor, framework_info=FRAMEWORK)
        return may(given, who, Action.LAUNCH_NESTED_CONTAINER, thing)

    assert asked("child")
    assert not asked("other")
    assert not asked("child", PLAIN_EXECUTOR)
    assert not asked("child", who="bob")
    assert asked(None, who="bob")


def test_executors_may_do_things_below_their_own_container_only() -> None:
    """They come with claims and without a name; no rule is asked."""
    local = LocalAuthorizer(rules(permissive=True))
    executor = Subject(claims={"cid": "root"})
    below = v0.ContainerID(value="child", parent=v0.ContainerID(value="root"))
    approver = local.approver(executor, Action.LAUNCH_NESTED_CONTAINER)
    assert approver.approved(Object(container_id=below))
    assert not approver.approved(Object(container_id=v0.ContainerID(value="child")))
    assert not approver.approved(None)
    assert not local.approver(executor, Action.VIEW_FRAMEWORK).approved(user("u"))
    assert not local.approver(Subject(claims={"fid": "x"}), Action.LAUNCH_NESTED_CONTAINER).approved(
        Object(container_id=below)
    )


def test_resource_providers_may_do_things_to_containers_with_their_prefix() -> None:
    """Standalone ones."""
    approver = LocalAuthorizer(rules()).approver(
        Subject(claims={"cid_prefix": "csi-"}), Action.LAUNCH_STANDALONE_CONTAINER
    )
    assert approver.approved(Object(container_id=v0.ContainerID(value="csi-1")))
    assert not approver.approved(Object(container_id=v0.ContainerID(value="other")))


# --- bad rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lists", "text"),
    [
        ({"view_flags": [{"principals": ANY, "flags": some("x")}]}, "ACL.ViewFlags type must be either NONE or ANY"),
        ({"set_log_level": [{"principals": ANY, "level": {}}]}, "ACL.SetLogLevel type must be either NONE or ANY"),
        (
            {"register_agents": [{"principals": ANY, "agents": some("a")}]},
            "ACL.RegisterAgent type must be either NONE or ANY",
        ),
        (
            {"get_endpoints": [{"principals": ANY, "paths": some("/state")}]},
            "Path: '/state' is not an authorizable path",
        ),
    ],
)
def test_rules_that_name_what_has_no_names_are_refused(lists: dict[str, Any], text: str) -> None:
    """In Mesos' words, when the daemon starts."""
    with pytest.raises(ConfigurationError, match=text):
        LocalAuthorizer(rules(**lists))
    with pytest.raises(ConfigurationError, match=f"Could not create 'local' authorizer: {text}"):
        create_authorizer("local", rules(**lists))


def test_endpoints_that_rules_may_name_are_accepted() -> None:
    """All of them."""
    given = rules(permissive=False, get_endpoints=[{"principals": ANY, "paths": some(*sorted(ENDPOINTS))}])
    assert may(given, None, Action.GET_ENDPOINT_WITH_PATH, Object(value="/metrics/snapshot"))


def test_an_authorizer_of_ones_own_is_named_by_the_flag() -> None:
    """Rules do not count then; without rules there is no local one."""
    made = create_authorizer("support.own_authorizer:Forbidding", rules())
    assert made is not None
    assert not made.approver(None, Action.VIEW_FLAGS).approved(None)
    assert create_authorizer("local", None) is None
    for name in ("nothing", "nothing:there", "support.own_authorizer:Missing", "a,b"):
        with pytest.raises(ConfigurationError):
            create_authorizer(name, None)


# --- against the obvious ---------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "a/x", "a/x/y", "b/z"])
entities = st.one_of(
    st.just(ANY),
    st.just(NONE),
    st.lists(st.sampled_from(["a", "b", "a/%", "a/x/%", "b/z"]), max_size=3).map(lambda v: some(*v)),
)
people = st.one_of(
    st.just(ANY), st.just(NONE), st.lists(st.sampled_from(["p", "q"]), max_size=2).map(lambda v: some(*v))
)


def matches(request: tuple[str, ...] | None, entity: dict[str, Any]) -> bool:
    """Say it as the table in Mesos' documentation does: request None is ANY."""
    if entity["type"] in ("ANY", "NONE"):
        return True
    return request is not None and set(request) <= set(entity["values"])


def allows(request: tuple[str, ...] | None, entity: dict[str, Any]) -> bool:
    """Likewise."""
    if entity["type"] == "ANY":
        return True
    return entity["type"] == "SOME" and request is not None and set(request) <= set(entity["values"])


def obvious(entries: list[dict[str, Any]], who: str | None, about: str | None, *, permissive: bool) -> bool:
    """Decide one rule after the other, with rules about roles below roles taken apart first."""
    subject = None if who is None else (who,)
    thing = None if about is None else (about,)
    for entry in entries:
        roles = entry["roles"]
        values = roles.get("values", [])
        below = [value for value in values if value.endswith("/%")]
        for value in below:
            is_below = about is not None and about.startswith(value[:-1])
            if is_below and matches(subject, entry["principals"]):
                return allows(subject, entry["principals"])
        rest = roles if roles["type"] != "SOME" else some(*[value for value in values if value not in below])
        if rest["type"] == "SOME" and not rest["values"] and below:
            continue
        if matches(subject, entry["principals"]) and matches(thing, rest):
            return allows(subject, entry["principals"]) and allows(thing, rest)
    return permissive


@given(
    entries=st.lists(st.fixed_dictionaries({"principals": people, "roles": entities}), max_size=5),
    who=st.sampled_from(["p", "q", None]),
    about=st.one_of(st.none(), names),
    permissive=st.booleans(),
)
def test_it_decides_as_the_obvious_way_does(
    entries: list[dict[str, Any]], who: str | None, about: str | None, permissive: bool
) -> None:
    """Whatever is prepared beforehand."""
    given = rules(permissive=permissive, view_roles=entries)
    thing = None if about is None else role(about)
    expected = obvious(entries, who, about, permissive=permissive)
    approver = LocalAuthorizer(given).approver(None if who is None else Subject(who), Action.VIEW_ROLE)
    assert approver.approved(thing) is expected
    assert approver.verdict in (None, expected)
