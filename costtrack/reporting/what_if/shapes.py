"""A what-if as plain values for JSON: money as decimal strings, an unknown cost as null."""

from __future__ import annotations

from typing import Any

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.reporting.shapes import cost_text
from costtrack.reporting.what_if.comparison import ComparedCalls, NotPriced, WhatIf

Shape = dict[str, Any]


def what_if_shape(found: WhatIf, *, zone: ZoneHistory) -> Shape:
    """The whole answer; `period_end` is exclusive. `target_model` is null where each call stays on its own."""
    return {
        "period_start": zone.start_of(found.days.start).isoformat(),
        "period_end": zone.start_of(found.days.end).isoformat(),
        "target_model": found.model or None,
        "target_provider": found.provider or None,
        "priced_at": None if found.priced_at is None else found.priced_at.isoformat(),
        "read_from": found.read_from.value,
        "read_because": found.read_because or None,
        "total": _figures(found.total),
        "models": [
            {
                "provider": line.provider,
                "model": line.model,
                "resource_type": line.resource_type,
                **_figures(line),
            }
            for line in found.models
        ],
        "not_priced": [_not_priced(one) for one in found.not_priced],
    }


def _figures(line: ComparedCalls) -> Shape:
    return {
        "calls": line.calls,
        **{name: getattr(line, name) for name in TOKEN_FIELDS},
        "booked_usd": cost_text(line.booked_usd),
        "unpriced_calls": line.unpriced_calls,
        "what_if_usd": cost_text(line.what_if_usd),
        "not_priced_calls": line.not_priced_calls,
        "compared_calls": line.compared_calls,
        "compared_booked_usd": decimal_text(line.compared_booked_usd),
        "compared_what_if_usd": decimal_text(line.compared_what_if_usd),
        "difference_usd": cost_text(line.difference_usd),
    }


def _not_priced(one: NotPriced) -> Shape:
    return {
        "provider": one.provider,
        "model": one.model,
        "resource_type": one.resource_type,
        "service_tier": one.service_tier,
        "reason": one.reason.value,
        "calls": one.calls,
        "booked_usd": decimal_text(one.booked_usd),
    }
