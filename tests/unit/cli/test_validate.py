"""``messor validate``: sentences and exit statuses for files, without a master."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from messor.cli.validate import main

TASK: dict[str, Any] = {
    "name": "t",
    "task_id": {"value": "t1"},
    "agent_id": {"value": "S1"},
    "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}],
    "command": {"value": "true"},
}


def check(tmp_path: Path, content: Any, *flags: str) -> int:
    """Write a file and validate it; gives the exit status."""
    path = tmp_path / "subject.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return main(["messor-validate", str(path), *flags])


def changed(**fields: Any) -> dict[str, Any]:
    """Give the task with other fields; None removes one."""
    return {name: value for name, value in {**TASK, **fields}.items() if value is not None}


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (changed(task_id={"value": "a/b"}), "'a/b' contains invalid characters"),
        (changed(resources=[]), "Task uses no resources"),
        (changed(command=None), "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"),
        (
            changed(resources=[{"name": "gpus", "type": "SCALAR", "scalar": {"value": 0.5}}]),
            "The 'gpus' resource must be an unsigned integer",
        ),
        (changed(kill_policy={"grace_period": {"nanoseconds": -1}}), "grace_period"),
    ],
)
def test_an_invalid_task_is_refused_in_the_master_s_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: dict[str, Any], sentence: str
) -> None:
    """What TASK_ERROR would say, before anything is launched."""
    assert check(tmp_path, task) == 1
    assert sentence in capsys.readouterr().out


def test_a_valid_task_passes_in_either_spelling(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """v1 with agent_id, v0 with slave_id, and a template without."""
    assert check(tmp_path, TASK) == 0
    assert check(tmp_path, changed(agent_id=None, slave_id={"value": "S1"})) == 0
    assert "warning" not in capsys.readouterr().out
    assert check(tmp_path, changed(agent_id=None)) == 0
    assert "warning: 'agent_id' is missing" in capsys.readouterr().out


def test_misspelt_names_are_warned_of_with_what_was_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are ignored on the wire, silently."""
    assert check(tmp_path, changed(command={"value": "true", "enviroment": {}}, labls={})) == 0
    said = capsys.readouterr().out
    assert "warning: 'command.enviroment' is unknown and ignored; did you mean 'environment'?" in said
    assert "warning: 'labls' is unknown and ignored; did you mean 'labels'?" in said


def test_the_operations_of_an_accept_build_on_one_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A launch may use what the same call reserves; a duplicate id in another does not."""
    reserved = {
        "name": "cpus",
        "type": "SCALAR",
        "scalar": {"value": 1},
        "reservations": [{"type": "DYNAMIC", "role": "web"}],
    }
    call = {
        "type": "ACCEPT",
        "framework_id": {"value": "f"},
        "accept": {
            "offer_ids": [{"value": "o"}],
            "operations": [
                {"type": "RESERVE", "reserve": {"resources": [reserved]}},
                {"type": "LAUNCH", "launch": {"task_infos": [changed(resources=[reserved])]}},
                {"type": "LAUNCH", "launch": {"task_infos": [changed(task_id={"value": ""})]}},
            ],
        },
    }
    assert check(tmp_path, call, "--role=web") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["call ACCEPT: valid", "RESERVE: valid", "LAUNCH task 't1': valid"]
    assert lines[3].startswith("LAUNCH task '': ")


def test_a_list_names_the_item_that_is_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its number."""
    assert check(tmp_path, [TASK, changed(task_id={"value": "t2"}, foo=1)]) == 0
    assert "warning: [1] 'foo' is unknown" in capsys.readouterr().out


def test_a_framework_and_its_subscription_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Roles are, for one."""
    info = {"user": "u", "name": "shop", "roles": ["a b"], "capabilities": [{"type": "MULTI_ROLE"}]}
    assert check(tmp_path, info) == 1
    assert check(tmp_path, {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}) == 1
    assert capsys.readouterr().out.count("framework 'shop': ") == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "Failed to parse body into JSON"),
        ("3", "Expecting a JSON object, or a list of them"),
        ('{"x": 1}', "This is neither a TaskInfo"),
        ('{"task_id": {"value": "t"}, "agent_id": 3}', "Failed to convert JSON into TaskInfo protobuf"),
    ],
)
def test_what_cannot_be_read_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, sentence: str
) -> None:
    """With the reason on stderr."""
    assert check(tmp_path, content) == 2
    assert sentence in capsys.readouterr().err


def test_findings_come_as_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object."""
    assert check(tmp_path, changed(resources=[]), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    assert told["findings"] == [{"where": "LAUNCH task 't1'", "problem": "Task uses no resources"}]


def test_a_missing_file_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """And says which."""
    assert main(["messor-validate", "/does/not/exist.json"]) == 2
    assert "cannot read /does/not/exist.json" in capsys.readouterr().err


def test_disks_of_providers_are_validated_as_the_master_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a provider makes of a disk nobody knows before: it cannot be used in the same call."""
    source = {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": 100},
        "provider_id": {"value": "rp-1"},
        "disk": {"source": {"type": "RAW", "profile": "fast"}},
    }
    good = {"type": "CREATE_DISK", "create_disk": {"source": source, "target_type": "MOUNT"}}
    assert check(tmp_path, [good]) == 0
    capsys.readouterr()
    wrong = {"type": "DESTROY_DISK", "destroy_disk": {"source": source}}
    assert check(tmp_path, [good, wrong]) == 1
    assert "'source' is not backed by a CSI volume" in capsys.readouterr().out
