"""What an event costs by the rates in force, before the ledger has booked it."""

from __future__ import annotations

from collections.abc import Sequence

from costtrack.domain.events import UsageEvent
from costtrack.metering.lost_connection import asked_again
from costtrack.pricing.price import Priced, price_event
from costtrack.pricing.ratebook import current_ratebook


def prices_now(events: Sequence[UsageEvent]) -> list[Priced]:
    """The price of each event, which all have one organization. Asks the database for it and for changed rates."""
    from costtrack.conf import settings
    from costtrack.models import Organization

    alias = settings.database
    slug = events[-1].attribution.organization or settings.default_organization
    rows = Organization.objects.using(alias).filter(slug=slug).values_list("id", flat=True)
    organization_id = asked_again(rows.first, using=alias)
    book = current_ratebook(using=alias)
    return [price_event(event, organization_id=organization_id or 0, book=book) for event in events]
