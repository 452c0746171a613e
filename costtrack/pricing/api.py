"""What-does-it-cost functions for hosts: `calculate_cost` and its like. Nothing is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from costtrack.conf import settings
from costtrack.domain.events import ServiceTier
from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import InvalidUsage, RateNotFound, UnknownOrganization
from costtrack.models import Organization
from costtrack.pricing.canonical import canonical_tier
from costtrack.pricing.cost import CostBreakdown, cost_of_tokens
from costtrack.pricing.priced_rate import Prices, PriceTier
from costtrack.pricing.ratebook import RateMatch, current_ratebook

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text (help.openai.com, "What are tokens", read 2026-11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPricing:
    """What a model costs: the rate in force."""

    provider: str
    model: str
    """The rate's model id; the id asked for may be longer by a date or version."""
    prices: Prices
    """USD per 1,000,000 tokens."""
    tiers: tuple[PriceTier, ...]
    """Prices for long requests."""
    request_usd: Decimal | None
    """USD per call, on top of the tokens."""
    service_tier: str
    source: str
    source_version: str
    effective_from: datetime


def calculate_cost(
    model: str,
    input_tokens: int,
    output_tokens: int,
    *,
    provider: str = "",
    gateway: str = "",
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    cache_write_1h_tokens: int = 0,
    input_audio_tokens: int = 0,
    reasoning_tokens: int = 0,
    output_audio_tokens: int = 0,
    service_tier: str = ServiceTier.STANDARD,
    organization: str | None = None,
    at: datetime | None = None,
) -> Decimal:
    """The exact cost in US dollars of one call, e.g. gpt-4 with 1000 in and 500 out: 0.06.

    Every argument is as for `calculate_cost_breakdown`, and so is what is raised.
    """
    return calculate_cost_breakdown(
        model,
        input_tokens,
        output_tokens,
        provider=provider,
        gateway=gateway,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        cache_write_1h_tokens=cache_write_1h_tokens,
        input_audio_tokens=input_audio_tokens,
        reasoning_tokens=reasoning_tokens,
        output_audio_tokens=output_audio_tokens,
        service_tier=service_tier,
        organization=organization,
        at=at,
    ).total_usd


def calculate_cost_breakdown(
    model: str,
    input_tokens: int,
    output_tokens: int,
    *,
    provider: str = "",
    gateway: str = "",
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    cache_write_1h_tokens: int = 0,
    input_audio_tokens: int = 0,
    reasoning_tokens: int = 0,
    output_audio_tokens: int = 0,
    service_tier: str = ServiceTier.STANDARD,
    organization: str | None = None,
    at: datetime | None = None,
) -> CostBreakdown:
    """The exact cost of one call by its parts: `input_usd`, `output_usd`, `request_usd`, `total_usd` and lines.

    `input_tokens` includes the cached and cache-written tokens, `output_tokens` the reasoning tokens. With
    `organization` (a slug) its own rates come first. `at` (aware; default now) chooses the rates in force.

    Raises InvalidUsage naming the field for what is no whole number of tokens, a part above its whole or a service
    tier that does not exist, RateNotFound where a needed price is unknown, UnknownOrganization for a slug that does
    not exist.
    """
    tokens = TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        cache_write_1h_tokens=cache_write_1h_tokens,
        input_audio_tokens=input_audio_tokens,
        reasoning_tokens=reasoning_tokens,
        output_audio_tokens=output_audio_tokens,
    )
    match = _find(
        model, provider=provider, gateway=gateway, service_tier=service_tier, organization=organization, at=at
    )
    breakdown = cost_of_tokens(tokens, match.rate) if match else None
    if breakdown is None:
        raise RateNotFound(model, provider, sold_by=() if match else _sold_by(model))
    return breakdown


def estimate_cost(
    model: str,
    input_text: str,
    estimated_output_tokens: int,
    *,
    provider: str = "",
    gateway: str = "",
    service_tier: str = ServiceTier.STANDARD,
    organization: str | None = None,
    at: datetime | None = None,
) -> Decimal:
    """A rough cost in US dollars before a call: `input_text` counts one token for every 4 characters, rounded up.

    Real tokenizers differ, most for text that is not English. Raises as `calculate_cost_breakdown` does.
    """
    if not isinstance(input_text, str):
        raise InvalidUsage("input_text", input_text, "text")
    return calculate_cost(
        model,
        -(-len(input_text) // CHARACTERS_PER_TOKEN),
        estimated_output_tokens,
        provider=provider,
        gateway=gateway,
        service_tier=service_tier,
        organization=organization,
        at=at,
    )


def get_model_pricing(
    model: str,
    *,
    provider: str = "",
    gateway: str = "",
    service_tier: str = ServiceTier.STANDARD,
    organization: str | None = None,
    at: datetime | None = None,
) -> ModelPricing | None:
    """The prices in force of a model and who says so; None if it is not known."""
    match = _find(
        model, provider=provider, gateway=gateway, service_tier=service_tier, organization=organization, at=at
    )
    if match is None:
        return None
    rate = match.rate
    return ModelPricing(
        provider=rate.provider,
        model=rate.model,
        prices=rate.prices,
        tiers=rate.tiers,
        request_usd=rate.request_usd,
        service_tier=rate.service_tier,
        source=rate.source,
        source_version=rate.source_version,
        effective_from=rate.effective_from,
    )


def _find(
    model: str, *, provider: str, gateway: str, service_tier: str, organization: str | None, at: datetime | None
) -> RateMatch | None:
    if not isinstance(model, str) or not model.strip():
        raise InvalidUsage("model", model, "a model id")
    if at is not None and at.tzinfo is None:
        raise InvalidUsage("at", at, "a datetime with a time zone")
    if canonical_tier(service_tier) not in set(ServiceTier):
        raise InvalidUsage("service_tier", service_tier, f"one of {', '.join(ServiceTier)}")
    return current_ratebook().find(
        model=model,
        provider=provider,
        gateway=gateway,
        organization_id=None if organization is None else _organization_id(organization),
        service_tier=service_tier,
        at=at or datetime.now(UTC),
    )


def _sold_by(model: str) -> list[str]:
    """Providers that have a rate under exactly this id, for the error that none was found without naming one."""
    name = model.strip().lower()
    found = {rate.provider for rate in current_ratebook().rates if name in (rate.model, *rate.aliases)}
    return sorted(found - {""})[:5]


def _organization_id(slug: str) -> int:
    known = Organization.objects.using(settings.database).filter(slug=slug).values_list("id", flat=True).first()
    if known is None:
        raise UnknownOrganization(slug)
    return known
