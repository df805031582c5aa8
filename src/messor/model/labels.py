"""Labels: key and optional value, order and duplicates allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from messor.protos import v0


def labels_of(pairs: Mapping[str, str | None] | Iterable[tuple[str, str | None]]) -> v0.Labels:
    """Make the wire's form from pairs; a value of None is a label without value."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return v0.Labels(labels=[v0.Label(key=key, value=value) for key, value in items])


def label_pairs(labels: v0.Labels) -> list[tuple[str, str | None]]:
    """List key and value of each label, in order."""
    return [(item.key, item.value if item.HasField("value") else None) for item in labels.labels]


def labels_text(labels: v0.Labels) -> str:
    """Write as Mesos prints: ``{key: value, flag}``."""
    return "{" + ", ".join(key if value is None else f"{key}: {value}" for key, value in label_pairs(labels)) + "}"


def same_labels(left: v0.Labels, right: v0.Labels) -> bool:
    """Whether both hold the same labels equally often, in whatever order."""

    def ordered(labels: v0.Labels) -> list[tuple[str, bool, str]]:
        return sorted((key, value is not None, value or "") for key, value in label_pairs(labels))

    return ordered(left) == ordered(right)
