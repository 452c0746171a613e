"""The worst case of a call: figures worked by hand, and what is not known said so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import NOT_GIVEN
from costtrack.metering.expected import NOTHING_EXPECTED, Expected, expected_of
from costtrack.metering.worst_case import WorstCase, worst_case
from costtrack.pricing.priced_rate import PricedRate, Prices, PriceTier
from costtrack.pricing.ratebook import RateBook
from tests.factories import NOON


def usd(*prices: str | None, **more: str) -> Prices:
    """Prices of input and output, and of other classes by name."""
    values = dict(zip(("input_usd_per_million", "output_usd_per_million"), prices, strict=False))
    values |= {f"{name}_usd_per_million": price for name, price in more.items()}
    return Prices(**{name: None if price is None else Decimal(price) for name, price in values.items()})


def rate(model: str, prices: Prices, **fields: Any) -> PricedRate:
    return PricedRate(provider="openai", model=model, prices=prices, **fields)


BOOK = RateBook(
    [
        rate("plain", usd("3", "15")),
        rate("plain", usd("1.5", "7.5"), service_tier="batch"),
        rate("long", usd("3", "15"), tiers=(PriceTier(above_input_tokens=200_000, prices=usd("6", "22.5")),)),
        rate("cached", usd("3", "15", cache_read="0.3", cache_write="3.75", cache_write_1h="6")),
        rate("thinker", usd("2", "8", reasoning="20")),
        rate("free", usd("0", "0")),
        PricedRate(provider="", model="*", resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005")),
        PricedRate(provider="pubmed", model="*", resource_type="api_call", unit_price_usd=Decimal("0.01")),
    ]
)


def worst(
    model: str = "plain", input_tokens: int | None = 1000, output_tokens: int | None = 500, **said: Any
) -> WorstCase:
    expected = said.pop("expected", None) or Expected(input_tokens=input_tokens, max_output_tokens=output_tokens)
    fields: Any = {"model": model, "provider": "openai", **said}
    return worst_case(fields, expected, NOT_GIVEN, at=NOON, organization_id=1, book=BOOK)


def test_it_is_all_input_and_the_most_output_at_the_rate() -> None:
    found = worst().quantities
    assert found.cost_usd == Decimal("0.0105")  # 1000 x 3 + 500 x 15 = 10,500 per million
    assert (found.tokens, found.calls, found.amount) == (1500, 1, 1500)


@pytest.mark.parametrize(
    ("input_tokens", "cost"),
    [
        (200_000, "0.615"),  # 200,000 x 3 + 1,000 x 15 = 615,000
        (200_001, "1.222506"),  # 200,001 x 6 + 1,000 x 22.5 = 1,222,506: the whole call is re-rated
    ],
)
def test_long_input_has_the_prices_of_its_tier(input_tokens: int, cost: str) -> None:
    assert worst("long", input_tokens, 1000).quantities.cost_usd == Decimal(cost)


def test_a_service_tier_has_its_own_prices() -> None:
    assert worst(service_tier="batch").quantities.cost_usd == Decimal("0.00525")  # half of 0.0105


def test_nothing_is_read_from_a_cache_and_written_only_if_the_caller_says_so() -> None:
    assert worst("cached").quantities.cost_usd == Decimal("0.0105")
    writing = Expected(input_tokens=1000, max_output_tokens=500, writes_cache=True)
    # The dearer of the two caches: 1000 x 6 + 500 x 15 = 13,500
    assert worst("cached", expected=writing).quantities.cost_usd == Decimal("0.0135")
    assert worst("plain", expected=writing).quantities.cost_usd == Decimal("0.0105")


def test_all_output_may_be_reasoning() -> None:
    assert worst("thinker").quantities.cost_usd == Decimal("0.012")  # 1000 x 2 + 500 x 20 = 12,000


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("x" * 400, 100),
        ("x" * 401, 101),
        ([{"role": "user", "content": "x" * 30}, {"role": "user", "content": [{"type": "text", "text": "x" * 9}]}], 10),
        ("", 0),
    ],
)
def test_input_that_is_not_counted_by_the_caller_is_its_characters_over_four_rounded_up(
    given: object, tokens: int
) -> None:
    found = worst(expected=expected_of(input=given, max_output_tokens=0)).quantities
    assert found.tokens == tokens


def test_what_the_caller_counted_wins_over_what_he_gives() -> None:
    found = worst(expected=expected_of(input="x" * 4000, input_tokens=7, max_output_tokens=1)).quantities
    assert found.tokens == 8


def test_without_a_maximum_nothing_is_known_but_that_it_is_a_call() -> None:
    found = worst(output_tokens=None)
    assert (found.quantities.cost_usd, found.quantities.tokens, found.quantities.amount) == (None, None, None)
    assert found.quantities.calls == 1
    assert found.unknown_because == (
        "its most output tokens are not known; give max_output_tokens, or set MAX_OUTPUT_TOKENS"
    )


def test_the_setting_is_the_maximum_of_calls_that_say_none(settings: Any) -> None:
    settings.COSTTRACK = {"MAX_OUTPUT_TOKENS": 2000}
    assert worst(output_tokens=None).quantities.tokens == 3000
    assert worst(output_tokens=10).quantities.tokens == 1010


@pytest.mark.parametrize("given", [None, [{"role": "user", "content": [{"type": "image_url", "image_url": "..."}]}]])
def test_without_input_that_can_be_counted_nothing_is_known(given: object) -> None:
    found = worst(expected=expected_of(input=given, max_output_tokens=10))
    assert (found.quantities.cost_usd, found.quantities.tokens) == (None, None)
    assert found.unknown_because == "its input tokens are not known; give input_tokens, or input with text"


def test_a_free_model_costs_nothing_whatever_it_answers() -> None:
    found = worst("free", output_tokens=None).quantities
    assert (found.cost_usd, found.tokens) == (0, None)


def test_a_model_without_a_price_has_known_tokens_and_no_known_cost() -> None:
    found = worst("nobody-knows-it")
    assert (found.quantities.cost_usd, found.quantities.tokens) == (None, 1500)
    assert found.unknown_because == "no price is known for 'nobody-knows-it' of 'openai'"
    assert worst("").unknown_because == "its model is not named"


def test_a_callers_own_most_cost_wins() -> None:
    expected = expected_of(max_cost_usd="0.5", max_output_tokens=1, input_tokens=1)
    assert worst(expected=expected).quantities.cost_usd == Decimal("0.5")
    assert worst("nobody-knows-it", expected=expected).quantities.cost_usd == Decimal("0.5")


def test_other_resources_are_priced_by_their_amount() -> None:
    gpu = worst("", expected=NOTHING_EXPECTED, provider="", resource_type="gpu_seconds", amount=3600).quantities
    assert (gpu.cost_usd, gpu.tokens, gpu.amount) == (Decimal("1.8"), 0, 3600)  # 3600 x 0.0005
    tool = worst("", expected=NOTHING_EXPECTED, provider="pubmed", resource_type="api_call").quantities
    assert (tool.cost_usd, tool.tokens, tool.amount) == (Decimal("0.01"), 0, 1)


def test_a_resource_without_an_amount_is_not_known() -> None:
    found = worst("", expected=NOTHING_EXPECTED, provider="", resource_type="gpu_seconds")
    assert (found.quantities.cost_usd, found.quantities.amount) == (None, None)
    assert found.unknown_because == "how many gpu_seconds it may use is not known; give amount"


@pytest.mark.parametrize("field", ["input_tokens", "max_output_tokens"])
@pytest.mark.parametrize("value", [-1, 1.5, "10", True, 10**11 + 1])
def test_what_is_no_number_of_tokens_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidUsage, match=f"^{field}"):
        expected_of(**{field: value})  # type: ignore[arg-type]


def test_a_most_cost_is_a_cost() -> None:
    with pytest.raises(InvalidUsage, match=r"^max_cost_usd"):
        expected_of(max_cost_usd=-1)
