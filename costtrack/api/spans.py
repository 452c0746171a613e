"""A view about the days from `from` to `to`."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property

from costtrack.api.conditional import ConditionalView
from costtrack.domain.periods import DayRange
from costtrack.reporting.parameters import InvalidParameter, parse_edge

MAX_DAYS = 3660


class SpanView(ConditionalView):
    """A base for views whose period is any number of days; `parameters` has to name `from` and `to`."""

    @cached_property
    def days(self) -> DayRange:
        """The period: by default the month of its last day up to that one, which by default is today."""
        from_text, to_text = self.parameter("from"), self.parameter("to")
        end = self.today + timedelta(days=1) if to_text is None else parse_edge("to", to_text, zone=self.zone)
        last = end - timedelta(days=1)
        start = last.replace(day=1) if from_text is None else parse_edge("from", from_text, zone=self.zone)
        if not timedelta(0) < end - start <= timedelta(days=MAX_DAYS):
            raise self._no_period(start, end)
        return DayRange(start, end)

    def _no_period(self, start: date, end: date) -> InvalidParameter:
        if (to_text := self.parameter("to")) is not None:
            return InvalidParameter("to", to_text, f"a day 1 to {MAX_DAYS:,} days after from ({start})")
        return InvalidParameter("from", self.parameter("from"), f"a day 1 to {MAX_DAYS:,} days before to ({end})")
