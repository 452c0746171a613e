"""Corrections of the ledger: new rows that take back or change what an earlier row said. History stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from django.db import DatabaseError, IntegrityError, transaction

from costtrack.conf import settings
from costtrack.domain.events import CostSource, UsageKind
from costtrack.domain.money import EXACT, decimal_from_database, parse_decimal, round_cost
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.exceptions import InvalidCorrection, InvalidUsage
from costtrack.metering.ledger import append_correction
from costtrack.models import ResourceUsage

ZERO = Decimal(0)
COPIED_FIELDS = (
    "organization_id",
    "project_id",
    "agent_id",
    "occurred_at",
    "day",
    "sprint",
    "workflow",
    "stage",
    "thread_id",
    "request_id",
    "entity_type",
    "entity_id",
    "endpoint",
    "customer",
    "user",
    "run",
    "tags",
    "resource_type",
    "provider",
    "gateway",
    "model",
    "service_tier",
    "outcome",
    "rate_id",
    "saving_kind",
)
"""What a correction shares with its original, so that it lands in the same day and sums."""


def void_usage(usage: ResourceUsage | int, *, reason: str, using: str | None = None) -> ResourceUsage:
    """Take back all of a usage, its adjustments included; the new row.

    `usage` is a ledger row or its id; `reason` is stored. Raises InvalidCorrection if the row is no usage, is
    void already, or does not exist.
    """
    alias = using or settings.database
    with transaction.atomic(using=alias):
        original, corrections = _locked(usage, alias)
        rows = [original, *corrections]
        void = _correction_of(original, UsageKind.VOID, reason)
        priced = _priced_row(rows)
        void.calls = -1
        void.errors = -original.errors
        void.unpriced_calls = -sum(row.unpriced_calls for row in rows)
        for name in TOKEN_FIELDS:
            setattr(void, name, -sum(getattr(row, name) for row in rows))
        void.latency_ms = None if original.latency_ms is None else -original.latency_ms
        void.amount = -_total(row.amount for row in rows)
        void.saving_usd = -_total(row.saving_usd for row in rows)
        void.cost_source = priced.cost_source
        void.rate_id = priced.rate_id
        void.cost_usd = None if priced.cost_usd is None else -_total(row.cost_usd or ZERO for row in rows)
        return _append(void, alias)


def adjust_usage(
    usage: ResourceUsage | int,
    *,
    reason: str,
    cost_usd: Decimal | int | str | None = None,
    amount: Decimal | int | str = 0,
    idempotency_key: str = "",
    using: str | None = None,
    **tokens: int,
) -> ResourceUsage:
    """Change a usage by the given signed differences: dollars, amount, tokens by name; the new row.

    A cost given for a usage that is still unpriced prices it. Sums of a usage and its corrections never fall
    below 0: InvalidCorrection. The same non-empty `idempotency_key` again gives the row that it made.
    """
    alias = using or settings.database
    unknown = set(tokens) - set(TOKEN_FIELDS)
    if unknown:
        raise TypeError(f"adjust_usage() got {sorted(unknown)}; token differences are {', '.join(TOKEN_FIELDS)}.")
    for name, count in tokens.items():
        if type(count) is not int or abs(count) > 10**12:
            raise InvalidUsage(name, count, "a whole number of tokens, positive or negative")
    cost = None if cost_usd is None else round_cost(parse_decimal("cost_usd", cost_usd))
    with transaction.atomic(using=alias):
        original, corrections = _locked(usage, alias)
        for row in corrections:
            if idempotency_key and row.idempotency_key == idempotency_key:
                return row
        priced = _priced_row([original, *corrections])
        adjustment = _correction_of(original, UsageKind.ADJUSTMENT, reason)
        adjustment.idempotency_key = idempotency_key
        adjustment.calls = 0
        adjustment.amount = round_cost(parse_decimal("amount", amount))
        for name, count in tokens.items():
            setattr(adjustment, name, count)
        adjustment.rate_id = priced.rate_id
        if priced.cost_usd is not None:
            adjustment.cost_usd = cost or ZERO
            adjustment.cost_source = priced.cost_source
        elif cost is not None:
            adjustment.cost_usd = cost
            adjustment.cost_source = CostSource.REPORTED
            adjustment.unpriced_calls = -1
        else:
            adjustment.cost_source = CostSource.UNPRICED
        if adjustment.cost_source == CostSource.FREE and cost:
            raise InvalidCorrection("A free usage (a rate of 0) has no cost to adjust; void it and record it anew.")
        return _append(adjustment, alias)


def price_late(
    usage: ResourceUsage | int, *, cost_usd: Decimal, rate_id: int, reason: str, using: str | None = None
) -> ResourceUsage:
    """Give a cost, from a rate that arrived later, to a usage that has none; the new row.

    Raises InvalidCorrection if the usage has a cost by now.
    """
    alias = using or settings.database
    with transaction.atomic(using=alias):
        original, corrections = _locked(usage, alias)
        if _priced_row([original, *corrections]).cost_usd is not None:
            raise InvalidCorrection(f"Usage {original.id} has a cost already; a stored cost never changes.")
        adjustment = _correction_of(original, UsageKind.ADJUSTMENT, reason)
        adjustment.calls = 0
        adjustment.unpriced_calls = -1
        adjustment.cost_usd = cost_usd
        adjustment.cost_source = CostSource.ESTIMATED if cost_usd else CostSource.FREE
        adjustment.rate_id = rate_id
        return _append(adjustment, alias)


def _locked(usage: ResourceUsage | int, alias: str) -> tuple[ResourceUsage, list[ResourceUsage]]:
    """The original, locked so that two corrections of it queue, and its corrections so far."""
    usage_id = usage if isinstance(usage, int) else usage.id
    rows = ResourceUsage.objects.using(alias)
    original = rows.select_for_update().filter(id=usage_id).first()
    if original is None:
        raise InvalidCorrection(f"There is no usage {usage_id}.")
    if original.kind != UsageKind.USAGE:
        raise InvalidCorrection(f"Row {usage_id} is itself a correction ({original.kind}); correct its original.")
    corrections = list(
        rows.filter(organization_id=original.organization_id, day=original.day, corrects_id=original.id).order_by("id")
    )
    if any(row.kind == UsageKind.VOID for row in corrections):
        raise InvalidCorrection(f"Usage {usage_id} is void already; nothing of it is left to correct.")
    for row in [original, *corrections]:
        row.amount = decimal_from_database(row.amount)
        row.saving_usd = decimal_from_database(row.saving_usd)
    return original, corrections


def _priced_row(rows: list[ResourceUsage]) -> ResourceUsage:
    """The row that gave the usage its cost and source; the original while it is unpriced."""
    return next((row for row in rows if row.cost_usd is not None), rows[0])


def _correction_of(original: ResourceUsage, kind: UsageKind, reason: str) -> ResourceUsage:
    if not reason.strip():
        raise InvalidCorrection("A correction needs a reason: say why, and who asked for it.")
    fields = {name: getattr(original, name) for name in COPIED_FIELDS}
    return ResourceUsage(
        **fields, kind=kind.value, corrects_id=original.id, reason=reason.strip()[:500], recorded_at=datetime.now(UTC)
    )


def _append(row: ResourceUsage, alias: str) -> ResourceUsage:
    try:
        return append_correction(row, using=alias)
    except IntegrityError as error:
        raise InvalidCorrection(str(error).strip().splitlines()[0]) from error
    except DatabaseError as error:
        if "more than was recorded" in str(error) or "out of range" in str(error):
            raise InvalidCorrection(str(error).strip().splitlines()[0]) from error
        raise


def _total(values: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total
