"""One usage record as JSON: its columns, what corrects it, how its cost came about."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.models import ResourceUsage
from costtrack.pricing.priced_rate import PricedRate
from costtrack.reporting.columns import column_shape
from costtrack.reporting.cost_arithmetic import CostArithmetic, NoArithmetic, UnitLine
from costtrack.reporting.shapes import cost_text, instant_text
from costtrack.reporting.usage_columns import USAGE_COLUMNS


def usage_shape(
    usage: ResourceUsage,
    *,
    corrections: Sequence[ResourceUsage],
    net_cost_usd: Decimal | None,
    arithmetic: CostArithmetic | NoArithmetic,
    zone: ZoneHistory,
) -> dict[str, Any]:
    """The record; `net_cost_usd` is what it and all its corrections cost together, null while that is unpriced."""
    return {
        **column_shape(USAGE_COLUMNS, usage, zone=zone),
        "corrections": [column_shape(USAGE_COLUMNS, one, zone=zone) for one in corrections],
        "net_cost_usd": cost_text(net_cost_usd),
        "arithmetic": arithmetic_shape(arithmetic, zone=zone),
    }


def arithmetic_shape(arithmetic: CostArithmetic | NoArithmetic, *, zone: ZoneHistory) -> dict[str, Any]:
    """What adds up to `total_usd`, which is the record's `cost_usd`; or a `reason` in words why nothing does."""
    if isinstance(arithmetic, NoArithmetic):
        rest = ("rate", "above_input_tokens", "units", "request_usd", "total_usd")
        return {"reason": str(arithmetic.label), "lines": [], **dict.fromkeys(rest)}
    return {
        "reason": None,
        "rate": _rate_shape(arithmetic.rate, zone=zone),
        "above_input_tokens": arithmetic.above_input_tokens,
        "lines": [
            {
                "token_class": line.token_class,
                "tokens": line.tokens,
                "usd_per_million": decimal_text(line.usd_per_million),
                "cost_usd": decimal_text(line.cost_usd),
            }
            for line in arithmetic.lines
        ],
        "units": None if arithmetic.units is None else _units_shape(arithmetic.units),
        "request_usd": cost_text(arithmetic.request_usd),
        "total_usd": decimal_text(arithmetic.total_usd),
    }


def _rate_shape(rate: PricedRate, *, zone: ZoneHistory) -> dict[str, Any]:
    return {
        "id": rate.id,
        "provider": rate.provider,
        "model": rate.model,
        "service_tier": rate.service_tier,
        "effective_from": instant_text(rate.effective_from, zone=zone),
        "source": rate.source,
        "source_version": rate.source_version,
    }


def _units_shape(units: UnitLine) -> dict[str, Any]:
    return {
        "resource_type": units.resource_type,
        "amount": decimal_text(units.amount),
        "unit_price_usd": decimal_text(units.unit_price_usd),
        "cost_usd": decimal_text(units.cost_usd),
    }
