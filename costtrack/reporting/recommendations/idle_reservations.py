"""Reservations of GPU time of which far less was used, or that nobody settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connections
from django.db.models import QuerySet, Sum

from costtrack.budgets.holds import HELD_AMOUNT, parts_of
from costtrack.conf import settings
from costtrack.domain.budget_rules import BudgetMetric
from costtrack.domain.events import ResourceType
from costtrack.domain.money import EXACT, decimal_text, plain, round_cost
from costtrack.models import Agent, BudgetCounter, Hold
from costtrack.reporting.figures import ROUNDING, money_reader
from costtrack.reporting.recommendations.asked import LEAST_SAVING, NOTHING, Asked, Place, where
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.wording import counted, one_line

FAR_LESS = Decimal("0.5")
"""A reservation of which at most this share was used."""
NEVER_SETTLED = (Hold.State.EXPIRED, Hold.State.CHARGED)


class _Used(NamedTuple):
    """What is booked at the instant of a hold."""

    amount: Decimal
    calls: int


@dataclass(slots=True)
class _Idle:
    """The idle reservations of one place."""

    holds: int = 0
    expired: int = 0
    held: Decimal = NOTHING
    used: Decimal = NOTHING
    saving: Decimal = NOTHING


def idle_reservations(asked: Asked) -> Iterator[Recommendation]:
    """One for each project, agent, endpoint and GPU whose reservations were for far more than was used."""
    holds = list(_holds(asked))
    metrics, used_at = _metrics(holds), _used_at(asked, holds)
    places: dict[Place, _Idle] = {}
    for hold in holds:
        used = used_at.get((hold.admitted_at, str(hold.about.get("model", ""))), _Used(NOTHING, 0))
        is_expired = hold.state in NEVER_SETTLED and not used.calls
        is_far_less = hold.state == Hold.State.SETTLED and used.calls == 1
        unit_price = _unit_price(asked, hold)
        held = _held_units(hold, metrics, unit_price) if unit_price and (is_expired or is_far_less) else None
        if held is None or unit_price is None or used.amount > FAR_LESS * held:
            continue
        idle = places.setdefault(_place(hold), _Idle())
        idle.holds += 1
        idle.expired += is_expired
        idle.held = EXACT.add(idle.held, held)
        idle.used = EXACT.add(idle.used, used.amount)
        seconds = EXACT.subtract(held, used.amount)
        idle.saving = EXACT.add(idle.saving, round_cost(EXACT.multiply(seconds, unit_price)))
    for place, idle in places.items():
        if idle.saving >= LEAST_SAVING:
            yield _recommended(asked, place, idle)


def _holds(asked: Asked) -> QuerySet[Hold]:
    zone = asked.organization.zone_history()
    rows = Hold.objects.using(settings.database).filter(
        organization=asked.organization,
        admitted_at__gte=zone.start_of(asked.days.start),
        admitted_at__lt=zone.start_of(asked.days.end),
        about__resource_type=ResourceType.GPU_SECONDS.value,
        state__in=[*NEVER_SETTLED, Hold.State.SETTLED],
    )
    if isinstance(asked.owner, Agent):
        return rows.filter(about__project=asked.owner.project.slug, about__agent=asked.owner.slug)
    return rows if asked.owner is None else rows.filter(about__project=asked.owner.slug)


def _metrics(holds: list[Hold]) -> Mapping[int, str]:
    """By counter what it counts; counters of periods that are long over have been cleared away."""
    ids = {counter_id for hold in holds for counter_id, _ in parts_of(hold)}
    counters = BudgetCounter.objects.using(settings.database).filter(pk__in=ids)
    return dict(counters.values_list("pk", "budget__metric"))


def _held_units(hold: Hold, metrics: Mapping[int, str], unit_price: Decimal) -> Decimal | None:
    """The seconds that it held, as it says, as a budget of units or one of dollars had it; None: that is not known."""
    if (told := hold.about.get(HELD_AMOUNT)) is not None:
        return Decimal(told)
    amounts = {metrics.get(counter_id): amount for counter_id, amount in parts_of(hold)}
    if (units := amounts.get(BudgetMetric.AMOUNT.value)) is not None:
        return units
    cost = amounts.get(BudgetMetric.COST_USD.value)
    return None if cost is None else round_cost(ROUNDING.divide(cost, unit_price))


def _used_at(asked: Asked, holds: list[Hold]) -> Mapping[tuple[datetime, str], _Used]:
    """What is booked at the instants of the holds: usage that settles one has its instant. Of two holds none."""
    instants = [(hold.admitted_at, str(hold.about.get("model", ""))) for hold in holds]
    rows = asked.ledger.filter(
        resource_type=ResourceType.GPU_SECONDS, occurred_at__in={instant for instant, _ in instants}
    )
    units = money_reader(connections[rows.db].vendor)
    found = rows.order_by().values("occurred_at", "model").annotate(units=Sum("amount"), found_calls=Sum("calls"))
    return {
        (row["occurred_at"], row["model"]): _Used(units(row["units"]), row["found_calls"])
        for row in found
        if instants.count((row["occurred_at"], row["model"])) == 1
    }


def _unit_price(asked: Asked, hold: Hold) -> Decimal | None:
    match = asked.book.find(
        model=str(hold.about.get("model", "")),
        provider=str(hold.about.get("provider", "")),
        organization_id=asked.organization.pk,
        resource_type=ResourceType.GPU_SECONDS,
        at=hold.admitted_at,
    )
    return match.rate.unit_price_usd if match else None


def _place(hold: Hold) -> Place:
    project, agent, endpoint, provider, model = (
        str(hold.about.get(name, "")) for name in ("project", "agent", "endpoint", "provider", "model")
    )
    return project, agent, endpoint, provider, model


def _recommended(asked: Asked, place: Place, idle: _Idle) -> Recommendation:
    held, used = decimal_text(idle.held), decimal_text(idle.used)
    seconds = decimal_text(EXACT.subtract(idle.held, idle.used))
    return Recommendation(
        kind=RecommendationKind.IDLE_RESERVATIONS,
        title=f"Reserve less GPU time{where(place)} on {one_line(place[-1])}, or settle sooner",
        explanation=(
            f"{counted(idle.holds, 'reservation')} held {held} GPU seconds and used {used} of them; {idle.expired:,} "
            f"expired without being settled. The {seconds} idle seconds at the unit prices of their time are "
            f"${decimal_text(plain(idle.saving))}."
        ),
        condition=(
            "If what is reserved is paid for, as rented GPUs are. Else it costs nothing, but keeps others from using "
            "the budget meanwhile."
        ),
        confidence=Confidence.LOW,
        scope=asked.scope(place),
        calls=idle.holds,
        saving_usd=plain(idle.saving),
    )
