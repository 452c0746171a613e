"""The price of an event: reported, estimated, free or unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack.pricing.price import Priced, price_event
from costtrack.pricing.priced_rate import PricedRate, Prices, PriceTier
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


def by(rate: PricedRate, *args: int, **fields: Any) -> tuple[Decimal | None, str, int | None]:
    """What a call costs where `rate` is the only one."""
    event = make_event(*args, model=rate.model, provider=rate.provider, resource_type=rate.resource_type, **fields)
    return outcome(price_event(event, organization_id=1, book=RateBook([rate])))


@pytest.mark.parametrize(
    "prices",
    [
        {"prices": Prices(output_usd_per_million=Decimal(0))},
        {"request_usd": Decimal(0)},
        {"unit_price_usd": Decimal(0)},
        {"prices": Prices(cache_read_usd_per_million=Decimal(0)), "request_usd": Decimal(0)},
    ],
)
def test_a_0_for_something_else_makes_no_tokens_free(prices: dict[str, Any]) -> None:
    rate = PricedRate(id=1, provider="openai", model="m", **prices)
    assert by(rate, 1_000_000, 0) == (None, "unpriced", None)
    assert by(rate, 0, 0, usage_missing=True) == (None, "unpriced", None)


def test_a_0_for_input_alone_is_free_for_calls_without_output_only() -> None:
    embedding = PricedRate(id=1, provider="openai", model="m", prices=Prices(input_usd_per_million=Decimal(0)))
    assert by(embedding, 500, 0) == (Decimal(0), "free", 1)
    assert by(embedding, 500, 1) == (None, "unpriced", None)
    assert by(embedding, 0, 0, usage_missing=True) == (None, "unpriced", None)


def test_a_call_that_costs_0_at_a_paid_rate_is_not_free() -> None:
    half = Prices(input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(15))
    rate = PricedRate(id=1, provider="openai", model="m", prices=half)
    assert by(rate, 1000, 0) == (Decimal(0), "estimated", 1)
    assert by(PAID, 0, 0) == (Decimal(0), "estimated", 11)


def test_a_price_above_0_for_long_requests_makes_a_rate_paid() -> None:
    long = PriceTier(above_input_tokens=100, prices=Prices(input_usd_per_million=Decimal(3)))
    rate = PricedRate(
        id=1,
        provider="openai",
        model="m",
        prices=Prices(input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(0)),
        tiers=(long,),
    )
    assert by(rate, 100, 0) == (Decimal(0), "estimated", 1)
    assert by(rate, 0, 0, usage_missing=True) == (None, "unpriced", None)


def test_prices_of_tokens_say_nothing_of_other_resources() -> None:
    tokens = Prices(input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(0))
    gpu = PricedRate(id=1, provider="lambda", model="a100", resource_type="gpu_seconds", prices=tokens)
    assert by(gpu, 0, 0, amount=Decimal(60)) == (None, "unpriced", None)
    free = PricedRate(id=2, provider="lambda", model="a100", resource_type="gpu_seconds", unit_price_usd=Decimal(0))
    assert by(free, 0, 0, amount=Decimal(60)) == (Decimal(0), "free", 2)
    per_call = PricedRate(id=3, provider="x", model="y", resource_type="api_call", request_usd=Decimal(0))
    assert by(per_call, 0, 0, amount=Decimal(1)) == (Decimal(0), "free", 3)


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


def test_the_provider_to_store_is_ours_however_the_rate_spells_it() -> None:
    book = RateBook([PricedRate(id=1, provider="OpenAI", model="M", prices=PAID.prices)])
    assert price_event(make_event(model="m", provider=""), organization_id=1, book=book).provider == "openai"
