"""The functions for hosts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from costtrack.exceptions import InvalidUsage, RateNotFound, UnknownOrganization
from costtrack.models import Rate
from costtrack.pricing.api import calculate_cost, calculate_cost_breakdown, estimate_cost, get_model_pricing
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def gpt_4() -> None:
    """GPT-4 at 30 / 60."""
    make_rate(
        "gpt-4", "openai", per_million=("30", "60"), cache_read_usd_per_million=Decimal(15), source="genai-prices"
    )


def test_gpt_4_with_1000_in_and_500_out_is_exactly_six_cents() -> None:
    cost = calculate_cost("gpt-4", 1000, 500)
    assert cost == Decimal("0.06")
    assert str(cost) == "0.06"


def test_the_breakdown_says_what_input_and_output_cost() -> None:
    breakdown = calculate_cost_breakdown("openai/GPT-4-0613", 1000, 500)
    assert (str(breakdown.input_usd), str(breakdown.output_usd), str(breakdown.total_usd)) == ("0.03", "0.03", "0.06")


def test_cached_tokens_are_part_of_the_input() -> None:
    # 400 x 30 + 600 x 15 = 12,000 + 9,000
    assert calculate_cost("gpt-4", 1000, 0, cache_read_tokens=600) == Decimal("0.021")


def test_an_estimate_counts_a_token_for_every_four_characters_rounded_up() -> None:
    # 9 characters = 3 tokens: 3 x 30 + 10 x 60 = 690
    assert estimate_cost("gpt-4", "123456789", 10) == Decimal("0.00069")
    assert estimate_cost("gpt-4", "", 0) == 0


def test_an_unknown_model_is_not_found_or_none() -> None:
    with pytest.raises(RateNotFound, match="gpt-99"):
        calculate_cost("gpt-99", 1, 1)
    assert get_model_pricing("gpt-99") is None


def test_a_needed_price_that_is_missing_is_not_found() -> None:
    Rate.objects.create(provider="openai", model="embed-only", input_usd_per_million=Decimal("0.1"))
    assert calculate_cost("embed-only", 1000, 0) == Decimal("0.0001")
    with pytest.raises(RateNotFound):
        calculate_cost("embed-only", 1000, 1)


def test_a_models_pricing_says_its_provider_and_source() -> None:
    pricing = get_model_pricing("gpt-4-0613")
    assert pricing is not None
    assert (pricing.provider, pricing.model, pricing.source) == ("openai", "gpt-4", "genai-prices")
    assert str(pricing.prices.input_usd_per_million) == "30"


def test_an_organizations_own_rate_counts_if_it_is_named() -> None:
    make_rate("gpt-4", "openai", per_million=("20", "40"), organization=make_organization("acme"))
    assert calculate_cost("gpt-4", 1000, 500, organization="acme") == Decimal("0.04")
    assert calculate_cost("gpt-4", 1000, 500) == Decimal("0.06")
    with pytest.raises(UnknownOrganization):
        calculate_cost("gpt-4", 1000, 500, organization="acmee")


def test_the_rate_in_force_at_an_instant_counts() -> None:
    make_rate("gpt-4", "openai", per_million=("3", "6"), effective_from=datetime(2026, 7, 1, tzinfo=UTC))
    assert calculate_cost("gpt-4", 1000, 500, at=datetime(2026, 6, 30, 23, 59, tzinfo=UTC)) == Decimal("0.06")
    assert calculate_cost("gpt-4", 1000, 500, at=datetime(2026, 7, 1, tzinfo=UTC)) == Decimal("0.006")


@pytest.mark.parametrize("bad", [-1, True, 1.5, float("nan"), float("inf"), "1", None, Decimal(1), 10**13])
@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens"])
def test_what_is_no_number_of_tokens_is_refused_by_name(field: str, bad: Any) -> None:
    arguments = {"input_tokens": 10, "output_tokens": 10} | {field: bad}
    with pytest.raises(InvalidUsage) as caught:
        calculate_cost("gpt-4", **arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"cache_read_tokens": 11}, "cache_read_tokens"),
        ({"cache_read_tokens": 6, "cache_write_tokens": 5}, "cache_write_tokens"),
        ({"reasoning_tokens": 11}, "reasoning_tokens"),
        ({"output_audio_tokens": 11}, "output_audio_tokens"),
    ],
)
def test_a_part_above_its_whole_is_refused_by_name(parts: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidUsage) as caught:
        calculate_cost("gpt-4", 10, 10, **parts)
    assert caught.value.field == field


def test_other_wrong_arguments_are_refused_by_name() -> None:
    with pytest.raises(InvalidUsage, match="model"):
        calculate_cost("  ", 1, 1)
    with pytest.raises(InvalidUsage, match="at"):
        calculate_cost("gpt-4", 1, 1, at=datetime(2026, 1, 1))
    with pytest.raises(InvalidUsage, match="input_text"):
        estimate_cost("gpt-4", cast(Any, 5), 1)


def test_a_service_tier_that_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidUsage, match="service_tier: got 'bacth', expected one of standard, batch"):
        calculate_cost("gpt-4", 1000, 500, service_tier="bacth")


@pytest.mark.django_db
def test_a_rate_of_a_provider_that_was_not_named_is_pointed_to() -> None:
    make_rate("house-model", "vllm")
    with pytest.raises(RateNotFound, match="There is one of provider vllm: say provider='vllm'"):
        calculate_cost("house-model", 1000, 500)
