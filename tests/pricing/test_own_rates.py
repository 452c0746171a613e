"""An organization's own rates, laid over the maintained ones model by model, however a call spells the model."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costtrack.pricing.loading.maintained import maintained_drafts
from costtrack.pricing.priced_rate import PricedRate, Prices
from costtrack.pricing.ratebook import RateBook

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACME = 7


@pytest.fixture(scope="module")
def maintained() -> list[PricedRate]:
    """The global rates."""
    return [draft.rate for draft in maintained_drafts()[0]]


def own(model: str, price: str = "1", provider: str = "") -> PricedRate:
    """Acme's price for a model."""
    prices = Prices(input_usd_per_million=Decimal(price), output_usd_per_million=Decimal(price))
    return PricedRate(provider=provider, model=model, prices=prices, organization_id=ACME)


def found(rates: list[PricedRate], model: str) -> str | None:
    """Which of Acme's rates prices a call, "global" if none of them does."""
    match = RateBook(rates).find(model=model, organization_id=ACME, at=AT)
    if match is None:
        return None
    rate = match.rate
    return "global" if rate.organization_id is None else f"{rate.provider}/{rate.model}".removeprefix("/")


OWN = ["claude-3-5-sonnet", "claude-sonnet-4-5", "gpt-3.5-turbo", "gpt-5"]


@pytest.mark.parametrize(
    ("model", "priced_by"),
    [
        ("claude-3.5-sonnet", "claude-3-5-sonnet"),
        ("claude-sonnet-3-5", "claude-3-5-sonnet"),
        ("anthropic/claude-3.5-sonnet", "claude-3-5-sonnet"),
        ("anthropic/claude-3.5-sonnet-20240620", "claude-3-5-sonnet"),
        ("openrouter/anthropic/claude-3.5-sonnet", "claude-3-5-sonnet"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet"),
        ("claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("litellm_proxy/bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("vertex_ai/claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("azure/gpt-35-turbo", "gpt-3.5-turbo"),
        ("azure/gpt-35-turbo-0125", "gpt-3.5-turbo"),
        ("openrouter/openai/gpt-5", "gpt-5"),
        ("gpt-5-codex", "gpt-5"),  # genai-prices 0.2.3 has it as another name of gpt-5
        ("gpt-5-mini", "global"),
        ("gpt-5.1-codex-max", "global"),
        ("azure/gpt-35-turbo-16k", "global"),
        ("claude-sonnet-4-6", "global"),
        ("openrouter/anthropic/claude-sonnet-4.5:batch", "global"),  # another offer
        ("azure/eu/gpt-5", None),
        ("foo/gpt-5", None),
    ],
)
def test_an_own_rate_holds_for_every_spelling_of_its_model(
    model: str, priced_by: str | None, maintained: list[PricedRate]
) -> None:
    assert found([*maintained, *map(own, OWN)], model) == priced_by


def test_the_more_specific_own_rate_wins(maintained: list[PricedRate]) -> None:
    regional = own("us.anthropic.claude-sonnet-4-5", "2", "aws")
    rates = [*maintained, own("claude-sonnet-4-5"), regional]
    assert found(rates, "us.anthropic.claude-sonnet-4-5-20250929-v1:0") == "aws/us.anthropic.claude-sonnet-4-5"
    assert found(rates, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0") == "claude-sonnet-4-5"


def test_an_own_rate_of_one_region_says_nothing_of_another(maintained: list[PricedRate]) -> None:
    rates = [*maintained, own("us.anthropic.claude-sonnet-4-5", "2", "aws")]
    assert found(rates, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0") == "global"


@pytest.mark.parametrize(
    ("version", "other"),
    [("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20240620"), ("devstral-small-2505", "devstral-small-2507")],
)
def test_an_own_rate_of_one_version_says_nothing_of_another(
    version: str, other: str, maintained: list[PricedRate]
) -> None:
    rates = [*maintained, own(version)]
    assert found(rates, version) == version
    assert found(rates, other) == "global"


def test_an_own_rate_of_one_provider_holds_there_only(maintained: list[PricedRate]) -> None:
    rates = [*maintained, own("gpt-3.5-turbo", "1", "azure")]
    assert found(rates, "gpt-35-turbo") == "global"
    assert found(rates, "azure/gpt-3.5-turbo") == "azure/gpt-3.5-turbo"


def test_an_own_rate_of_a_new_name_holds_for_the_old_one_after_a_renaming() -> None:
    def known(model: str, price: str | None, **fields: object) -> PricedRate:
        prices = Prices() if price is None else Prices(input_usd_per_million=Decimal(price))
        return PricedRate(provider="openai", model=model, prices=prices, **fields)  # type: ignore[arg-type]

    renamed = [known("old", "4"), known("old", None, effective_from=AT), known("new", "4", aliases=("old",))]
    split = [known("codex", "4"), known("plain", "4", aliases=("codex",))]
    assert found([*renamed, own("new")], "old") == "new"
    assert found([*split, own("plain")], "codex") == "global"
