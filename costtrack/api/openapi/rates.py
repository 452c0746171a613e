"""Rates: everybody's and the organizations' own."""

from __future__ import annotations

from typing import Any

from costtrack.api.openapi.budgets import LINE, LOCATION, line
from costtrack.api.openapi.columns import page, row
from costtrack.api.openapi.costs import EDGE
from costtrack.api.openapi.described import JSON, Answer, Body, Component, Link, Operation, json_answer
from costtrack.api.openapi.ledger import AN_ID
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.problems import CONFLICT
from costtrack.api.openapi.values import DECIMAL, INSTANT, TEXT, about, choice, list_of, nullable, record
from costtrack.api.rate_columns import COLUMNS, PER_MILLION
from costtrack.api.rate_input import CLOCK, DOLLARS, MAX_ALIASES, MAX_TIERS
from costtrack.api.rate_input import PER_MILLION as WRITTEN_PER_MILLION
from costtrack.api.rates import RateEndView, RatesView, RateView
from costtrack.domain.events import ServiceTier
from costtrack.domain.tokens import MAX_TOKENS
from costtrack.models import Rate
from costtrack.models.rates import PRICE_FIELDS

THRESHOLD = {"type": "integer", "minimum": 0, "maximum": MAX_TOKENS}
TIER = Component(
    "RateTier",
    record({"above_input_tokens": THRESHOLD, **dict.fromkeys(PRICE_FIELDS, about(nullable(DECIMAL), PER_MILLION))}),
)
RATE = row("Rate", COLUMNS, data={"aliases": list_of(TEXT), "tiers": list_of(TIER)})


def written(pattern: str) -> dict[str, Any]:
    """A text of which all is as the pattern says."""
    return {"type": ["string", "null"], "pattern": f"^{pattern}$"}


NEW_PRICES: dict[str, Any] = dict.fromkeys(
    PRICE_FIELDS, about(written(WRITTEN_PER_MILLION), "US dollars per 1,000,000 tokens, as text.")
)
NEW_TIER = Component(
    "NewRateTier",
    record({"above_input_tokens": THRESHOLD, **NEW_PRICES}, optional=PRICE_FIELDS),
)


def own(name: str) -> Any:
    """A text that fits the rate's column, or null."""
    return nullable(line(Rate, name))


NEW_FIELDS: dict[str, Any] = {
    "organization": about(nullable(LINE), "Its slug; needed where the caller manages several."),
    "provider": about(own("provider"), "Who makes or hosts the model; none: whoever does."),
    "model": about(own("model"), "Its id; *: any of the provider's."),
    "aliases": {**nullable(list_of(LINE, maxItems=MAX_ALIASES)), "description": "Other spellings of the model's id."},
    "resource_type": about(own("resource_type"), "Default: llm_tokens."),
    "service_tier": nullable(choice("NewServiceTier", tuple(ServiceTier))),
    "effective_from": about(INSTANT, "It prices what is recorded from now on, of usage since then."),
    "window_start": about(written(CLOCK), "UTC, of a price for a part of the day."),
    "window_end": about(written(CLOCK), "UTC, exclusive; may lie past midnight."),
    **NEW_PRICES,
    "request_usd": about(written(DOLLARS), "US dollars per call, as text."),
    "unit_price_usd": about(written(DOLLARS), "US dollars per unit, of resources other than tokens, as text."),
    "tiers": {
        **nullable(list_of(NEW_TIER, maxItems=MAX_TIERS)),
        "description": "Prices of whole requests with more input tokens than `above_input_tokens`.",
    },
    "source": about(own("source"), "Where the price comes from."),
    "source_version": own("source_version"),
}
NEW_RATE = Component(
    "NewRate",
    record(
        NEW_FIELDS,
        optional=tuple(name for name in NEW_FIELDS if name != "effective_from"),
        description="An organization's own price. null: not given.",
    ),
)
END = record({"ends_at": about(nullable(INSTANT), "Default: now.")}, optional=("ends_at",))
A_RATE = {
    "provider": "openai",
    "model": "gpt-4o",
    "effective_from": "2026-12-01T00:00:00Z",
    "input_usd_per_million": "2.2",
    "output_usd_per_million": "8.8",
    "source": "our contract",
}
PLACE = {"rate_id": parameter("rate_id", AN_ID, "The rate's `id`.", place="path")}
WHAT_NEXT = {
    name: Link(id=name, parameters={"rate_id": "$response.body#/id"}, about=text)
    for name, text in (
        ("get_rate", "What it costs."),
        ("end_rate", "It holds no longer."),
        ("delete_rate", "Away with it, while it has priced nothing."),
    )
}

OPERATIONS = (
    Operation(
        view=RatesView,
        id="list_rates",
        tag="rates",
        answers={200: page("RatePage", RATE, "The rates, the newest first.")},
        query={"as_of": parameter("as_of", EDGE, "Only those in force then; of a day, at its first instant.")},
    ),
    Operation(
        view=RatesView,
        method="POST",
        id="create_rate",
        tag="rates",
        body=Body(content={JSON: NEW_RATE}, examples={"our contract": A_RATE}),
        answers={
            201: Answer(about="It holds.", content={JSON: RATE}, headers={"Location": LOCATION}, links=WHAT_NEXT),
            409: CONFLICT,
        },
    ),
    Operation(view=RateView, id="get_rate", tag="rates", path=PLACE, answers={200: json_answer("The rate.", RATE)}),
    Operation(
        view=RateView,
        method="DELETE",
        id="delete_rate",
        tag="rates",
        path=PLACE,
        answers={204: Answer(about="It is gone."), 409: CONFLICT},
    ),
    Operation(
        view=RateEndView,
        method="POST",
        id="end_rate",
        tag="rates",
        path=PLACE,
        is_told_by_method=True,
        body=Body(
            content={JSON: END}, examples={"at new year": {"ends_at": "2027-01-01T00:00:00Z"}}, is_required=False
        ),
        answers={200: json_answer("The rate, with its end.", RATE), 409: CONFLICT},
    ),
)
