"""Ids, roles, states, capabilities, labels, attributes, versions."""

from __future__ import annotations

import pytest

from messor.errors import InvalidRequest
from messor.model.attributes import attribute_text, parse_attributes, same_attributes
from messor.model.capabilities import AgentCapabilities, FrameworkCapabilities, MasterCapabilities
from messor.model.ids import IdMinter, validate_id
from messor.model.labels import label_pairs, labels_of, labels_text, same_labels
from messor.model.roles import (
    ancestors,
    is_strict_subrole,
    is_subrole,
    parent,
    parse_roles,
    roles_of,
    validate_role,
)
from messor.model.task_states import is_terminal, is_terminal_operation, task_state_name, told_state
from messor.model.versions import Version
from messor.protos import v0


def test_ids_carry_the_master_and_count_from_zero() -> None:
    """W14."""
    minter = IdMinter("m")
    assert [minter.framework(), minter.framework()] == ["m-0000", "m-0001"]
    assert [minter.agent(), minter.agent()] == ["m-S0", "m-S1"]
    assert [minter.offer(), minter.offer()] == ["m-O0", "m-O1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ID must not be empty"),
        ("x" * 256, "ID must not be greater than 255 characters"),
        (".", "'.' is disallowed"),
        ("..", "'..' is disallowed"),
        ("a/b", "'a/b' contains invalid characters"),
        ("a\\b", "'a\\b' contains invalid characters"),
        ("a\nb", "'a\nb' contains invalid characters"),
    ],
)
def test_ids_that_cannot_be_folder_names_are_refused(text: str, message: str) -> None:
    """In the words of the original."""
    with pytest.raises(InvalidRequest) as caught:
        validate_id(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["x" * 255, "2:7:1", "a b", "[dpark]", "ü", "..."])
def test_unusual_ids_are_fine(text: str) -> None:
    """Real frameworks use them."""
    validate_id(text)


@pytest.mark.parametrize("role", ["*", "a", "a/b", "prod-1", "a.b", "ü", ".a"])
def test_legal_roles_pass(role: str) -> None:
    """Anything that is a path of plain words."""
    validate_role(role)


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("", "Role names cannot be the empty string"),
        ("/a", "cannot start with a slash"),
        ("a/", "cannot end with a slash"),
        ("a//b", "cannot contain two adjacent slashes"),
        ("a/./b", "cannot include '.' as a component"),
        ("..", "cannot include '..' as a component"),
        ("a/*", "cannot include '*' as a component"),
        ("a/-b", "because it starts with a dash"),
        ("a b", "because it contains backspace or whitespace"),
    ],
)
def test_illegal_roles_are_refused(role: str, message: str) -> None:
    """A8."""
    with pytest.raises(InvalidRequest) as caught:
        validate_role(role)
    assert message in str(caught.value)


def test_roles_form_a_tree() -> None:
    """By path components, not by prefix."""
    assert is_strict_subrole("a/b", "a")
    assert not is_strict_subrole("ab", "a")
    assert not is_strict_subrole("a", "a")
    assert is_subrole("a", "a")
    assert ancestors("a/b/c") == ["a/b", "a"]
    assert parent("a/b") == "a"
    assert parent("a") is None
    assert parse_roles("a,b,,c") == ["a", "b", "c"]


def test_only_multi_role_frameworks_have_several_roles() -> None:
    """Others have the one in ``role``, * by default."""
    info = v0.FrameworkInfo(user="u", name="n", roles=["a", "b"])
    assert roles_of(info) == {"*"}
    info.capabilities.add(type=v0.FrameworkInfo.Capability.MULTI_ROLE)
    assert roles_of(info) == {"a", "b"}


def test_terminal_states_are_those_of_the_table() -> None:
    """S65."""
    names = {name for name, number in v0.TaskState.items() if is_terminal(number)}
    assert names == {
        "TASK_FINISHED",
        "TASK_FAILED",
        "TASK_KILLED",
        "TASK_LOST",
        "TASK_ERROR",
        "TASK_DROPPED",
        "TASK_GONE",
        "TASK_GONE_BY_OPERATOR",
    }
    assert is_terminal_operation(v0.OPERATION_FINISHED)
    assert not is_terminal_operation(v0.OPERATION_PENDING)
    assert task_state_name(v0.TASK_RUNNING) == "TASK_RUNNING"
    assert task_state_name(99) == "99"


def test_frameworks_that_do_not_know_partitions_are_told_lost() -> None:
    """Only of the states they do not know."""
    assert told_state(v0.TASK_UNREACHABLE, partition_aware=False) == v0.TASK_LOST
    assert told_state(v0.TASK_UNREACHABLE, partition_aware=True) == v0.TASK_UNREACHABLE
    assert told_state(v0.TASK_FAILED, partition_aware=False) == v0.TASK_FAILED


def test_capabilities_become_facts() -> None:
    """From messages or numbers; unknown ones are ignored; equal ones are shared."""
    kinds = v0.FrameworkInfo.Capability
    able = FrameworkCapabilities.of([kinds(type=kinds.GPU_RESOURCES), kinds()])
    assert able.gpu_resources
    assert not able.multi_role
    assert AgentCapabilities.of([1, 2, 99]).hierarchical_role
    assert AgentCapabilities.of([1, 2]) is AgentCapabilities.of([2, 1])
    assert MasterCapabilities.of([v0.MasterInfo.Capability(type=v0.MasterInfo.Capability.QUOTA_V2)]).quota_v2


def test_labels_print_and_compare() -> None:
    """Order does not matter, multiplicity does."""
    labels = labels_of([("k", "v"), ("flag", None)])
    assert labels_text(labels) == "{k: v, flag}"
    assert label_pairs(labels) == [("k", "v"), ("flag", None)]
    assert same_labels(labels, labels_of({"flag": None, "k": "v"}))
    assert not same_labels(labels_of([("k", "v"), ("k", "v")]), labels_of([("k", "v")]))


def test_attributes_keep_order_and_duplicates() -> None:
    """A16."""
    attributes = parse_attributes("rack:r1;num:4.5;rng:[1-10];rack:r2;url:http://x")
    assert [(item.name, attribute_text(item)) for item in attributes] == [
        ("rack", "r1"),
        ("num", "4.5"),
        ("rng", "[1-10]"),
        ("rack", "r2"),
        ("url", "http://x"),
    ]
    assert same_attributes(attributes, attributes[::-1])
    assert not same_attributes(attributes, attributes[1:])


@pytest.mark.parametrize("text", ["rack", "rack:", ":r1", "zones:{a,b}"])
def test_bad_attributes_are_refused(text: str) -> None:
    """Where the original aborts."""
    with pytest.raises(InvalidRequest):
        parse_attributes(text)


def test_versions_are_ordered() -> None:
    """Semantic versions, missing parts are zero, prereleases come before."""
    assert Version("1.2") == Version("1.2.0+build")
    assert Version("1.9.0") < Version("1.10.0")
    assert Version("1.12.0-dev") < Version("1.12.0")
    assert Version("1.0.0-2") < Version("1.0.0-10") < Version("1.0.0-a")
    assert str(Version("1-rc.1+x")) == "1.0.0-rc.1+x"
    for bad in ("", "1.2.3.4", "a.b", "1.0-", "01.0"):
        with pytest.raises(InvalidRequest):
            Version(bad)
