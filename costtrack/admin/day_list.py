"""A list of rows with a `day`, with links to years, months and days above it that cost no scan of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Min
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from costtrack.access.rows import visible_rows
from costtrack.admin.scoping import person_of
from costtrack.domain.periods import DayRange, day_range, month_range
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import AGENT, PENDING

YEAR, MONTH, DAY = "day__year", "day__month", "day__day"


@dataclass(frozen=True)
class DayLinks:
    """What `admin/date_hierarchy.html` shows: the way back, and the periods to go down to."""

    back: dict[str, str] | None
    choices: list[dict[str, str]]


class DayChangeList(ChangeList):
    """Django's list with a `date_hierarchy` on `day`, whose links come from the first and the last day with usage.

    Django's own asks for MIN, MAX and every distinct day of the rows, which reads all of the ledger; see
    docs/decisions/0005-admin-ledger.md. So a link may lead to a day without rows.
    """

    paginator: Any

    def get_filters(self, request: HttpRequest) -> Any:
        """Django's; a year that no calendar has and a NUL are wrong parameters, not a server error."""
        self._request = request
        if any("\x00" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters
        try:
            return super().get_filters(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error

    @cached_property
    def day_links(self) -> DayLinks:
        """The links for the period that is shown."""
        year, month, day = (self._number(name) for name in (YEAR, MONTH, DAY))
        if year and month and day:
            shown = date(year, month, day)
            back = self._link(date_format(shown, "YEAR_MONTH_FORMAT"), year=year, month=month)
            return DayLinks(back, [{"title": date_format(shown, "MONTH_DAY_FORMAT")}])
        if year and month:
            return DayLinks(self._link(str(year), year=year), list(self._days(date(year, month, 1))))
        if year:
            return DayLinks(self._link(_("All dates")), [*self._months(year), *self._years(besides=year)])
        return DayLinks(None, list(self._widest()))

    def _widest(self) -> Iterator[dict[str, str]]:
        first, last = self._bounds
        if first is None or last is None:
            return
        if (first.year, first.month) == (last.year, last.month):
            yield from self._days(first)
        elif first.year == last.year:
            yield from self._months(first.year)
        else:
            yield from self._years()

    def _years(self, *, besides: int | None = None) -> Iterator[dict[str, str]]:
        """The other years stand beside the months: a large list opens on a month, never on all dates."""
        first, last = self._bounds
        for year in range(first.year, last.year + 1) if first and last else ():
            if year != besides:
                yield self._link(str(year), year=year)

    def _months(self, year: int) -> Iterator[dict[str, str]]:
        for month in range(1, 13):
            first = date(year, month, 1)
            if self._has_usage_around(month_range(first)):
                yield self._link(date_format(first, "YEAR_MONTH_FORMAT"), year=year, month=month)

    def _days(self, in_month: date) -> Iterator[dict[str, str]]:
        for day in month_range(in_month).days():
            if self._has_usage_around(day_range(day)):
                yield self._link(date_format(day, "MONTH_DAY_FORMAT"), year=day.year, month=day.month, day=day.day)

    def _has_usage_around(self, period: DayRange) -> bool:
        first, last = self._bounds
        return first is not None and last is not None and period.start <= last and first < period.end

    @cached_property
    def _bounds(self) -> tuple[date | None, date | None]:
        chosen = chosen_key(self.filter_params.get("organization", [""])[-1])
        return first_and_last_day(self._request, organization=chosen)

    def _number(self, name: str) -> int | None:
        values = self.filter_params.get(name)
        return int(values[-1]) if values else None

    def _link(self, title: str, **period: int) -> dict[str, str]:
        parameters = {f"day__{name}": number for name, number in period.items()}
        return {"title": title, "link": self.get_query_string(parameters, ["day__"])}


def first_and_last_day(request: HttpRequest, *, organization: int = 0) -> tuple[date | None, date | None]:
    """The first and the last day with usage that the person may see, of one organization or (0) of all.

    From the summaries. One query for each grain, because only then both ends are look-ups in an index that ends in
    (grain, day).
    """
    firsts, lasts = [], []
    for grain in (AGENT, PENDING):
        rows = visible_rows(DailyCostSummary.all_grains.filter(grain=grain), person_of(request))
        if organization:
            rows = rows.filter(organization_id=organization)
        ends = rows.aggregate(first=Min("day"), last=Max("day"))
        firsts.append(ends["first"])
        lasts.append(ends["last"])
    return (
        min((day for day in firsts if day), default=None),
        max((day for day in lasts if day), default=None),
    )


def chosen_key(text: str | None) -> int:
    """The primary key that a query string names; 0, which no row has, if it names none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0
