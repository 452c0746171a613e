"""The budgets: how each stands; and of one how it got there, what it has been, and who changed it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from costtrack.access.rows import may_change
from costtrack.conf import settings
from costtrack.dashboard.addresses import address, choices
from costtrack.dashboard.alert_lines import alert_lines
from costtrack.dashboard.budget_cards import budget_cards, organization_zones
from costtrack.dashboard.budget_history import change_lines, pace_of, past_periods
from costtrack.dashboard.budget_thresholds import threshold_value, thresholds_of
from costtrack.dashboard.exports import export_links
from costtrack.dashboard.links import admin_address
from costtrack.dashboard.pages import Page
from costtrack.dashboard.words import quantity
from costtrack.domain.budget_rules import Enforcement
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Budget, BudgetAlert, Organization
from costtrack.reporting.budgets import budgets_within, standing_of
from costtrack.reporting.pages import Key, page_of
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.wording import one_line
from costtrack.reporting.zones import reporting_zone

PAGE_SIZE = 30
SUBJECTS_SHOWN = 5
SUBJECTS_OF_ONE = 50
ALERTS_SHOWN = 20
BY_ID = Key(("id",), is_descending=False)
STATES = {"": "All", "active": "Active", "resting": "Resting"}


class BudgetsPage(Page):
    """How the budgets stand."""

    name = "budgets"
    heading = "Budgets"
    template_name = "costtrack/dashboard/budgets.html"
    parameters = ("state", "enforcement", "cursor")
    is_live = True

    def content(self) -> dict[str, Any]:
        """A page of them, the oldest first."""
        rows = self._rows()
        page = page_of(rows, BY_ID, cursor=self.given.get("cursor"), size=PAGE_SIZE)
        statuses = standing_of(list(page.rows), now=self.minute, limit=SUBJECTS_SHOWN)
        zones = organization_zones(page.rows) if self.organization is None else {}
        cards = budget_cards(statuses, now=self.minute, zones=zones, zone=self.zone)
        kinds = {"": "Any", **{one.value: one.value.capitalize() for one in Enforcement}}
        slug = None if self.organization is None else self.organization.slug
        return {
            "cards": cards,
            "states": choices(self.here, "state", STATES, current=self.given.get("state", "")),
            "enforcements": choices(self.here, "enforcement", kinds, current=self.given.get("enforcement", "")),
            "next_href": page.next_cursor and self.here.changed(cursor=page.next_cursor),
            "first_href": self.here.changed() if "cursor" in self.given else "",
            "new_href": admin_address(self.request, "budget_add"),
            "exports": export_links("budgets", {"organization": slug}),
            "is_filtered": bool({"state", "enforcement", "cursor"} & set(self.given)),
        }

    def _rows(self) -> QuerySet[Budget]:
        rows = budgets_within(self.organizations)
        state, enforcement = self.given.get("state"), self.given.get("enforcement")
        if state is not None:
            if state not in ("active", "resting"):
                raise InvalidParameter("state", state, "active or resting")
            rows = rows.filter(is_active=state == "active")
        if enforcement is not None:
            if enforcement not in tuple(Enforcement):
                raise InvalidParameter("enforcement", enforcement, f"one of {', '.join(Enforcement)}")
            rows = rows.filter(enforcement=enforcement)
        return rows


class BudgetPage(Page):
    """One budget."""

    name = "budgets"
    template_name = "costtrack/dashboard/budget.html"
    is_live = True

    @property
    def title(self) -> str:
        """Its name."""
        return one_line(str(self.budget))

    @cached_property
    def budget(self) -> Budget:
        """The one of the address."""
        rows = Budget.objects.using(settings.database).select_related("organization", "project", "agent")
        found: Budget = self.found(rows, pk=self.kwargs["budget_id"])
        return found

    @cached_property
    def organization(self) -> Organization | None:
        """The budget's."""
        return self.budget.organization

    @cached_property
    def zone(self) -> ZoneHistory:
        """Its organization's."""
        return reporting_zone(self.budget.organization)

    def content(self) -> dict[str, Any]:
        """How it stands, its way there, its thresholds, alerts, past periods and changes."""
        budget = self.budget
        statuses = standing_of([budget], now=self.minute, limit=SUBJECTS_OF_ONE)
        cards = budget_cards(statuses, now=self.minute, zones={}, zone=self.zone)
        pace = None if budget.per or not statuses else pace_of(budget, statuses[0], zone=self.zone, now=self.minute)
        alerts = BudgetAlert.objects.using(settings.database).filter(budget=budget).order_by("-raised_at", "id")
        shown = list(alerts.select_related("organization", "budget", "acknowledged_by")[:ALERTS_SHOWN])
        return {
            "budget": budget,
            "scope": one_line(budget.scope_text()),
            "cards": cards,
            "pace": pace,
            "past": [] if budget.per else past_periods(budget, zone=self.zone, now=self.minute),
            "thresholds": self._thresholds(),
            "alerts": alert_lines(shown, person=self.person, zones={}, zone=self.zone),
            "changes": change_lines(budget, zone=self.zone),
            "edit_href": admin_address(self.request, "budget_change", budget.pk) if self._may_change else "",
        }

    @property
    def parents(self) -> list[tuple[str, str]]:
        """All budgets of its organization."""
        return [("Budgets", address("budgets", organization=self.budget.organization.slug))]

    @property
    def _may_change(self) -> bool:
        return may_change(self.person, self.budget)

    def _thresholds(self) -> list[tuple[str, str, str]]:
        """Of each its level, where that lies, and how bad it is."""
        found = []
        for one in thresholds_of([self.budget.pk]).get(self.budget.pk, []):
            value = threshold_value(one, self.budget.limit)
            found.append((str(one), "" if value is None else quantity(value, self.budget.metric), one.severity))
        return found
