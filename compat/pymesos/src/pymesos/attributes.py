"""``use_addict=True``: dicts whose keys are attributes too, with the API of addict.Dict."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

_PARENT = "_Dict__parent"
_FROZEN = "_Dict__frozen"


class Dict(dict):  # type: ignore[type-arg]
    """A dict whose keys can be read and set as attributes; reading a missing one gives an empty Dict to fill.

    Nested dicts become Dicts when they are looked at, not when the outer one is made: most of an event is never read.
    """

    __slots__ = (_FROZEN, _PARENT)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what dict takes, any number of times; None and empty arguments are skipped."""
        dict.__init__(self)
        for argument in arguments:
            if isinstance(argument, tuple) and argument and not isinstance(argument[0], tuple):
                dict.__setitem__(self, argument[0], argument[1])
            elif argument:
                dict.update(self, argument)
        if named:
            dict.update(self, named)

    # --- looking -----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        value = dict.__getitem__(self, key)
        kind = type(value)
        if kind is dict or kind is list or kind is tuple:
            return self._own(key, value)
        return value

    def _own(self, key: Any, value: Any) -> Any:
        """Put our kind in the place of a plain value, once."""
        own = self._hook(value)
        if own is not value:
            dict.__setitem__(self, key, own)
        return own

    @classmethod
    def _hook(cls, value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return cls(value)
        if kind is list:
            # In place, so that the list keeps its identity; converted ones start with a Dict and are left alone.
            if value and type(value[0]) in {dict, list, tuple}:
                value[:] = [cls._hook(item) for item in value]
        elif kind is tuple:
            return tuple(cls._hook(item) for item in value)
        return value

    def __missing__(self, key: Any) -> Dict:
        if getattr(self, _FROZEN, False):
            raise KeyError(key)
        child = type(self)()
        object.__setattr__(child, _PARENT, (self, key))
        return child

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" or name in (_PARENT, _FROZEN):
            raise AttributeError(name)
        return self[name]

    def get(self, key: Any, default: Any = None) -> Any:
        """Give a value, or default when there is none."""
        return self[key] if key in self else default  # noqa: SIM401  (it is get)

    def items(self) -> Any:
        """Give keys and values."""
        self._own_all()
        return dict.items(self)

    def values(self) -> Any:
        """Give the values."""
        self._own_all()
        return dict.values(self)

    def _own_all(self) -> None:
        for key, value in list(dict.items(self)):
            if type(value) in {dict, list, tuple}:
                self._own(key, value)

    # --- changing ----------------------------------------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        if getattr(self, _FROZEN, False) and key not in self:
            raise KeyError(key)
        dict.__setitem__(self, key, value)
        attached = getattr(self, _PARENT, None)
        if attached is not None:
            object.__delattr__(self, _PARENT)
            parent, own_key = attached
            parent[own_key] = self

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(f"'{name}' is a method of {type(self).__name__}: set it as an item")
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def update(self, *arguments: Any, **named: Any) -> None:
        """Take over values; a dict is merged into the dict that is there."""
        if len(arguments) > 1:
            raise TypeError(f"update takes one argument, not {len(arguments)}")
        for key, value in dict(*arguments, **named).items():
            mine = self.get(key)
            if isinstance(mine, dict) and isinstance(value, dict):
                mine.update(value)
            else:
                self[key] = value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Give a value, after setting it when it was missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        """Take a value out."""
        return self._hook(dict.pop(self, key, *default))

    def freeze(self, shouldFreeze: bool = True) -> None:
        """Refuse new keys, here and below, until unfreeze(); reading a missing one raises KeyError then."""
        object.__setattr__(self, _FROZEN, shouldFreeze)
        for value in self.values():
            if isinstance(value, Dict):
                value.freeze(shouldFreeze)

    def unfreeze(self) -> None:
        """Allow new keys again."""
        self.freeze(False)

    # --- copies ------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[Any, Any]:
        """Give plain dicts all the way down."""
        return {key: _plain(value) for key, value in dict.items(self)}

    def copy(self) -> Dict:
        """Copy this level."""
        return type(self)(self)

    __copy__ = copy

    def deepcopy(self) -> Dict:
        """Copy all levels."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Dict:
        other = memo[id(self)] = type(self)()
        for key, value in dict.items(self):
            dict.__setitem__(other, copy.deepcopy(key, memo), copy.deepcopy(value, memo))
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.to_dict(),)

    def __or__(self, other: Any) -> Any:
        if not isinstance(other, dict):
            return NotImplemented
        new = type(self)(self)
        new.update(other)
        return new

    def __ror__(self, other: Any) -> Any:
        if not isinstance(other, dict):
            return NotImplemented
        new = type(self)(other)
        new.update(self)
        return new

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def __add__(self, other: Any) -> Any:
        """Let ``d.counter += 1`` start from nothing."""
        if self:
            raise TypeError(f"unsupported operand types for +: '{type(self).__name__}' and '{type(other).__name__}'")
        return other

    def __iter__(self) -> Iterator[Any]:
        return dict.__iter__(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in dict.items(value)}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    return value
