"""The live holds of Redis: released, renewed, swept and listed; and what is idle in its leases, taken back."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from django.db import OperationalError, transaction
from django.db.models import QuerySet

from costtrack.budgets.backends.redis_connections import RedisAway, redis_server
from costtrack.budgets.backends.redis_scripts import EPOCH, HOLD, HOLDS, IDLE, RENEW
from costtrack.budgets.lease_grants import LONGEST, MARGIN, lease_life
from costtrack.budgets.leased_holds import end_in_redis, ended_row, insert_ended
from costtrack.budgets.leases import amount_of, extend_leases, give_up_leases, overdrawn
from costtrack.domain.budget_rules import BudgetMetric
from costtrack.models import BudgetCounter, BudgetLease, Hold, Organization

LISTED = 1000
WAITS = 10
WAIT_SECONDS = 0.005

MILLISECOND = timedelta(milliseconds=1)
BEGINNING = datetime.fromtimestamp(0, UTC)

logger = logging.getLogger("costtrack")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisHold:
    """A live hold of Redis."""

    id: UUID
    organization_id: int
    admitted_at: datetime
    expires_at: datetime
    """By Redis's clock."""
    about: Mapping[str, str]
    leases: Mapping[UUID, int]
    """The units that it takes of each."""

    @property
    def hold_leases(self) -> str:
        """The same, as the event that settles it carries it."""
        return ",".join(sorted(f"{lease_id.hex}={units}" for lease_id, units in self.leases.items()))


def release_leased(hold_id: UUID, *, using: str) -> bool:
    """Nothing was used: give back what is held in Redis. False if the hold has ended, or never was there."""
    try:
        hold = live_hold(hold_id)
    except RedisAway as error:
        logger.info("Hold %s holds until it expires: %s", hold_id, error)
        return False
    if hold is None or not _end([hold], Hold.State.RELEASED, using=using):
        return False
    end_in_redis([hold_id], state=Hold.State.RELEASED)
    return True


def renew_leased(hold_id: UUID, ttl: timedelta, *, using: str) -> datetime | None:
    """Let a hold of Redis live for `ttl` from now (a day at most); its new end, None if it has ended already.

    Its leases are made to live longer if need be, here first. Raises RedisAway if Redis does not answer.
    """
    server = redis_server()
    if server is None:
        return None
    ttl = min(ttl, LONGEST)
    ends = 0
    for _ in range(2):
        answer, _run = server.ask(
            RENEW,
            lambda run: ((), (run.prefix, hold_id.hex, milliseconds(ttl), ends)),  # noqa: B023 - asked at once
        )
        kind = answer[0].decode()
        if kind == "renewed":
            return instant(answer[2])
        life = lease_life(ttl)
        if kind != "short" or not extend_leases([UUID(one.decode()) for one in answer[2]], life, using=using):
            return None
        ends = answer[1] + milliseconds(life - MARGIN)
    return None


def holds_in_redis(organization_id: int, *, using: str) -> list[RedisHold]:
    """The live holds of an organization in Redis, the first to expire first, a thousand at most.

    None where budgets are not asked of Redis. Raises RedisAway if it does not answer.
    """
    found = _listed(organization_id, is_expired=False)
    ended = Hold.objects.using(using).filter(id__in=[hold.id for hold in found])
    untold = set(ended.values_list("id", flat=True))  # Redis does not know yet that they have ended
    return [hold for hold in found if hold.id not in untold]


def live_hold(hold_id: UUID) -> RedisHold | None:
    """A hold that Redis has; None if it has none of that id, or is not asked. Raises RedisAway without an answer."""
    server = redis_server()
    if server is None:
        return None
    return _hold(hold_id, server.ask(HOLD, lambda run: ([f"{run.prefix}h:{hold_id.hex}"], ()))[0])


def sweep_redis(*, using: str, organization_id: int | None = None) -> int:
    """Give back what expired holds of Redis hold; how many there were, 0 if Redis does not answer."""
    server = redis_server()
    if server is None:
        return 0
    ids = [organization_id] if organization_id is not None else _with_leases(using)
    swept = 0
    try:
        for one in ids:
            expired = _listed(one, is_expired=True)
            if expired:
                swept += _sweep(expired, using)
    except RedisAway as error:
        logger.info("Expired holds of Redis are not swept now: %s", error)
    return swept


def take_back_leases(counters: QuerySet[BudgetCounter], *, using: str) -> bool:
    """Bring back to the counters what of their leases is idle in Redis, so that the database can see all that is left.

    Whether that was anything. Waits a moment for leases that are just on their way to Redis.
    """
    server = redis_server()
    if server is None:
        return False

    def take(ids: Sequence[UUID]) -> Sequence[int]:
        try:
            answer: Sequence[int] = server.ask(
                IDLE, lambda run: ((), (run.prefix, "1", *(one.hex for one in ids))), may_repeat=False
            )[0]
        except RedisAway:
            return [0] * len(ids)
        return answer

    for _ in range(WAITS):
        try:
            taken, is_on_its_way = give_up_leases(counters, take, using=using)
        except OperationalError:  # others keep the counters locked; who asks the database next meets worse himself
            return False
        if taken or not is_on_its_way:
            return bool(taken)
        time.sleep(WAIT_SECONDS)
    return False


def stop_overdrawing(counters: Collection[int], *, using: str) -> None:
    """Inside a transaction that changes these counters: where one is past its limit now, let Redis admit no more.

    More was used than was held, or was never reserved; when that is committed, what is idle in leases comes back.
    """
    if redis_server() is None or not counters:
        return
    past = overdrawn(counters, using=using)
    if past:
        rows = BudgetCounter.objects.using(using).filter(id__in=past)

        def take_back() -> None:
            take_back_leases(rows, using=using)

        transaction.on_commit(take_back, using=using, robust=True)


def tell_epoch(organization_id: int, *, using: str) -> None:
    """Budgets were changed: from now on Redis admits nothing out of older leases.

    Every process notices that by itself, too, but up to two seconds later.
    """
    server = redis_server()
    if server is None:
        return
    rows = Organization.objects.using(using).filter(id=organization_id)
    epoch = rows.values_list("budget_epoch", flat=True).first()
    try:
        server.ask(EPOCH, lambda run: ([f"{run.prefix}e:{organization_id}"], (epoch or 0,)))
    except RedisAway as error:
        logger.info("Redis is not told that budgets were changed: %s", error)


def milliseconds(duration: timedelta) -> int:
    """Whole milliseconds."""
    return duration // MILLISECOND


def instant(ms: int) -> datetime:
    """A time of Redis."""
    return BEGINNING + timedelta(milliseconds=ms)


def _listed(organization_id: int, *, is_expired: bool) -> list[RedisHold]:
    server = redis_server()
    if server is None:
        return []
    answer, _ = server.ask(
        HOLDS, lambda run: ([f"{run.prefix}o:{organization_id}"], (run.prefix, "1" if is_expired else "", LISTED))
    )
    found = (_hold(UUID(hold_id.decode()), fields) for hold_id, fields in answer)
    return [hold for hold in found if hold is not None]


def _sweep(expired: Sequence[RedisHold], using: str) -> int:
    ended = _end(expired, Hold.State.EXPIRED, using=using)
    # Of others somebody has written before how they ended, and had no time to tell Redis.
    others = Hold.objects.using(using).filter(id__in=[hold.id for hold in expired if hold.id not in ended])
    settled = set(others.filter(state=Hold.State.SETTLED).values_list("id", flat=True))
    end_in_redis(settled, state=Hold.State.SETTLED)
    end_in_redis({hold.id for hold in expired} - settled, state=Hold.State.EXPIRED)
    return len(ended)


def _end(holds: Sequence[RedisHold], state: Hold.State, *, using: str) -> set[UUID]:
    """Write that they ended so; those of which nobody had written anything."""
    ids = {lease_id for hold in holds for lease_id in hold.leases}
    leases = (
        BudgetLease.objects.using(using).filter(id__in=ids).values_list("id", "counter_id", "counter__budget__metric")
    )
    counters = {row[0]: (row[1], BudgetMetric(row[2])) for row in leases}
    rows = []
    for hold in sorted(holds, key=lambda one: one.id):
        parts = [
            (counters[lease_id][0], amount_of(units, counters[lease_id][1]))
            for lease_id, units in hold.leases.items()
            if lease_id in counters
        ]
        rows.append(
            ended_row(hold.id, hold.organization_id, state, parts, about=hold.about, admitted_at=hold.admitted_at)
        )
    return insert_ended(rows, using=using)


def _hold(hold_id: UUID, fields: Sequence[bytes]) -> RedisHold | None:
    values = dict(zip((name.decode() for name in fields[::2]), (value.decode() for value in fields[1::2]), strict=True))
    if "o" not in values:
        return None
    return RedisHold(
        id=hold_id,
        organization_id=int(values["o"]),
        admitted_at=datetime.fromisoformat(values["at"]),
        expires_at=instant(int(float(values["x"]))),
        about=orjson.loads(values["about"]),
        leases={UUID(name[2:]): int(value) for name, value in values.items() if name.startswith("l:")},
    )


def _with_leases(using: str) -> list[int]:
    rows = BudgetLease.objects.using(using).order_by().values_list("counter__budget__organization_id", flat=True)
    return sorted(rows.distinct())
