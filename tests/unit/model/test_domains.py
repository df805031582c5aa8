"""Where masters and agents say they are."""

from __future__ import annotations

import pytest

from messor.model.domains import check_domain, domain_text, region_of
from messor.protos import v0


def domain() -> v0.DomainInfo:
    """Make one."""
    made = v0.DomainInfo()
    made.fault_domain.region.name = "eu"
    made.fault_domain.zone.name = "eu-1"
    return made


def test_a_domain_must_say_region_and_zone() -> None:
    """Other kinds of domains may come."""
    assert check_domain(None) is None
    assert check_domain(domain()) is None
    assert check_domain(v0.DomainInfo()) == "`domain` must define `fault_domain`"


@pytest.mark.parametrize(("given", "region"), [(v0.DomainInfo(), None), (domain(), "eu")])
def test_without_a_fault_domain_there_is_no_region(given: v0.DomainInfo, region: str | None) -> None:
    """What has none is taken for near."""
    assert region_of(given) == region


def test_a_domain_is_written_for_people() -> None:
    """For logs and errors."""
    assert domain_text(domain()) == "region 'eu', zone 'eu-1'"
