"""Which model counts as the next smaller one of its family."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costtrack.pricing.priced_rate import PricedRate, Prices
from costtrack.reporting.recommendations.siblings import family_of, next_smaller

AT = datetime(2026, 11, 20, tzinfo=UTC)


def rate(model: str, price: str = "1", *, provider: str = "openai", **fields: Any) -> PricedRate:
    prices = Prices(input_usd_per_million=Decimal(price), output_usd_per_million=Decimal(price))
    return PricedRate(provider=provider, model=model, **{"prices": prices, **fields})


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        ("gpt-5", "gpt-5-mini"),
        ("gpt-5-mini", "gpt-5-nano"),
        ("gpt-5-pro", "gpt-5"),
        ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"),
        ("claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929"),
        ("claude-3-5-sonnet", "claude-3-5-haiku"),
        ("gemini-2.5-pro", "gemini-2.5-flash"),
        ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
        ("mistral-large-latest", "mistral-small-latest"),
        ("anthropic.claude-opus-4-5-20251101-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"),
        ("grok-3", "grok-3-mini"),
    ],
)
def test_a_smaller_model_of_the_same_family(larger: str, smaller: str) -> None:
    one, other = family_of(larger), family_of(smaller)
    assert one[0] == other[0]
    assert one[1] > other[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [("claude-opus-4", "claude-haiku-4-5"), ("gpt-4o", "gpt-4-mini"), ("gpt-4o", "gpt-4o-mini-audio-preview")],
)
def test_another_version_or_offer_is_another_family(one: str, other: str) -> None:
    assert family_of(one)[0] != family_of(other)[0]


def found(larger: PricedRate, *others: PricedRate) -> str | None:
    sibling = next_smaller(larger, [larger, *others], organization_id=1, at=AT)
    return None if sibling is None else f"{sibling.provider}/{sibling.model}"


def test_the_next_smaller_one_is_taken_and_of_equals_the_cheapest() -> None:
    large = rate("gpt-5", "10")
    assert found(large, rate("gpt-5-nano", "0.1"), rate("gpt-5-mini", "2")) == "openai/gpt-5-mini"
    assert found(large, rate("gpt-5-small", "3"), rate("gpt-5-mini", "2")) == "openai/gpt-5-mini"


def test_of_another_maker_organization_tier_or_time_there_is_none() -> None:
    large = rate("gpt-5", "10")
    assert found(large, rate("gpt-5-mini", provider="azure")) is None
    assert found(large, rate("gpt-5-mini", organization_id=2)) is None
    assert found(large, rate("gpt-5-mini", organization_id=1)) == "openai/gpt-5-mini"
    assert found(large, rate("gpt-5-mini", service_tier="batch")) is None
    assert found(large, rate("gpt-5-mini", effective_from=datetime(2026, 12, 1, tzinfo=UTC))) is None
    assert found(large, rate("gpt-5-mini", prices=Prices(input_usd_per_million=Decimal(1)))) is None
