"""What the screen of budgets shows of each: its limit, and the figures of the period that is running."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import CheckedChangeList, ModelAdmin
from costtrack.admin.budget_bar import budget_bar
from costtrack.admin.figures import amount, usd
from costtrack.domain.budget_forecast import forecast_at
from costtrack.models import Budget
from costtrack.reporting.current_counters import whole_figures

THIS_PERIOD = ("bar", "spent", "held", "forecast", "resets")


class FiguresChangeList(CheckedChangeList):
    """The list whose budgets know the figures of their running period: a query for the page, not one for each row."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's, with the figures on each budget."""
        super().get_results(request)
        self.result_list = with_figures(list(self.result_list), using=self.queryset.db)


def with_figures(budgets: Sequence[Any], *, using: str) -> Sequence[Any]:
    """The same, each with `figures`, `forecast` and `resets_at` of its period; None of one with many counters."""
    now = timezone.now()
    figures = whole_figures(budgets, now=now, using=using)
    for budget in budgets:
        counter, budget.figures = figures.get(budget.id, (None, None))
        period = counter.period if counter else None
        budget.resets_at = period.end if period else None
        budget.forecast = forecast_at(period, now=now, spent=budget.figures.spent).amount if period else None
    return budgets


class BudgetFiguresAdmin(ModelAdmin[Budget]):
    """A screen whose budgets know their figures."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that knows the figures."""
        return FiguresChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Budget | None:
        """Django's, with its figures."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            with_figures([found], using=found._state.db or "default")
        return found

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

    @admin.display(description=gettext_lazy("used"))
    def bar(self, obj: Any) -> SafeString | str:
        """How far it is used, as a picture; none without a limit, or with many counters."""
        if obj.figures is None or obj.limit is None:
            return ""
        taken = obj.figures.held + obj.figures.leased
        return budget_bar(limit=obj.limit, spent=obj.figures.spent, held=taken, forecast=obj.forecast)

    @admin.display(description=gettext_lazy("forecast"))
    def forecast(self, obj: Any) -> SafeString | str:
        """What will be spent at the period's end; empty where there is no telling."""
        return "" if obj.forecast is None else in_metric(obj.forecast, obj.metric)

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
