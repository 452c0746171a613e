"""Rates: effective-dated prices, sourced and versioned. Written by `costtrack.pricing.loading` and the admin."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.fields import usd_field
from costtrack.models.tenancy import Organization

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

FROM_EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""`effective_from` of a price whose source gives no date: it holds for all earlier usage too."""

PRICE_FIELDS = (
    "input_usd_per_million",
    "output_usd_per_million",
    "cache_read_usd_per_million",
    "cache_write_usd_per_million",
    "cache_write_1h_usd_per_million",
    "input_audio_usd_per_million",
    "output_audio_usd_per_million",
    "reasoning_usd_per_million",
)
"""One column per token class, on a rate and on each of its tiers."""


_SAME_BEGINNING = _(
    "There is a rate of this provider, model, tier and window from that moment already; choose another effective_from."
)


def price_field(help_text: _StrOrPromise) -> models.DecimalField[Any, Any]:
    """USD per 1,000,000 tokens, at most 6 decimals; NULL where there is no such price."""
    return models.DecimalField(max_digits=16, decimal_places=6, null=True, blank=True, help_text=help_text)


class TokenPrices(models.Model):
    """The prices of the token classes. A class without a price falls back as its column says."""

    input_usd_per_million = price_field(_("USD per 1M input tokens. Empty: unknown, usage stays unpriced."))
    output_usd_per_million = price_field(
        _("USD per 1M output tokens. Empty: unknown, usage with output stays unpriced.")
    )
    cache_read_usd_per_million = price_field(_("Empty: the input price."))
    cache_write_usd_per_million = price_field(_("5-minute cache. Empty: the input price."))
    cache_write_1h_usd_per_million = price_field(_("1-hour cache. Empty: the 5-minute price."))
    input_audio_usd_per_million = price_field(_("Empty: the input price."))
    output_audio_usd_per_million = price_field(_("Empty: the output price."))
    reasoning_usd_per_million = price_field(_("Empty: the output price."))

    class Meta:
        """Shared by Rate and RateTier."""

        abstract = True


def _prices_not_negative(table: str) -> list[models.CheckConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": 0, f"{field}__lt": 10**10}),
            name=f"costtrack_{table}_{field.removesuffix('_usd_per_million')}_gte_0",
        )
        for field in PRICE_FIELDS
    ]


class Rate(TokenPrices):
    """What a model (or another resource) costs from `effective_from` until the next rate of the same key begins.

    The key is provider, model, organization, resource type, service tier and daily window, so two rates never
    overlap. A withdrawn model is a rate without prices. A rate that has priced usage is never edited: another
    follows it (the database refuses).
    """

    provider = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text=_("Who makes or hosts the model: anthropic, openai, aws ... Empty: whoever does."),
    )
    model = models.CharField(max_length=200, help_text=_("Canonical model id; * = any model of the provider."))
    aliases = models.JSONField(
        default=list, blank=True, help_text=_("Other spellings of the model id that this rate is for, as a list.")
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rates",
        help_text=_("Empty: for everyone. Else this organization's own price, which wins over the global one."),
    )
    resource_type = models.CharField(max_length=50, default="llm_tokens")
    service_tier = models.CharField(
        max_length=20, default="standard", help_text=_("standard, batch, flex, priority or fast.")
    )
    effective_from = models.DateTimeField(default=FROM_EVER)
    window_start = models.TimeField(
        default=time.min, help_text=_("UTC. A price for part of the day; start equal to end means all day.")
    )
    window_end = models.TimeField(default=time.min, help_text=_("UTC, exclusive; may lie past midnight."))
    request_usd = usd_field(null=True, blank=True, help_text=_("USD per call, on top of the tokens."))
    unit_price_usd = usd_field(
        null=True, blank=True, help_text=_("USD per unit, for resource types other than tokens.")
    )
    source = models.CharField(max_length=100, default="manual", help_text=_("Where the price comes from."))
    source_version = models.CharField(max_length=50, blank=True, default="")
    is_used = models.BooleanField(
        default=False, editable=False, help_text=_("It has priced usage and stands for good.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta(TokenPrices.Meta):
        """Newest first within a model."""

        abstract = False
        ordering: ClassVar = ["provider", "model", "service_tier", "-effective_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "provider",
                    "model",
                    "resource_type",
                    "service_tier",
                    "window_start",
                    "window_end",
                    "effective_from",
                ],
                condition=Q(organization__isnull=True),
                name="costtrack_rate_unique_global",
                violation_error_message=_SAME_BEGINNING,
            ),
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "provider",
                    "model",
                    "resource_type",
                    "service_tier",
                    "window_start",
                    "window_end",
                    "effective_from",
                ],
                condition=Q(organization__isnull=False),
                name="costtrack_rate_unique_own",
                violation_error_message=_SAME_BEGINNING,
            ),
            models.CheckConstraint(condition=~Q(model=""), name="costtrack_rate_model_not_empty"),
            models.CheckConstraint(
                condition=Q(unit_price_usd__isnull=True) | Q(unit_price_usd__gte=0, unit_price_usd__lt=10**12),
                name="costtrack_rate_unit_price_gte_0",
            ),
            models.CheckConstraint(
                condition=Q(request_usd__isnull=True) | Q(request_usd__gte=0, request_usd__lt=10**12),
                name="costtrack_rate_request_gte_0",
            ),
            *_prices_not_negative("rate"),
        ]

    def __str__(self) -> str:
        """Provider, if any, model and beginning."""
        name = f"{self.provider}/{self.model}" if self.provider else self.model
        return f"{name} {self.service_tier} from {self.effective_from:%Y-%m-%d}"


class RateTier(TokenPrices):
    """The prices of a rate for requests whose input tokens lie above a threshold; they re-rate the whole request.

    Cached tokens count towards the threshold. A price left empty is the rate's own.
    """

    rate = models.ForeignKey(Rate, on_delete=models.CASCADE, related_name="tiers")
    above_input_tokens = models.PositiveBigIntegerField(
        help_text=_("The tier holds for requests with more input tokens than this (strictly above).")
    )

    class Meta(TokenPrices.Meta):
        """Lowest threshold first."""

        abstract = False
        ordering: ClassVar = ["rate_id", "above_input_tokens"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rate", "above_input_tokens"], name="costtrack_ratetier_unique"),
            *_prices_not_negative("ratetier"),
        ]

    def __str__(self) -> str:
        """The threshold."""
        return f"above {self.above_input_tokens:,} input tokens"
