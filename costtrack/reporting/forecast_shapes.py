"""A forecast as a plain value for JSON, and as a line for people."""

from __future__ import annotations

from typing import Any

from costtrack.reporting.forecast import PeriodForecast
from costtrack.reporting.shapes import cost_text
from costtrack.reporting.wording import counted, usd_text


def forecast_shape(forecast: PeriodForecast) -> dict[str, Any]:
    """Money is decimal strings; without enough data expected, low and high are null."""
    return {
        "period": forecast.period.value,
        "period_start": forecast.period_start.isoformat(),
        "period_end": forecast.period_end.isoformat(),
        "spent": cost_text(forecast.spent),
        "expected": cost_text(forecast.expected),
        "low": cost_text(forecast.low),
        "high": cost_text(forecast.high),
        "method": forecast.method,
        "enough_data": forecast.enough_data,
        "complete_days": forecast.complete_days,
        "unpriced_calls": forecast.unpriced_calls,
    }


def forecast_line(forecast: PeriodForecast) -> str:
    """For example `Month to 2026-11-30: $75.00 expected ($70.10 to $79.90), $50.00 spent so far (its method)`.

    Without enough data it says so in place of the expectation.
    """
    last_day = max(forecast.days.days())
    spent = f"{usd_text(forecast.spent)} spent so far"
    if forecast.unpriced_calls:
        spent += f" and {counted(forecast.unpriced_calls, 'call')} without a price"
    if forecast.expected is None:
        return f"{forecast.period.capitalize()} to {last_day}: {spent} ({forecast.method})"
    reach = f"{usd_text(forecast.low)} to {usd_text(forecast.high)}"
    expected = f"{usd_text(forecast.expected)} expected ({reach})"
    return f"{forecast.period.capitalize()} to {last_day}: {expected}, {spent} ({forecast.method})"
