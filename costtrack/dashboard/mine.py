"""What a person has used: the calls that name them, and the keys that they made, each with what it may use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from costtrack.access.rows import visible_rows
from costtrack.conf import settings
from costtrack.dashboard.addresses import address
from costtrack.dashboard.charts.stacked_bars import Series, StackedBars
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import short_day
from costtrack.dashboard.words import instant_words, short_count
from costtrack.domain.periods import DayRange
from costtrack.models import AgentKey
from costtrack.reporting.user_usage import UserUsage, user_usage
from costtrack.reporting.wording import one_line, usd_text

DAYS = 7
KEYS_SHOWN = 20


class MinePage(Page):
    """The present person's own usage; it needs no right but to belong somewhere."""

    name = "mine"
    heading = "My usage"
    template_name = "costtrack/dashboard/mine.html"

    def content(self) -> dict[str, Any]:
        """The last days from the ledger: few, because no summary has the user."""
        days = DayRange(self.today - timedelta(days=DAYS - 1), self.today + timedelta(days=1))
        user = str(self.request.user.pk)
        found = user_usage(user, days, organizations=self.organizations)
        figures = found.figures
        slug = None if self.organization is None else self.organization.slug
        return {
            "user": user,
            "days": DAYS,
            "cost": usd_text(figures.known_cost_usd),
            "calls": f"{figures.calls:,}",
            "unpriced": figures.unpriced_calls,
            "tokens": short_count(figures.total_tokens),
            "chart": _chart(found, days),
            "models": [
                (one_line(line.name), usd_text(line.figures.known_cost_usd), f"{line.figures.calls:,}")
                for line in found.by_model
            ],
            "usage_href": address("usage", organization=slug, user=user, period="7d"),
            "keys": self._keys(),
        }

    def _keys(self) -> Sequence[dict[str, str]]:
        rows = visible_rows(AgentKey.objects.using(settings.database), self.person)
        keys = rows.filter(created_by=self.request.user.pk).select_related("organization", "project", "agent")
        return [
            {
                "name": one_line(key.name),
                "prefix": key.prefix,
                "state": key.state_at(self.now),
                "scopes": ", ".join(key.scopes),
                "owner": one_line(
                    " / ".join([key.organization.slug, *(one.slug for one in (key.project, key.agent) if one)])
                ),
                "href": _owner_address(key),
                "used": instant_words(key.last_used_at, zone=self.zone),
            }
            for key in keys.order_by("-created_at", "-id")[:KEYS_SHOWN]
        ]


def _owner_address(key: AgentKey) -> str:
    """Where the costs and budgets are of what the key is narrowed to."""
    if key.agent_id is not None:
        return address("agent", key.agent_id)
    if key.project_id is not None:
        return address("project", key.project_id)
    return address("overview", organization=key.organization.slug)


def _chart(found: UserUsage, days: DayRange) -> StackedBars:
    series = Series(
        name="Cost",
        values=[figures.cost_usd for figures in found.days_in(days)],
        total=usd_text(found.figures.known_cost_usd),
        class_="ct-s1",
    )
    return StackedBars(
        id="ct-mine",
        title=f"Your cost a day, the last {DAYS} days: {usd_text(found.figures.known_cost_usd)} in all",
        bars=[short_day(day) for day in days.days()],
        series=[series],
        written=usd_text,
    )
