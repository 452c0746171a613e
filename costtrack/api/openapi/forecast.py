"""Where a period will end."""

from __future__ import annotations

from costtrack.api.forecast import ForecastView
from costtrack.api.openapi.costs import HEADERS
from costtrack.api.openapi.described import JSON, Answer, Component, Operation
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.values import DECIMAL, FLAG, INSTANT, INTEGER, TEXT, about, nullable, record
from costtrack.reporting.forecast import ForecastPeriod

PERIOD = Component("ForecastPeriod", {"type": "string", "enum": list(ForecastPeriod)})
FORECAST = Component(
    "Forecast",
    record(
        {
            "period": PERIOD,
            "period_start": INSTANT,
            "period_end": about(INSTANT, "Exclusive."),
            "spent": about(DECIMAL, "In the period so far, as far as it has a price."),
            "expected": about(
                nullable(DECIMAL), "By the period's end, what is spent included; null: there is not enough data."
            ),
            "low": about(nullable(DECIMAL), "With `high`, where four of five periods should end."),
            "high": nullable(DECIMAL),
            "method": about(TEXT, "How the forecast is made, in words; or why there is none."),
            "enough_data": FLAG,
            "complete_days": about(INTEGER, "Of history, up to yesterday; 7 are needed."),
            "unpriced_calls": about(INTEGER, "In the period so far: neither `spent` nor `expected` knows their cost."),
        },
        description="Where a period will end.",
    ),
)

OPERATIONS = (
    Operation(
        view=ForecastView,
        id="get_forecast",
        tag="costs",
        answers={200: Answer(about="The forecast.", content={JSON: FORECAST}, headers=HEADERS)},
        query={
            "period": parameter(
                "period",
                {"type": "string", "enum": list(ForecastPeriod), "default": ForecastPeriod.MONTH.value},
                "To the end of the day, the week (on Sunday) or the month that is under way.",
            ),
        },
    ),
)
