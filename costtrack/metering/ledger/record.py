"""Recording a batch: owners, prices and hashes outside the transaction, then keys, ledger and summaries inside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from django.db import DataError, IntegrityError, OperationalError, connections, transaction

from costtrack.budgets.spending import MAX_ATTEMPTS, BatchCounters, CountersMissing
from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.metering.ledger.backends import backend_for
from costtrack.metering.ledger.counted import counted_usage, hold_id_of
from costtrack.metering.ledger.keys import fingerprint, hash_of_key
from costtrack.metering.ledger.owners import Owners, find_owners, project_slug
from costtrack.metering.ledger.rates_used import StaleRates, mark_rates_used
from costtrack.metering.ledger.results import RecordResult, RecordStatus
from costtrack.metering.ledger.rows import Owner, StagedUsage, ledger_values, summary_part
from costtrack.metering.ledger.standing import StandingRecord, earlier_in_batch, result_of_standing, standing_records
from costtrack.metering.ledger.sums import pending_rows
from costtrack.metering.ledger.usage_outbox import add_usage_deliveries
from costtrack.metering.partitions import create_partitions
from costtrack.pricing.price import price_event
from costtrack.pricing.ratebook import RateBook, current_ratebook, forget_rates

logger = logging.getLogger("costtrack")

MAX_BATCH = 1000
"""Longer transactions would hold their locks too long."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Ledger ids of transactions whose COMMIT may have been done although its answer was lost."""

    earlier: frozenset[int] = frozenset()
    """Of attempts before this one: an event that has one of them was recorded then, and is no duplicate."""
    now: set[int] = field(default_factory=set)
    """Of this attempt, added just before each COMMIT."""


def record_events(
    events: Sequence[UsageEvent],
    *,
    using: str | None = None,
    creates_partitions: bool = False,
    attempts: Attempts | None = None,
) -> list[RecordResult]:
    """Book the events, each exactly once; one result per event, in their order.

    Batches of at most 1,000 are one transaction each (a savepoint, inside a caller's own). A batch that the
    database refuses is halved until the bad row is found: that one is rejected with the reason, the rest lands.
    `creates_partitions` makes missing months first; never set it inside a transaction that others wait for.
    Errors of the connection itself are raised; then nothing of that batch was booked, unless it was the answer to the
    COMMIT that was lost. Who tries again gives `attempts`: what landed then is `recorded`, no duplicate.
    """
    attempts = attempts or Attempts()
    alias = using or settings.database
    results: list[RecordResult] = []
    for start in range(0, len(events), MAX_BATCH):
        batch = events[start : start + MAX_BATCH]
        try:
            results += _record_batch(batch, attempts, alias=alias, creates_partitions=creates_partitions)
        except StaleRates:
            forget_rates()
            results += _record_batch(batch, attempts, alias=alias, creates_partitions=creates_partitions)
    return results


def _record_batch(
    events: Sequence[UsageEvent], attempts: Attempts, *, alias: str, creates_partitions: bool
) -> list[RecordResult]:
    book = current_ratebook(using=alias)
    staged = stage_events(events, book=book, using=alias)
    if creates_partitions:
        create_partitions({one.owner.day for one in staged if isinstance(one, StagedUsage)}, using=alias)
    results: dict[int, RecordResult] = {index: one for index, one in enumerate(staged) if isinstance(one, RecordResult)}
    usable = [(index, one) for index, one in enumerate(staged) if isinstance(one, StagedUsage)]
    results |= _write_or_halve(usable, attempts, book=book, alias=alias)
    return [results[index] for index in range(len(events))]


def stage_events(events: Sequence[UsageEvent], *, book: RateBook, using: str) -> list[StagedUsage | RecordResult]:
    """Each event priced and made ready to be written, or the reason why it can not be."""
    owners = find_owners((event.attribution for event in events), using=using)
    null = backend_for(connections[using]).null
    recorded_at = str(datetime.now(UTC)) if null else datetime.now(UTC)
    return [_stage(event, owners, book, recorded_at=recorded_at, null=null) for event in events]


def _stage(
    event: UsageEvent, owners: Owners, book: RateBook, *, recorded_at: str | datetime, null: str | None
) -> StagedUsage | RecordResult:
    attribution = event.attribution
    found = owners.organization(attribution)
    if found is None:
        slug = attribution.organization or settings.default_organization
        unknown = f"Organization {slug!r} does not exist; usage never creates one."
        return _rejected(event, owners.refused.get(slug, unknown), may_succeed_later=True)
    organization_id, zones = found
    metadata = dict(event.metadata)
    project = project_slug(attribution)
    project_id = owners.projects.get((organization_id, project)) if project else None
    agent_id = None
    if project and project_id is None:
        metadata["_project_over_cap"] = project
    if attribution.agent:
        agent_id = owners.agents.get((project_id, attribution.agent)) if project_id is not None else None
        if agent_id is None:
            metadata["_agent_over_cap"] = attribution.agent
    is_sent = organization_id in owners.sending
    owner = Owner(organization_id, project_id, agent_id, zones.day_of(event.occurred_at), is_sent)
    priced = price_event(event, organization_id=organization_id, book=book)
    return StagedUsage(
        event=event,
        owner=owner,
        priced=priced,
        key_hash=hash_of_key(event.idempotency_key),
        fingerprint=fingerprint(event),
        values=ledger_values(event, owner, priced, metadata=metadata, recorded_at=recorded_at, null=null),
        part=summary_part(event, owner, priced),
    )


def _write_or_halve(
    staged: Sequence[tuple[int, StagedUsage]], attempts: Attempts, *, book: RateBook, alias: str
) -> dict[int, RecordResult]:
    """Write the batch; if the database refuses a row of it, find that row by halving."""
    if not staged:
        return {}
    try:
        return write_staged(staged, book=book, alias=alias, attempts=attempts)
    except (DataError, IntegrityError, OverflowError) as error:  # the last: SQLite's, for a number past 64 bits
        if len(staged) == 1:
            index, one = staged[0]
            reason = str(error).strip().splitlines()[0]
            logger.warning("The database refused usage %s: %s", one.event.idempotency_key, reason)
            return {index: _rejected(one.event, reason)}
        middle = len(staged) // 2
        first = _write_or_halve(staged[:middle], attempts, book=book, alias=alias)
        return first | _write_or_halve(staged[middle:], attempts, book=book, alias=alias)


def write_staged(
    staged: Sequence[tuple[int, StagedUsage]], *, book: RateBook, alias: str, attempts: Attempts | None = None
) -> dict[int, RecordResult]:
    """Write staged usages, given with their indexes, in ONE transaction: keys, ledger, summaries, budget counters.

    Keys are written in their order, so that two writers that share some never deadlock; counters likewise.
    """
    attempts = attempts or Attempts()
    firsts: dict[tuple[int, str], StagedUsage] = {}
    for _, one in staged:
        firsts.setdefault(one.key, one)
    in_key_order = sorted(firsts.values(), key=lambda one: one.key)
    counters = BatchCounters(using=alias)
    counters.prepare(lambda: map(counted_usage, in_key_order), {one.owner.organization_id for one in in_key_order})
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            standing = _write(in_key_order, staged, counters, attempts, book=book, alias=alias)
            break
        except CountersMissing as error:
            if attempt == MAX_ATTEMPTS:
                raise OperationalError(f"Budget counters vanish as fast as they are made: {error}") from error
            counters.make(error.missing)
    results = {}
    for index, one in staged:
        first = firsts[one.key]
        if one.key in standing:
            result = result_of_standing(one, standing[one.key])
            is_own = one is first and result.status is RecordStatus.DUPLICATE and result.usage_id in attempts.earlier
            results[index] = replace(result, status=RecordStatus.RECORDED) if is_own else result
        elif one is first:
            results[index] = _recorded(one)
        else:
            results[index] = result_of_standing(one, earlier_in_batch(first))
    return results


def _write(
    in_key_order: Sequence[StagedUsage],
    staged: Sequence[tuple[int, StagedUsage]],
    counters: BatchCounters,
    attempts: Attempts,
    *,
    book: RateBook,
    alias: str,
) -> dict[tuple[int, str], StandingRecord]:
    """The transaction; gives the records that stood before under some of the keys."""
    backend = backend_for(connections[alias])
    with transaction.atomic(using=alias):
        mark_rates_used({one.priced.rate_id for one in in_key_order if one.priced.rate_id}, book=book, using=alias)
        for one, usage_id in zip(in_key_order, backend.reserve_ids(len(in_key_order)), strict=True):
            one.usage_id = usage_id
        inserted = backend.insert_keys(in_key_order)
        standing = {} if inserted == len(in_key_order) else standing_records(in_key_order, using=alias)
        accepted = [one for one in in_key_order if one.key not in standing]
        if accepted:
            accepted.sort(key=lambda one: one.usage_id)
            backend.insert_usage(accepted)
            backend.insert_pending(pending_rows(one.part for one in accepted))
            add_usage_deliveries(_to_send(accepted), using=alias)
        counters.settle(
            lambda: [counted_usage(one) for one in accepted],
            {one.owner.organization_id for one in accepted},
            {
                hold_id: one.event.hold_leases
                for _, one in staged
                if (hold_id := hold_id_of(one.event)) and one.event.ends_hold
            },
        )
        attempts.now.update(one.usage_id for one in accepted)
    return standing


def _to_send(accepted: Sequence[StagedUsage]) -> dict[int, list[tuple[int, date]]]:
    """(id, day) of what webhooks want, by organization."""
    rows: dict[int, list[tuple[int, date]]] = {}
    for one in accepted:
        if not one.owner.is_sent:
            continue
        rows.setdefault(one.owner.organization_id, []).append((one.usage_id, one.owner.day))
    return rows


def _recorded(one: StagedUsage) -> RecordResult:
    return RecordResult(
        status=RecordStatus.RECORDED,
        idempotency_key=one.event.idempotency_key,
        usage_id=one.usage_id,
        day=one.owner.day,
        cost_usd=one.priced.cost_usd,
        cost_source=one.priced.cost_source,
    )


def _rejected(event: UsageEvent, reason: str, *, may_succeed_later: bool = False) -> RecordResult:
    return RecordResult(
        status=RecordStatus.REJECTED,
        idempotency_key=event.idempotency_key,
        reason=reason,
        may_succeed_later=may_succeed_later,
    )
