"""Holds that Redis granted, as their usage is recorded.

Such a hold has no row while it lives. It travels with its call's event, and gets a row when it ends: who writes that
row decides what became of it, so nothing is freed twice, whatever Redis or a process forgets afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from costtrack.budgets.backends.redis_connections import RedisAway, Run, redis_server
from costtrack.budgets.backends.redis_scripts import END
from costtrack.budgets.leases import amount_of, metric_of, use_leases
from costtrack.budgets.moves import ZERO, Move
from costtrack.models import BudgetLease, Hold

AT_ONCE = 100
"""Holds per script: Redis does nothing else meanwhile."""

logger = logging.getLogger("costtrack")


def leases_of(text: str) -> dict[UUID, int]:
    """The units that a hold takes of its leases, from the text that its event carries: `LEASE=UNITS,...`."""
    return {UUID(lease_id): int(units) for lease_id, _, units in (one.partition("=") for one in text.split(","))}


class LeasedHolds:
    """The holds of Redis that one batch of usage settles."""

    def __init__(self, leases: Mapping[UUID, str], *, using: str) -> None:
        """`leases`: per hold, what its event says; "" for one of the database."""
        self._using = using
        self._parts = {hold_id: leases_of(text) for hold_id, text in leases.items() if text}
        ids = {lease_id for parts in self._parts.values() for lease_id in parts}
        self._leases = BudgetLease.objects.using(using).select_related("counter__budget").in_bulk(ids) if ids else {}

    def settle(self, used: Mapping[UUID, Mapping[int | None, Decimal]], moves: dict[int, Move]) -> None:
        """Inside the batch's transaction, after the holds are locked: what they held is not leased any more.

        All of it, also what was not used: the rest is free in the counter, whatever becomes of Redis. `used`, what
        each call has used of which counter, tells who used more than he held. Of a lease that has ended nothing is
        left to be moved: such usage only adds to what is spent.
        """
        rows, parts = [], {}
        for hold_id, leases in sorted(self._parts.items()):
            known = [(self._leases[one], units) for one, units in leases.items() if one in self._leases]
            if not known:
                continue
            by_counter = used.get(hold_id, {})
            held = [(lease.counter_id, amount_of(units, metric_of(lease))) for lease, units in known]
            is_overrun = any(by_counter.get(counter_id, ZERO) > amount for counter_id, amount in held)
            owner = known[0][0].counter.budget.organization_id
            rows.append(ended_row(hold_id, owner, Hold.State.SETTLED, held, is_overrun=is_overrun))
            parts[hold_id] = known
        if not rows:
            return
        fresh = insert_ended(rows, using=self._using)
        use_leases(
            [(lease.id, amount_of(units, metric_of(lease))) for one in fresh for lease, units in parts[one]],
            moves,
            using=self._using,
        )
        by_run: dict[str, set[UUID]] = {}
        for one in fresh:
            by_run.setdefault(parts[one][0][0].run, set()).add(one)

        def tell_redis() -> None:
            for run, holds in by_run.items():
                end_in_redis(holds, state=Hold.State.SETTLED, run=run)

        if by_run:
            transaction.on_commit(tell_redis, using=self._using, robust=True)


def end_in_redis(holds: Iterable[UUID], *, state: str, run: str | None = None) -> int:
    """Tell Redis that holds have ended: what they held goes back to their leases, unless it is settled.

    How many were live there. If Redis can not be told, or another run answers, they end there with their leases.
    """
    server, ended = redis_server(), 0
    if server is None:
        return 0
    ids = [one.hex for one in holds]
    try:
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]

            def said(now: Run, some: Sequence[str] = some) -> tuple[Sequence[str], Sequence[object]]:
                return (), (now.prefix, state, *(some if run in (None, now.name) else ()))

            ended += server.ask(END, said)[0]
    except RedisAway as error:
        logger.info("Redis is not told that %d holds have ended: %s", len(ids), error)
    return ended


def ended_row(
    hold_id: UUID,
    organization_id: int,
    state: Hold.State,
    parts: Iterable[tuple[int, Decimal]],
    *,
    is_overrun: bool = False,
    about: Mapping[str, str] | None = None,
    admitted_at: datetime | None = None,
) -> Hold:
    """The row of a hold of Redis that ends now."""
    now = datetime.now(UTC)
    return Hold(
        id=hold_id,
        organization_id=organization_id,
        state=state,
        parts=[[counter_id, str(amount)] for counter_id, amount in parts],
        about=dict(about or {}),
        admitted_at=admitted_at or now,
        expires_at=now,
        ended_at=now,
        is_overrun=is_overrun,
    )


def insert_ended(rows: Sequence[Hold], *, using: str) -> set[UUID]:
    """Those of the rows that were not there."""
    connection = connections[using]
    fields = Hold._meta.local_concrete_fields
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    inserted: set[UUID] = set()
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            values: list[Any] = [
                field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in some for field in fields
            ]
            cursor.execute(
                f"INSERT INTO costtrack_hold ({columns}) VALUES {', '.join([f'({places})'] * len(some))} "
                "ON CONFLICT (id) DO NOTHING RETURNING id",
                values,
            )
            inserted |= {UUID(str(row[0])) for row in cursor.fetchall()}
    return inserted
