"""Finished batches: each result is a usage at the batch tier, recorded once however often the batch is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from costtrack.domain.events import Outcome, ServiceTier, UsageEvent
from costtrack.extraction import extract, trusted_id
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.context import given_here
from costtrack.metering.database_thread import run_async, run_sync
from costtrack.metering.errors import error_fields
from costtrack.metering.events import event_after_call
from costtrack.metering.given_fields import EventFields
from costtrack.metering.recorded import RecordedUsage, recorded_usage
from costtrack.metering.transport import submit_all

AT_ONCE = 500
"""How many results are recorded together."""


@dataclass(frozen=True, kw_only=True)
class FinishedBatch:
    """A batch whose results are to be recorded."""

    provider: str
    batch_id: str
    ended_at: datetime | None
    """When it is booked; None = now."""
    given: GivenAttribution


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What became of one request of a batch."""

    custom_id: str
    """The caller's own, unique in the batch."""
    answer: object = None
    """The provider's response; None if the request failed."""
    error: str = ""
    """Why it failed."""


def record_batch_results(batch: FinishedBatch, results: Iterable[BatchResult]) -> tuple[RecordedUsage, ...]:
    """Record them; gives a row each, in their order. One that failed is recorded as failed, and costs nothing.

    A result is known again by its provider's id, else by the batch's and the caller's, so what was recorded before is
    not charged again. Nothing that a provider sent raises; inline, the errors of the database do.
    """
    attribution = batch.given.over(given_here())
    recorded: list[RecordedUsage] = []
    left = iter(results)
    while events := [_event(batch, result, attribution) for result in islice(left, AT_ONCE)]:
        recorded += run_sync(lambda events=events: _submitted(events))  # type: ignore[misc]
    return tuple(recorded)


async def record_batch_results_async(batch: FinishedBatch, results: Iterable[BatchResult]) -> tuple[RecordedUsage, ...]:
    """The same without holding up the loop."""
    recorded = await run_async(lambda: record_batch_results(batch, results))
    return recorded or ()


def instant_of(value: object) -> datetime | None:
    """A provider's time, as seconds since 1970 or as a datetime; None for anything else."""
    if isinstance(value, datetime):
        return value
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else None


def _submitted(events: list[UsageEvent]) -> list[RecordedUsage]:
    return [recorded_usage(event, result) for event, result in zip(events, submit_all(events), strict=True)]


def _event(batch: FinishedBatch, result: BatchResult, attribution: GivenAttribution) -> UsageEvent:
    own_key = f"{batch.provider or 'batch'}:{batch.batch_id}:{result.custom_id}"
    metadata: dict[str, Any] = {"batch_id": batch.batch_id, "custom_id": result.custom_id}
    fields: EventFields = {
        "provider": batch.provider,
        "service_tier": ServiceTier.BATCH.value,
        "occurred_at": batch.ended_at,
        "idempotency_key": own_key,
        "key_from_provider": True,
        "metadata": metadata,
    }
    problems: tuple[str, ...] = ()
    if result.answer is None:
        fields["outcome"] = Outcome.ERROR
        fields.update(error_fields(result.error))
    else:
        found = extract(result.answer, provider=batch.provider)
        problems = found.problems
        fields["idempotency_key"] = trusted_id(found.provider, found.response_id) or own_key
        fields["provider"], fields["model"] = found.provider, found.model
        fields["tokens"], fields["reported_cost_usd"] = found.tokens, found.reported_cost_usd
        fields["is_estimated"] = found.is_adjusted
        if found.finish_reason:
            metadata["finish_reason"] = found.finish_reason
    return event_after_call(fields, attribution, now=datetime.now(UTC), problems=problems)


def error_text(error: object) -> str:
    """Message and code of a provider's error object, nested as Anthropic's are or not."""
    while isinstance(error, Mapping) and isinstance(error.get("error"), Mapping):
        error = error["error"]
    if not isinstance(error, Mapping):
        return str(error or "")
    parts = [str(error[name]) for name in ("type", "code", "message") if error.get(name)]
    return ": ".join(parts)
