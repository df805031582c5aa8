"""Message classes by short name, ``message("internal.RunTaskMessage")``, from Messor's own generated modules."""

from functools import cache

from google.protobuf import message_factory

from messor.protos import internal, pool, v0, v0_scheduler, v1, v1_executor, v1_master, v1_scheduler

LOADED = [module.DESCRIPTOR for module in (internal, v0, v0_scheduler, v1, v1_executor, v1_master, v1_scheduler)]


@cache
def msg(name):
    """Class of a message of package mesos."""
    return message_factory.GetMessageClass(pool.Default().FindMessageTypeByName("mesos." + name))


@cache
def enum(name, value):
    """Number of an enum value."""
    return pool.Default().FindEnumTypeByName("mesos." + name).values_by_name[value].number


def scalars(holder, amounts, field="resources", role=None):
    """Append scalar and range resources: ``{"cpus": 1.0, "ports": (31000, 32000)}``."""
    for name, value in amounts.items():
        resource = getattr(holder, field).add()
        resource.name = name
        if isinstance(value, tuple):
            resource.type = 1
            one = resource.ranges.range.add()
            one.begin, one.end = value
        else:
            resource.type = 0
            resource.scalar.value = value
        if role:
            resource.allocation_info.role = role
