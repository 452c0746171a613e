"""The service tier that a call was served at, by the names that have prices."""

from __future__ import annotations

from costtrack.domain.events import ServiceTier
from costtrack.extraction.fields import as_text, read

_TIERS = {
    **dict.fromkeys(("standard", "default", "auto", "on_demand", "performance", "scale"), ServiceTier.STANDARD),
    **dict.fromkeys(("reserved", "provisioned_throughput", "standard_only"), ServiceTier.STANDARD),
    "batch": ServiceTier.BATCH,
    **dict.fromkeys(("flex", "on_demand_flex"), ServiceTier.FLEX),
    **dict.fromkeys(("priority", "on_demand_priority"), ServiceTier.PRIORITY),
    "fast": ServiceTier.FAST,
}
"""Providers' words. Prepaid capacity (scale, reserved, provisioned) has no price per token: standard."""


def service_tier_of(body: object, usage: object) -> str:
    """The tier that the response names; "" where it names none, or one without a known meaning.

    OpenAI, Groq, OpenRouter: `service_tier` of the body; Anthropic: of the usage, and its `speed`; Bedrock:
    `serviceTier.type`; Gemini: `serviceTier` or `trafficType` of the usage.
    """
    if as_text(read(usage, "speed")) == "fast":
        return ServiceTier.FAST.value
    for source, name in (
        (body, "service_tier"),
        (usage, "service_tier"),
        (usage, "serviceTier"),
        (usage, "trafficType"),
        (usage, "traffic_type"),
    ):
        tier = _known(as_text(read(source, name)))
        if tier:
            return tier
    bedrock = read(body, "serviceTier")
    return _known(as_text(bedrock)) or _known(as_text(read(bedrock, "type")))


def _known(word: str) -> str:
    tier = _TIERS.get(word.lower().removeprefix("service_tier_")) if word else None
    return tier.value if tier is not None else ""
