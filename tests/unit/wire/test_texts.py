"""String fields that hold no text are found wherever they are."""

from __future__ import annotations

from messor.protos import internal, v0
from messor.wire.texts import bad_text


def test_text_is_fine() -> None:
    """Any UTF-8 is, and bytes fields may hold anything."""
    update = internal.StatusUpdateMessage()
    update.update.status.message = "grüße"
    update.update.status.data = b"\xff"
    update.update.uuid = b"\xff" * 16
    assert bad_text(update) is None


def test_bytes_in_a_nested_repeated_field_are_found() -> None:
    """The path names the field for the log."""
    message = internal.RegisterSlaveMessage(slave=v0.SlaveInfo(hostname="h"))
    message.slave.attributes.add(name="ok", type=v0.Value.TEXT).text.value = "x"
    message.slave.attributes.add(name="ok", type=v0.Value.TEXT).text.value = "broken"
    body = message.SerializePartialToString().replace(b"broken", b"br\xffken")
    assert bad_text(internal.RegisterSlaveMessage.FromString(body)) == "slave.attributes.text.value"


def test_maps_are_looked_into() -> None:
    """Keys and values of maps hold text too."""
    task = v0.TaskInfo(name="näme")
    task.limits["cpus"].value = 1.0
    assert bad_text(task) is None
    body = task.SerializePartialToString().replace(b"cpus", b"\xff\xfe\xff\xfe")
    assert bad_text(v0.TaskInfo.FromString(body)) == "limits"
