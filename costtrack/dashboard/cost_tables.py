"""Tables and charts of costs: each group with its share, its change, and where its name leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.utils.safestring import SafeString

from costtrack.dashboard.addresses import Here
from costtrack.dashboard.charts.bars import share_bar
from costtrack.dashboard.charts.stacked_bars import OTHER, Level, Series, StackedBars, class_of
from costtrack.dashboard.cost_rows import FILTERS
from costtrack.dashboard.owners import owner_addresses
from costtrack.dashboard.periods import ShownPeriod, short_day
from costtrack.dashboard.words import change_text, direction, share_text
from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.reporting.figures import Figures
from costtrack.reporting.summary import Granularity, Summary, SummaryGroup
from costtrack.reporting.wording import one_line, usd_text

ZERO = Decimal(0)
LABELS = {
    "organization": "Organization",
    "project": "Project",
    "agent": "Agent",
    "model": "Model",
    "provider": "Provider",
    "endpoint": "Feature",
    "resource_type": "Resource",
    "sprint": "Sprint",
    "workflow": "Workflow",
}
"""What people call the dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """A line of a table of costs."""

    name: str
    href: str
    """Where it leads; "" nowhere."""
    cost: str
    share: str
    bar: SafeString
    change: str
    direction: str
    calls: str
    unpriced_calls: int
    class_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """The groups of one dimension."""

    dimension: str
    rows: Sequence[CostRow]
    total: str

    @property
    def label(self) -> str:
        """What people call the dimension."""
        return LABELS[self.dimension]


def cost_table(
    summary: Summary, *, here: Here, organizations: Sequence[Organization], query: Mapping[str, str | None]
) -> CostTable:
    """The table of a summary of one dimension (a query for the addresses of projects and agents)."""
    [dimension] = summary.question.group_by
    names = [group.names[0] for group in summary.groups]
    addresses = _addresses(dimension, names, here=here, organizations=organizations, query=query)
    total = summary.total.figures.cost_usd
    longest = max([group.figures.cost_usd for group in (*summary.groups, *_other(summary))], default=ZERO)
    rows = [
        _row(
            group,
            shown_name(name, organizations),
            addresses.get(name, ""),
            class_of(index),
            total=total,
            longest=longest,
        )
        for index, (name, group) in enumerate(zip(names, summary.groups, strict=True))
    ]
    rows += [_row(group, "All others", "", OTHER, total=total, longest=longest) for group in _other(summary)]
    return CostTable(dimension=dimension, rows=rows, total=known_cost(summary.total.figures))


def cost_chart(
    summary: Summary,
    *,
    period: ShownPeriod,
    organizations: Sequence[Organization],
    level: Level | None = None,
    coming: DayRange | None = None,
    coming_value: Decimal = ZERO,
) -> StackedBars:
    """The same as stacked bars, day by day (or week, month), with the days of a forecast after them."""
    [dimension] = summary.question.group_by
    series = [
        Series(
            name=shown_name(group.names[0], organizations) if group.names else "All others",
            values=[part.cost_usd for part in group.parts],
            total=known_cost(group.figures),
            class_=class_of(index) if group.names else OTHER,
            unpriced=_unpriced(group.parts),
        )
        for index, group in enumerate((*summary.groups, *_other(summary)))
    ]
    return StackedBars(
        id="ct-costs",
        title=f"Cost by {LABELS[dimension].lower()}, {period.text}: {known_cost(summary.total.figures)} in all",
        bars=[part_label(part, period.granularity) for part in summary.parts],
        series=series,
        written=usd_text,
        level=level,
        coming=[] if coming is None else [short_day(day) for day in coming.days()],
        coming_value=coming_value,
    )


def _unpriced(parts: Sequence[Figures]) -> frozenset[int]:
    return frozenset(index for index, part in enumerate(parts) if part.known_cost_usd is None)


def known_cost(figures: Figures) -> str:
    """Dollars; `unpriced` where not one of the calls has a price."""
    return usd_text(figures.known_cost_usd)


def shown_name(name: str, organizations: Sequence[Organization]) -> str:
    """A group's name on one line, without the organization that all of the page is about."""
    if len(organizations) == 1:
        name = name.removeprefix(f"{organizations[0].slug}/")
    return one_line(name)


def part_label(part: DayRange, granularity: Granularity) -> str:
    """What a bar is called: its day, the days of its week, its month."""
    if granularity is Granularity.DAY:
        return short_day(part.start)
    if granularity is Granularity.WEEK:
        return f"{short_day(part.start)} to {short_day(part.end - timedelta(days=1))}"
    return f"{part.start:%b %Y}"


def _row(group: SummaryGroup, name: str, href: str, class_: str, *, total: Decimal, longest: Decimal) -> CostRow:
    now, before = group.figures, group.previous
    share = share_text(now.cost_usd, total)
    known_before = None if before is None else before.known_cost_usd
    return CostRow(
        name=name,
        href=href,
        cost=known_cost(now),
        share=share,
        bar=share_bar(now.cost_usd, of=longest, title=f"{name}: {share} of the cost", class_=class_),
        change=change_text(now.known_cost_usd, known_before),
        direction=direction(now.known_cost_usd, known_before),
        calls=f"{now.calls:,}",
        unpriced_calls=now.unpriced_calls,
        class_=class_,
    )


def _other(summary: Summary) -> list[SummaryGroup]:
    return [] if summary.other is None else [summary.other]


def _addresses(
    dimension: str,
    names: Sequence[str],
    *,
    here: Here,
    organizations: Sequence[Organization],
    query: Mapping[str, str | None],
) -> dict[str, str]:
    """Where each name leads: an organization, project or agent to its own page, another value to itself as a filter."""
    if dimension in FILTERS:
        return {name: here.changed(**{dimension: name}) for name in names}
    if dimension == "organization":
        return {name: here.changed(organization=name) for name in names}
    return owner_addresses(dimension, names, organizations=organizations, **query)
