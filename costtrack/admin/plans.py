"""Plans, read-only: what runs were expected to need and to cost."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import ReadOnlyAdmin
from costtrack.admin.figures import count, count_column, json_block, price, table, usd_column
from costtrack.models import CostPlan


@admin.register(CostPlan)
class CostPlanAdmin(ReadOnlyAdmin[CostPlan]):
    """Snapshots of plans, newest first."""

    list_display = (
        "name",
        "plan_id",
        "organization",
        "project",
        count_column("estimated_calls", gettext_lazy("calls")),
        count_column("estimated_total_tokens", gettext_lazy("tokens")),
        usd_column("estimated_cost_usd", gettext_lazy("estimated cost")),
        "over_cap",
        "recorded_at",
    )
    list_filter = ("cost_basis", "organization")
    list_select_related = ("organization", "project")
    search_fields = ("name", "=plan_id")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("organization", "project", "name", "sequence", "plan_id", "stage", "recorded_at")}),
        (
            gettext_lazy("Estimates"),
            {
                "fields": (
                    "estimated_calls",
                    "estimated_prompt_tokens",
                    "estimated_total_tokens",
                    "cost",
                    "cost_basis",
                    "per_1k",
                    "workflows_shown",
                )
            },
        ),
        (gettext_lazy("Caps"), {"fields": ("max_calls", "cap", "over_cap")}),
        (gettext_lazy("Of what"), {"fields": ("selected_count", "selection_shown", "filters_shown")}),
        (gettext_lazy("History"), {"fields": ("first_recorded_at", "pruned_count")}),
    )

    @admin.display(description=gettext_lazy("estimated cost"))
    def cost(self, obj: CostPlan) -> SafeString:
        """In USD."""
        return price(obj.estimated_cost_usd)

    @admin.display(description=gettext_lazy("cost per 1k tokens"))
    def per_1k(self, obj: CostPlan) -> SafeString:
        """In USD."""
        return price(obj.cost_per_1k_tokens)

    @admin.display(description=gettext_lazy("cost cap"))
    def cap(self, obj: CostPlan) -> SafeString:
        """In USD."""
        return price(obj.cost_cap)

    @admin.display(description=gettext_lazy("exceeds its caps"))
    def over_cap(self, obj: CostPlan) -> str:
        """Which of its own caps the plan exceeds."""
        found = [_("cost")] if obj.exceeds_cost_cap else []
        return ", ".join([*found, *([_("calls")] if obj.exceeds_max_calls else [])]) or _("no")

    @admin.display(description=gettext_lazy("workflows"))
    def workflows_shown(self, obj: CostPlan) -> SafeString:
        """What each is expected to need."""
        titles = (_("workflow"), _("calls"), _("prompt tokens"), _("prompt words"), _("completion tokens"), _("cost"))
        rows = (
            (
                one.workflow_id,
                count(one.estimated_calls),
                count(one.estimated_prompt_tokens),
                count(one.prompt_words_estimate),
                count(one.estimated_completion_tokens),
                price(one.estimated_cost_usd),
            )
            for one in obj.workflows.all()
        )
        return table(titles, rows)

    @admin.display(description=gettext_lazy("selection"))
    def selection_shown(self, obj: CostPlan) -> SafeString | str:
        """As it was given."""
        return json_block(obj.selection)

    @admin.display(description=gettext_lazy("filters"))
    def filters_shown(self, obj: CostPlan) -> SafeString | str:
        """As they were given."""
        return json_block(obj.filters)
