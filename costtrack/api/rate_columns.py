"""What lists show of rates, and by what rates are looked for."""

from __future__ import annotations

from datetime import time
from typing import Any

import django_filters
from django.db.models import QuerySet

from costtrack.api.filters import CostFilterSet, TextFilter, choices_of
from costtrack.domain.money import decimal_text
from costtrack.models import RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.reporting.columns import Column, Kind

PER_MILLION = "US dollars per 1,000,000 tokens; null: none of its own."
SCOPES = ("own", "global")


def _price(name: str) -> Column:
    return Column(name, Kind.DECIMAL, lambda row: getattr(row, name), is_nullable=True, about=PER_MILLION)


def _clock(name: str, about: str) -> Column:
    return Column(name, Kind.TEXT, lambda row: _clock_text(row, getattr(row, name)), is_nullable=True, about=about)


def _clock_text(row: Any, clock: time) -> str | None:
    return None if row.window_start == row.window_end else clock.isoformat()


def _tier(tier: RateTier) -> dict[str, Any]:
    prices = {name: getattr(tier, name) for name in PRICE_FIELDS}
    told = {name: None if price is None else decimal_text(price) for name, price in prices.items()}
    return {"above_input_tokens": tier.above_input_tokens, **told}


COLUMNS = (
    Column("id", Kind.INTEGER, lambda row: row.id),
    Column(
        "organization",
        Kind.TEXT,
        lambda row: row.organization and row.organization.slug,
        is_nullable=True,
        about="Whose own price it is, which wins over the global one; null: it is global, everybody's.",
    ),
    Column("provider", Kind.TEXT, lambda row: row.provider, about="Who makes or hosts the model; empty: whoever does."),
    Column("model", Kind.TEXT, lambda row: row.model, about="Its canonical id; *: any of the provider's."),
    Column("aliases", Kind.DATA, lambda row: row.aliases, about="Other spellings of the model's id."),
    Column("resource_type", Kind.TEXT, lambda row: row.resource_type),
    Column("service_tier", Kind.TEXT, lambda row: row.service_tier),
    Column("effective_from", Kind.INSTANT, lambda row: row.effective_from),
    Column(
        "ends_at",
        Kind.INSTANT,
        lambda row: row.ends_at,
        is_nullable=True,
        about="Where the next rate of the same kind begins; null: none follows.",
    ),
    _clock("window_start", "UTC, of a price for a part of the day; null: it holds all day."),
    _clock("window_end", "UTC, exclusive; may lie past midnight."),
    *map(_price, PRICE_FIELDS),
    Column("request_usd", Kind.DECIMAL, lambda row: row.request_usd, is_nullable=True, about="US dollars per call."),
    Column(
        "unit_price_usd",
        Kind.DECIMAL,
        lambda row: row.unit_price_usd,
        is_nullable=True,
        about="US dollars per unit, of resources other than tokens.",
    ),
    Column(
        "tiers",
        Kind.DATA,
        lambda row: [_tier(tier) for tier in row.tiers.all()],
        about="Prices of whole requests with more input tokens than `above_input_tokens`; null: the rate's own.",
    ),
    Column("source", Kind.TEXT, lambda row: row.source, about="Where the price comes from."),
    Column("source_version", Kind.TEXT, lambda row: row.source_version),
)


class RateFilters(CostFilterSet):
    """By what a rate is of, whose it is, and where it comes from."""

    provider = TextFilter()
    model = TextFilter(help_text="Only those of exactly this model id, as rates have it.")
    service_tier = TextFilter()
    resource_type = TextFilter()
    source = TextFilter()
    scope = django_filters.ChoiceFilter(
        choices=choices_of(SCOPES), method="of_scope", help_text="Only organizations' own, or only global ones."
    )

    def of_scope(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """The rates of organizations, or everybody's."""
        return rows.filter(organization__isnull=value == "global")
