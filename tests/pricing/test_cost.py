"""Costs worked by hand, and that they are exact for any figures."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.tokens import TokenUsage
from costtrack.pricing.cost import cost_of_amount, cost_of_tokens
from costtrack.pricing.priced_rate import PricedRate, Prices, PriceTier


def rate(
    *, tiers: tuple[PriceTier, ...] = (), request: str | None = None, unit: str | None = None, **prices: str
) -> PricedRate:
    """A rate of the given USD per million tokens."""
    return PricedRate(
        provider="p",
        model="m",
        prices=Prices(**{f"{name}_usd_per_million": Decimal(price) for name, price in prices.items()}),
        tiers=tiers,
        request_usd=Decimal(request) if request else None,
        unit_price_usd=Decimal(unit) if unit else None,
    )


def total(tokens: TokenUsage, priced: PricedRate) -> Decimal | None:
    """The whole cost, None if unpriced."""
    breakdown = cost_of_tokens(tokens, priced)
    return breakdown.total_usd if breakdown else None


def test_gpt_4_with_1000_in_and_500_out_is_six_cents() -> None:
    # 1000 x 30 / 1M = 0.03, 500 x 60 / 1M = 0.03
    breakdown = cost_of_tokens(TokenUsage(input_tokens=1000, output_tokens=500), rate(input="30", output="60"))
    assert breakdown is not None
    assert (breakdown.input_usd, breakdown.output_usd, breakdown.total_usd) == (
        Decimal("0.03"),
        Decimal("0.03"),
        Decimal("0.06"),
    )


def test_every_token_class_has_its_own_price_and_no_token_is_charged_twice() -> None:
    tokens = TokenUsage(
        input_tokens=10_000,
        cache_read_tokens=4_000,
        cache_write_tokens=2_000,
        cache_write_1h_tokens=1_000,
        input_audio_tokens=500,
        output_tokens=3_000,
        reasoning_tokens=1_000,
        output_audio_tokens=200,
    )
    priced = rate(
        input="3",
        cache_read="0.3",
        cache_write="3.75",
        cache_write_1h="6",
        input_audio="40",
        output="15",
        reasoning="12",
        output_audio="80",
    )
    # in: 2500 x 3 + 4000 x 0.3 + 2000 x 3.75 + 1000 x 6 + 500 x 40 = 7500 + 1200 + 7500 + 6000 + 20000 = 42200
    # out: 1800 x 15 + 1000 x 12 + 200 x 80 = 27000 + 12000 + 16000 = 55000
    breakdown = cost_of_tokens(tokens, priced)
    assert breakdown is not None
    assert (breakdown.input_usd, breakdown.output_usd, breakdown.total_usd) == (
        Decimal("0.0422"),
        Decimal("0.055"),
        Decimal("0.0972"),
    )
    assert [(line.token_class, line.tokens) for line in breakdown.lines] == [
        ("input", 2_500),
        ("cache_read", 4_000),
        ("cache_write", 2_000),
        ("cache_write_1h", 1_000),
        ("input_audio", 500),
        ("output", 1_800),
        ("reasoning", 1_000),
        ("output_audio", 200),
    ]


def test_a_class_without_a_price_takes_the_one_it_is_a_part_of() -> None:
    tokens = TokenUsage(
        input_tokens=600,
        cache_read_tokens=100,
        cache_write_tokens=100,
        cache_write_1h_tokens=100,
        input_audio_tokens=100,
        output_tokens=300,
        reasoning_tokens=100,
        output_audio_tokens=100,
    )
    # 600 x 3 + 300 x 15 = 1800 + 4500
    assert total(tokens, rate(input="3", output="15")) == Decimal("0.0063")
    # the 1-hour cache takes the 5-minute price: 400 x 3 + 200 x 4 + 4500 = 1200 + 800 + 4500
    assert total(tokens, rate(input="3", output="15", cache_write="4")) == Decimal("0.0065")


def test_an_explicit_price_of_zero_is_a_price() -> None:
    tokens = TokenUsage(input_tokens=1_000, cache_read_tokens=1_000)
    assert total(tokens, rate(input="3", cache_read="0")) == 0


@pytest.mark.parametrize(
    ("input_tokens", "expected"),
    [
        (200_000, "0.615"),  # 200,000 x 3 + 1,000 x 15 = 615,000
        (200_001, "1.222506"),  # 200,001 x 6 + 1,000 x 22.5 = 1,200,006 + 22,500
    ],
)
def test_past_the_threshold_the_whole_request_costs_the_tier_input_and_output(input_tokens: int, expected: str) -> None:
    long = PriceTier(
        above_input_tokens=200_000,
        prices=Prices(input_usd_per_million=Decimal(6), output_usd_per_million=Decimal("22.5")),
    )
    tokens = TokenUsage(input_tokens=input_tokens, output_tokens=1_000)
    assert total(tokens, rate(input="3", output="15", tiers=(long,))) == Decimal(expected)


def test_cached_tokens_count_towards_the_threshold() -> None:
    long = PriceTier(
        above_input_tokens=200_000,
        prices=Prices(input_usd_per_million=Decimal(6), cache_read_usd_per_million=Decimal("0.6")),
    )
    tokens = TokenUsage(input_tokens=250_000, cache_read_tokens=240_000)
    # 10,000 x 6 + 240,000 x 0.6 = 60,000 + 144,000
    assert total(tokens, rate(input="3", cache_read="0.3", tiers=(long,))) == Decimal("0.204")


def test_the_highest_threshold_passed_counts_and_a_price_it_lacks_is_the_rates_own() -> None:
    tiers = tuple(
        PriceTier(above_input_tokens=above, prices=Prices(input_usd_per_million=Decimal(price)))
        for above, price in ((300, "5"), (100, "4"))
    )
    priced = rate(input="3", output="10", tiers=tiers)
    assert total(TokenUsage(input_tokens=200, output_tokens=100), priced) == Decimal("0.0018")  # 800 + 1000
    assert total(TokenUsage(input_tokens=400, output_tokens=100), priced) == Decimal("0.003")  # 2000 + 1000


def test_the_price_of_the_call_is_added_once() -> None:
    # Perplexity's sonar: 1 / 1 and 12 USD per 1,000 requests: 0.001 + 0.001 + 0.012
    tokens = TokenUsage(input_tokens=1_000, output_tokens=1_000)
    assert total(tokens, rate(input="1", output="1", request="0.012")) == Decimal("0.014")


def test_tokens_without_a_price_are_unpriced_never_zero() -> None:
    embedding = rate(input="0.02")
    assert total(TokenUsage(input_tokens=1_000), embedding) == Decimal("0.00002")
    assert total(TokenUsage(input_tokens=1_000, output_tokens=1), embedding) is None
    assert total(TokenUsage(input_tokens=1), rate()) is None
    assert total(TokenUsage(), rate()) is None


def test_an_amount_costs_its_unit_price_rounded_to_12_decimals() -> None:
    assert cost_of_amount(Decimal("12.5"), rate(unit="0.0004")) == Decimal("0.005")
    # a third of a micro-dollar: 0.000000333333333333(3) x 1
    assert cost_of_amount(Decimal(1) / 3, rate(unit="0.000001")) == Decimal("0.000000333333")
    assert cost_of_amount(Decimal(1), rate(input="3")) is None


PRICE = st.decimals(min_value=0, max_value=9_999, places=6, allow_nan=False, allow_infinity=False)
COUNT = st.integers(min_value=0, max_value=10**9)


@given(
    counts=st.tuples(*[COUNT] * 8),
    prices=st.tuples(*[PRICE] * 8),
    tier=st.tuples(*[PRICE] * 8),
    above=st.integers(min_value=0, max_value=4 * 10**9),
)
def test_a_cost_is_the_exact_sum_of_tokens_times_prices(
    counts: tuple[int, ...], prices: tuple[Decimal, ...], tier: tuple[Decimal, ...], above: int
) -> None:
    plain, read, write, write_1h, audio, out, reasoning, audio_out = counts
    tokens = TokenUsage(
        input_tokens=plain + read + write + write_1h + audio,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
        input_audio_tokens=audio,
        output_tokens=out + reasoning + audio_out,
        reasoning_tokens=reasoning,
        output_audio_tokens=audio_out,
    )
    names = (
        "input",
        "cache_read",
        "cache_write",
        "cache_write_1h",
        "input_audio",
        "output",
        "reasoning",
        "output_audio",
    )
    priced = PricedRate(
        provider="p",
        model="m",
        prices=Prices(**{f"{name}_usd_per_million": price for name, price in zip(names, prices, strict=True)}),
        tiers=(
            PriceTier(
                above_input_tokens=above,
                prices=Prices(**{f"{name}_usd_per_million": price for name, price in zip(names, tier, strict=True)}),
            ),
        ),
    )
    used = tier if tokens.input_tokens > above else prices
    exact = sum((count * Fraction(price) for count, price in zip(counts, used, strict=True)), Fraction(0)) / 10**6
    breakdown = cost_of_tokens(tokens, priced)
    assert breakdown is not None
    assert Fraction(breakdown.total_usd) == exact
    assert breakdown.total_usd == breakdown.input_usd + breakdown.output_usd or exact > 10**12
    assert sum((Fraction(line.cost_usd) for line in breakdown.lines), Fraction(0)) == exact
    exponent = breakdown.total_usd.as_tuple().exponent
    assert isinstance(exponent, int)
    assert exponent >= -12


def test_a_printed_breakdown_shows_dollars() -> None:
    breakdown = cost_of_tokens(
        TokenUsage(input_tokens=1000, output_tokens=500), rate(input="30", output="60", request="0.00000001")
    )
    said = "CostBreakdown(input_usd=0.03, output_usd=0.03, request_usd=0.00000001, total_usd=0.06000001)"
    assert (str(breakdown), repr(breakdown)) == (said, said)
