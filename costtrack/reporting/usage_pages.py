"""How far a page of the ledger looks, so that it takes some milliseconds whatever is asked and however much there is.

The ledger's key on PostgreSQL is (organization, day, id): one organization's newest rows are the end of a stretch of
its index, those of several are not, nor are those with a rare model or of one agent. So such a page looks only at the
newest rows of each organization, down to a place that is read off the index, and the next page goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connections
from django.db.models import OuterRef, QuerySet, Subquery

from costtrack.conf import settings
from costtrack.models import Organization, ResourceUsage
from costtrack.reporting.pages import Key, Place, rows_after

NEWEST_FIRST = Key(("day", "id"))
"""By day, and within a day as they were recorded. Unique, and the end of the ledger's own key."""

LOOKED_AT = 10_000
"""Rows of one organization that a page looks at, at most, for those that match."""
COUNTED = 100_000
"""Entries of the index that are counted for it, of all organizations together."""


def place_to_stop(
    rows: QuerySet[ResourceUsage],
    organizations: Sequence[Organization],
    *,
    after: Place | None,
    size: int,
    is_sifted: bool,
) -> Place | None:
    """The place of the last row that a page looks at; None: as far as it needs to (at most one query).

    `rows` are those of all organizations that an index finds. If the page is to be sifted from them, down to it lie at
    most LOOKED_AT of each organization, else enough to fill the page.
    """
    if connections[settings.database].vendor != "postgresql":
        return None  # SQLite has no such index: it reads the table once in any case
    if len(organizations) == 1 and not is_sifted:
        return None
    count = size + 1
    if is_sifted and organizations:
        count = max(count, min(LOOKED_AT, COUNTED // len(organizations)))
    own = rows.filter(organization=OuterRef("pk"))
    if after is not None:
        own = rows_after(own, NEWEST_FIRST, after)
    last = own.order_by(*NEWEST_FIRST.ordering)[count - 1 : count]
    places = Organization.objects.using(settings.database).filter(pk__in=[one.pk for one in organizations])
    found = places.values_list(*(Subquery(last.values(name)) for name in NEWEST_FIRST.fields))
    # Down to the newest of them no organization has more rows than were counted, and one has as many.
    return max((place for place in found if place[0] is not None), default=None)
