"""Ids as people write them against prices written down by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costtrack.pricing.loading.maintained import maintained_drafts
from costtrack.pricing.price import price_event
from costtrack.pricing.ratebook import RateBook
from tests.factories import make_event
from tests.pricing.known_prices import CASES, UNPRICED, Case

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def book() -> RateBook:
    """The maintained rates, without a database."""
    return RateBook(draft.rate for draft in maintained_drafts()[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.given}|{case.model}")
def test_an_id_as_people_write_it_has_the_published_price(case: Case, book: RateBook) -> None:
    match = book.find(model=case.model, provider=case.given, at=AT)
    assert match is not None, case.source
    prices = match.rate.prices
    output = None if case.output_usd == "None" else Decimal(case.output_usd)
    assert (match.rate.provider, prices.input_usd_per_million, prices.output_usd_per_million) == (
        case.provider,
        Decimal(case.input_usd),
        output,
    ), case.source


@pytest.mark.parametrize(("model", "provider"), UNPRICED)
def test_an_id_that_is_not_certain_has_no_price(model: str, provider: str, book: RateBook) -> None:
    assert book.find(model=model, provider=provider, at=AT) is None


@pytest.mark.parametrize("gateway", ["", "openrouter", "litellm", "our-proxy"])
@pytest.mark.parametrize("provider", ["", "openrouter", "groq", "azure"])
def test_repricing_reads_what_is_stored_as_the_same_rate(provider: str, gateway: str, book: RateBook) -> None:
    differing = []
    for model, given in [*((case.model, case.given) for case in CASES), *UNPRICED, *GATEWAY_IDS]:
        named: dict[str, Any] = {"model": model, "provider": provider or given, "gateway": gateway}
        stored = price_event(make_event(**named, occurred_at=AT), organization_id=1, book=book)
        first = book.find(**named, at=AT)
        again = book.find(model=stored.model, provider=stored.provider, gateway=stored.gateway, at=AT)
        if (first and first.rate) != (again and again.rate):
            differing.append((named, stored, first and first.rate.model, again and again.rate.model))
    assert differing == []


GATEWAY_IDS = [
    ("groq/meta-llama/llama-4-scout-17b-16e-instruct", "openrouter"),
    ("litellm_proxy/groq/openai/gpt-oss-120b", ""),
    ("litellm_proxy/together/moonshotai/kimi-k2.5", ""),
    ("litellm_proxy/openai/ft:gpt-4o-mini-2024-07-18:acme::x", ""),
    ("openrouter/mistral/ministral-8b", ""),
    ("openrouter/x-ai/grok-3", ""),
    ("openrouter/anthropic:claude-3-5-sonnet-latest", ""),
    ("portkey/@openrouter/openai/gpt-4o:online", ""),
    ("perplexity/perplexity/sonar", ""),
]


def test_the_table_is_as_large_as_promised() -> None:
    assert len({(case.model, case.given) for case in CASES}) == len(CASES) >= 120
    assert len(set(UNPRICED)) == len(UNPRICED) >= 25
    assert all(case.source for case in CASES)


@pytest.mark.parametrize(
    ("at", "input_usd", "output_usd"),
    [
        (datetime(2025, 6, 9, 23, 59, tzinfo=UTC), "10", "40"),
        (datetime(2025, 6, 10, tzinfo=UTC), "2", "8"),
    ],
)
def test_o3_costs_a_fifth_from_10_june_2025(at: datetime, input_usd: str, output_usd: str, book: RateBook) -> None:
    # OpenAI announced o3 at 2 / 8 instead of 10 / 40 on 10 June 2025
    match = book.find(model="o3", at=at)
    assert match is not None
    assert match.rate.prices.input_usd_per_million == Decimal(input_usd)
    assert match.rate.prices.output_usd_per_million == Decimal(output_usd)


@pytest.mark.parametrize(
    ("clock", "input_usd"), [((0, 29), "0.135"), ((0, 30), "0.27"), ((16, 29), "0.27"), ((16, 30), "0.135")]
)
def test_deepseek_is_cheaper_off_peak(clock: tuple[int, int], input_usd: str, book: RateBook) -> None:
    # DeepSeek's discount of 50 % from 16:30 to 00:30 UTC, api-docs.deepseek.com, February to September 2025
    match = book.find(model="deepseek-chat", provider="deepseek", at=datetime(2025, 5, 1, *clock, tzinfo=UTC))
    assert match is not None
    assert match.rate.prices.input_usd_per_million == Decimal(input_usd)


def test_batch_costs_half_and_a_tier_without_a_price_the_standard_one(book: RateBook) -> None:
    # platform.openai.com/docs/pricing: gpt-4o 2.50 / 10, batch 1.25 / 5, no flex
    batch = book.find(model="gpt-4o", service_tier="batch", at=AT)
    flex = book.find(model="gpt-4o", service_tier="flex", at=AT)
    assert batch is not None
    assert flex is not None
    assert batch.rate.prices.input_usd_per_million == Decimal("1.25")
    assert batch.rate.prices.output_usd_per_million == Decimal(5)
    assert (flex.rate.service_tier, flex.rate.prices.input_usd_per_million) == ("standard", Decimal("2.5"))


def test_a_web_search_costs_a_cent(book: RateBook) -> None:
    # docs.claude.com pricing: web search 10 USD per 1,000 searches
    match = book.find(model="claude-sonnet-4-5", resource_type="web_search", at=AT)
    assert match is not None
    assert match.rate.unit_price_usd == Decimal("0.01")
