"""Budgets with their thresholds and history. Every change goes through `costtrack.budgets.changes`, which tells all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import ActionForm, TabularInline
from costtrack.admin.budget_figures import THIS_PERIOD, BudgetFiguresAdmin
from costtrack.admin.figures import json_block
from costtrack.admin.thresholds import ThresholdInline
from costtrack.budgets.changes import CHANGEABLE, change_budget, create_budget, delete_budget
from costtrack.budgets.defaults import add_default_thresholds, default_enforcement
from costtrack.domain.budget_rules import TEXT_SCOPE, BudgetMetric, raised_limit
from costtrack.exceptions import CostTrackError
from costtrack.models import Budget, BudgetChange, BudgetCounter

BY_DEFAULT = gettext_lazy("by default: soft for a week or a month, else hard")
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


PERCENT = forms.DecimalField(min_value=Decimal("0.01"), max_value=Decimal(1000), max_digits=6, decimal_places=2)


class RaiseForm(ActionForm):
    """The choice of an action, with what one of them needs, and looks at itself: others are not kept from running."""

    percent = forms.CharField(
        required=False, label=gettext_lazy("Percent:"), widget=forms.NumberInput(attrs={"min": "0.01", "step": "any"})
    )


@admin.register(Budget)
class BudgetAdmin(BudgetFiguresAdmin):
    """What may be used, by whom, in which period; and how much of it is."""

    inlines = (ThresholdInline, ChangeInline)
    list_display = (
        "label",
        "about",
        "metric",
        "shown_limit",
        "bar",
        "spent",
        "held",
        "forecast",
        "period",
        "enforcement",
        "resets",
        "is_active",
    )
    list_filter = ("is_active", "enforcement", "metric", "period", "organization")
    list_select_related = ("organization", "project", "agent")
    search_fields = ("name", "organization__slug", "project__slug", "agent__slug", "thread_id", "model")
    autocomplete_fields = ("organization", "project", "agent")
    actions = ("let_rest", "wake", "raise_limit")
    action_form = RaiseForm
    fieldsets = (
        (None, {"fields": ("organization", "name")}),
        (gettext_lazy("How much"), {"fields": ("metric", "limit", "is_unlimited", "period", "per", "enforcement")}),
        (gettext_lazy("Of what (empty: all of it)"), {"fields": ("project", "agent", *TEXT_SCOPE)}),
        (gettext_lazy("When in doubt"), {"fields": ("on_unpriced", "on_expiry", "on_unavailable")}),
        (gettext_lazy("State"), {"fields": ("is_active", "created_at")}),
        (gettext_lazy("This period"), {"fields": THIS_PERIOD}),
    )

    class Media:
        css = {"all": ["costtrack/admin.css"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> tuple[str, ...]:
        """Once it exists, what says which budget it is stays: its counters and history are about that."""
        return (*FIXED, *TEXT_SCOPE, "created_at", *THIS_PERIOD) if obj else ("created_at",)

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        """Django's; before it exists, there is nothing to tell of its period."""
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[:-1]

    def get_form(self, request: HttpRequest, obj: Budget | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Django's; how a new one holds need not be said."""
        form = super().get_form(request, obj, change, **kwargs)
        if not change:
            field = form.base_fields["enforcement"]
            assert isinstance(field, forms.ChoiceField)
            field.required = False
            field.choices = [("", BY_DEFAULT), *Budget.Enforcement.choices]
        return form

    def save_model(self, request: HttpRequest, obj: Budget, form: ModelForm[Budget], change: bool) -> None:
        """Through the one writer of budgets, so that every process is told, and the history says who it was."""
        if change:
            changes = {name: getattr(obj, name) for name in form.changed_data if name in CHANGEABLE}
            if changes:
                change_budget(obj, changed_by=request.user, **changes)
            return
        obj.enforcement = obj.enforcement or default_enforcement(obj.period).value
        names = (*FIXED, *TEXT_SCOPE, *CHANGEABLE)
        made = create_budget(changed_by=request.user, **{name: getattr(obj, name) for name in names})
        obj.pk, obj.created_at, obj._state = made.pk, made.created_at, made._state

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Django's; who says neither how a new one holds nor of what to tell is told as everybody is."""
        super().save_related(request, form, formsets, change)
        budget = form.instance
        if not change and not form.cleaned_data["enforcement"] and not budget.thresholds.exists():
            add_default_thresholds(budget, using=budget._state.db)

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

    @admin.action(description=gettext_lazy("Raise the limit by the percent beside"), permissions=["change"])
    def raise_limit(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        """Of each that has one; it holds at the next reservation."""
        percent = _percent_in(request)
        if percent is None:
            self.message_user(request, _("Say by how many percent, from 0.01 to 1,000."), messages.WARNING)
            return
        raised = 0
        for budget in queryset.filter(limit__isnull=False):
            assert budget.limit is not None
            limit = raised_limit(budget.limit, percent, metric=BudgetMetric(budget.metric))
            raised += self._change(request, budget, field="Limit", limit=limit)
        if raised:
            self.message_user(request, _("%(number)s raised.") % {"number": raised}, messages.SUCCESS)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[Budget], *, is_active: bool) -> None:
        changed = sum(
            self._change(request, budget, field="Is active", is_active=is_active)
            for budget in queryset.filter(is_active=not is_active)
        )
        text = _("%(number)s woken.") if is_active else _("%(number)s rest.")
        self.message_user(request, text % {"number": changed}, messages.SUCCESS)

    def _change(self, request: HttpRequest, budget: Budget, *, field: str, **changes: Any) -> bool:
        """Change one; say why, if that can not be: a limit may be too large, or somebody has deleted the budget."""
        try:
            change_budget(budget, changed_by=request.user, **changes)
        except (ValidationError, CostTrackError) as error:
            why = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            self.message_user(request, f"{budget}: {why}", messages.ERROR)
            return False
        self.log_change(request, budget, [{"changed": {"fields": [field]}}])
        return True


def _percent_in(request: HttpRequest) -> Decimal | None:
    try:
        percent: Decimal | None = PERCENT.clean(request.POST.get("percent"))
    except forms.ValidationError:
        return None
    return percent
