"""Rates as a CSV file that `load_rates` reads back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Rate, RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.reporting.columns import Column, Kind
from costtrack.reporting.csv_rows import csv_header, csv_rows

UTC = ZoneHistory.of("UTC")
OTHER_PRICES = ("request_usd", "unit_price_usd")


def _tiers(rate: Rate) -> list[dict[str, object]] | None:
    return [_tier(tier) for tier in rate.tiers.all()] or None


def _tier(tier: RateTier) -> dict[str, object]:
    prices = {name: decimal_text(price) for name in PRICE_FIELDS if (price := getattr(tier, name)) is not None}
    return {"above_input_tokens": tier.above_input_tokens, **prices}


def _is_withdrawn(rate: Rate) -> bool:
    return not rate.tiers.all() and all(getattr(rate, name) is None for name in (*PRICE_FIELDS, *OTHER_PRICES))


COLUMNS = (
    *(Column(name, Kind.TEXT, attrgetter(name)) for name in ("provider", "model", "resource_type", "service_tier")),
    Column("aliases", Kind.TEXT, lambda rate: ";".join(rate.aliases)),
    Column("effective_from", Kind.INSTANT, lambda rate: rate.effective_from),
    Column("window_start", Kind.TEXT, lambda rate: f"{rate.window_start:%H:%M:%S}"),
    Column("window_end", Kind.TEXT, lambda rate: f"{rate.window_end:%H:%M:%S}"),
    *(Column(name, Kind.DECIMAL, attrgetter(name), is_nullable=True) for name in (*PRICE_FIELDS, *OTHER_PRICES)),
    Column("withdrawn", Kind.BOOLEAN, _is_withdrawn),
    Column("tiers", Kind.DATA, _tiers, is_nullable=True),
    Column("source", Kind.TEXT, lambda rate: rate.source),
    Column("source_version", Kind.TEXT, lambda rate: rate.source_version),
)


def rates_csv(rates: Iterable[Rate]) -> Iterator[bytes]:
    """The file, line by line; `rates` have their tiers prefetched."""
    yield csv_header(COLUMNS)
    for rate in rates:
        yield csv_rows(COLUMNS, [rate], zone=UTC)
