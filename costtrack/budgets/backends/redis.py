"""Admission by Redis, out of what the database has leased to it: one script takes from all counters, or from none.

Near a limit the database admits by itself: it alone sees all that is left. What takes nothing, or has no limit, is not
asked for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import count

import orjson
from django.db import connections

from costtrack.budgets.asking import Answer, Ask, Taking
from costtrack.budgets.backends.redis_connections import RedisServer, Run, redis_server
from costtrack.budgets.backends.redis_scripts import RESERVE
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.counters import CounterKey
from costtrack.budgets.lease_grants import LONGEST, MARGIN, Grants, Need, grant_leases, lease_life
from costtrack.budgets.leases import MOST_AMOUNT, rows_of, units_of
from costtrack.budgets.redis_holds import instant, milliseconds, take_back_leases
from costtrack.conf import settings
from costtrack.domain.budget_rules import Expiry

ATTEMPTS = 5
"""How often it is asked while others take what was just leased."""
LOCKS = 64

_lease_numbers = count(1)
_locks = [threading.Lock() for _ in range(LOCKS)]
"""By counter: while one thread leases, the others of its process wait for what it gets."""


def redis_backend(ask: Ask, takings: Sequence[Taking], *, is_unpriced: bool, using: str) -> RedisBackend | None:
    """The backend for a call that Redis can admit; None: the database has to.

    That is so inside a transaction, where nothing may be leased; for what is past 2^53 units; for budgets that charge
    for holds that nobody settles; near a limit; and where nothing would be held.
    """
    server = redis_server(using)
    if server is None or is_unpriced or ask.ttl > LONGEST or connections[using].in_atomic_block:
        return None
    holds_something = False
    for counter, amount in takings:
        rule = counter.rule
        if rule.on_expiry is Expiry.CHARGE or rule.limit == 0 or server.near.has(counter.key):
            return None
        if rule.limit is not None:
            if max(rule.limit, amount) > MOST_AMOUNT[rule.metric]:
                return None
            holds_something |= amount > 0
    return RedisBackend(server, using) if holds_something else None


class RedisBackend:
    """Reserves in Redis, and leases from the database `using` what is missing there."""

    def __init__(self, server: RedisServer, using: str) -> None:
        self._server = server
        self._using = using

    def reserve(
        self, ask: Ask, takings: Sequence[Taking], budgets: OrganizationBudgets, *, is_unpriced: bool
    ) -> Answer:
        """Take it from every counter, or from none. Raises RedisAway, and the errors of the database.

        `refused` has no figures: the database has to be asked then, which sees all that is left.
        """
        asked = [one for one in takings if one.amount > 0 and one.counter.rule.limit is not None]
        before = self._server.last_lease
        said = self._ask(ask, asked, budgets)
        for _ in range(ATTEMPTS):
            if said.kind != "lacking":
                at = said.admitted_at
                return Answer(said.kind, expires_at=said.expires_at, admitted_at=at, leases=said.leases)
            with _one_at_a_time(asked[min(said.lacking)].counter.key) as had_to_wait:
                if had_to_wait is None:
                    break
                if had_to_wait or self._server.last_lease != before:  # somebody has just leased
                    before = self._server.last_lease
                    said = self._ask(ask, asked, budgets)
                    if said.kind != "lacking":
                        continue
                lacking = [asked[place] for place in said.lacking]
                if any(said.lacking.values()):
                    take_back_leases(rows_of([one.counter for one in lacking], using=self._using), using=self._using)
                life = lease_life(ask.ttl)
                grants = grant_leases(
                    [Need(counter, units_of(amount, counter.rule.metric)) for counter, amount in lacking],
                    organization_id=budgets.organization_id,
                    epoch=budgets.epoch,
                    run=said.run.name,
                    life=life,
                    using=self._using,
                )
                if grants.near:
                    self._server.near.note(grants.near)
                    break
                if grants.kind != "granted":
                    return Answer(grants.kind)
                # Redis's clock was read before the lease was granted: so it ends earlier there than in the database.
                ends = said.now_ms + milliseconds(life - MARGIN)
                said = self._ask(ask, asked, budgets, grants, run=said.run, ends=ends)
                before = self._server.last_lease = next(_lease_numbers)
        return Answer("refused")

    def _ask(
        self,
        ask: Ask,
        takings: Sequence[Taking],
        budgets: OrganizationBudgets,
        grants: Grants | None = None,
        *,
        run: Run | None = None,
        ends: int = 0,
    ) -> _Said:
        """What the script says; `grants` are made known to that `run` first, which is done once at most."""
        units = [units_of(amount, counter.rule.metric) for counter, amount in takings]
        keys = [counter.key for counter, _ in takings]
        hold_id, about = ask.hold_id.hex, orjson.dumps(ask.about).decode()
        leases = grants.leases if grants else {}
        new = [
            word
            for place, key in enumerate(keys, 1)
            if key in leases
            for word in (place, leases[key][0].hex, leases[key][1], ends)
        ]

        def said(now: Run) -> tuple[Sequence[str], Sequence[object]]:
            prefix, theirs = now.prefix, new if run and run.name == now.name else []
            organization = budgets.organization_id
            names = [f"{prefix}h:{hold_id}", f"{prefix}o:{organization}", f"{prefix}e:{organization}"]
            names += [prefix + _counter_name(key) for key in keys]
            hold = (hold_id, organization, ask.at.isoformat(), about)
            return names, (prefix, budgets.epoch, milliseconds(ask.ttl), *hold, len(theirs) // 4, *units, *theirs)

        answer, by = self._server.ask(RESERVE, said, may_repeat=not new)
        return _Said(answer, by)


class _Said:
    """The answer of the script, read."""

    def __init__(self, answer: bytes, run: Run) -> None:
        self.run = run
        kind, now, first, self.leases, *admitted_at = answer.decode().split(" ")
        self.kind = kind
        """`granted`, `held`, `lacking`, `stale`, or how the hold has ended."""
        self.now_ms = int(now)
        self.lacking: dict[int, bool] = {}
        """Places of which there is too little, and whether any of their leases have a rest."""
        self.expires_at: datetime | None = None
        self.admitted_at = datetime.fromisoformat(admitted_at[0]) if admitted_at else None
        if kind == "lacking":
            self.lacking = {int(place) - 1: idle == "1" for place, idle in (one.split("=") for one in first.split(","))}
        elif kind in ("granted", "held"):
            self.expires_at = instant(int(first))
            if kind == "held" and int(first) <= self.now_ms:  # it may be given back at any moment
                self.kind = "expired"


@lru_cache(10_000)
def _counter_name(key: CounterKey) -> str:
    return f"k:{key.budget_id}:{key.period_start.timestamp():.0f}:{key.subject}"


@contextmanager
def _one_at_a_time(key: CounterKey) -> Iterator[bool | None]:
    """While one thread leases, the others wait for what it gets; whether this one had to. None: it took too long."""
    lock = _locks[hash(key) % LOCKS]
    if lock.acquire(blocking=False):
        had_to_wait: bool | None = False
    else:
        had_to_wait = True if lock.acquire(timeout=settings.budget_lock_timeout_ms / 1000) else None
    try:
        yield had_to_wait
    finally:
        if had_to_wait is not None:
            lock.release()


def _after_fork_in_child() -> None:
    _locks[:] = [threading.Lock() for _ in range(LOCKS)]


os.register_at_fork(after_in_child=_after_fork_in_child)
