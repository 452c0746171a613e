"""What an alert about a budget says: in our own words, or by the threshold's template; and the same as data."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from costtrack.alerts.crossings import Crossing, level_of
from costtrack.domain.budget_rules import SEPARATOR
from costtrack.domain.message_templates import BadTemplate, check_template, render_template
from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.domain.quantity_words import quantity_words
from costtrack.models import Budget, BudgetThreshold

CENT = Decimal("0.01")
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
SAMPLES: dict[str, str | Decimal] = {
    "organization": "acme",
    "budget": "A day",
    "scope": "acme, project website",
    "subject": "",
    "metric": "cost_usd",
    "period": "day",
    "period_start": "2026-11-26 00:00",
    "resets_at": "2026-11-27 00:00",
    "severity": "warning",
    "cost": Decimal("80.5"),
    "threshold": Decimal(80),
    "limit": Decimal(100),
    "percent": Decimal("80.5"),
}
"""The fields of a template. `cost` is what was compared: what is spent, or the forecast; `threshold` is the level as it
was set; `limit` and `percent` are 0 where there is no limit."""

logger = logging.getLogger("costtrack")


def check_message_template(template: str) -> None:
    """Raise BadTemplate for one that can not be filled in."""
    check_template(template, SAMPLES)


def alert_message(crossing: Crossing, *, zones: ZoneHistory, is_refusing: bool = False) -> str:
    """The text for people; `is_refusing`: calls are refused, because what is left of the limit is too little."""
    template = crossing.threshold.message_template
    if template:
        try:
            return render_template(template, _values(crossing, zones=zones))
        except BadTemplate as error:  # saved by something that does not check
            logger.warning("The message template of threshold %s is not used: %s", crossing.threshold.pk, error)
    budget = crossing.threshold.budget
    what = f"{budget}, {_shown(crossing.counter.subject)}" if crossing.counter.subject else str(budget)
    of_limit = "" if budget.limit is None else f" of {quantity_words(budget.limit, budget.metric)}"
    figure = quantity_words(crossing.figure, budget.metric)
    resets = _instant(crossing.counter.period_end, zones)
    when = f" It begins anew at {resets}." if resets else ""
    if is_refusing:
        return f"{what}: calls are refused. {figure}{of_limit} spent, and what is left is too little for them.{when}"
    if crossing.threshold.basis == BudgetThreshold.Basis.FORECAST:
        return f"{what}: {figure}{of_limit} expected by the end of the {budget.period}; {_level(crossing)}.{when}"
    return f"{what}: {figure}{of_limit} spent; {_level(crossing)}.{when}"


def alert_figures(crossing: Crossing, *, zones: ZoneHistory) -> dict[str, Any]:
    """The same for programs; quantities as decimal text, in the budget's metric."""
    threshold = crossing.threshold
    return {
        name: decimal_text(value) if isinstance(value, Decimal) else value
        for name, value in _values(crossing, zones=zones).items()
    } | {
        "basis": threshold.basis,
        "unit": threshold.unit,
        "limit": None if threshold.budget.limit is None else decimal_text(threshold.budget.limit),
        "percent": None if not threshold.budget.limit else decimal_text(_percent(crossing)),
    }


def _values(crossing: Crossing, *, zones: ZoneHistory) -> dict[str, str | Decimal]:
    threshold, counter = crossing.threshold, crossing.counter
    budget: Budget = threshold.budget
    return {
        "organization": budget.organization.slug,
        "budget": str(budget),
        "scope": budget.scope_text(),
        "subject": _shown(counter.subject),
        "metric": budget.metric,
        "period": budget.period,
        "period_start": _instant(counter.period_start, zones),
        "resets_at": _instant(counter.period_end, zones),
        "severity": threshold.severity,
        "cost": crossing.figure,
        "threshold": threshold.level,
        "limit": budget.limit or Decimal(0),
        "percent": _percent(crossing),
    }


def _percent(crossing: Crossing) -> Decimal:
    limit = crossing.threshold.budget.limit
    if not limit:
        return Decimal(0)
    return _CONTEXT.divide(_CONTEXT.multiply(crossing.figure, Decimal(100)), limit).quantize(CENT, context=_CONTEXT)


def _level(crossing: Crossing) -> str:
    threshold = crossing.threshold
    if threshold.unit == BudgetThreshold.Unit.PERCENT:
        return f"that is {_percent(crossing):f} %, and you asked to be told at {decimal_text(threshold.level)} %"
    level = level_of(threshold) or Decimal(0)
    return f"you asked to be told at {quantity_words(level, threshold.budget.metric)}"


def _instant(instant: datetime | None, zones: ZoneHistory) -> str:
    if instant is None:
        return ""
    local = instant.astimezone(zones.zone_at(instant))
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def _shown(subject: str) -> str:
    return subject.replace(SEPARATOR, " ")
