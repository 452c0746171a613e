"""UsageEvent: the immutable record of one metered call, before it is priced and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from costtrack.domain.tokens import TokenUsage
from costtrack.domain.when_asked import INSTANT, TOTAL_TOKENS


class ResourceType(StrEnum):
    """The resource types that costtrack itself knows; hosts may use any other text."""

    LLM_TOKENS = "llm_tokens"
    """An LLM or embedding call; `amount` is its input plus output tokens."""
    API_CALL = "api_call"
    """A tool or API call; `amount` is 1 if it succeeded, 0 if it failed: only success is billed."""
    GPU_SECONDS = "gpu_seconds"
    WEB_SEARCH = "web_search"


class Outcome(StrEnum):
    """Whether the metered call itself succeeded."""

    SUCCESS = "success"
    ERROR = "error"


class CostSource(StrEnum):
    """Where a cost comes from. `unpriced` means unknown: its cost is NULL, never 0."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    UNPRICED = "unpriced"
    FREE = "free"


class UsageKind(StrEnum):
    """A ledger row is a usage, or corrects one."""

    USAGE = "usage"
    ADJUSTMENT = "adjustment"
    VOID = "void"


class ServiceTier(StrEnum):
    """The service tiers that have prices of their own; `default`, `auto` and the like are `standard`."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    FAST = "fast"


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Who caused a call. All text, "" where not given; tags are free key-value pairs.

    `project` and `agent` are slugs under their parent and appear on first use; `organization` must exist.
    An agent without a project belongs to the project "default".
    """

    organization: str = ""
    """"" means COSTTRACK["DEFAULT_ORGANIZATION"]."""
    project: str = ""
    agent: str = ""
    sprint: str = ""
    workflow: str = ""
    stage: str = ""
    thread_id: str = ""
    """The conversation."""
    request_id: str = ""
    entity_type: str = ""
    entity_id: str = ""
    endpoint: str = ""
    """The feature's name."""
    customer: str = ""
    """The end user who was served."""
    user: str = ""
    """The host's own user id, as text."""
    run: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UsageEvent:
    """One metered call. Build it with `costtrack.metering.events.build_event`, which checks and cleans every field."""

    idempotency_key: str
    """At most 255 characters; the same key in the same organization is charged once."""
    key_from_provider: bool = False
    """The key is the provider's own response id: a second capture of it is a duplicate, whatever it says."""
    occurred_at: datetime = INSTANT
    """Aware. The rates in force at this instant price the call, and its local date is the row's day."""
    attribution: Attribution
    resource_type: str
    amount: Decimal = TOTAL_TOKENS
    """Units of `resource_type`, >= 0, at most 12 decimals; for tokens their total."""
    tokens: TokenUsage = TokenUsage()
    provider: str = ""
    """Who made or hosts the model: anthropic, openai, aws ...; "" = derive it from the model id."""
    gateway: str = ""
    """Through whom it was called, if not directly: openrouter, litellm ..."""
    model: str = ""
    """The model id as the caller or the provider wrote it."""
    service_tier: str = ServiceTier.STANDARD.value
    reported_cost_usd: Decimal | None = None
    """The cost that the provider reported, if it did; it wins over any rate."""
    latency_ms: int | None = None
    outcome: str = Outcome.SUCCESS.value
    error_type: str = ""
    error_message: str = ""
    is_estimated: bool = False
    """The usage figures are an estimate (a broken stream, a missing usage chunk)."""
    usage_missing: bool = False
    """The response carried no usage: kept, unpriced."""
    saving_usd: Decimal = Decimal(0)
    """Signed: what a cache, a cascade or compression avoided. Never counted as cost."""
    saving_kind: str = ""
    saving_basis: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    hold_id: str = ""
    """The reservation that this usage settles, as 32 hex digits."""
    ends_hold: bool = True
    """False: of a call with several responses, not the last; the hold stays until that one is recorded."""
    hold_leases: str = ""
    """What that takes of which leases, where Redis granted it, as admission said."""
