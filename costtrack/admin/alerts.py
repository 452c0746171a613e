"""Alerts: what was raised, to whom it went, and who has seen to it. People acknowledge, resolve, edit nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from costtrack.admin.bases import ReadOnlyAdmin, TabularInline
from costtrack.admin.figures import figure_table
from costtrack.alerts.acknowledge import AlertStateConflict, acknowledge_alert, reopen_alert, resolve_alert
from costtrack.models import AlertAction, AlertDelivery, BudgetAlert, JobRun
from costtrack.models.alerts import ALERT_STATES


class ReadOnlyInline(TabularInline[Any, BudgetAlert]):
    """Rows beside an alert, to look at."""

    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False


class ActionInline(ReadOnlyInline):
    """Who did what about it, and when."""

    model = AlertAction
    verbose_name_plural = gettext_lazy("what people did")
    fields = readonly_fields = ("at", "action", "by", "note")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertAction]:
        """With the people, in one query."""
        return super().get_queryset(request).select_related("by")


class DeliveryInline(ReadOnlyInline):
    """Where it went, and how that fares."""

    model = AlertDelivery
    fields = readonly_fields = ("channel", "state", "attempts", "next_attempt_at", "sent_at", "last_error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertDelivery]:
        """With the channels, in one query."""
        return super().get_queryset(request).select_related("channel")


class StateFilter(admin.SimpleListFilter):
    """How far people are with it."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The three states."""
        return [("open", _("open")), ("acknowledged", _("acknowledged")), ("resolved", _("resolved"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BudgetAlert]) -> QuerySet[BudgetAlert]:
        """Those in it."""
        chosen = ALERT_STATES.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


@admin.register(BudgetAlert)
class BudgetAlertAdmin(ReadOnlyAdmin[BudgetAlert]):
    """Alerts, newest first."""

    inlines = (ActionInline, DeliveryInline)
    actions = ("acknowledge", "resolve", "reopen")
    list_display = ("severity", "text", "organization", "kind", "raised_at", "shown_state", "seen_by")
    list_display_links = ("text",)
    list_filter = (StateFilter, "severity", "kind", "organization")
    list_select_related = ("organization", "acknowledged_by", "resolved_by")
    search_fields = ("message", "budget__name")
    date_hierarchy = "raised_at"
    ordering = ("-raised_at", "id")
    fields = (
        "severity",
        "text",
        "kind",
        "organization",
        "budget",
        "threshold",
        "subject",
        "period_start",
        "raised_at",
        "shown_state",
        "seen_by",
        "shown_figures",
    )

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may change alerts: by Django's permissions and by a role; rows of other organizations are left out."""
        change = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return request.user.has_perm(change) and self._may_change(request)

    @admin.display(description=gettext_lazy("message"))
    def text(self, obj: BudgetAlert) -> SafeString:
        """All of it; lines stay lines."""
        return format_html('<span class="costtrack-lines">{}</span>', obj.message)

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, obj: BudgetAlert) -> str:
        """`open`, `acknowledged` or `resolved`."""
        return _(obj.state)

    @admin.display(description=gettext_lazy("by"))
    def seen_by(self, obj: BudgetAlert) -> str:
        """Who has seen to it last."""
        return str(obj.resolved_by or obj.acknowledged_by or "")

    @admin.display(description=gettext_lazy("figures"))
    def shown_figures(self, obj: BudgetAlert) -> SafeString:
        """What the message says, as data."""
        return figure_table((name.replace("_", " "), value) for name, value in obj.figures.items())

    @admin.action(description=gettext_lazy("Acknowledge: somebody is seeing to it"), permissions=["act"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[BudgetAlert]) -> None:
        """Note who and when."""
        self._act(request, queryset, acknowledge_alert)

    @admin.action(description=gettext_lazy("Resolve: it is done with"), permissions=["act"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[BudgetAlert]) -> None:
        """Note who and when."""
        self._act(request, queryset, resolve_alert)

    @admin.action(description=gettext_lazy("Reopen: it is not done with after all"), permissions=["act"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[BudgetAlert]) -> None:
        """Note who and when."""
        self._act(request, queryset, reopen_alert)

    def _act(self, request: HttpRequest, queryset: QuerySet[BudgetAlert], act: Callable[..., BudgetAlert]) -> None:
        done = 0
        for alert in queryset:
            try:
                done += act(alert, by=request.user).state != alert.state
            except AlertStateConflict as error:
                self.message_user(request, f"{alert}: {error}", messages.WARNING)
        self.message_user(
            request, ngettext("%(count)d alert changed.", "%(count)d alerts changed.", done) % {"count": done}
        )


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin[JobRun]):
    """When each recurring job ran last, and what was wrong."""

    list_display = ("name", "started_at", "finished_at", "last_error")
    fields = list_display
    ordering = ("name",)
