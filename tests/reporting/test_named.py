"""Reports take an organization by its slug, too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from costtrack.exceptions import UnknownOrganization
from costtrack.metering.ledger import record_events
from costtrack.models import Organization
from costtrack.reporting.forecast import forecast
from costtrack.reporting.recommendations import recommendations
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    make_rate()
    organization = make_organization()
    record_events([make_event()])
    return organization


def test_a_slug_is_as_good_as_the_organization(acme: Organization) -> None:
    assert forecast("acme", at=NOON) == forecast(acme, at=NOON)
    days = {"start": NOON.date(), "end": NOON.date() + timedelta(days=1), "now": NOON}
    assert recommendations("acme", **days) == recommendations(acme, **days)


def test_a_slug_that_is_none_is_told(acme: Organization) -> None:
    with pytest.raises(UnknownOrganization, match="nobody"):
        forecast("nobody", at=NOON)
    with pytest.raises(UnknownOrganization, match="nobody"):
        recommendations("nobody", start=NOON.date(), end=NOON.date() + timedelta(days=1))
