"""Changing counters: always whole rows, locked in the one order, then changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from django.db import connections

from costtrack.models import BudgetCounter

ZERO = Decimal(0)
LOCK_ORDER = ("lock_rank", "budget_id", "subject", "period_start")
_PLACES = Decimal("1e-12")
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(slots=True)
class Move:
    """What is added to a counter; signed."""

    spent: Decimal = ZERO
    held: Decimal = ZERO
    leased: Decimal = ZERO


def move_counters(moves: Mapping[int, Move], *, using: str) -> set[int]:
    """Add the moves to the counters of these ids, inside the caller's transaction; the ids that are gone."""
    if not moves:
        return set()
    if connections[using].vendor == "postgresql":
        return _move_postgresql(moves, using)
    return _move_sqlite(moves, using)


def _move_postgresql(moves: Mapping[int, Move], using: str) -> set[int]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT id FROM costtrack_budgetcounter WHERE id = ANY(%s) "
            f"ORDER BY {', '.join(LOCK_ORDER)} FOR NO KEY UPDATE",
            [list(moves)],
        )
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "UPDATE costtrack_budgetcounter c SET spent = c.spent + m.spent, held = c.held + m.held, "
            "leased = c.leased + m.leased, updated_at = clock_timestamp() "
            "FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[]) AS m(id, spent, held, leased) "
            "WHERE c.id = m.id",
            [
                found,
                [moves[counter_id].spent for counter_id in found],
                [moves[counter_id].held for counter_id in found],
                [moves[counter_id].leased for counter_id in found],
            ],
        )
    return set(moves) - set(found)


def _move_sqlite(moves: Mapping[int, Move], using: str) -> set[int]:
    """SQLite adds as floats; so it is added here, to 12 places, and no rounding takes a counter below 0."""
    counters = list(BudgetCounter.objects.using(using).filter(id__in=moves))
    for counter in counters:
        move = moves[counter.id]
        counter.spent = exact(counter.spent + move.spent)
        counter.held = max(ZERO, exact(counter.held + move.held))
        counter.leased = max(ZERO, exact(counter.leased + move.leased))
        counter.updated_at = datetime.now(UTC)
    BudgetCounter.objects.using(using).bulk_update(counters, ["spent", "held", "leased", "updated_at"])
    return set(moves) - {counter.id for counter in counters}


def exact(value: Decimal) -> Decimal:
    """A figure of a counter at 12 decimals."""
    return value.quantize(_PLACES, context=_ROUNDING)
