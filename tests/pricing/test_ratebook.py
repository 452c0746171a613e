"""Which rate the book finds, and how long it stays in memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from costtrack.models import Rate, RateTier
from costtrack.pricing.priced_rate import NO_PRICES, PricedRate, Prices
from costtrack.pricing.ratebook import RateBook, current_ratebook, forget_rates
from tests.factories import make_organization, make_rate

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def rate(price: str | None, provider: str = "openai", model: str = "m", **fields: Any) -> PricedRate:
    """A rate of one price, None = withdrawn."""
    prices = NO_PRICES if price is None else Prices(input_usd_per_million=Decimal(price))
    return PricedRate(provider=provider, model=model, prices=prices, **fields)


def price(rates: list[PricedRate], model: str = "m", at: datetime = NOW, **question: Any) -> str | None:
    """The input price that a book of `rates` finds."""
    match = RateBook(rates).find(model=model, at=at, **question)
    return str(match.rate.prices.input_usd_per_million) if match else None


def test_an_own_rate_wins_even_by_prefix_over_a_global_exact_one() -> None:
    rates = [rate("1", model="m-20250101"), rate("2", organization_id=7)]
    assert price(rates, "m-20250101", organization_id=7) == "2"
    assert price(rates, "m-20250101", organization_id=8) == "1"
    assert price(rates, "m-20250101") == "1"


def test_before_an_own_rate_begins_the_global_one_holds() -> None:
    rates = [rate("1"), rate("2", organization_id=7, effective_from=LATER)]
    assert price(rates, organization_id=7) == "1"
    assert price(rates, organization_id=7, at=LATER) == "2"


def test_an_own_rate_without_a_provider_holds_whoever_hosts_the_model() -> None:
    rates = [rate("1", "groq", "llama-x"), rate("2", "", "llama-x", organization_id=7)]
    assert price(rates, "groq/llama-x", organization_id=7) == "2"
    assert price(rates, "llama-x", organization_id=7) == "2"
    assert price(rates, "foo/llama-x", organization_id=7) is None


def test_a_service_tier_takes_its_own_rate_else_the_standard_one() -> None:
    rates = [rate("4"), rate("2", service_tier="batch", effective_from=NOW)]
    assert price(rates, service_tier="batch") == "2"
    assert price(rates, service_tier="Default") == "4"
    assert price(rates, service_tier="flex") == "4"
    assert price(rates, service_tier="batch", at=NOW - timedelta(days=1)) == "4"


def test_a_withdrawn_model_is_unpriced_from_then_on() -> None:
    rates = [rate("4"), rate(None, effective_from=LATER)]
    assert price(rates) == "4"
    assert price(rates, at=LATER) is None


def test_a_withdrawn_service_tier_leaves_the_standard_one() -> None:
    rates = [rate("4"), rate("2", service_tier="batch"), rate(None, service_tier="batch", effective_from=LATER)]
    assert price(rates, service_tier="batch", at=LATER) == "4"


def test_a_renamed_model_keeps_its_price_under_the_old_name() -> None:
    rates = [
        rate("4", model="old"),
        rate(None, model="old", effective_from=LATER),
        rate("5", model="new", aliases=("old",), effective_from=LATER),
    ]
    assert price(rates, "old") == "4"
    assert price(rates, "old", at=LATER) == "5"


def test_any_model_of_a_provider_is_asked_for_last() -> None:
    rates = [rate("0", "ollama", "*"), rate("1", "ollama", "paid")]
    assert price(rates, "ollama/whatever:3b") == "0"
    assert price(rates, "ollama/paid") == "1"
    assert price(rates, "whatever:3b") is None


def test_a_resource_type_has_rates_of_its_own() -> None:
    rates = [rate("3"), replace(rate(None, "pubmed", "*"), resource_type="api_call", unit_price_usd=Decimal("0.01"))]
    match = RateBook(rates).find(model="", provider="PubMed", resource_type="api_call", at=NOW)
    assert match is not None
    assert match.rate.unit_price_usd == Decimal("0.01")
    assert price(rates, resource_type="gpu_seconds") is None


def test_rates_are_found_however_an_administrator_wrote_them() -> None:
    assert price([rate("3", "Anthropic", "anthropic/Claude-X")], "claude-x") == "3"
    assert price([rate("3", "xAI", "grok-x")], "x-ai/grok-x") == "3"
    assert price([rate("3", "Vercel_AI_Gateway", "m")], "m", gateway="vercel") == "3"


def test_a_book_forgets_answers_rather_than_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.pricing.ratebook._MOST_ANSWERS", 3)
    book = RateBook([rate("3")])
    for number in range(10):
        assert book.find(model=f"unknown-{number}", at=NOW) is None
    assert len(book._answers) <= 3


@pytest.mark.django_db
def test_the_book_is_read_once_in_two_queries_and_a_check() -> None:
    make_rate()
    with CaptureQueriesContext(
        connection,
    ) as first:
        current_ratebook()
    with CaptureQueriesContext(connection) as second:
        current_ratebook()
    assert (len(first), len(second)) == (3, 0)


@pytest.mark.django_db
@override_settings(COSTTRACK={"RATE_CACHE_SECONDS": 0})
def test_a_change_of_rates_is_noticed_by_one_query_when_there_is_none() -> None:
    stored = make_rate(per_million=("3", "15"))
    book = current_ratebook()
    with CaptureQueriesContext(connection) as checked:
        assert current_ratebook() is book
    assert len(checked) == 1
    stored.input_usd_per_million = Decimal(4)
    stored.save()
    changed = current_ratebook().find(model="test-model", at=NOW)
    assert changed is not None
    assert changed.rate.prices.input_usd_per_million == Decimal(4)
    Rate.objects.all().delete()
    assert current_ratebook().find(model="test-model", at=NOW) is None


@pytest.mark.django_db
@override_settings(COSTTRACK={"RATE_CACHE_SECONDS": 0})
def test_a_change_of_tiers_is_noticed() -> None:
    def long_price() -> int:
        match = current_ratebook().find(model="test-model", at=NOW)
        assert match is not None
        return match.rate.bands[0].input_picos[0]

    stored = make_rate(per_million=("3", "15"))
    assert long_price() == 3_000_000  # picodollars per token
    tier = RateTier.objects.create(rate=stored, above_input_tokens=200_000, input_usd_per_million=Decimal(6))
    assert long_price() == 6_000_000
    RateTier.objects.update(input_usd_per_million=Decimal(7))
    assert long_price() == 7_000_000
    tier.delete()
    assert long_price() == 3_000_000


@pytest.mark.django_db
def test_stored_rates_come_with_their_tiers_and_organization() -> None:
    organization = make_organization()
    stored = make_rate(organization=organization, aliases=["other-name"], cache_read_usd_per_million=Decimal("0.3"))
    stored.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(6))
    forget_rates()
    match = current_ratebook().find(model="other-name", provider="openai", organization_id=organization.pk, at=NOW)
    assert match is not None
    assert (match.rate.id, match.rate.organization_id, match.rate.aliases) == (
        stored.pk,
        organization.pk,
        ("other-name",),
    )
    assert str(match.rate.prices.cache_read_usd_per_million) == "0.3"
    assert match.rate.tiers[0].above_input_tokens == 200_000
    assert match.rate.tiers[0].prices.input_usd_per_million == Decimal(6)


def test_threads_may_ask_one_book_at_once() -> None:
    book = RateBook([rate("3", model=f"m{number}") for number in range(200)])
    wrong: list[str] = []

    def ask() -> None:
        for number in range(200):
            match = book.find(model=f"m{number}", at=NOW)
            if match is None or match.rate.model != f"m{number}":
                wrong.append(f"m{number}")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
