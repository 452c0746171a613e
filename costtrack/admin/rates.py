"""Rates with their tiers. A rate that has priced usage is shown, never edited: another one follows it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import IntegrityError, router, transaction
from django.db.models import ProtectedError, QuerySet
from django.forms import ModelForm, model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.access.rows import visible_rows
from costtrack.admin.bases import TabularInline
from costtrack.admin.figures import price_column
from costtrack.admin.rate_forms import RateForm, TierForm
from costtrack.admin.rate_use import is_used
from costtrack.admin.rate_validity import AsOfFilter, ValidityFilter
from costtrack.admin.rates_missing import RatesMissingAdmin
from costtrack.admin.scoping import person_of
from costtrack.domain.events import ServiceTier
from costtrack.models import Rate, RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.ratebook import forget_rates
from costtrack.pricing.stored_rates import stored_rates
from costtrack.pricing.validity import with_end

NOT_COPIED = ("id", "rate", "effective_from", "source", "source_version")
"""What a rate that follows another one has of its own."""


class TierInline(TabularInline[RateTier, Rate]):
    """The long-context tiers of a rate."""

    model = RateTier
    form = TierForm

    def get_extra(self, request: HttpRequest, obj: Rate | None = None, **kwargs: Any) -> int:
        """An empty row for each tier of the rate to follow."""
        followed = _followed(request) if obj is None else None
        return followed.tiers.count() if followed else 0

    def has_add_permission(self, request: HttpRequest, obj: Rate | None = None) -> bool:
        """Not to a used rate."""
        return not is_used(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Rate | None = None) -> bool:
        """Not of a used rate."""
        return not is_used(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Rate | None = None) -> bool:
        """Not of a used rate."""
        return not is_used(obj) and super().has_delete_permission(request, obj)


@admin.register(Rate)
class RateAdmin(RatesMissingAdmin):
    """Prices with their dates: what is in force, what follows, what has ended."""

    form = RateForm
    inlines = (TierInline,)
    change_form_template = "costtrack/admin/rate_change_form.html"
    list_display = (
        "model",
        "provider",
        price_column("input_usd_per_million", gettext_lazy("input / 1M")),
        price_column("output_usd_per_million", gettext_lazy("output / 1M")),
        price_column("unit_price_usd", gettext_lazy("per unit")),
        "service_tier",
        "owner",
        "resource_type",
        "effective_from",
        "ends_at",
        "is_in_force",
        "source",
        "is_used",
    )
    list_filter = (AsOfFilter, ValidityFilter, "is_used", "service_tier", "resource_type", "organization", "provider")
    list_select_related = ("organization",)
    search_fields = ("model", "provider", "source")
    autocomplete_fields = ("organization",)
    readonly_fields = ("is_used", "created_at", "updated_at")
    actions = reading_actions = ("follow", "export")
    fieldsets = (
        (None, {"fields": ("provider", "model", "aliases", "organization", "resource_type", "service_tier")}),
        (gettext_lazy("When"), {"fields": ("effective_from", "window_start", "window_end")}),
        (gettext_lazy("USD per 1,000,000 tokens"), {"fields": PRICE_FIELDS}),
        (gettext_lazy("Other prices"), {"fields": ("request_usd", "unit_price_usd")}),
        (gettext_lazy("Source"), {"fields": ("source", "source_version", *readonly_fields)}),
    )

    class Media:
        css = {"all": ["costtrack/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rate]:
        """All rates, each with `ends_at`."""
        return with_end(super().get_queryset(request))

    @admin.display(description=gettext_lazy("for"), ordering="organization")
    def owner(self, obj: Rate) -> str:
        """Whose price it is."""
        return str(obj.organization) if obj.organization else _("everyone")

    @admin.display(description=gettext_lazy("ends"), ordering="ends_at")
    def ends_at(self, obj: Any) -> Any:
        """Where the next rate of its key begins."""
        return obj.ends_at

    @admin.display(description=gettext_lazy("in force now"), boolean=True)
    def is_in_force(self, obj: Any) -> bool:
        """Whether it prices usage of this moment."""
        now = timezone.now()
        return bool(obj.effective_from <= now and (obj.ends_at is None or obj.ends_at > now))

    def has_change_permission(self, request: HttpRequest, obj: Rate | None = None) -> bool:
        """Not of a used rate."""
        return not is_used(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Rate | None = None) -> bool:
        """Not of a used rate."""
        return not is_used(obj) and super().has_delete_permission(request, obj)

    @admin.action(description=gettext_lazy("Follow with a new rate from now"), permissions=["add"])
    def follow(self, request: HttpRequest, queryset: QuerySet[Rate]) -> HttpResponse | None:
        """Open the form of a new rate with the chosen one's prices; nothing is stored before it is saved.

        A copy stored at once would price the next call with the old prices, and be used and closed to editing.
        """
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, _("Choose one rate to follow."), messages.WARNING)
            return None
        return redirect(f"{reverse('admin:costtrack_rate_add')}?follow={chosen[0].pk}")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The prices of the rate to follow, from now on; else what the query string gives."""
        followed = _followed(request)
        if followed is None:
            return super().get_changeform_initial_data(request)
        now = timezone.localtime().replace(microsecond=0)
        return {**model_to_dict(followed, exclude=NOT_COPIED), "effective_from": now}

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """Django's, with the tiers of the rate to follow; only to show: sent back, they count as entered."""
        options: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        followed = _followed(request) if request.method == "GET" and obj.pk is None else None
        if followed is not None:
            options["initial"] = [model_to_dict(tier, exclude=NOT_COPIED) for tier in followed.tiers.all()]
        return options

    def save_model(self, request: HttpRequest, obj: Rate, form: ModelForm[Rate], change: bool) -> None:
        """Django's; once committed, this process prices with it."""
        super().save_model(request, obj, form, change)
        transaction.on_commit(forget_rates, using=router.db_for_write(Rate))

    def save_related(self, request: HttpRequest, form: ModelForm[Rate], formsets: Any, change: bool) -> None:
        """Django's; a rate without any price withdraws its model, which is said."""
        super().save_related(request, form, formsets, change)
        saved = next(stored_rates(using=router.db_for_write(Rate), id=form.instance.pk))
        if saved.is_withdrawn:
            self.message_user(request, _withdrawal(form.instance), messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Rate) -> None:
        """Django's; once committed, this process no longer prices with it."""
        super().delete_model(request, obj)
        transaction.on_commit(forget_rates, using=router.db_for_write(Rate))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rate]) -> None:
        """Django's; once committed, this process no longer prices with them."""
        super().delete_queryset(request, queryset)
        transaction.on_commit(forget_rates, using=router.db_for_write(Rate))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Django's for unused rates; a used one stands in the way, without loading what it has priced."""
        used = [str(rate) for rate in objs if is_used(rate)]
        if used:
            return [], {}, set(), used
        return super().get_deleted_objects(objs, request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Django's; what the database refuses in the last moment is a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:
            return self._refused(request, request.get_full_path())

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's; a used rate is refused with a message."""
        page = reverse("admin:costtrack_rate_changelist")
        rate = self.get_object(request, unquote(object_id))
        if is_used(rate) and super().has_delete_permission(request, rate):
            return self._refused(request, page)
        try:
            return super().delete_view(request, object_id, extra_context)
        except (ProtectedError, IntegrityError):
            return self._refused(request, page)

    def _refused(self, request: HttpRequest, page: str) -> HttpResponse:
        text = _(
            "Not done: the rate has priced usage meanwhile, or another of the same key and beginning came first. "
            "A used rate stands; let another follow it."
        )
        self.message_user(request, text, messages.ERROR)
        return redirect(page)


def _withdrawal(rate: Rate) -> str:
    text = (
        _("This rate has no price: %(model)s is withdrawn, its usage is unpriced from %(start)s on.")
        if rate.service_tier == ServiceTier.STANDARD
        else _(
            "This rate has no price: the %(tier)s tier of %(model)s ends, its standard rate holds from %(start)s on."
        )
    )
    start = timezone.localtime(rate.effective_from)
    return text % {"model": rate.model, "tier": rate.service_tier, "start": f"{start:%Y-%m-%d %H:%M %Z}"}


def _followed(request: HttpRequest) -> Rate | None:
    key = request.GET.get("follow", "")
    if not (key.isascii() and key.isdigit() and len(key) < 19):
        return None
    return visible_rows(Rate.objects.all(), person_of(request)).filter(pk=key).first()
