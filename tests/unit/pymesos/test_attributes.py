"""Dict, the attribute dict of ``use_addict``."""

from __future__ import annotations

import copy
import json
import pickle

import orjson
import pytest
from pymesos.attributes import Dict
from pymesos.utils import parse_duration


def test_nested_dicts_are_attributes_wherever_they_came_from() -> None:
    """In the constructor, in lists, in tuples, through every way of reading."""
    made = Dict({"a": {"b": [{"c": 1}, [{"d": 2}]]}, "e": ({"f": 3},)}, g={"h": 4})
    assert made.a.b[0].c == 1
    assert made.a.b[1][0].d == 2
    assert made.e[0].f == 3
    assert made["g"].h == made.get("g").h == 4
    assert [value.h for key, value in made.items() if key == "g"] == [4]
    assert all(isinstance(value, (Dict, tuple)) for value in made.values())
    assert Dict({"x": {"y": 1}}).pop("x").y == 1
    assert Dict(("key", "value")) == {"key": "value"}
    assert Dict([("a", 1)], None, {}) == {"a": 1}


def test_what_is_read_once_stays_the_same_object() -> None:
    """So that changing it changes the whole."""
    made = Dict({"a": {"b": 1}, "l": [{"x": 1}]})
    made.a.b = 2
    made.l[0].x = 3
    assert made == {"a": {"b": 2}, "l": [{"x": 3}]}


def test_missing_keys_can_be_filled_at_any_depth() -> None:
    """Reading alone adds nothing."""
    made = Dict()
    assert not made.a.b.c
    assert made == {}
    made.a.b.c = 1
    assert made == {"a": {"b": {"c": 1}}}
    made.n += 5
    assert made.n == 5
    assert made.get("missing") is None
    assert not hasattr(made, "__len_hint__")


def test_methods_cannot_be_set_as_attributes() -> None:
    """``made["items"]`` can."""
    made = Dict()
    with pytest.raises(AttributeError, match="items"):
        made.items = 1  # type: ignore[assignment,method-assign]
    made["items"] = 1
    assert dict(made) == {"items": 1}
    del made["items"]
    made.x = 1
    del made.x
    assert made == {}


def test_update_merges_and_operators_copy() -> None:
    """As addict does."""
    made = Dict({"a": {"b": 1, "c": 2}})
    made.update({"a": {"b": 3}}, d=4)
    assert made == {"a": {"b": 3, "c": 2}, "d": 4}
    assert made | {"d": 5} == {"a": {"b": 3, "c": 2}, "d": 5}
    assert {"d": 5, "z": 1} | made == {"d": 4, "z": 1, "a": {"b": 3, "c": 2}}
    made |= {"e": 6}
    assert made.e == 6
    assert made.setdefault("e", 7) == 6
    assert made.setdefault("f", 8) == 8


def test_copies_are_independent_as_far_as_they_say() -> None:
    """Shallow, deep, pickled, plain."""
    made = Dict({"a": {"b": [1]}})
    for deep in (made.deepcopy(), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert isinstance(deep, Dict)
        deep.a.b.append(2)
    shallow = made.copy()
    shallow.x = 1
    assert made == {"a": {"b": [1]}}
    plain = made.to_dict()
    assert type(plain) is type(plain["a"]) is dict


def test_frozen_dicts_refuse_new_keys() -> None:
    """Below, too, until unfrozen."""
    made = Dict({"a": {"b": 1}})
    made.freeze()
    with pytest.raises(KeyError):
        made.a.c = 1
    with pytest.raises(KeyError):
        made.missing  # noqa: B018
    made.a.b = 2
    made.unfreeze()
    made.a.c = 3
    assert made == {"a": {"b": 2, "c": 3}}


def test_json_takes_them() -> None:
    """Both writers, whether nested ones were read or not."""
    made = Dict({"a": {"b": [{"c": 1}]}})
    for _ in range(2):
        assert json.loads(json.dumps(made)) == orjson.loads(orjson.dumps(made)) == {"a": {"b": [{"c": 1}]}}
        assert made.a.b[0].c == 1


def test_durations_are_seconds() -> None:
    """In Mesos' grammar; anything else is quoted."""
    for text, seconds in (("5secs", 5.0), ("1.5mins", 90.0), (" 100ms ", 0.1), ("2hrs", 7200.0), ("1ns", 1e-9)):
        assert parse_duration(text) == pytest.approx(seconds)
    for text in ("5", "secs", "5 fortnights", ""):
        with pytest.raises(ValueError, match="duration"):
            parse_duration(text)
