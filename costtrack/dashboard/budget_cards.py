"""Budgets as people see them: a bar with what is spent, held and forecast, in words how it stands, when it resets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costtrack.conf import settings
from costtrack.dashboard.addresses import address
from costtrack.dashboard.budget_thresholds import Approach, approach_of, thresholds_of, ticks
from costtrack.dashboard.charts.bars import BudgetBar
from costtrack.dashboard.words import PERCENT, instant_words, quantity
from costtrack.domain.money import plain
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Budget, BudgetThreshold
from costtrack.reporting.budget_figures import BudgetState, BudgetStatus
from costtrack.reporting.current_counters import zones_of
from costtrack.reporting.wording import one_line

ZERO = Decimal(0)
ONE_DAY = timedelta(days=1)
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
CLASSES = {
    BudgetState.OK: "ct-ok",
    BudgetState.NEAR: "ct-near",
    BudgetState.OVER: "ct-over",
    BudgetState.RESTING: "ct-resting",
    BudgetState.UNLIMITED: "ct-unlimited",
}
ENFORCEMENT = {
    "hard": "hard: blocks calls",
    "soft": "soft: alerts only",
    "shadow": "shadow: only logs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCard:
    """One budget, or one subject of it, in its current period."""

    href: str
    name: str
    scope: str
    subject: str
    standing: str
    """How it stands, in words."""
    class_: str
    bar: BudgetBar
    spent: str
    limit: str
    """"" for none."""
    percent: str
    remaining: str
    held: str
    forecast: str
    forecast_method: str
    """How it is made, or why there is none."""
    allowance: str
    """What a day may still cost; "" where that is no question."""
    approach: Approach | None
    """Of one without a limit: how near its next threshold is."""
    period: str
    enforcement: str
    resets: str
    shadow_refusals: int
    other_subjects: int

    @property
    def no_forecast(self) -> str:
        """Why there is none, in short: `not enough data`."""
        return self.forecast_method.partition(":")[0]


def budget_cards(
    statuses: Sequence[BudgetStatus], *, now: datetime, zones: Mapping[str, ZoneHistory], zone: ZoneHistory
) -> list[BudgetCard]:
    """A card of each (a query for the thresholds); `zones` are the organizations' by slug, else `zone` is told in."""
    thresholds = thresholds_of({status.budget_id for status in statuses}) if statuses else {}
    return [
        _card(status, thresholds.get(status.budget_id, ()), now=now, zone=zones.get(status.organization, zone))
        for status in statuses
    ]


def organization_zones(budgets: Sequence[Budget]) -> Mapping[str, ZoneHistory]:
    """By slug the zones of the organizations of these budgets (a query)."""
    zones = zones_of({budget.organization for budget in budgets}, using=settings.database) if budgets else {}
    return {budget.organization.slug: zones[budget.organization_id] for budget in budgets}


def most_used_first(statuses: Iterable[BudgetStatus]) -> list[BudgetStatus]:
    """Those that people have to look at first: over their limit, then by how much of it is taken."""
    return sorted(statuses, key=lambda one: (-_share_taken(one), one.budget_id, one.subject))


def standing_text(status: BudgetStatus, *, now: datetime, zone: ZoneHistory) -> str:
    """`On track`, `Forecast to exceed on 24 Nov 2026, 10:00`, `Over its limit by $2.00`."""
    if status.state is BudgetState.RESTING:
        return "Resting"
    if status.limit is None:
        return "Counts only: unlimited"
    if status.state is BudgetState.OVER:
        blocks = "; calls are refused" if status.enforcement == "hard" else ""
        over = f"Over its limit by {quantity(status.overrun, status.metric)}" if status.overrun else "Used up"
        return over + blocks
    if status.forecast is not None and status.forecast > status.limit:
        crossing = crossing_of(status, now=now)
        return "Forecast to exceed" + ("" if crossing is None else f" on {instant_words(crossing, zone=zone)}")
    return "Near its limit" if status.state is BudgetState.NEAR else "On track"


def crossing_of(status: BudgetStatus, *, now: datetime) -> datetime | None:
    """When the limit will be reached at the rate so far, to the second; None: not in this period."""
    if status.limit is None or status.resets_at is None or status.spent <= 0 or status.spent >= status.limit:
        return None
    seconds = Decimal((now - status.period_start) // timedelta(seconds=1))
    reached = _CONTEXT.divide(_CONTEXT.multiply(seconds, status.limit), status.spent)
    if reached > Decimal((status.resets_at - status.period_start) // timedelta(seconds=1)):
        return None
    return status.period_start + timedelta(seconds=int(reached))


def _card(
    status: BudgetStatus, thresholds: Sequence[BudgetThreshold], *, now: datetime, zone: ZoneHistory
) -> BudgetCard:
    metric = status.metric
    held = plain(status.held + status.leased)
    standing = standing_text(status, now=now, zone=zone)
    percent = "" if status.percent is None else f"{plain(status.percent):,}{PERCENT}"
    class_ = CLASSES[status.state]
    if class_ == "ct-ok" and standing.startswith("Forecast"):
        class_ = "ct-near"
    name = one_line(status.budget)
    approach = approach_of(thresholds, status)
    of_limit = "" if status.limit is None else f" of {quantity(status.limit, metric)}"
    told = [f"{name}: {quantity(status.spent, metric)} spent{of_limit}", percent]
    told += [] if approach is None else [approach.words]
    told += [f"{quantity(held, metric)} held"] if held else []
    told += [] if status.forecast is None else [f"forecast {quantity(status.forecast, metric)}"]
    bar = BudgetBar(
        id=f"ct-budget-{status.budget_id}-{abs(hash_of(status.subject))}",
        title=", ".join([*filter(None, told), standing]),
        limit=status.limit,
        reach=ZERO if approach is None else approach.value,
        spent=status.spent,
        held=held,
        forecast=status.forecast,
        ticks=ticks(thresholds, status),
        class_=class_,
    )
    return BudgetCard(
        href=address("budget", status.budget_id),
        name=name,
        scope=one_line(status.scope_text),
        subject=one_line(status.subject_text) if status.subject else "",
        standing=standing,
        class_=class_,
        bar=bar,
        spent=quantity(status.spent, metric),
        limit="" if status.limit is None else quantity(status.limit, metric),
        percent=percent,
        remaining=quantity(status.remaining, metric),
        held=quantity(held, metric) if held else "",
        forecast="" if status.forecast is None else quantity(status.forecast, metric),
        forecast_method=status.forecast_method,
        allowance=_allowance(status, now=now),
        approach=approach,
        period=status.period,
        enforcement=ENFORCEMENT[status.enforcement],
        resets="never" if status.resets_at is None else instant_words(status.resets_at, zone=zone),
        shadow_refusals=status.shadow_refusals,
        other_subjects=status.other_subjects,
    )


def hash_of(subject: str) -> int:
    """A number for the subject that may stand in an id; the same in every process."""
    return int.from_bytes(subject.encode()[:16], "big") if subject else 0


def _allowance(status: BudgetStatus, *, now: datetime) -> str:
    """What is left by the days that are left, of periods longer than one."""
    if status.remaining is None or status.resets_at is None or status.resets_at - status.period_start <= ONE_DAY:
        return ""
    seconds = Decimal(max((status.resets_at - now) // timedelta(seconds=1), 1))
    a_day = _CONTEXT.divide(_CONTEXT.multiply(status.remaining, Decimal(86_400)), max(seconds, Decimal(86_400)))
    places = Decimal("0.01") if status.metric == "cost_usd" else Decimal(1)
    return f"{quantity(plain(a_day.quantize(places, context=_CONTEXT)), status.metric)} a day"


def _share_taken(status: BudgetStatus) -> Decimal:
    if status.limit is None or not status.is_active:
        return Decimal(-1)
    if not status.limit:
        return Decimal(10**9)
    return _CONTEXT.divide(status.taken, status.limit)
