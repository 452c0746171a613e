"""Runs, read-only: what they used, and how far that drifted from their plans."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import CheckedChangeList, ReadOnlyAdmin
from costtrack.admin.figures import amount, count, price, table, usd
from costtrack.domain.variance import Compared
from costtrack.models import UsageRun
from costtrack.reporting.plan_line import plan_variance_line
from costtrack.reporting.run_figures import buckets_of, totals_of
from costtrack.reporting.variance import RunVariance, run_variance


class RunChangeList(CheckedChangeList):
    """The list whose runs know what they used: a query for the page, not one for each row."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's, with `figures` on each run."""
        super().get_results(request)
        runs: Sequence[Any] = list(self.result_list)
        totals = totals_of(runs)
        for run in runs:
            run.figures = totals[run.pk]
        self.result_list = runs


@admin.register(UsageRun)
class UsageRunAdmin(ReadOnlyAdmin[UsageRun]):
    """Runs, newest first, with their variance."""

    list_display = (
        "label",
        "status",
        "organization",
        "project",
        "plan_id",
        "calls",
        "tokens",
        "cost",
        "started_at",
        "duration",
    )
    list_filter = ("status", "organization")
    list_select_related = ("organization", "project")
    search_fields = ("name", "=run_id", "=plan_id")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("organization", "project", "name", "run_index", "run_id", "status", "error_type")}),
        (gettext_lazy("When"), {"fields": ("started_at", "completed_at", "duration")}),
        (gettext_lazy("Plan"), {"fields": ("snapshot", "plan_id", "max_calls", "cap", "is_enforced", "budgets_shown")}),
        (gettext_lazy("Variance"), {"fields": ("line", "variance", "per_workflow")}),
        (gettext_lazy("Used"), {"fields": ("buckets",)}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that knows the figures."""
        return RunChangeList

    @admin.display(description=gettext_lazy("run"), ordering="name")
    def label(self, obj: UsageRun) -> str:
        """Its name and index."""
        return str(obj)

    @admin.display(description=gettext_lazy("calls"))
    def calls(self, obj: Any) -> SafeString:
        """That the ledger has."""
        return count(obj.figures.calls)

    @admin.display(description=gettext_lazy("tokens"))
    def tokens(self, obj: Any) -> SafeString:
        """Prompt and completion."""
        return count(obj.figures.total_tokens)

    @admin.display(description=gettext_lazy("cost"))
    def cost(self, obj: Any) -> SafeString:
        """Known and estimated."""
        return usd(obj.figures.cost_usd_total)

    @admin.display(description=gettext_lazy("seconds"))
    def duration(self, obj: UsageRun) -> SafeString | str:
        """From its beginning to its end."""
        return "-" if obj.duration_seconds is None else amount(obj.duration_seconds)

    @admin.display(description=gettext_lazy("cost cap"))
    def cap(self, obj: UsageRun) -> SafeString:
        """In USD."""
        return price(obj.cost_cap)

    @admin.display(description=gettext_lazy("budgets"))
    def budgets_shown(self, obj: UsageRun) -> str:
        """What watches its caps."""
        return ", ".join(str(one) for one in obj.budgets.order_by("id")) or "-"

    @admin.display(description=gettext_lazy("in a line"))
    def line(self, obj: UsageRun) -> str:
        """As reports have it."""
        return plan_variance_line(_variance_of(obj))

    @admin.display(description=gettext_lazy("against the plan"))
    def variance(self, obj: UsageRun) -> SafeString:
        """Estimates, what came of them, differences and ratios."""
        found = _variance_of(obj)
        cost = found.cost_usd
        whole = Compared(estimated=cost.estimated, actual=cost.actual_total, delta=cost.delta, ratio=cost.ratio)
        rows = [
            (_("calls"), *_compared(found.calls)),
            (_("prompt tokens"), *_compared(found.prompt_tokens)),
            (_("tokens"), *_compared(found.total_tokens)),
            (_("cost in USD"), *_compared(whole)),
            (_("of it reported"), "", _number(cost.actual_known), "", ""),
            (_("of it from rates"), "", _number(cost.actual_estimated_from_rates), "", ""),
        ]
        return table(("", _("estimated"), _("actual"), _("difference"), _("ratio")), rows)

    @admin.display(description=gettext_lazy("by workflow"))
    def per_workflow(self, obj: UsageRun) -> SafeString:
        """Of the plan, of the run, or of both."""
        titles = (_("workflow"), _("calls estimated"), _("calls"), _("prompt words estimated"), _("prompt tokens"))
        rows = (
            (
                one.workflow_id or "-",
                _number(one.calls.estimated),
                _number(one.calls.actual),
                count(one.prompt_words_estimate),
                count(one.prompt_tokens_actual),
            )
            for one in _variance_of(obj).per_workflow
        )
        return table(titles, rows)

    @admin.display(description=gettext_lazy("by workflow, stage and model"))
    def buckets(self, obj: UsageRun) -> SafeString:
        """Calls, tokens, and what is known of their cost."""
        titles = (_("workflow"), _("stage"), _("provider"), _("model"), _("calls"), _("tokens"), _("cost"), _("it is"))
        rows = (
            (
                one.workflow or "-",
                one.stage or "-",
                one.provider or "-",
                one.model or "-",
                count(one.figures.calls),
                count(one.figures.total_tokens),
                usd(one.figures.cost_usd_total),
                one.figures.cost_status.value,
            )
            for one in buckets_of([obj])[obj.pk]
        )
        return table(titles, rows)


def _variance_of(run: Any) -> RunVariance:
    """The run's, worked out once for a page."""
    kept = vars(run)
    if "_costtrack_variance" not in kept:
        kept["_costtrack_variance"] = run_variance(run)
    found: RunVariance = kept["_costtrack_variance"]
    return found


def _compared(of: Compared) -> tuple[SafeString | str, ...]:
    return _number(of.estimated), _number(of.actual), _number(of.delta), _number(of.ratio)


def _number(value: Decimal | None) -> SafeString | str:
    return "-" if value is None else amount(value)
