"""The service tier that a call was served at, by the names that have prices."""

from __future__ import annotations

from costtrack.domain.events import ServiceTier
from costtrack.extraction.fields import as_text, may_have, read

_TIERS = {
    **dict.fromkeys(("standard", "default", "auto", "on_demand", "performance", "scale"), ServiceTier.STANDARD.value),
    **dict.fromkeys(("reserved", "provisioned_throughput", "standard_only"), ServiceTier.STANDARD.value),
    "batch": ServiceTier.BATCH.value,
    **dict.fromkeys(("flex", "on_demand_flex"), ServiceTier.FLEX.value),
    **dict.fromkeys(("priority", "on_demand_priority"), ServiceTier.PRIORITY.value),
    "fast": ServiceTier.FAST.value,
}
"""Providers' words. Prepaid capacity (scale, reserved, provisioned) has no price per token: standard."""
_OF_USAGE = frozenset(("speed", "service_tier", "serviceTier", "trafficType", "traffic_type"))


def service_tier_of(body: object, usage: object) -> str:
    """The tier that the response names; "" where it names none, or one without a known meaning.

    OpenAI, Groq, OpenRouter: `service_tier` of the body; Anthropic: of the usage, and its `speed`; Bedrock:
    `serviceTier.type`; Gemini: `serviceTier` or `trafficType` of the usage.
    """
    if not may_have(usage, _OF_USAGE):
        usage = None
    elif as_text(read(usage, "speed")) == "fast":
        return _TIERS["fast"]
    for source, name in (
        (body, "service_tier"),
        (usage, "service_tier"),
        (usage, "serviceTier"),
        (usage, "trafficType"),
        (usage, "traffic_type"),
    ):
        told = None if source is None else read(source, name)
        tier = "" if told is None else _known(told if type(told) is str else as_text(told))
        if tier:
            return tier
    bedrock = read(body, "serviceTier")
    if bedrock is None:
        return ""
    return _known(as_text(bedrock)) or _known(as_text(read(bedrock, "type")))


def _known(word: str) -> str:
    return _TIERS.get(word) or _TIERS.get(word.lower().removeprefix("service_tier_"), "")
