"""Admission by the database itself: one function call on PostgreSQL, one transaction on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from costtrack.budgets.asking import Answer, Ask, Figures, Taking
from costtrack.budgets.backends.prepared import value_of
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.moves import Move, exact, move_counters
from costtrack.conf import settings
from costtrack.domain.budget_rules import BudgetRule, Enforcement
from costtrack.domain.money import decimal_from_database
from costtrack.models import Budget, BudgetCounter, Hold, Organization

RESERVE = "SELECT costtrack_reserve(%s)"


class DatabaseBackend:
    """Reserves over this thread's connection to the database `using`."""

    def __init__(self, using: str) -> None:
        self._using = using

    def reserve(
        self, ask: Ask, takings: Sequence[Taking], budgets: OrganizationBudgets, *, is_unpriced: bool
    ) -> Answer:
        """Take it from every counter, or from none."""
        connection = connections[self._using]
        if connection.vendor == "postgresql":
            return _by_function(connection, ask, takings, budgets, is_unpriced)
        with transaction.atomic(using=self._using):
            return self._by_hand(ask, takings, budgets, is_unpriced)

    def _by_hand(self, ask: Ask, takings: Sequence[Taking], budgets: OrganizationBudgets, is_unpriced: bool) -> Answer:
        """SQLite: the first statement writes, so that nobody else does until the transaction ends."""
        alias = self._using
        organization = Organization.objects.using(alias).filter(id=budgets.organization_id)
        if not organization.filter(budget_epoch=budgets.epoch).update(budget_epoch=budgets.epoch):
            return Answer("stale")
        known = Hold.objects.using(alias).filter(id=ask.hold_id).first()
        if known is not None:
            if known.state == Hold.State.HELD and known.expires_at < datetime.now(UTC):  # not swept yet: it holds again
                known.expires_at = datetime.now(UTC) + ask.ttl
                known.save(update_fields=["expires_at"], using=alias)
            return Answer(known.state, expires_at=known.expires_at, admitted_at=known.admitted_at)
        most = Budget.objects.using(alias).in_bulk([taking.counter.key.budget_id for taking in takings])
        counters: list[BudgetCounter] = []
        shadow: list[int] = []
        for place, (counter, amount) in enumerate(takings):
            key, budget = counter.key, most.get(counter.key.budget_id)
            row = (
                BudgetCounter.objects.using(alias)
                .filter(budget=key.budget_id, subject=key.subject, period_start=key.period_start)
                .first()
            )
            if row is None or budget is None:
                return Answer("missing", place)
            figures = Figures(budget.limit, *map(exact, (row.spent, row.held, row.leased)))
            if _is_over(figures, amount):
                if budget.enforcement == Enforcement.HARD:
                    return Answer("refused", place, figures)
                if budget.enforcement == Enforcement.SHADOW:
                    shadow.append(place)
            counters.append(row)
        for place in shadow:
            counters[place].shadow_refusals += 1
            counters[place].save(update_fields=["shadow_refusals"], using=alias)
        move_counters(
            {row.id: Move(held=taking.amount) for row, taking in zip(counters, takings, strict=True)}, using=alias
        )
        expires_at = datetime.now(UTC) + ask.ttl
        Hold.objects.using(alias).create(
            id=ask.hold_id,
            organization_id=budgets.organization_id,
            parts=[[row.id, str(taking.amount)] for row, taking in zip(counters, takings, strict=True)],
            about=dict(ask.about),
            admitted_at=ask.at,
            expires_at=expires_at,
            is_unpriced=is_unpriced,
        )
        return Answer("granted", shadow=shadow, expires_at=expires_at)


def _by_function(
    connection: BaseDatabaseWrapper,
    ask: Ask,
    takings: Sequence[Taking],
    budgets: OrganizationBudgets,
    is_unpriced: bool,
) -> Answer:
    # Inside a caller's transaction (only inline) the timeout would go on to hold for what follows there.
    lock_timeout = None if connection.in_atomic_block else f"{settings.budget_lock_timeout_ms}ms"
    asked = {
        "hold": ask.hold_id,
        "may_be_known": ask.may_be_known,
        "organization": budgets.organization_id,
        "epoch": budgets.epoch,
        "takings": [
            (
                key.budget_id,
                key.subject,
                key.period_start,
                str(amount),
                _most(rule),
                rule.enforcement is Enforcement.SHADOW,
            )
            for (key, rule, _), amount in takings
        ],
        "admitted_at": ask.at,
        "ttl_seconds": ask.ttl.total_seconds(),
        "about": ask.about,
        "is_unpriced": is_unpriced,
        "lock_timeout": lock_timeout,
    }
    said = _said_to(asked, connection)
    if said["kind"] == "known":
        said = _said_to({**asked, "may_be_known": True}, connection)
    return Answer(
        said["kind"],
        said.get("place", 0),
        Figures(*(said[name] and Decimal(said[name]) for name in Figures._fields)) if "spent" in said else None,
        said.get("shadow") or (),
        _instant(said.get("expires_at")),
        _instant(said.get("admitted_at")),
    )


def _said_to(asked: Mapping[str, object], connection: BaseDatabaseWrapper) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(value_of(connection, RESERVE, orjson.dumps(asked).decode()))
    return said


def _most(rule: BudgetRule) -> str | None:
    """Its limit as the database takes it; None = there is none."""
    return None if rule.limit is None else str(rule.limit)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _is_over(figures: Figures, amount: object) -> bool:
    if figures.limit is None:
        return False
    taken = figures.spent + figures.held + figures.leased + decimal_from_database(amount)
    return figures.limit == 0 or taken > figures.limit
