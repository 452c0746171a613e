"""genai-prices' data as drafts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from genai_prices.types import (
    ClauseContains,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from costtrack.models.rates import FROM_EVER
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.loading.genai_prices import installed_rates, rates_of


def drafts(*models: ModelInfo, provider: str = "openai") -> list[DraftRate]:
    """The drafts of one provider's models."""
    data = Provider(id=provider, name=provider, api_pattern="", models=list(models))
    return rates_of([data], source_version="1.0").drafts


def model(prices: ModelPrice | list[ConditionalPrice], **fields: Any) -> ModelInfo:
    """A model named `M`."""
    values: dict[str, Any] = {"id": "M", "match": ClauseEquals("M"), "prices": prices} | fields
    return ModelInfo(**values)


def price(text: str, output: str = "10") -> ModelPrice:
    """Input and output prices."""
    return ModelPrice(input_mtok=Decimal(text), output_mtok=Decimal(output))


def table(found: list[DraftRate]) -> list[tuple[str, bool, datetime, str, str]]:
    """Service tier, dated, start, input, output."""
    return [
        (
            draft.rate.service_tier,
            draft.is_dated,
            draft.rate.effective_from,
            str(draft.rate.prices.input_usd_per_million),
            str(draft.rate.prices.output_usd_per_million),
        )
        for draft in found
    ]


JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


def test_dated_prices_follow_one_another() -> None:
    found = drafts(
        model([ConditionalPrice(prices=price("10", "40")), ConditionalPrice(_start(7), prices=price("2", "8"))])
    )
    assert table(found) == [("standard", False, FROM_EVER, "10", "40"), ("standard", True, JULY, "2", "8")]


def _start(month: int) -> StartDateConstraint:
    return StartDateConstraint(date(2026, month, 1))


def test_a_window_begins_with_the_dated_price_before_it_in_utc() -> None:
    window = TimeOfDateConstraint(time(22, 30, tzinfo=UTC), time(6, tzinfo=UTC))
    found = drafts(
        model(
            [
                ConditionalPrice(prices=price("1")),
                ConditionalPrice(_start(7), prices=price("2")),
                ConditionalPrice(window, prices=price("4")),
            ]
        )
    )
    assert [(draft.rate.effective_from, draft.rate.window_start, draft.rate.window_end) for draft in found] == [
        (FROM_EVER, time.min, time.min),
        (JULY, time.min, time.min),
        (JULY, time(22, 30), time(6)),
    ]


def test_a_variant_takes_what_it_lacks_from_the_standard_price_in_force() -> None:
    found = drafts(
        model(
            [ConditionalPrice(prices=price("10", "40")), ConditionalPrice(_start(7), prices=price("2", "8"))],
            price_variants=[
                PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(5)), _start(6)),
                PriceVariant({"service_tier": "default"}, ModelPrice()),
                PriceVariant({"speed": "fast"}, ModelPrice(output_mtok=Decimal(99))),
            ],
        )
    )
    assert table(found) == [
        ("standard", False, FROM_EVER, "10", "40"),
        ("standard", True, JULY, "2", "8"),
        ("batch", True, JUNE, "5", "40"),
        ("batch", True, JULY, "5", "8"),
        ("fast", False, FROM_EVER, "10", "99"),
        ("fast", True, JULY, "2", "99"),
    ]


def test_of_two_variants_the_first_active_one_counts_price_by_price() -> None:
    found = drafts(
        model(
            price("10", "40"),
            price_variants=[
                PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(4)), _start(7)),
                PriceVariant({"processing": "batch"}, price("5", "20"), _start(6)),
            ],
        )
    )
    assert table(found)[1:] == [("batch", True, JUNE, "5", "20"), ("batch", True, JULY, "4", "20")]


def test_tiers_are_the_union_of_the_thresholds_of_all_classes() -> None:
    tiered = ModelPrice(
        input_mtok=TieredPrices(Decimal(1), [Tier(100, Decimal(2)), Tier(300, Decimal(4))]),
        output_mtok=TieredPrices(Decimal(10), [Tier(200, Decimal(20))]),
        cache_read_mtok=Decimal("0.1"),
    )
    rate = drafts(model(tiered))[0].rate
    assert [
        (tier.above_input_tokens, tier.prices.input_usd_per_million, tier.prices.output_usd_per_million)
        for tier in rate.tiers
    ] == [(100, 2, None), (200, 2, 20), (300, 4, 20)]
    assert rate.prices.cache_read_usd_per_million == Decimal("0.1")


def test_other_units_become_rates_of_their_own_resource_type() -> None:
    units = ModelPrice(
        input_mtok=Decimal(3), web_searches_kcount=Decimal(10), requests_kcount=Decimal(12), input_mchars=Decimal(15)
    )
    found = drafts(model(units))
    assert [(draft.rate.resource_type, draft.rate.unit_price_usd, draft.rate.request_usd) for draft in found] == [
        ("llm_tokens", None, Decimal("0.012")),
        ("web_search", Decimal("0.01"), None),
        ("input_chars", Decimal("0.000015"), None),
    ]


def test_float_artefacts_are_rounded_to_6_decimals() -> None:
    rate = drafts(model(ModelPrice(input_mtok=Decimal("0.08333333333333334"))))[0].rate
    assert str(rate.prices.input_usd_per_million) == "0.083333"


def test_without_prices_only_an_id_that_ends_in_free_is_free() -> None:
    free, unknown = drafts(model(ModelPrice(), id="M:free"), model(ModelPrice()))
    assert free.rate.is_free
    assert unknown.rate.is_withdrawn


def test_names_are_the_literal_parts_of_the_match_clause() -> None:
    clause = ClauseOr(
        [
            ClauseEquals("M"),
            ClauseStartsWith("M-One-"),
            ClauseContains("m.two"),
            ClauseRegex(r"^m-3\.5\[fast=true\]$"),
            ClauseRegex(r"^m-\d{8}$"),
            ClauseStartsWith("ft:m"),
        ]
    )
    assert drafts(model(price("1"), match=clause))[0].rate.aliases == ("m-one", "m.two", "m-3.5[fast=true]")


def test_a_name_belongs_to_the_first_model_that_claims_it() -> None:
    first = model(price("1"), match=ClauseOr([ClauseEquals("shared"), ClauseEquals("second")]))
    second = model(price("2"), id="second", match=ClauseEquals("shared"))
    assert [draft.rate.aliases for draft in drafts(first, second)] == [("shared",), ()]


def test_a_bedrock_name_counts_without_its_date() -> None:
    clause = ClauseContains("us.anthropic.claude-x-20250929")
    assert "us.anthropic.claude-x" in drafts(model(price("1"), match=clause), provider="aws")[0].rate.aliases


def test_every_model_of_the_installed_data_is_there_and_what_is_left_out_is_counted() -> None:
    from genai_prices.data import providers

    loaded = installed_rates()
    assert {(draft.rate.provider, draft.rate.model) for draft in loaded.drafts} == {
        (provider.id, entry.id.lower()) for provider in providers for entry in provider.models
    }
    assert loaded.ignored["variant route=mistral/eu"] == 2
    assert not any(key.startswith("variant processing") for key in loaded.ignored)
