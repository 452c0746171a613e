"""Admission: before a call its worst case is held in every budget that could refuse it, or it is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import Error, InterfaceError, OperationalError, connections

from costtrack.budgets.asking import Answer, Ask, Backend, Taking
from costtrack.budgets.backends.database import DatabaseBackend
from costtrack.budgets.backends.redis import redis_backend
from costtrack.budgets.backends.redis_connections import RedisAway
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.counters import CounterOf, counters_of, create_counters
from costtrack.budgets.hold_sizes import check_is_enough
from costtrack.budgets.holds import sweep_expired
from costtrack.budgets.known import budgets_of, known_budgets
from costtrack.budgets.leases import rows_of, waiting_little
from costtrack.budgets.redis_holds import take_back_leases
from costtrack.budgets.refusals import no_answer, refusal, unpriced_refusal
from costtrack.conf import settings
from costtrack.domain.budget_rules import Unavailable
from costtrack.exceptions import BudgetExceeded, HoldEnded
from costtrack.models import Hold
from costtrack.signals import call_refused

ZERO = Decimal(0)
MAX_ATTEMPTS = 10
"""How often a reservation is asked for while budgets change and counters are made."""
REDIS_ATTEMPTS = 4
"""Below so many attempts Redis is asked, if it admits at all."""

logger = logging.getLogger("costtrack")


class Granted(NamedTuple):
    """A reservation: the call may be made."""

    hold_id: UUID | None
    """None: admitted without a hold, because no backend answered and every budget allows that."""
    expires_at: datetime | None
    is_unpriced: bool
    """Nothing could be held in dollars: no price is known, and every budget admits that."""
    leases: str = ""
    """What the event that settles it must carry as its `hold_leases`."""
    admitted_at: datetime | None = None
    """The instant that its usage is booked at: of a hold that was there before, when that was granted."""


def reserve(
    organization: str, ask: Callable[[OrganizationBudgets], Ask], *, flush: Callable[[], None]
) -> Granted | None:
    """Hold the worst case of a call; None if no budget asks for that (then no query was made).

    `ask` says what the call is, given the organization's budgets. `flush` books what this process has spooled: a
    reservation that is about to be refused is tried once more after it. Raises BudgetExceeded, naming the budget that
    refused; BudgetUnavailable where nobody could answer; HoldEnded if the same hold was ended before; HoldTooSmall if
    it holds less than the call may need now.
    """
    alias = settings.database
    may_mend = True
    redis_left = REDIS_ATTEMPTS
    for _ in range(MAX_ATTEMPTS):
        budgets = budgets_of(organization, using=alias)
        if budgets is None or not budgets.holding:
            return None
        asked_of = budgets
        asked = ask(budgets)
        undecided = [rule for rule in budgets.holding if rule.refuses_unknown and rule.is_undecided(asked.facts)]
        if undecided:
            raise unpriced_refusal(undecided[0], asked, budgets)
        counters = counters_of(asked.facts, asked.at, budgets, budgets.holding)
        if not counters:
            return None
        takings = []
        is_unpriced = False
        for counter in counters:
            amount = asked.worst.of(counter.rule.metric)
            if amount is None:
                if counter.rule.refuses_unknown:
                    raise unpriced_refusal(counter.rule, asked, budgets)
                is_unpriced = True
            takings.append(Taking(counter, amount or ZERO))
        redis_left -= 1 if redis_left else 0
        try:
            by_redis = None
            if redis_left and not (asked.may_be_known and Hold.objects.using(alias).filter(id=asked.hold_id).exists()):
                by_redis = redis_backend(asked, takings, is_unpriced=is_unpriced, using=alias)
            answer = _answer(by_redis or DatabaseBackend(alias), asked, takings, budgets, is_unpriced, alias)
            if answer.kind == "missing":
                with waiting_little(alias):
                    create_counters(counters, using=alias)
                continue
        except RedisAway as error:  # what it may have held all the same is given back when it expires
            logger.info("The database is asked instead of Redis: %s", error)
            redis_left = 0
            continue
        except Error as error:
            return _without_answer(counters, budgets, error, is_unpriced)
        if answer.kind == "stale":
            if not settings.is_inline():
                known_budgets(alias).refresh()
            continue
        if answer.kind == "refused":
            redis_left = 0  # from here on the database is asked: it sees all that is left, and can say why not
            if answer.figures is None:
                continue
            is_mended = may_mend
            if may_mend:  # what is spooled may have used less than it holds; what is expired holds for nobody
                may_mend = False
                flush()
                with suppress(OperationalError):  # somebody keeps a counter locked; the answer stands then
                    sweep_expired(using=alias, organization_id=budgets.organization_id, waits_little=True)
            if answer.figures.leased and take_back_leases(rows_of([counters[answer.place]], using=alias), using=alias):
                is_mended = True
            if is_mended:
                continue
            key = counters[answer.place].key
            about = {"budget_id": key.budget_id, "subject": key.subject, "period_start": key.period_start}
            call_refused.send_robust(sender=BudgetExceeded, using=alias, limit=answer.figures.limit, **about)
            raise refusal(takings[answer.place], answer, budgets, asked)
        if answer.kind not in ("granted", "held"):
            raise HoldEnded(asked.hold_id, answer.kind)
        if answer.kind == "held":
            check_is_enough(asked.hold_id, takings, leases=answer.leases, using=alias)
        if answer.shadow:
            _log_shadow(answer, takings)
        return Granted(asked.hold_id, answer.expires_at, is_unpriced, answer.leases, answer.admitted_at or asked.at)
    return _without_answer(counters, asked_of, None, is_unpriced)


def _without_answer(
    counters: Sequence[CounterOf], budgets: OrganizationBudgets, error: Error | None, is_unpriced: bool
) -> Granted:
    """Nobody could say whether there is room: admitted if every budget allows that; else raises BudgetUnavailable."""
    if any(one.rule.is_hard and one.rule.on_unavailable is Unavailable.DENY for one in counters):
        raise no_answer(counters, budgets, error) from error
    logger.warning("A call is admitted without a reservation: %s", error or "its budgets keep changing")
    return Granted(None, None, is_unpriced)


def _answer(
    backend: Backend,
    asked: Ask,
    takings: Sequence[Taking],
    budgets: OrganizationBudgets,
    is_unpriced: bool,
    alias: str,
) -> Answer:
    """Ask; once more, with the same hold, if the answer may have been lost on its way."""
    try:
        return backend.reserve(asked, takings, budgets, is_unpriced=is_unpriced)
    except (OperationalError, InterfaceError) as error:
        connection = connections[alias]
        is_lock = getattr(error.__cause__, "sqlstate", None) == "55P03"
        if is_lock or connection.in_atomic_block or connection.vendor == "sqlite":
            raise
        connection.close()
        return backend.reserve(asked._replace(may_be_known=True), takings, budgets, is_unpriced=is_unpriced)


def _log_shadow(answer: Answer, takings: Sequence[Taking]) -> None:
    for place in answer.shadow:
        counter, amount = takings[place]
        logger.warning(
            "Budget %d (%s) would have refused a call of %s %s, were it hard.",
            counter.rule.id,
            counter.rule.name,
            f"{amount.normalize():f}",
            counter.rule.metric,
        )
