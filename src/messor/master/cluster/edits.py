"""Changes of the registry's parts that are not about single agents; see ``registry.edits``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from messor.errors import Conflict
from messor.master.registry.contents import Contents
from messor.master.registry.edits import Edit
from messor.model.quotas import Quota
from messor.model.resources import Resources
from messor.protos import registry, v0_maintenance

QUOTA_CAPABILITY = "QUOTA_V2"
"""What a master must know to read ``quota_configs``; an older one would silently drop them."""


def _copy(draft: Contents) -> registry.Registry:
    rest = registry.Registry()
    rest.CopyFrom(draft.rest)
    return rest


def update_quotas(quotas: Mapping[str, Quota]) -> Edit:
    """Set the quotas of these roles; a default quota forgets the role."""
    changes = dict(quotas)

    def edit(draft: Contents) -> bool:
        rest = _copy(draft)
        kept = [config for config in rest.quota_configs if config.role not in changes]
        kept += [quota.config(role) for role, quota in changes.items() if not quota.is_default]
        old = [quota for quota in rest.quotas if quota.info.role not in changes]
        needed = [item for item in rest.minimum_capabilities if item.capability != QUOTA_CAPABILITY]
        if kept:
            needed.append(registry.Registry.MinimumCapability(capability=QUOTA_CAPABILITY))
        for name, items in (("quota_configs", kept), ("quotas", old), ("minimum_capabilities", needed)):
            copies = [type(item).FromString(item.SerializeToString()) for item in items]
            rest.ClearField(name)
            getattr(rest, name).extend(copies)
        draft.rest = rest
        return True

    return edit


def update_weights(weights: Mapping[str, float]) -> Edit:
    """Set the weights of these roles."""
    changes = dict(weights)

    def edit(draft: Contents) -> bool:
        rest = _copy(draft)
        known = {weight.info.role: weight.info for weight in rest.weights}
        changed = False
        for role, value in changes.items():
            info = known.get(role)
            if info is None:
                info = rest.weights.add().info
                info.role = role
                info.weight = 0.0
            if info.weight != value:
                info.weight = value
                changed = True
        if changed:
            draft.rest = rest
        return changed

    return edit


def update_maintenance(
    schedule: v0_maintenance.Schedule,
    machines: Iterable[registry.Registry.Machine],
    *,
    known: Iterable[registry.Registry.Machine],
) -> Edit:
    """Replace the maintenance schedule and the machines that are not up.

    known: those the change was made from; raises Conflict when another change came first.
    """
    machines, known = list(machines), list(known)

    def edit(draft: Contents) -> bool:
        rest = _copy(draft)
        if list(rest.machines.machines) != known:
            raise Conflict("The maintenance schedule was changed meanwhile")
        rest.ClearField("schedules")
        rest.ClearField("machines")
        if schedule.windows:
            rest.schedules.add().CopyFrom(schedule)
        if machines:
            rest.machines.machines.extend(machines)
        draft.rest = rest
        return True

    return edit


def quotas_of(contents: Contents) -> dict[str, Quota]:
    """Read the quotas by role; those written by masters before QUOTA_V2 are guarantee and limit in one."""
    quotas: dict[str, Quota] = {}
    for old in contents.rest.quotas:
        guarantee = Resources.of(old.info.guarantee).quantities()
        quotas[old.info.role] = Quota(guarantee, dict(guarantee))
    for config in contents.rest.quota_configs:
        quotas[config.role] = Quota.of(config)
    return quotas


def weights_of(contents: Contents) -> dict[str, float]:
    """Read the weights by role."""
    return {weight.info.role: weight.info.weight for weight in contents.rest.weights}
