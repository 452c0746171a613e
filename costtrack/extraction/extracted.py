"""Extracted: what one response tells about its usage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costtrack.domain.tokens import TokenUsage


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """What was found in a response. Text is "" and the rest None where the response does not say."""

    tokens: TokenUsage | None = None
    """None = the body holds no usage, or none that can be used; `problems` says which."""
    model: str = ""
    """As the response names it. Bedrock keeps the id of the call: only that one carries the priced region."""
    provider: str = ""
    """As the caller gave it, else what the body proves. An OpenAI-shaped body proves nothing: many servers speak it."""
    response_id: str = ""
    """The provider's own id. Pass it through `trusted_id` before it becomes an idempotency key."""
    litellm_call_id: str = ""
    """LiteLLM's id of the call, on objects of its SDK: its callbacks book the same call under it."""
    is_of_litellm: bool = False
    """It is an object of LiteLLM's SDK. Pieces of its streams do not carry the id of their call."""
    reported_cost_usd: Decimal | None = None
    """What the provider says it charged, in US dollars, at most 12 decimals."""
    service_tier: str = ""
    """A `costtrack.domain.events.ServiceTier`."""
    finish_reason: str = ""
    """In the provider's own words."""
    is_adjusted: bool = False
    """A figure contradicted another one, or was missing, and was mended; `problems` says how."""
    problems: tuple[str, ...] = ()
