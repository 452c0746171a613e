"""Budgets as text for a terminal: a table with bars, in plain ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from costtrack.domain.periods import ZoneHistory
from costtrack.management.arguments import aligned
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.parameters import shorten
from costtrack.reporting.wording import one_line, quantity_text

BAR_WIDTH = 10
LONGEST_NAME = 44
HEADINGS = ("", "budget", "of it", "", "spent", "held", "limit", "left", "forecast", "enforced", "resets", "state")
NUMBERS = frozenset({4, 5, 6, 7, 8})


def budget_table(statuses: Sequence[BudgetStatus], *, zones: ZoneHistory) -> str:
    """The statuses of one organization; instants in its own time."""
    rows: list[Sequence[str]] = [HEADINGS]
    for number, status in enumerate(statuses):
        rows.append(_row(status, zones=zones))
        is_last = number + 1 == len(statuses) or statuses[number + 1].budget_id != status.budget_id
        if is_last and status.other_subjects:
            rows.append(("", "", f"and {status.other_subjects:,} more", *[""] * (len(HEADINGS) - 3)))
    return aligned(rows, numbers=NUMBERS)


def bar(status: BudgetStatus) -> str:
    """`[####++....]`: of the limit # is spent, + held, . left; `[##########>` is past it, no limit gives no bar."""
    if status.limit is None:
        return ""
    if status.spent > status.limit:
        return f"[{'#' * BAR_WIDTH}>"
    if not status.limit:
        return f"[{'#' * BAR_WIDTH}]"
    spent = int(status.spent * BAR_WIDTH / status.limit)
    taken = min(BAR_WIDTH, int(status.taken * BAR_WIDTH / status.limit))
    return f"[{'#' * spent}{'+' * (taken - spent)}{'.' * (BAR_WIDTH - taken)}]"


def quantity(value: Decimal | None, metric: str) -> str:
    """An amount of a metric: dollars as $12.50, all else as 12,500; None is a dash."""
    return "-" if value is None else quantity_text(value, metric)


def _row(status: BudgetStatus, *, zones: ZoneHistory) -> Sequence[str]:
    unit = "" if status.metric == "cost_usd" else f" {status.metric}"
    resets_at = status.resets_at and status.resets_at.astimezone(zones.zone_at(status.resets_at))
    state = status.state.value
    if status.shadow_refusals:
        state += f", would have refused {status.shadow_refusals:,}"
    return (
        bar(status),
        _cut(status.budget),
        _cut(status.subject_text) if status.subject else "",
        "" if status.percent is None else f"{status.percent:.0f} %",
        quantity(status.spent, status.metric) + unit,
        quantity(status.held + status.leased, status.metric),
        "unlimited" if status.limit is None else quantity(status.limit, status.metric),
        quantity(status.remaining, status.metric),
        quantity(_for_people(status), status.metric),
        status.enforcement,
        f"{resets_at:%Y-%m-%d %H:%M}" if resets_at else "never",
        state,
    )


def _cut(name: str) -> str:
    return shorten(one_line(name), length=LONGEST_NAME)


def _for_people(status: BudgetStatus) -> Decimal | None:
    """The forecast without decimals that mean nothing."""
    if status.forecast is None or status.metric == "cost_usd":
        return status.forecast
    return status.forecast.quantize(Decimal(1))
