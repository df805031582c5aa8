"""The generated messages against an independent description of the protocol."""

from __future__ import annotations

from support.recordings import text_lines
from support.wire_listing import wire_listing


def test_every_message_field_number_label_type_default_and_enum_value_is_as_in_mesos() -> None:
    """Compare our descriptors with the list that was made from the original ones."""
    expected = [line.rstrip() for line in text_lines("wire_data.txt")]
    found = [line.rstrip() for line in wire_listing()]
    assert [line for line in expected if line not in set(found)] == []
    assert found == expected
