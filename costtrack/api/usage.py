"""`GET usage`: the ledger's rows; on the same route `POST usage` sends them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from costtrack.api.ingest import UsageView
from costtrack.api.lists import ListView
from costtrack.api.usage_filters import UsageFilters
from costtrack.domain.periods import DayRange
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.pages import Place
from costtrack.reporting.parameters import FIRST_DAY, LAST_DAY, InvalidParameter, parse_edge, parse_instant
from costtrack.reporting.usage_columns import RELATED, USAGE_COLUMNS
from costtrack.reporting.usage_pages import NEWEST_FIRST, place_to_stop

ONE_DAY = timedelta(days=1)


class UsageRecordsView(ListView, UsageView):
    """The ledger's rows: GET lists them, POST sends usage."""

    http_method_names = ["get", "post", "head", "options"]
    parameters = (*ListView.parameters, "from", "to", "occurred_from", "occurred_to")
    filters = UsageFilters
    columns = USAGE_COLUMNS
    key = NEWEST_FIRST

    def get(self, request: Request) -> HttpResponseBase:
        """Usage and corrections as they were recorded, the newest day first, within a day the newest record first.

        `from` and `to` are days of each row's own organization, `occurred_from` and `occurred_to` instants with their
        offset; the later ones are exclusive. A page looks at so many records and no more: where few of them match, it
        has fewer rows than were asked for, or none, and yet a `next`.
        """
        return super().get(request)

    @cached_property
    def filter_set(self) -> UsageFilters:
        """What is asked of the rows."""
        filters = super().filter_set
        assert isinstance(filters, UsageFilters)
        filters.organizations = self.organizations
        return filters

    def rows(self) -> QuerySet[Any]:
        """The rows of the organizations, days and instants."""
        rows = ledger_rows(organizations=self.organizations, owner=self.owner, days=self.days)
        since, until = self.instants
        if since is not None:
            rows = rows.filter(occurred_at__gte=since)
        if until is not None:
            rows = rows.filter(occurred_at__lt=until)
        return rows.select_related(*RELATED)

    def horizon(self, after: Place | None, size: int) -> Place | None:
        """No further than a page can look in some milliseconds."""
        asked = self.filter_set
        is_sifted = bool(asked.by_looking or self.owner or any(self.instants))
        rows = asked.matching_by_index(ledger_rows(days=self.days))
        return place_to_stop(rows, self.organizations, after=after, size=size, is_sifted=is_sifted)

    @cached_property
    def days(self) -> DayRange | None:
        """The days that the rows lie in, None: in any."""
        start, end = self._edges()
        since, until = self.instants
        if since is not None:  # anywhere on earth it is that day in UTC, the one before or the one after
            start = max(start, since.date() - ONE_DAY)
        if until is not None:
            end = min(end, until.date() + 2 * ONE_DAY)
        return None if (start, end) == (FIRST_DAY, LAST_DAY) else DayRange(start, max(start, end))

    @cached_property
    def instants(self) -> tuple[datetime | None, datetime | None]:
        """Since when, and until when, the calls occurred, in UTC."""
        since, until = self._instant("occurred_from"), self._instant("occurred_to")
        if since is not None and until is not None and until <= since:
            expected = f"an instant after occurred_from ({since.isoformat()})"
            raise InvalidParameter("occurred_to", self.parameter("occurred_to"), expected)
        return since, until

    def _instant(self, name: str) -> datetime | None:
        text = self.parameter(name)
        return None if text is None else parse_instant(name, text).astimezone(UTC)

    def _edges(self) -> tuple[date, date]:
        from_text, to_text = self.parameter("from"), self.parameter("to")
        start = FIRST_DAY if from_text is None else parse_edge("from", from_text, zone=self.zone)
        end = LAST_DAY if to_text is None else parse_edge("to", to_text, zone=self.zone)
        if end <= start:
            raise InvalidParameter("to", to_text or end.isoformat(), f"a day after from ({start})")
        return start, end
