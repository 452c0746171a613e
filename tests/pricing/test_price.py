"""The price of an event: reported, estimated, free or unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack.pricing.price import Priced, price_event
from costtrack.pricing.priced_rate import PricedRate, Prices
from costtrack.pricing.ratebook import RateBook
from tests.factories import make_event

PAID = PricedRate(
    id=11,
    provider="openai",
    model="test-model",
    prices=Prices(input_usd_per_million=Decimal(3), output_usd_per_million=Decimal(15)),
)
LOCAL = PricedRate(
    id=12,
    provider="ollama",
    model="*",
    prices=Prices(input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(0)),
)
LOOKUP = PricedRate(id=13, provider="pubmed", model="*", resource_type="api_call", unit_price_usd=Decimal("0.002"))
BOOK = RateBook([PAID, LOCAL, LOOKUP])


def priced(*args: int, **fields: Any) -> Priced:
    """`make_event`'s call, priced by BOOK."""
    return price_event(make_event(*args, **fields), organization_id=1, book=BOOK)


def outcome(result: Priced) -> tuple[Decimal | None, str, int | None]:
    """Cost, source, rate."""
    return result.cost_usd, result.cost_source, result.rate_id


def test_a_rate_gives_an_estimate() -> None:
    # 1000 x 3 + 100 x 15 = 4500 per million
    assert outcome(priced()) == (Decimal("0.0045"), "estimated", 11)


def test_a_reported_cost_wins_over_a_rate() -> None:
    assert outcome(priced(reported_cost_usd=Decimal("0.01"))) == (Decimal("0.01"), "reported", None)


def test_a_reported_cost_wins_over_none() -> None:
    assert outcome(priced(model="unknown", reported_cost_usd=Decimal(0))) == (Decimal(0), "reported", None)


def test_an_unknown_price_is_unknown_never_0() -> None:
    assert outcome(priced(model="unknown")) == (None, "unpriced", None)


def test_a_rate_of_0_is_free() -> None:
    assert outcome(priced(model="llama3:8b", provider="ollama")) == (Decimal(0), "free", 12)
    assert outcome(priced(model="llama3:8b", provider="ollama", usage_missing=True)) == (Decimal(0), "free", 12)


def test_missing_usage_is_unpriced() -> None:
    assert outcome(priced(0, 0, usage_missing=True)) == (None, "unpriced", None)


def test_a_successful_lookup_costs_its_price() -> None:
    lookup = priced(0, 0, amount=Decimal(1), resource_type="api_call", provider="pubmed", model="")
    assert outcome(lookup) == (Decimal("0.002"), "estimated", 13)


@pytest.mark.parametrize(("provider", "rate_id"), [("pubmed", 13), ("elsewhere", None)])
def test_a_failed_call_that_used_nothing_costs_0_with_or_without_a_rate(provider: str, rate_id: int | None) -> None:
    failed = priced(0, 0, amount=Decimal(0), outcome="error", resource_type="api_call", provider=provider, model="")
    assert outcome(failed) == (Decimal(0), "estimated", rate_id)


def test_a_failed_call_that_used_tokens_costs_them() -> None:
    assert outcome(priced(outcome="error")) == (Decimal("0.0045"), "estimated", 11)


def test_the_names_to_store_come_apart_and_an_unnamed_provider_is_the_rates() -> None:
    result = priced(model="openrouter/anthropic/Claude-X", provider="", service_tier="default")
    assert (result.provider, result.gateway, result.model, result.service_tier) == (
        "anthropic",
        "openrouter",
        "claude-x",
        "standard",
    )
    assert priced(model="Test-Model-2026-01-01", provider="").provider == "openai"
