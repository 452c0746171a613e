"""Daily sums of the ledger, read-only, with a total of what is filtered."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from costtrack.admin.figures import amount, count, count_column, figure_table, usd, usd_column
from costtrack.admin.filters import AgentFilter, OrganizationFilter, ProjectFilter, ProviderFilter, ResourceTypeFilter
from costtrack.admin.large_lists import LargeListAdmin
from costtrack.admin.paginator import BoundedPaginator
from costtrack.domain.money import decimal_from_database
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import SUMS
from costtrack.reporting.shown_model import shown_model

TOTALS = ("cost_usd", "calls", "errors", "unpriced_calls", "input_tokens", "output_tokens")


@admin.register(DailyCostSummary)
class DailyCostSummaryAdmin(LargeListAdmin[DailyCostSummary]):
    """What a day cost, by whom and for what: the agent grain, and what is not folded yet."""

    list_display = (
        "day",
        usd_column("cost_usd", _("cost")),
        "used",
        "provider",
        "organization",
        "project",
        "agent",
        count_column("calls", _("calls")),
        count_column("errors", _("errors")),
        count_column("unpriced_calls", _("unpriced")),
        count_column("input_tokens", _("input tokens")),
        count_column("output_tokens", _("output tokens")),
        "grain",
    )
    list_select_related = ("organization", "project", "agent")
    list_filter = (OrganizationFilter, ProjectFilter, AgentFilter, ProviderFilter, ResourceTypeFilter)
    date_hierarchy = "day"
    ordering = ("-day", "-id")
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("model", "endpoint", "sprint", "workflow")
    search_help_text = _("Part of a model, an endpoint, a sprint or a workflow.")
    change_list_template = "costtrack/admin/summary_change_list.html"
    fieldsets = (
        (None, {"fields": ("day", "organization", "project", "agent", "grain")}),
        (_("Of what"), {"fields": ("sprint", "workflow", "endpoint", "provider", "model", "resource_type")}),
        (_("Sums"), {"fields": ("sums",)}),
    )

    def reads_all_dates(self, asked: set[str]) -> bool:
        """Whenever no organization is chosen: its index serves both the order and the totals."""
        return not asked & {"organization", "project", "agent"}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list with the totals of every row that matches, listed on this page or not."""
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["totals"] = totals_of(response.context_data["cl"].queryset)
        return response

    def get_readonly_fields(self, request: HttpRequest, obj: DailyCostSummary | None = None) -> tuple[str, ...]:
        """The sums are shown as figures."""
        return ("sums",)

    @admin.display(description=_("model"))
    def used(self, obj: DailyCostSummary) -> str:
        """The model, or what reports show in its place."""
        return shown_model(obj)

    @admin.display(description=_("sums"))
    def sums(self, obj: DailyCostSummary) -> SafeString:
        """Every sum of the row."""
        return figure_table((sum_title(name), sum_figure(name, getattr(obj, name))) for name in SUMS)


def totals_of(rows: QuerySet[DailyCostSummary]) -> list[dict[str, object]]:
    """The sums over `rows`, ready to show: [{"title": ..., "figure": ...}]. One query."""
    sums = rows.order_by().aggregate(**{f"total_{name}": Sum(name) for name in TOTALS})
    return [
        {"title": sum_title(name), "figure": sum_figure(name, decimal_from_database(sums[f"total_{name}"]))}
        for name in TOTALS
    ]


def sum_title(name: str) -> str:
    """`cost_usd` as `cost usd`."""
    return name.replace("_", " ")


def sum_figure(name: str, value: Any) -> SafeString:
    """Dollars as dollars, amounts and counts with thousands separators."""
    if name.endswith("_usd"):
        return usd(value)
    return amount(value) if name == "amount" else count(int(value))
