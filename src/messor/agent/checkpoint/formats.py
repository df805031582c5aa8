"""The form in which messages are stored and told to masters: without reservation stacks where that can be said (f)."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

from messor.errors import InvalidRequest
from messor.model.resource_formats import downgrade_all, upgrade_all

M = TypeVar("M", bound=Message)


def old_form(message: M) -> M:
    """Copy a message with its resources in the form from before reservation refinement.

    A message with a refined reservation keeps the new form everywhere, since half of each would be ambiguous.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    try:
        downgrade_all(copy)
    except InvalidRequest:
        copy.CopyFrom(message)
    return copy


def new_form(message: M) -> M:
    """Turn the resources of a message, in place, into the form with reservation stacks, and give it back."""
    upgrade_all(message)
    return message
