"""The ledger, read-only, newest first; fast at millions of rows.

What that takes is said in docs/decisions/0005-admin-ledger.md: pages without a number and no count, date links and
filters whose choices come from elsewhere, no sorting by other columns, and only searches that have an index.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from costtrack.access.rows import visible_rows
from costtrack.admin.cost_arithmetic import arithmetic_table
from costtrack.admin.figures import amount, count, count_column, figure_table, json_block, usd, usd_column
from costtrack.admin.filters import (
    AgentFilter,
    OrganizationFilter,
    ProjectFilter,
    ProviderFilter,
    ResourceTypeFilter,
)
from costtrack.admin.keyset_list import KeysetChangeList
from costtrack.admin.large_lists import LargeListAdmin
from costtrack.admin.paginator import BoundedPaginator
from costtrack.admin.scoping import person_of
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.models import Organization, ResourceUsage
from costtrack.reporting.shown_model import shown_model

SEARCHED = ("thread_id", "customer", "run")
"""Columns that have an index beginning with the organization."""

UNINDEXED = {"provider", "resource_type", "kind__exact", "cost_source__exact", "outcome__exact"}
"""Parameters of the filters by columns without an index."""


@admin.register(ResourceUsage)
class ResourceUsageAdmin(LargeListAdmin[ResourceUsage]):
    """Every metered call and every correction, as it was recorded."""

    list_display = (
        "id",
        "occurred_at",
        usd_column("cost_usd", gettext_lazy("cost")),
        "cost_source",
        "used",
        "organization",
        "project",
        "agent",
        count_column("input_tokens", gettext_lazy("input tokens")),
        count_column("output_tokens", gettext_lazy("output tokens")),
        "kind",
        "outcome",
    )
    list_select_related = ("organization", "project", "agent")
    list_filter = (
        OrganizationFilter,
        ProjectFilter,
        AgentFilter,
        ProviderFilter,
        ResourceTypeFilter,
        "kind",
        "cost_source",
        "outcome",
    )
    date_hierarchy = "day"
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = SEARCHED
    search_help_text = gettext_lazy("A row's id, or exactly a conversation (thread id), a customer or a run.")
    change_list_template = "costtrack/admin/ledger_change_list.html"
    fieldsets = (
        (
            None,
            {"fields": ("id", "kind", "corrected_row", "reason", "corrections", "occurred_at", "recorded_at", "day")},
        ),
        (gettext_lazy("Cost"), {"fields": ("cost", "cost_source", "rate", "arithmetic", "unpriced_calls")}),
        (
            gettext_lazy("Used"),
            {
                "fields": (
                    *("resource_type", "provider", "gateway", "model", "service_tier", "units", "tokens", "calls"),
                    *(
                        "latency_ms",
                        "outcome",
                        "errors",
                        "error_type",
                        "error_message",
                        "is_estimated",
                        "usage_missing",
                    ),
                )
            },
        ),
        (
            gettext_lazy("By whom"),
            {
                "fields": (
                    *("organization", "project", "agent", "sprint", "workflow", "stage", "thread_id", "request_id"),
                    *("entity_type", "entity_id", "endpoint", "customer", "user", "run", "tags_shown"),
                )
            },
        ),
        (gettext_lazy("Saving"), {"fields": ("saving", "saving_kind", "saving_basis", "baseline_rate")}),
        (gettext_lazy("More"), {"fields": ("idempotency_key", "metadata_shown")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ResourceUsage], search_term: str
    ) -> tuple[QuerySet[ResourceUsage], bool]:
        """Rows whose id, conversation, customer or run is exactly the term; each has an index.

        The organizations are listed because all but the id's index begin with them: one descent each.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        visible = visible_rows(Organization.objects.all(), person_of(request))
        organizations = list(visible.values_list("pk", flat=True))
        wanted = Q()
        for column in SEARCHED:
            wanted |= Q(**{"organization__in": organizations, column: term}) & ~Q(**{column: ""})
        if term.isascii() and term.isdigit() and len(term) < 19:
            wanted |= Q(id=int(term))
        return queryset.filter(wanted), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """The list whose pages cost the same at any depth."""
        return KeysetChangeList

    def reads_all_dates(self, asked: set[str]) -> bool:
        """By a column without an index: a rare value is looked for in every row (2 s in 3 million)."""
        return bool(asked & UNINDEXED) and "q" not in asked

    def get_readonly_fields(self, request: HttpRequest, obj: ResourceUsage | None = None) -> tuple[str, ...]:
        """All that are shown."""
        return tuple(flatten_fieldsets(self.fieldsets))

    @admin.display(description=gettext_lazy("model"))
    def used(self, obj: ResourceUsage) -> str:
        """The model, or what reports show in its place."""
        return shown_model(obj)

    @admin.display(description=gettext_lazy("cost"))
    def cost(self, obj: ResourceUsage) -> SafeString:
        """Its cost, or that it is unpriced."""
        return usd(obj.cost_usd)

    @admin.display(description=gettext_lazy("saving"))
    def saving(self, obj: ResourceUsage) -> SafeString:
        """What was avoided; no cost."""
        return usd(obj.saving_usd)

    @admin.display(description=gettext_lazy("amount"))
    def units(self, obj: ResourceUsage) -> SafeString:
        """Units of its resource type."""
        return amount(obj.amount)

    @admin.display(description=gettext_lazy("tokens"))
    def tokens(self, obj: ResourceUsage) -> SafeString:
        """Every token class that is not 0."""
        counts = ((name.removesuffix("_tokens").replace("_", " "), getattr(obj, name)) for name in TOKEN_FIELDS)
        rows = [(name, count(number)) for name, number in counts if number]
        return figure_table(rows) if rows else count(0)

    @admin.display(description=gettext_lazy("arithmetic"))
    def arithmetic(self, obj: ResourceUsage) -> SafeString | str:
        """How tokens and prices make the cost."""
        return arithmetic_table(obj)

    @admin.display(description=gettext_lazy("tags"))
    def tags_shown(self, obj: ResourceUsage) -> SafeString | str:
        """Its tags as JSON."""
        return json_block(obj.tags)

    @admin.display(description=gettext_lazy("metadata"))
    def metadata_shown(self, obj: ResourceUsage) -> SafeString | str:
        """Its metadata as JSON."""
        return json_block(obj.metadata)

    @admin.display(description=gettext_lazy("corrects"))
    def corrected_row(self, obj: ResourceUsage) -> SafeString | str:
        """A link to the row that this one corrects."""
        return "" if obj.corrects_id is None else _row_link(obj.corrects_id, f"#{obj.corrects_id}")

    @admin.display(description=gettext_lazy("corrected by"))
    def corrections(self, obj: ResourceUsage) -> SafeString | str:
        """Links to the rows that correct this one; they are of the same organization and day."""
        rows = ResourceUsage.objects.filter(
            organization_id=obj.organization_id, day=obj.day, corrects_id=obj.pk
        ).order_by("id")
        links = ((_row_link(row.pk, f"{row.kind} #{row.pk}"), usd(row.cost_usd)) for row in rows)
        return format_html_join(", ", "{} ({})", links)


def _row_link(key: int, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("admin:costtrack_resourceusage_change", args=[key]), text)
