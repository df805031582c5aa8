"""Fault domains: the region and the zone that masters and agents say they are in (H18)."""

from __future__ import annotations

from messor.protos import v0


def check_domain(domain: v0.DomainInfo | None) -> str | None:
    """Say what is wrong with the value of ``--domain``, if anything."""
    if domain is None or domain.HasField("fault_domain"):
        return None
    return "`domain` must define `fault_domain`"


def region_of(domain: v0.DomainInfo) -> str | None:
    """Name the region; None where no fault domain is said, which is then taken for near."""
    return domain.fault_domain.region.name if domain.HasField("fault_domain") else None


def domain_text(domain: v0.DomainInfo) -> str:
    """Write region and zone for people."""
    fault = domain.fault_domain
    return f"region '{fault.region.name}', zone '{fault.zone.name}'"
