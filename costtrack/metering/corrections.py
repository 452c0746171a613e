"""Corrections of the ledger: new rows that take back or change what an earlier row said. History stands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from django.db import transaction

from costtrack.conf import settings
from costtrack.domain.events import CostSource, ResourceType, UsageKind
from costtrack.domain.money import EXACT, MAX_COST_USD, exact_sum, parse_decimal, round_cost
from costtrack.domain.tokens import MAX_TOKENS, TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import IdempotencyConflict, InvalidCorrection, InvalidUsage
from costtrack.metering.booked_row import booked_usage_id
from costtrack.metering.cleaning import clean_key, clean_text
from costtrack.metering.database_thread import run_sync
from costtrack.metering.ledger import append_correction, mark_rates_used
from costtrack.metering.ledger.correct import correction_of, locked_with_corrections
from costtrack.metering.recorded import RecordedUsage
from costtrack.models import ResourceUsage
from costtrack.pricing.ratebook import RateBook

ZERO = Decimal(0)
REPRICED = "repriced"
"""In the metadata of an adjustment that brings a usage to the price of a rate."""
MAX_AUTHOR = 150
"""As long as Django's user names."""
Correctable = ResourceUsage | RecordedUsage | int


def void_usage(usage: Correctable, *, reason: str, using: str | None = None) -> ResourceUsage:
    """Take back all of a usage, its adjustments included; the new row.

    `usage` is what `record_usage` gave, a ledger row, or its id; `reason` is stored. One that is still in the spool is
    booked first. Raises InvalidCorrection if the row is no usage, is void already, or does not exist.
    """
    return run_sync(lambda: _void(usage, reason, using or settings.database))


def _void(usage: Correctable, reason: str, alias: str) -> ResourceUsage:
    usage = _booked(usage, alias)
    with transaction.atomic(using=alias):
        original, corrections = locked_with_corrections(usage, using=alias)
        rows = [original, *corrections]
        void = correction_of(original, UsageKind.VOID, reason)
        priced = _priced_row(rows)
        void.calls = -1
        void.errors = -original.errors
        void.unpriced_calls = -sum(row.unpriced_calls for row in rows)
        for name, count in _net_tokens(rows).items():
            setattr(void, name, -count)
        void.latency_ms = None if original.latency_ms is None else -original.latency_ms
        void.amount = -exact_sum(row.amount for row in rows)
        void.saving_usd = -exact_sum(row.saving_usd for row in rows)
        void.cost_source = priced.cost_source
        void.rate_id = priced.rate_id
        void.cost_usd = None if priced.cost_usd is None else -exact_sum(row.cost_usd or ZERO for row in rows)
        return append_correction(void, using=alias)


def adjust_usage(
    usage: Correctable,
    *,
    reason: str,
    cost_usd: Decimal | int | str | None = None,
    amount: Decimal | int | str | None = None,
    idempotency_key: str = "",
    using: str | None = None,
    **tokens: int,
) -> ResourceUsage:
    """Change a usage by the given signed differences: dollars, amount, tokens by name; the new row.

    A cost given for a usage that is still unpriced prices it, as reported. Tokens do not change the cost: give the
    difference, or let `manage.py reprice_usage` find it. Without an `amount`, that of an LLM call follows its tokens.
    What a usage and its corrections add up to stays a possible usage, with nothing below 0 and no part above its
    whole: else InvalidCorrection. The same non-empty `idempotency_key` again gives the row that it made; with other
    figures it raises IdempotencyConflict. InvalidUsage names a figure that is no number.
    """
    changes = _token_changes(tokens)
    cost = None if cost_usd is None else _difference("cost_usd", cost_usd)
    units = None if amount is None else _difference("amount", amount)
    if not cost and not units and not any(changes.values()):
        raise InvalidCorrection("An adjustment changes something: give a cost_usd, an amount or tokens other than 0.")
    key = clean_key(idempotency_key)
    return run_sync(lambda: _adjust(usage, reason, cost, units, changes, key, using or settings.database))


def _adjust(
    usage: Correctable,
    reason: str,
    cost: Decimal | None,
    amount: Decimal | None,
    changes: Mapping[str, int],
    key: str,
    alias: str,
) -> ResourceUsage:
    usage = _booked(usage, alias)
    with transaction.atomic(using=alias):
        original, corrections = locked_with_corrections(usage, using=alias)
        rows = [original, *corrections]
        adjustment = correction_of(original, UsageKind.ADJUSTMENT, reason)
        adjustment.idempotency_key = key
        for name, count in changes.items():
            setattr(adjustment, name, count)
        if amount is not None:
            adjustment.amount = amount
        elif original.resource_type == ResourceType.LLM_TOKENS:
            adjustment.amount = Decimal(changes.get("input_tokens", 0) + changes.get("output_tokens", 0))
        _set_cost(adjustment, cost, _priced_row(rows))
        if key and (first := next((row for row in corrections if row.idempotency_key == key), None)):
            if _figures(first) != _figures(adjustment):
                raise IdempotencyConflict(key)
            return first
        _check_net([*rows, adjustment])
        return append_correction(adjustment, using=alias)


def _booked(usage: Correctable, alias: str) -> Correctable:
    """What was recorded a moment ago may still be in the spool."""
    return booked_usage_id(usage, using=alias) if isinstance(usage, RecordedUsage) else usage


def price_again(
    usage: ResourceUsage | int,
    *,
    cost_usd: Decimal,
    booked_usd: Decimal | None,
    rate_id: int,
    book: RateBook,
    reason: str,
    author: str = "",
    corrections: Collection[int] | None = None,
    using: str | None = None,
) -> ResourceUsage:
    """Bring a usage from the cost that is booked (None: unpriced) to the one by a rate of `book`; the new row.

    `author` is stored in its metadata. The rate counts as used from then on. Raises InvalidCorrection if the usage has
    another cost by now, or other rows than `corrections` correct it (None: whichever), and StaleRates if the rate is
    not what the book says.
    """
    alias = using or settings.database
    with transaction.atomic(using=alias):
        original, corrected_by = locked_with_corrections(usage, using=alias)
        rows = [original, *corrected_by]
        is_as_seen = corrections is None or {row.id for row in corrected_by} == set(corrections)
        if booked_cost(rows) != booked_usd or not is_as_seen:
            raise InvalidCorrection(f"Usage {original.id} was corrected meanwhile; look at the differences again.")
        mark_rates_used({rate_id}, book=book, using=alias)
        adjustment = correction_of(original, UsageKind.ADJUSTMENT, reason)
        adjustment.unpriced_calls = -1 if booked_usd is None else 0
        adjustment.cost_usd = EXACT.subtract(cost_usd, booked_usd or ZERO)
        adjustment.cost_source = CostSource.ESTIMATED
        adjustment.rate_id = rate_id
        adjustment.metadata = {REPRICED: True}
        if name := clean_text("author", author, MAX_AUTHOR):
            adjustment.metadata["author"] = name
        return append_correction(adjustment, using=alias)


def credits_of(corrections: Iterable[ResourceUsage]) -> Decimal:
    """What adjustments of the cost alone have added, in USD: credits (negative) and charges that somebody decided on.

    Those that go with other tokens or another amount, and those of a new price, follow from what was used.
    """
    return exact_sum(
        row.cost_usd
        for row in corrections
        if row.cost_usd is not None and REPRICED not in row.metadata and not any(_figures(row)[1:])
    )


def booked_cost(rows: Iterable[ResourceUsage]) -> Decimal | None:
    """What a usage and its corrections cost together, in USD; None while it is unpriced."""
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return exact_sum(costs) if costs else None


def _set_cost(adjustment: ResourceUsage, cost: Decimal | None, priced: ResourceUsage) -> None:
    """An adjustment has the source of what it corrects, so that each source nets to 0 after a void."""
    adjustment.rate_id = priced.rate_id
    if priced.cost_usd is None and cost is None:
        adjustment.cost_source = CostSource.UNPRICED
        return
    adjustment.cost_usd = cost or ZERO
    adjustment.cost_source = priced.cost_source
    if priced.cost_usd is None:
        adjustment.cost_source = CostSource.REPORTED
        adjustment.unpriced_calls = -1
    elif cost and priced.cost_source == CostSource.FREE:
        adjustment.cost_source = CostSource.REPORTED


def _priced_row(rows: list[ResourceUsage]) -> ResourceUsage:
    """The row whose source the usage's cost has; a free one only if no other has a cost, an unpriced one last."""
    order = (CostSource.UNPRICED, CostSource.FREE)
    return max(rows, key=lambda row: order.index(row.cost_source) if row.cost_source in order else len(order))


def _token_changes(tokens: Mapping[str, int]) -> dict[str, int]:
    unknown = set(tokens) - set(TOKEN_FIELDS)
    if unknown:
        raise TypeError(f"adjust_usage() got {sorted(unknown)}; token differences are {', '.join(TOKEN_FIELDS)}.")
    for name, count in tokens.items():
        if type(count) is not int or abs(count) > MAX_TOKENS:
            raise InvalidUsage(name, count, f"a whole number of tokens from -{MAX_TOKENS:,} to {MAX_TOKENS:,}")
    return dict(tokens)


def _difference(field: str, value: object) -> Decimal:
    number = parse_decimal(field, value)
    if abs(number) >= MAX_COST_USD:
        raise InvalidUsage(field, value, "a difference of less than 1e12")
    return round_cost(number)


def _net_tokens(rows: Iterable[ResourceUsage]) -> dict[str, int]:
    rows = list(rows)
    return {name: sum(getattr(row, name) for row in rows) for name in TOKEN_FIELDS}


def _check_net(rows: list[ResourceUsage]) -> None:
    """Refuse what no usage could be. The database refuses it too; here the error names the figure."""
    try:
        TokenUsage(**_net_tokens(rows))
    except InvalidUsage as error:
        raise InvalidCorrection(f"With its corrections the usage would not add up: {error}") from error
    for field, net in (("amount", exact_sum(row.amount for row in rows)), ("cost_usd", booked_cost(rows) or ZERO)):
        if not 0 <= net < MAX_COST_USD:
            raise InvalidCorrection(
                f"Corrections would take back more than was recorded: {field} would be {net}, expected 0 to 1e12."
            )


def _figures(row: ResourceUsage) -> tuple[object, ...]:
    return (row.cost_usd, row.amount, *(getattr(row, name) for name in TOKEN_FIELDS))
