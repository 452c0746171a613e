"""`record_usage` and `record_api_call`: usage that has happened elsewhere, recorded by its figures."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from costtrack.conf import settings
from costtrack.domain.events import Outcome, ResourceType
from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import IdempotencyConflict, InvalidUsage, UnknownOrganization
from costtrack.metering.attribution import AttributionFields
from costtrack.metering.cleaning import clean_flag, clean_text
from costtrack.metering.database_thread import run_sync
from costtrack.metering.errors import error_fields
from costtrack.metering.event_fields import refuse_empty
from costtrack.metering.events import build_event
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import BookedFigures, metered_around_here
from costtrack.metering.recorded import RecordedUsage, recorded_usage
from costtrack.metering.transport import needs_no_database, submit

ATTRIBUTION_NAMES = AttributionFields.__annotations__.keys()


def record_usage(
    *,
    model: str = "",
    provider: str = "",
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    cache_write_1h_tokens: int | None = None,
    input_audio_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    output_audio_tokens: int | None = None,
    tokens: TokenUsage | None = None,
    cost_usd: object = None,
    resource_type: str = ResourceType.LLM_TOKENS,
    amount: object = None,
    gateway: str = "",
    service_tier: str = "",
    idempotency_key: object = "",
    occurred_at: datetime | None = None,
    latency_ms: object = None,
    success: bool = True,
    error: BaseException | str | None = None,
    is_estimated: bool = False,
    saving_usd: object = None,
    saving_kind: str = "",
    saving_basis: str = "",
    metadata: Mapping[str, Any] | None = None,
    **attribution: Unpack[AttributionFields],
) -> RecordedUsage:
    """Record one usage by its figures; gives the event back with its cost.

    `input_tokens` and `output_tokens` are totals, the other counts parts of them. An input alone is an embedding's;
    an output alone is priced, and flagged `is_estimated`. `cost_usd` is a cost that the provider reported, and wins
    over any rate. `amount` is for other resource types: the seconds of a GPU job. Without any figure the usage counts
    as missing: unpriced. An `error` makes it a failed call. With neither of these, nor a model or provider, it is
    refused. The same `idempotency_key` with the same usage is charged once and gives the first record. Inside a
    tracked function or a `meter` block, a response with the same model and counts is the same call, and adds no row.

    Raises InvalidUsage for a figure that is not acceptable; then nothing was stored. With the transport `inline` also
    UnknownOrganization, IdempotencyConflict if the key was used for other usage, and the database's own errors; with
    `spool` such an event is kept as a dead letter with its reason, or, if there is no spool either, in the log.
    """
    fields: dict[str, object] = {
        "model": model,
        "provider": provider,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": cache_read_tokens,
        "latency_ms": latency_ms,
        **attribution,
    }
    rare = {
        "cache_write_tokens": cache_write_tokens,
        "cache_write_1h_tokens": cache_write_1h_tokens,
        "input_audio_tokens": input_audio_tokens,
        "reasoning_tokens": reasoning_tokens,
        "output_audio_tokens": output_audio_tokens,
        "tokens": tokens,
        "reported_cost_usd": cost_usd,
        "amount": amount,
        "gateway": gateway,
        "service_tier": service_tier,
        "idempotency_key": idempotency_key,
        "occurred_at": occurred_at,
        "is_estimated": is_estimated or None,
        "saving_usd": saving_usd,
        "saving_kind": saving_kind,
        "saving_basis": saving_basis,
        "metadata": metadata,
    }
    for name, value in rare.items():  # an event of the usual fields alone is built in half the time
        if value is not None and (type(value) is not str or value):
            fields[name] = value
    if resource_type != ResourceType.LLM_TOKENS:
        fields["resource_type"] = resource_type
    if success is not True:
        clean_flag("success", success)
    if error is not None or not success:
        fields["outcome"] = Outcome.ERROR
        if error is not None:
            fields.update(error_fields(error))
    if not attribution.keys() <= ATTRIBUTION_NAMES:
        raise TypeError(_unexpected(min(attribution.keys() - ATTRIBUTION_NAMES)))
    if needs_no_database():
        return _record(fields)  # type: ignore[arg-type]
    return run_sync(lambda: _record(fields))  # type: ignore[arg-type]


def record_api_call(
    name: str,
    *,
    success: bool = True,
    error: BaseException | str | None = None,
    latency_ms: object = None,
    amount: object = 1,
    cost_usd: object = None,
    idempotency_key: object = "",
    occurred_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
    **attribution: Unpack[AttributionFields],
) -> RecordedUsage:
    """Record one call of a tool or API, e.g. `record_api_call("pubmed", latency_ms=120)`.

    `name` is stored as the provider, where a rate per call is looked up, and may not be blank. Only success is billed:
    with `success=False` or an `error` the call is recorded as failed, with amount 0 and no cost. Raises as
    `record_usage`.
    """
    if not clean_text("name", name, 1):
        raise InvalidUsage("name", name, 'the name of a tool or API: record_api_call("pubmed")')
    failed = not clean_flag("success", success) or error is not None
    return record_usage(
        provider=name,
        resource_type=ResourceType.API_CALL,
        success=not failed,
        error=error,
        latency_ms=latency_ms,
        amount=amount,
        cost_usd=None if failed else cost_usd,
        idempotency_key=idempotency_key,
        occurred_at=occurred_at,
        metadata=metadata,
        **attribution,
    )


OTHER_NAMES = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "conversation_id": "thread_id",
    "cost": "cost_usd",
    "user_id": "user",
}
"""What other systems call it."""
NOT_TAKEN = {"total_tokens": "A total has no price: give input_tokens and output_tokens."}
"""What other systems have, and nobody can price."""


def _unexpected(name: str) -> str:
    known = [*inspect.signature(record_usage).parameters, *AttributionFields.__annotations__]
    close = [OTHER_NAMES[name]] if name in OTHER_NAMES else difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    if name in NOT_TAKEN:
        hint = f" {NOT_TAKEN[name]}"
    return f"unexpected argument {name!r}.{hint} Arguments are: {', '.join(sorted({*known} - {'attribution'}))}."


def _record(fields: EventFields) -> RecordedUsage:
    event = build_event(**fields)
    refuse_empty(event)
    result = submit(event)
    if result.status == "conflict" and settings.is_inline():
        raise IdempotencyConflict(event.idempotency_key)
    if result.status == "rejected" and settings.is_inline():
        raise _refusal(event.attribution.organization, result.reason)
    open_calls = metered_around_here()
    if open_calls and event.resource_type == ResourceType.LLM_TOKENS:
        figures = BookedFigures(event.model, event.tokens)
        for around in open_calls:
            around.add_figures(figures)
    return recorded_usage(event, result)


def _refusal(organization: str, reason: str) -> Exception:
    """Why the ledger rejected an event that was fine as such."""
    from costtrack.models import Organization

    slug = organization or settings.default_organization
    if not Organization.objects.using(settings.database).filter(slug=slug).exists():
        return UnknownOrganization(slug)
    return InvalidUsage("event", reason, "one that the database accepts")
