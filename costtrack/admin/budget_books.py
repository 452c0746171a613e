"""Budget counters and holds, read-only: budgets write them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import ReadOnlyAdmin
from costtrack.admin.budget_figures import in_metric
from costtrack.admin.figures import figure_table, json_block
from costtrack.admin.paginator import BoundedPaginator
from costtrack.budgets.holds import parts_of
from costtrack.domain.budget_rules import SEPARATOR
from costtrack.models import BudgetCounter, Hold
from costtrack.reporting.holds import amounts_of

_BUDGET = ("budget__organization", "budget__project", "budget__agent")


@admin.register(BudgetCounter)
class BudgetCounterAdmin(ReadOnlyAdmin[BudgetCounter]):
    """What each subject of a budget has used and holds in a period."""

    list_display = (
        "budget",
        "shown_subject",
        "period_start",
        "period_end",
        "spent_shown",
        "held_shown",
        "leased_shown",
        "shadow_refusals",
        "updated_at",
    )
    list_filter = ("budget__organization", "budget__metric", "budget__enforcement")
    list_select_related = _BUDGET
    search_fields = ("=subject", "budget__name")
    fields = list_display
    ordering = ("budget_id", "-period_start", "subject")
    paginator = BoundedPaginator
    show_full_result_count = False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also one budget, as the list of budgets links to it."""
        return lookup == "budget__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description=gettext_lazy("subject"), ordering="subject")
    def shown_subject(self, obj: BudgetCounter) -> str:
        """Which thread, agent ...; empty for the whole scope."""
        return obj.subject.replace(SEPARATOR, " ")

    @admin.display(description=gettext_lazy("spent"), ordering="spent")
    def spent_shown(self, obj: BudgetCounter) -> SafeString:
        """Of the ledger's rows."""
        return in_metric(obj.spent, obj.budget.metric)

    @admin.display(description=gettext_lazy("held"), ordering="held")
    def held_shown(self, obj: BudgetCounter) -> SafeString:
        """Of live holds."""
        return in_metric(obj.held, obj.budget.metric)

    @admin.display(description=gettext_lazy("leased"), ordering="leased")
    def leased_shown(self, obj: BudgetCounter) -> SafeString:
        """Handed to Redis."""
        return in_metric(obj.leased, obj.budget.metric)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    """Reservations: what is held for calls that are being made, and what became of it."""

    list_display = (
        "id",
        "state",
        "organization",
        "call",
        "admitted_at",
        "expires_at",
        "ended_at",
        "is_unpriced",
        "is_overrun",
    )
    list_filter = ("state", "is_overrun", "is_unpriced", "organization")
    list_select_related = ("organization",)
    fields = (
        "id",
        "state",
        "organization",
        "call_shown",
        "amounts",
        "admitted_at",
        "expires_at",
        "ended_at",
        "is_unpriced",
        "is_overrun",
    )
    # Organization first: that is the index, and there may be millions.
    ordering = ("organization_id", "-admitted_at")
    paginator = BoundedPaginator
    show_full_result_count = False

    @admin.display(description=gettext_lazy("call"))
    def call(self, obj: Hold) -> str:
        """What it is held for, on one line."""
        return ", ".join(f"{name} {value}" for name, value in obj.about.items())

    @admin.display(description=gettext_lazy("call"))
    def call_shown(self, obj: Hold) -> SafeString | str:
        """What it is held for."""
        return json_block(obj.about)

    @admin.display(description=gettext_lazy("amounts"))
    def amounts(self, obj: Any) -> SafeString:
        """What it takes, or took, from each budget; of budgets and counters that are still there."""
        counters = BudgetCounter.objects.select_related(*_BUDGET).in_bulk([key for key, _ in parts_of(obj)])
        rows = ((f"{one.budget} {one.subject}", in_metric(one.amount, one.metric)) for one in amounts_of(obj, counters))
        return figure_table(rows)
