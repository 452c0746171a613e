"""The rates of a database as plain values, read in two queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from costtrack.models import Rate, RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.decimals import plain_decimal
from costtrack.pricing.priced_rate import NO_PRICES, PricedRate, Prices, PriceTier

_COLUMNS = (
    "id",
    "provider",
    "model",
    "aliases",
    "organization_id",
    "resource_type",
    "service_tier",
    "effective_from",
    "window_start",
    "window_end",
    "request_usd",
    "unit_price_usd",
    "source",
    "source_version",
    "is_used",
    "updated_at",
)


def stored_rates(*, using: str, **lookups: object) -> Iterator[PricedRate]:
    """Every rate that `lookups` (a QuerySet filter) leaves, in the order of their ids."""
    tiers: dict[int, list[PriceTier]] = defaultdict(list)
    tier_rows = RateTier.objects.using(using).order_by("rate_id", "above_input_tokens")
    tier_rows = tier_rows.filter(**{f"rate__{name}": value for name, value in lookups.items()})
    for rate_id, above, *prices in tier_rows.values_list("rate_id", "above_input_tokens", *PRICE_FIELDS):
        tiers[rate_id].append(PriceTier(above_input_tokens=above, prices=_prices(prices)))
    rows = Rate.objects.using(using).filter(**lookups).order_by("id").values_list(*_COLUMNS, *PRICE_FIELDS)
    for row in rows.iterator(chunk_size=2000):
        columns = dict(zip(_COLUMNS, row, strict=False))
        aliases = columns["aliases"]  # JSON: an administrator may have stored anything
        columns["aliases"] = tuple(map(str, aliases)) if isinstance(aliases, list) else ()
        for name in ("request_usd", "unit_price_usd"):
            columns[name] = _tidy(columns[name])
        yield PricedRate(**columns, prices=_prices(row[len(_COLUMNS) :]), tiers=tuple(tiers.get(columns["id"], ())))


def _prices(values: list[Decimal | None] | tuple[Decimal | None, ...]) -> Prices:
    if not any(value is not None for value in values):
        return NO_PRICES
    return Prices(**{name: _tidy(value) for name, value in zip(PRICE_FIELDS, values, strict=True) if value is not None})


def _tidy(value: Decimal | None) -> Decimal | None:
    """Without trailing zeros, so that stored and freshly read prices print alike."""
    return None if value is None else plain_decimal(value)
