"""The time zone that a report's days are told in."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.timezone import get_default_timezone_name

from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Organization


def reporting_zone(
    organization: Organization | None = None, *, among: Collection[Organization] | None = None
) -> ZoneHistory:
    """The zones of that organization; without one, those of the only one `among` these, else Django's TIME_ZONE.

    None is all organizations. The zone tells which day is today and where a period begins and ends. Which usage belongs
    to a day is fixed when it is recorded, by its own organization's zone.
    """
    if organization is None:
        known = Organization.objects.using(settings.database).order_by("pk")[:2] if among is None else among
        first_two = list(known)[:2]
        if len(first_two) != 1:
            return ZoneHistory.of(get_default_timezone_name())
        organization = first_two[0]
    return organization.zone_history()
