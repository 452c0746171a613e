"""Budgets with their thresholds and history. Every change goes through `costtrack.budgets.changes`, which tells all."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import CheckedChangeList, ModelAdmin, TabularInline
from costtrack.admin.figures import amount, json_block, usd
from costtrack.admin.thresholds import ThresholdInline
from costtrack.budgets.changes import CHANGEABLE, change_budget, create_budget, delete_budget
from costtrack.domain.budget_rules import TEXT_SCOPE
from costtrack.models import Budget, BudgetChange, BudgetCounter
from costtrack.reporting.current_counters import whole_figures

FIXED = ("organization", "project", "agent", "metric", "period", "per")
"""What a budget is about, beside the texts: never changed."""


class ChangeInline(TabularInline[BudgetChange, Budget]):
    """Who changed what, and when; read-only."""

    model = BudgetChange
    verbose_name_plural = gettext_lazy("history")
    can_delete = False
    extra = 0
    fields = readonly_fields = ("changed_at", "changed_by", "was", "became", "note")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BudgetChange]:
        """With the people, in one query."""
        return super().get_queryset(request).select_related("changed_by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False

    @admin.display(description=gettext_lazy("before"))
    def was(self, obj: BudgetChange) -> SafeString | str:
        """The changed fields as they were."""
        return json_block(obj.before)

    @admin.display(description=gettext_lazy("after"))
    def became(self, obj: BudgetChange) -> SafeString | str:
        """The same as they have been since."""
        return json_block(obj.after)


class FiguresChangeList(CheckedChangeList):
    """The list whose budgets know the figures of their running period: a query for the page, not one for each row."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's, with `figures` and `resets_at` on each budget."""
        super().get_results(request)
        budgets: Sequence[Any] = list(self.result_list)
        figures = whole_figures(budgets, now=timezone.now(), using=self.queryset.db)
        for budget in budgets:
            counter, budget.figures = figures.get(budget.id, (None, None))
            budget.resets_at = counter.period.end if counter else None
        self.result_list = budgets


@admin.register(Budget)
class BudgetAdmin(ModelAdmin[Budget]):
    """What may be used, by whom, in which period; and how much of it is."""

    inlines = (ThresholdInline, ChangeInline)
    list_display = (
        "label",
        "about",
        "metric",
        "shown_limit",
        "spent",
        "held",
        "period",
        "enforcement",
        "resets",
        "is_active",
    )
    list_filter = ("is_active", "enforcement", "metric", "period", "organization")
    list_select_related = ("organization", "project", "agent")
    search_fields = ("name", "organization__slug", "project__slug", "agent__slug", "thread_id", "model")
    autocomplete_fields = ("organization", "project", "agent")
    actions = ("let_rest", "wake")
    fieldsets = (
        (None, {"fields": ("organization", "name")}),
        (gettext_lazy("How much"), {"fields": ("metric", "limit", "is_unlimited", "period", "per", "enforcement")}),
        (gettext_lazy("Of what (empty: all of it)"), {"fields": ("project", "agent", *TEXT_SCOPE)}),
        (gettext_lazy("When in doubt"), {"fields": ("on_unpriced", "on_expiry", "on_unavailable")}),
        (gettext_lazy("State"), {"fields": ("is_active", "created_at")}),
    )

    class Media:
        css = {"all": ["costtrack/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that knows the figures."""
        return FiguresChangeList

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> tuple[str, ...]:
        """Once it exists, what says which budget it is stays: its counters and history are about that."""
        return (*FIXED, *TEXT_SCOPE, "created_at") if obj else ("created_at",)

    def save_model(self, request: HttpRequest, obj: Budget, form: ModelForm[Budget], change: bool) -> None:
        """Through the one writer of budgets, so that every process is told, and the history says who it was."""
        if change:
            changes = {name: getattr(obj, name) for name in form.changed_data if name in CHANGEABLE}
            if changes:
                change_budget(obj, changed_by=request.user, **changes)
            return
        names = (*FIXED, *TEXT_SCOPE, *CHANGEABLE)
        made = create_budget(changed_by=request.user, **{name: getattr(obj, name) for name in names})
        obj.pk, obj.created_at, obj._state = made.pk, made.created_at, made._state

    def delete_model(self, request: HttpRequest, obj: Budget) -> None:
        """Through the one writer of budgets."""
        delete_budget(obj, changed_by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        """Through the one writer of budgets."""
        for budget in queryset:
            delete_budget(budget, changed_by=request.user)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with them, counted: a budget may have a counter for each of a million threads."""
        budgets = list(objs)
        counters = BudgetCounter.objects.filter(budget__in=[budget.pk for budget in budgets]).count()
        allowed = all(self.has_delete_permission(request, budget) for budget in budgets)
        counts = {_("budgets"): len(budgets), _("counters"): counters}
        return [str(budget) for budget in budgets], counts, set() if allowed else {_("budget")}, []

    @admin.action(description=gettext_lazy("Let rest: neither count nor refuse"), permissions=["change"])
    def let_rest(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        """Set `is_active` to false."""
        self._set_active(request, queryset, is_active=False)

    @admin.action(description=gettext_lazy("Wake: count and refuse again"), permissions=["change"])
    def wake(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        """Set `is_active` to true."""
        self._set_active(request, queryset, is_active=True)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[Budget], *, is_active: bool) -> None:
        changed = list(queryset.filter(is_active=not is_active))
        for budget in changed:
            change_budget(budget, changed_by=request.user, is_active=is_active)
            self.log_change(request, budget, [{"changed": {"fields": ["Is active"]}}])
        text = _("%(number)s woken.") if is_active else _("%(number)s rest.")
        self.message_user(request, text % {"number": len(changed)}, messages.SUCCESS)

    @admin.display(description=gettext_lazy("budget"), ordering="name")
    def label(self, obj: Budget) -> str:
        """Its name, else what it is about."""
        return str(obj)

    @admin.display(description=gettext_lazy("of what"))
    def about(self, obj: Budget) -> str:
        """Its scope in words."""
        return obj.scope_text()

    @admin.display(description=gettext_lazy("limit"), ordering="limit")
    def shown_limit(self, obj: Budget) -> SafeString | str:
        """Its limit, or that it has none."""
        return _("unlimited") if obj.limit is None else in_metric(obj.limit, obj.metric)

    @admin.display(description=gettext_lazy("spent"))
    def spent(self, obj: Any) -> SafeString | str:
        """In the running period; of one with many counters a link to them."""
        if obj.figures is None:
            page = reverse("admin:costtrack_budgetcounter_changelist")
            return format_html('<a href="{}?budget__id__exact={}">{}</a>', page, obj.pk, _("each"))
        return in_metric(obj.figures.spent, obj.metric)

    @admin.display(description=gettext_lazy("held"))
    def held(self, obj: Any) -> SafeString | str:
        """By calls that are being made."""
        return "" if obj.figures is None else in_metric(obj.figures.held + obj.figures.leased, obj.metric)

    @admin.display(description=gettext_lazy("resets"))
    def resets(self, obj: Any) -> Any:
        """When the running period ends."""
        return obj.resets_at


def in_metric(value: Decimal, metric: str) -> SafeString:
    """A quantity of a budget: dollars, or units."""
    return usd(value) if metric == Budget.Metric.COST_USD else amount(value)
