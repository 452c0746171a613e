"""The figures at the top of a page of costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.utils.safestring import SafeString

from costtrack.dashboard.addresses import address
from costtrack.dashboard.charts.bars import sparkline
from costtrack.dashboard.cost_rows import MonthToDate, same_days_last_month
from costtrack.dashboard.cost_tables import known_cost
from costtrack.dashboard.periods import ShownPeriod, short_day
from costtrack.dashboard.words import call_cost, change_text, direction, share_text, short_count
from costtrack.domain.periods import DayRange
from costtrack.reporting.figures import Figures
from costtrack.reporting.forecast import PeriodForecast
from costtrack.reporting.summary import Summary
from costtrack.reporting.wording import counted, usd_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure with what explains it."""

    id: str
    label: str
    value: str
    note: str = ""
    how: str = ""
    """How it is made, for who asks."""
    change: str = ""
    direction: str = "same"
    picture: SafeString | None = None
    href: str = ""
    is_warning: bool = False


def cost_tiles(
    *,
    summary: Summary,
    period: ShownPeriod,
    before: DayRange,
    month: MonthToDate,
    forecast: PeriodForecast,
    today: date,
    slug: str | None,
) -> list[Tile]:
    """The tiles, the most important first."""
    figures = summary.total.figures
    tiles = [] if period.name == "mtd" else [_period_tile(summary, period, before)]
    tiles += [_month_tile(month, today), _forecast_tile(forecast)]
    tiles += [_calls_tile(figures), _tokens_tile(figures), _call_cost_tile(figures), _unpriced_tile(figures, slug)]
    return tiles


def range_text(days: DayRange) -> str:
    """`1 Oct to 26 Oct`."""
    last = days.end - timedelta(days=1)
    return short_day(last) if last <= days.start else f"{short_day(days.start)} to {short_day(last)}"


def _period_tile(summary: Summary, period: ShownPeriod, before: DayRange) -> Tile:
    now, previous = summary.total.figures, summary.total.previous
    change, way = _change(now, previous)
    return Tile(
        id="period",
        label=period.label if period.name != "custom" else period.text,
        value=known_cost(now),
        change=change,
        direction=way,
        note=f"against {range_text(before)}" + ("" if previous is None else f" ({known_cost(previous)})"),
    )


def _month_tile(month: MonthToDate, today: date) -> Tile:
    days = same_days_last_month(today)
    change, way = _change(month.figures, month.before)
    return Tile(
        id="month",
        label="Month to date",
        value=known_cost(month.figures),
        change=change,
        direction=way,
        note=f"against {range_text(days)} ({known_cost(month.before)})",
        picture=sparkline(
            [part.cost_usd for part in month.last_days],
            title=f"The last {len(month.last_days)} days: {_span(month.last_days)}",
        ),
    )


def _forecast_tile(forecast: PeriodForecast) -> Tile:
    label = "Month-end forecast"
    if forecast.expected is None or forecast.low is None or forecast.high is None:
        return Tile(id="forecast", label=label, value="not enough data", note=_sentence(forecast.method))
    return Tile(
        id="forecast",
        label=label,
        value=usd_text(forecast.expected),
        note=f"{usd_text(forecast.low)} to {usd_text(forecast.high)} in four months of five",
        how=_sentence(forecast.method),
    )


def _calls_tile(figures: Figures) -> Tile:
    failed = f"{counted(figures.errors, 'error')}, {share_text(figures.errors, figures.calls)}"
    return Tile(id="calls", label="Calls", value=f"{figures.calls:,}", note=failed if figures.calls else "")


def _tokens_tile(figures: Figures) -> Tile:
    cached = share_text(figures.cache_read_tokens, figures.input_tokens)
    note = (
        f"{short_count(figures.input_tokens)} in, {short_count(figures.output_tokens)} out; "
        f"{short_count(figures.cache_read_tokens)} of the input cached ({cached})"
    )
    return Tile(id="tokens", label="Tokens", value=short_count(figures.total_tokens), note=note)


def _call_cost_tile(figures: Figures) -> Tile:
    saved = f"{usd_text(figures.saving_usd)} avoided by caches and the like" if figures.saving_usd else ""
    value = call_cost(figures.average_cost_usd) if figures.calls else "–"  # noqa: RUF001
    return Tile(id="call-cost", label="Cost per call", value=value, note=saved)


def _unpriced_tile(figures: Figures, slug: str | None) -> Tile:
    count = figures.unpriced_calls
    unpriced = "Their cost is unknown, and in no total: they have no rate, or told no usage"
    note = unpriced if count else "Every call has a price."
    return Tile(
        id="unpriced",
        label="Unpriced calls",
        value=f"{count:,}",
        note=note,
        href=address("rates", organization=slug) if count else "",
        is_warning=count > 0,
    )


def _change(now: Figures, before: Figures | None) -> tuple[str, str]:
    """In words, and its direction."""
    known = None if before is None else before.known_cost_usd
    return change_text(now.known_cost_usd, known), direction(now.known_cost_usd, known)


def _span(days: Sequence[Figures]) -> str:
    costs = [part.cost_usd for part in days] or [Decimal(0)]
    return f"from {usd_text(min(costs))} to {usd_text(max(costs))} a day"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
