"""Alert channels: where people look. Secrets are named, never shown; a target is shown without what may be secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from costtrack.admin.bases import ModelAdmin, ReadOnlyAdmin
from costtrack.alerts.channels.outgoing import DeliveryFailed
from costtrack.alerts.channels.send import check_channel
from costtrack.alerts.send_test import send_test
from costtrack.models import AlertChannel, AlertDelivery, ReportDelivery, UsageDelivery
from costtrack.models.deliveries import Delivery

if TYPE_CHECKING:
    AlertChannelForm = forms.ModelForm[AlertChannel]
else:
    AlertChannelForm = forms.ModelForm


class ChannelForm(AlertChannelForm):
    """Checks the target as far as that is possible before anything is sent there."""

    def clean(self) -> dict[str, Any]:
        """Django's, and that the target may be what it is."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        candidate = AlertChannel(**{name: cleaned.get(name, "") for name in ("kind", "target", "secret")})
        try:
            check_channel(candidate)
        except DeliveryFailed as error:
            self.add_error("target", str(error))
        if cleaned.get("sends_usage") and cleaned.get("kind") != AlertChannel.Kind.WEBHOOK:
            self.add_error("sends_usage", _("Usage goes to webhooks only."))
        if cleaned.get("sends_reports") and cleaned.get("kind") != AlertChannel.Kind.EMAIL:
            self.add_error("sends_reports", _("Reports go by e-mail only."))
        moved = self.instance.pk and _host(self.initial.get("target", "")) != _host(str(cleaned.get("target", "")))
        if moved and cleaned.get("secret") and "secret" not in self.changed_data:
            self.add_error("secret", _("The webhook goes to another host now: name the secret of that one."))
        return cleaned


@admin.register(AlertChannel)
class AlertChannelAdmin(ModelAdmin[AlertChannel]):
    """Where alerts, reports and usage go, and how that fares."""

    form = ChannelForm
    actions = ("try_out",)
    list_display = ("name", "organization", "kind", "where", "min_severity", "is_active", "last_sent_at", "trouble")
    list_filter = ("kind", "is_active", "organization")
    list_select_related = ("organization",)
    search_fields = ("name", "organization__slug")
    autocomplete_fields = ("organization",)
    readonly_fields = ("last_sent_at", "last_error", "last_error_at", "created_at")
    fieldsets = (
        (None, {"fields": ("organization", "name", "kind", "target", "secret", "is_active")}),
        (
            gettext_lazy("What it is told"),
            {"fields": ("sends_alerts", "min_severity", "sends_reports", "report_period", "sends_usage")},
        ),
        (gettext_lazy("How it fares"), {"fields": readonly_fields}),
    )

    @admin.display(description=gettext_lazy("target"))
    def where(self, obj: AlertChannel) -> str:
        """Of a URL the host alone: its path may be a secret."""
        return _host(obj.target)

    @admin.display(description=gettext_lazy("trouble"))
    def trouble(self, obj: AlertChannel) -> str:
        """What was wrong last, if it has not worked since."""
        is_over = obj.last_sent_at and obj.last_error_at and obj.last_sent_at > obj.last_error_at
        return "" if is_over else obj.last_error

    @admin.action(description=gettext_lazy("Send a test"), permissions=["change"])
    def try_out(self, request: HttpRequest, queryset: QuerySet[AlertChannel]) -> None:
        """Send one over each, now."""
        for channel in queryset:
            try:
                send_test(channel, now=timezone.now())
            except DeliveryFailed as error:
                self.message_user(request, f"{channel}: {error}", messages.ERROR)
            else:
                self.message_user(request, _("%(channel)s: sent.") % {"channel": channel}, messages.SUCCESS)


class DeliveryAdmin(ReadOnlyAdmin[Any]):
    """What is on its way, or was; the dead can be tried again."""

    actions = ("try_again",)
    list_display = ("id", "channel", "state", "attempts", "created_at", "sent_at", "next_attempt_at", "last_error")
    list_filter = ("state", "channel")
    list_select_related = ("channel",)
    show_full_result_count = False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may change channels."""
        return request.user.has_perm("costtrack.change_alertchannel") and self._may_change(request)

    @admin.action(description=gettext_lazy("Try the dead ones again"), permissions=["act"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """From the beginning."""
        dead = queryset.filter(state=Delivery.State.DEAD)
        count = dead.update(state=Delivery.State.PENDING, attempts=0, next_attempt_at=timezone.now())
        text = ngettext("%(count)d delivery is tried again.", "%(count)d deliveries are tried again.", count)
        self.message_user(request, text % {"count": count})


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(DeliveryAdmin):
    """Alerts."""

    fields = ("id", "alert", *DeliveryAdmin.list_display[1:])


@admin.register(ReportDelivery)
class ReportDeliveryAdmin(DeliveryAdmin):
    """Reports."""

    fields = ("id", "organization", "report", "day", *DeliveryAdmin.list_display[1:])


@admin.register(UsageDelivery)
class UsageDeliveryAdmin(DeliveryAdmin):
    """Batches of usage."""

    fields = ("id", "usage", *DeliveryAdmin.list_display[1:])


def _host(target: str) -> str:
    """A target without what may be secret."""
    if "://" not in target:
        return target
    try:
        return urlsplit(target).hostname or "?"
    except ValueError:
        return "?"
