"""The end of a metered call: its events are built and recorded. Nothing in here raises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import NamedTuple

from costtrack.conf import settings
from costtrack.domain.events import ServiceTier, UsageEvent
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.extraction import Extracted, trusted_id
from costtrack.metering.call import Call
from costtrack.metering.cleaning import text_of
from costtrack.metering.cut_off import is_cut_off
from costtrack.metering.database_thread import Work, run_later
from costtrack.metering.estimate import needs_estimate, with_estimate
from costtrack.metering.events import event_after_call
from costtrack.metering.given_fields import COUNTS, EventFields
from costtrack.metering.lost import report_lost
from costtrack.metering.observed_response import ObservedResponse
from costtrack.metering.recorded import recorded_usage
from costtrack.metering.transport import submit_all

NOTHING_FOUND = Extracted()
BATCH = ServiceTier.BATCH.value


class Recording(NamedTuple):
    """The work that is left of a call: to build its events and record them. It raises no Exception."""

    call: Call
    responses: list[ObservedResponse]
    was_cut_off: bool
    is_told: bool
    """No response needs an estimate."""
    needs_no_database: bool
    """The events only go to a file; else the ledger, or a lazy attribution, may ask the database."""

    def __call__(self) -> None:
        """Do it; sets `call.events` and `call.results`."""
        _record(self)


def finish(call: Call, error: BaseException | None) -> Work | None:
    """Fix what is known when the block ends; gives the work that is left.

    If calls inside the block charge all that it observed, that is to release its hold, or None.
    """
    responses = call.observed.responses(sole_ms=round((perf_counter() - call.began) * 1000))
    if call.has_calls_inside:
        responses = _own_responses(call, responses)
    was_cut_off = error is not None and is_cut_off(error)
    is_told = True
    for response in responses:
        if needs_estimate(response, was_cut_off=was_cut_off):
            is_told = False
            if response.input is not None:
                _ = response.input.characters  # counted now: after the call it is not kept
    if not responses:
        work = nothing_to_record(call)
        call.close()
        return work
    call.close()
    if error is not None:
        call.set_error(error)
    needs_no_database = not settings.is_inline() and not call.attribution.has_lazy
    return Recording(call, responses, was_cut_off, is_told, needs_no_database)


def nothing_to_record(call: Call) -> Work | None:
    """The work that is left of a call that others charge: its hold is given back, or goes to who charges later."""
    if call.hold_id is None or call.inside.hands_over(call):
        return None
    from costtrack.metering.holding import Release

    return Release(call.hold_id)


def costs_now(call: Call) -> list[Decimal | None]:
    """The price of what the call has used so far, by the rates in force; None per response without a price."""
    from costtrack.metering.price_now import prices_now

    events = call.events or _events(call, call.observed.responses(), was_cut_off=False, is_told=False)
    return [priced.cost_usd for priced in prices_now(events)]


def _record(work: Recording) -> None:
    call = work.call
    try:
        events = call.events = _events(call, work.responses, was_cut_off=work.was_cut_off, is_told=work.is_told)
    except Exception as failure:  # the boundary: metering must not break the caller; the event is kept in the log
        report_lost(None, f"{type(failure).__name__}: {failure}", {**call.given, **call.said})
        _let_go(call)
        return
    try:
        results = submit_all(events)
    except Exception as failure:  # the same
        if not settings.is_inline():  # a signal handler raised in the middle of it; the keys make it safe
            run_later(lambda: submit_all(events))
            return
        for event in events:
            report_lost(event, f"{type(failure).__name__}: {failure}")
        _let_go(call)
        return
    recorded = []
    for event, result in zip(events, results, strict=True):
        if result.status in ("spooled", "recorded", "duplicate"):
            recorded.append(recorded_usage(event, result))
        elif settings.is_inline():  # else whoever tried in place of the spool has reported it
            report_lost(event, f"{result.status}: {result.reason}")
            _let_go(call)
    call.results = tuple(recorded)


def _let_go(call: Call) -> None:
    """No event settles its hold."""
    if call.hold_id is not None:
        from costtrack.metering.holding import Release

        Release(call.hold_id).later()


def _own_responses(call: Call, responses: list[ObservedResponse]) -> list[ObservedResponse]:
    """Those that no call inside charges; what was said of the last one goes with it."""
    if not call.is_llm:
        return responses
    model = text_of("model", call.said.get("model") or call.given.get("model"))
    own = call.inside.not_charged(responses, given_model=model)
    if not own or own[-1] is not responses[-1]:
        call.said = {}
    return own


def _events(call: Call, responses: list[ObservedResponse], *, was_cut_off: bool, is_told: bool) -> list[UsageEvent]:
    now = datetime.now(UTC)
    events = []
    for number, response in enumerate(responses, start=1):
        is_last = number == len(responses)
        is_cut_off = was_cut_off and is_last
        if call.is_llm and not is_told:
            said = call.said if is_last else {}
            is_sole = not call.has_calls_inside
            response = with_estimate(response, said=said, was_cut_off=is_cut_off, is_sole=is_sole)
        fields = _fields(call, response, number=number, is_last=is_last, was_cut_off=is_cut_off)
        problems = (*call.problems, *call.observed.problems, *(response.found.problems if response.found else ()))
        events.append(event_after_call(fields, call.attribution, now=now, problems=problems))
    if call.hold_id is not None:
        *before, last = events
        events = [replace(event, hold_id=call.hold_id.hex, ends_hold=False) for event in before]
        events.append(replace(last, hold_id=call.hold_id.hex, hold_leases=call.hold_leases))
    return events


def _fields(call: Call, response: ObservedResponse, *, number: int, is_last: bool, was_cut_off: bool) -> EventFields:
    """What is known of one response: what the caller said of the last one wins over what was found."""
    fields: EventFields = {**call.given, **call.said} if is_last else {**call.given}
    found = response.found or NOTHING_FOUND
    _fill_usage(fields, found)
    has_usage = "tokens" in fields or not COUNTS.isdisjoint(fields)
    if not has_usage and call.is_llm and (response.ended_early or (was_cut_off and not call.has_calls_inside)):
        fields["usage_missing"] = True
    if response.estimate:
        fields["is_estimated"] = True
    elif found.is_adjusted or (response.ended_early and not found.finish_reason):
        fields["is_estimated"] = fields.get("is_estimated") or has_usage
    if found.model and "model" not in call.said:
        fields["model"] = found.model
    fields["provider"] = found.provider or fields.get("provider")
    tier = fields.get("service_tier")
    if found.service_tier and (tier is None or text_of("service_tier", tier) != BATCH):
        # The tier that served the call; but answers of a batch do not know that they are one.
        fields["service_tier"] = found.service_tier
    key = text_of("idempotency_key", fields.get("idempotency_key")) if "idempotency_key" in fields else ""
    if not key:
        of_litellm = trusted_id("litellm", found.litellm_call_id) if found.litellm_call_id else ""
        fields["idempotency_key"] = of_litellm or trusted_id(found.provider, found.response_id)
        fields["key_from_provider"] = True
    elif number > 1:
        fields["idempotency_key"] = f"{key}#{number}"
    if fields.get("latency_ms") is None or not is_last:
        fields["latency_ms"] = response.latency_ms
    fields["occurred_at"] = fields.get("occurred_at") or call.occurred_at
    metadata = {"finish_reason": found.finish_reason} if found.finish_reason else {}
    if response.ended_early:
        metadata["stream"] = "ended early"
    if response.estimate:
        metadata["estimated"] = response.estimate
    fields["metadata"] = {**metadata, **call.metadata}
    return fields


def _fill_usage(fields: EventFields, found: Extracted) -> None:
    """Put the counts and cost that were found where the caller said none."""
    if fields.get("reported_cost_usd") is None and found.reported_cost_usd is not None:
        fields["reported_cost_usd"] = found.reported_cost_usd
    if found.tokens is None or fields.get("tokens") is not None:
        return
    if not COUNTS.isdisjoint(fields):
        counts = {name: getattr(found.tokens, name) for name in TOKEN_FIELDS if name not in fields}
        fields.update(counts)  # type: ignore[typeddict-item]
    else:
        fields["tokens"] = found.tokens
