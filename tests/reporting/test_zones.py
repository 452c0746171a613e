from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from costtrack.reporting.zones import reporting_zone
from tests.reporting.booked import organization

pytestmark = pytest.mark.django_db

EARLY = datetime(2023, 11, 16, 2, tzinfo=UTC)
"""Still the 15th in New York, the 16th in Kolkata."""


def test_an_organization_reports_in_its_own_zone() -> None:
    assert reporting_zone(organization("acme", "America/New_York")).day_of(EARLY) == date(2023, 11, 15)
    assert reporting_zone(organization("globex", "Asia/Kolkata")).day_of(EARLY) == date(2023, 11, 16)


def test_the_only_organization_gives_its_zone() -> None:
    organization("acme", "America/New_York")
    assert reporting_zone().day_of(EARLY) == date(2023, 11, 15)


def test_of_several_organizations_none_gives_its_zone(settings: Any) -> None:
    organization("acme", "America/New_York")
    organization("globex", "America/New_York")
    assert reporting_zone().day_of(EARLY) == date(2023, 11, 16)
    settings.TIME_ZONE = "Pacific/Honolulu"
    assert reporting_zone().day_of(EARLY) == date(2023, 11, 15)


def test_without_organizations_django_s_zone_holds() -> None:
    assert reporting_zone().day_of(EARLY) == date(2023, 11, 16)


def test_a_zone_s_history_is_followed() -> None:
    acme = organization("acme", "UTC")
    acme.change_timezone("America/New_York", now=datetime(2023, 11, 10, 12, tzinfo=UTC))
    zone = reporting_zone(acme)
    assert zone.day_of(datetime(2023, 11, 9, 2, tzinfo=UTC)) == date(2023, 11, 9)
    assert zone.day_of(EARLY) == date(2023, 11, 15)
