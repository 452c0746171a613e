"""What a person has used: the calls that name them; what is left of budgets; the keys that they made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db.models import Q

from costtrack.access.rows import visible_rows
from costtrack.conf import settings
from costtrack.dashboard.addresses import address
from costtrack.dashboard.budget_cards import BudgetCard, budget_cards, most_used_first, organization_zones
from costtrack.dashboard.charts.stacked_bars import Series, StackedBars
from costtrack.dashboard.pages import MANY_ORGANIZATIONS, Page
from costtrack.dashboard.periods import short_day
from costtrack.dashboard.words import instant_words, short_count
from costtrack.domain.periods import DayRange
from costtrack.models import AgentKey, Organization
from costtrack.reporting.budgets import budgets_within, standing_of
from costtrack.reporting.user_usage import UserUsage, user_usage
from costtrack.reporting.wording import one_line, usd_text

DAYS = 7
KEYS_SHOWN = 20
BUDGETS_READ, BUDGETS_SHOWN = 20, 4


class MinePage(Page):
    """The present person's own usage; it needs no right but to belong somewhere."""

    name = "mine"
    heading = "My usage"
    template_name = "costtrack/dashboard/mine.html"

    def content(self) -> dict[str, Any]:
        """The last days from the ledger: few, because no summary has the user."""
        days = DayRange(self.today - timedelta(days=DAYS - 1), self.today + timedelta(days=1))
        user = str(self.request.user.pk)
        found = user_usage(user, days, organizations=self._own)
        figures = found.figures
        slug = None if self.organization is None else self.organization.slug
        return {
            "user": user,
            "days": DAYS,
            "many": f"{len(self.organizations):,}" if self._is_narrowed else "",
            "own": ", ".join(one_line(organization.name or organization.slug) for organization in self._own),
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
            "budgets": self._budgets(),
            "budgets_href": address("budgets", organization=slug),
            "keys": self._key_lines(),
        }

    @property
    def _is_narrowed(self) -> bool:
        return self.has_many_organizations and self.person.is_superuser

    @cached_property
    def _own(self) -> Sequence[Organization]:
        """Those whose ledger is read: of many that a superuser sees, the ones that the person is of."""
        if not self._is_narrowed:
            return self.organizations
        mine = {one.organization_id for one in self.person.memberships} | {key.organization_id for key in self._keys}
        return [one for one in self.organizations if one.pk in mine][:MANY_ORGANIZATIONS]

    @cached_property
    def _keys(self) -> Sequence[AgentKey]:
        """Those that the person made, the newest first."""
        rows = visible_rows(AgentKey.objects.using(settings.database), self.person)
        keys = rows.filter(created_by=self.request.user.pk).select_related("organization", "project", "agent")
        return list(keys.order_by("-created_at", "-id")[:KEYS_SHOWN])

    def _budgets(self) -> Sequence[BudgetCard]:
        """Those that the person's usage counts in, or that of a key, if they have one counter; the fullest first."""
        keys = [key for key in self._keys if key.state_at(self.now) == "active"]
        projects, agents = {key.project_id for key in keys} - {None}, {key.agent_id for key in keys} - {None}
        whole = Q(project=None, agent=None)
        counting = whole | Q(project__in=projects, agent=None) | Q(agent__in=agents)
        rows = budgets_within(self._own).filter(counting, is_active=True, per="", limit__isnull=False)
        budgets = list(rows.order_by("id")[:BUDGETS_READ])
        shown = most_used_first(standing_of(budgets, now=self.minute))[:BUDGETS_SHOWN]
        zones = organization_zones(budgets) if self.organization is None else {}
        return budget_cards(shown, now=self.minute, zones=zones, zone=self.zone)

    def _key_lines(self) -> Sequence[dict[str, str]]:
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
            for key in self._keys
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
        unpriced=[index for index, one in enumerate(found.days_in(days)) if one.known_cost_usd is None],
    )
    return StackedBars(
        id="ct-mine",
        title=f"Your cost a day, the last {DAYS} days: {usd_text(found.figures.known_cost_usd)} in all",
        bars=[short_day(day) for day in days.days()],
        series=[series],
        written=usd_text,
    )
