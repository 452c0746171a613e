"""The usage explorer: the ledger's rows as they were recorded, with the rate of each and the arithmetic of its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from costtrack.access.owners import agents_within, projects_within
from costtrack.conf import settings
from costtrack.dashboard.addresses import Choice, address, choices
from costtrack.dashboard.arithmetic import arithmetic_words, rate_words
from costtrack.dashboard.exports import export_links
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import NAMED, PARAMETERS, ShownPeriod, asked_period
from costtrack.dashboard.words import call_cost, instant_words
from costtrack.domain.events import CostSource, Outcome, UsageKind
from costtrack.domain.periods import ZoneHistory
from costtrack.models import ResourceUsage
from costtrack.pricing.priced_rate import PricedRate
from costtrack.reporting.cost_arithmetic import CostArithmetic, NoArithmetic, cost_arithmetic, rates_of
from costtrack.reporting.current_counters import zones_of
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.pages import Page as RowPage
from costtrack.reporting.pages import Place, page_of
from costtrack.reporting.parameters import InvalidParameter, parse_text
from costtrack.reporting.shown_model import shown_model
from costtrack.reporting.tags import of_environment, parse_tag, tagged
from costtrack.reporting.usage_columns import RELATED
from costtrack.reporting.usage_pages import NEWEST_FIRST, place_to_stop
from costtrack.reporting.wording import one_line

PAGE_SIZE = 50
MOST_CORRECTIONS = 100
TEXTS = {
    "project": "project__slug",
    "agent": "agent__slug",
    "model": "model",
    "provider": "provider",
    "resource_type": "resource_type",
    "endpoint": "endpoint",
    "customer": "customer",
    "user": "user",
    "thread_id": "thread_id",
    "run": "run",
}
"""Filters by a text, as people type it, and the column of each."""
TITLES = {
    "project": "Project",
    "agent": "Agent",
    "model": "Model",
    "provider": "Provider",
    "resource_type": "Resource",
    "endpoint": "Feature",
    "customer": "Customer",
    "user": "User",
    "thread_id": "Conversation",
    "run": "Run",
}
LINKED = {
    "entity_type": "Kind of entity",
    "entity_id": "Entity",
    "sprint": "Sprint",
    "workflow": "Workflow",
    "stage": "Stage",
}
"""Filters by columns of these names that links lead to: they have a field only where they are given."""
TAGS = {"tag": "Tag, as name=value", "environment": "Environment"}
"""Filters by tags, and what people call them."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "cost_source": tuple(one.value for one in CostSource),
    "outcome": tuple(one.value for one in Outcome),
    "kind": tuple(one.value for one in UsageKind),
}
CHOICE_TITLES = {"cost_source": "Cost", "outcome": "Outcome", "kind": "Kind"}
FILTERS = (*TEXTS, *LINKED, *TAGS, *CHOICES)
BY_INDEX = (("thread_id",), ("customer",), ("run",), ("entity_type", "entity_id"))
"""The filters that an index answers, those of one index together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """One row of the ledger."""

    href: str
    at: str
    owner: str
    model: str
    endpoint: str
    tokens: str
    cost: str
    source: str
    kind: str
    outcome: str
    rate: str
    arithmetic: str


class UsagePage(Page):
    """The ledger's rows, newest first."""

    name = "usage"
    heading = "Usage"
    template_name = "costtrack/dashboard/usage.html"
    parameters = (*PARAMETERS, *FILTERS, "cursor")

    @cached_property
    def period(self) -> ShownPeriod:
        """The days that are asked for."""
        return asked_period(self.given, today=self.today)

    def content(self) -> dict[str, Any]:
        """A page of rows. It looks at so many and no more, so it may have few and yet be followed by another."""
        page = page_of(
            self._matching(self._rows()),
            NEWEST_FIRST,
            cursor=self.given.get("cursor"),
            size=PAGE_SIZE,
            horizon=self._horizon,
        )
        slug = None if self.organization is None else self.organization.slug
        asked = {name: self.given.get(name) for name in FILTERS}
        days = {"from": self.period.days.start.isoformat(), "to": self.period.days.end.isoformat()}
        return {
            "period": self.period,
            "period_choices": self._period_choices(),
            "lines": self._lines(page),
            "fields": [
                (name, title, self.given.get(name, ""))
                for name, title in {**TITLES, **LINKED, **TAGS}.items()
                if name not in LINKED or name in self.given
            ],
            "selects": [
                (name, CHOICE_TITLES[name], known, self.given.get(name, "")) for name, known in CHOICES.items()
            ],
            "kept": self.here.kept(*FILTERS),
            "clear_href": self.here.changed(**dict.fromkeys(FILTERS)),
            "next_href": page.next_cursor and self.here.changed(cursor=page.next_cursor),
            "first_href": self.here.changed() if "cursor" in self.given else "",
            "exports": export_links("usage", {"organization": slug, **days, **asked}),
            "is_filtered": any(asked.values()),
            "several": len(self.organizations) > 1,
        }

    def _rows(self) -> QuerySet[ResourceUsage]:
        return ledger_rows(organizations=self.organizations, days=self.period.days).select_related(*RELATED)

    def _matching(self, rows: QuerySet[ResourceUsage]) -> QuerySet[ResourceUsage]:
        for name, owners in (("project", projects_within), ("agent", agents_within)):
            slug = self.given.get(name)
            if slug is not None and not owners(self.organizations).filter(slug=parse_text(name, slug)).exists():
                raise InvalidParameter(name, slug, "the slug of one that exists; the overview names those with costs")
        for name, column in {**TEXTS, **{name: name for name in LINKED}}.items():
            if name in self.given:
                rows = rows.filter(**{column: parse_text(name, self.given[name])})
        if "tag" in self.given:
            rows = tagged(rows, parse_tag("tag", self.given["tag"]))
        if "environment" in self.given:
            rows = of_environment(rows, parse_text("environment", self.given["environment"]))
        for name, known in CHOICES.items():
            if name in self.given:
                if self.given[name] not in known:
                    raise InvalidParameter(name, self.given[name], f"one of {', '.join(known)}")
                rows = rows.filter(**{name: self.given[name]})
        return rows

    def _horizon(self, after: Place | None, size: int) -> Place | None:
        """No further than a page can look in some milliseconds."""
        rows = ledger_rows(days=self.period.days)
        sifted_by = set(FILTERS) & set(self.given)
        for names in BY_INDEX:
            if sifted_by.issuperset(names):
                rows = rows.filter(**{name: self.given[name] for name in names})
                sifted_by -= set(names)
        is_sifted = bool(sifted_by)
        return place_to_stop(rows, self.organizations, after=after, size=size, is_sifted=is_sifted)

    def _lines(self, page: RowPage) -> list[UsageLine]:
        zones = {} if self.organization else zones_of({row.organization for row in page.rows}, using=settings.database)
        rates = rates_of(page.rows)
        several = len(self.organizations) > 1
        return [
            _line(
                row,
                cost_arithmetic(row, rates=rates),
                rates=rates,
                zone=zones.get(row.organization_id, self.zone),
                several=several,
            )
            for row in page.rows
        ]

    def _period_choices(self) -> list[Choice]:
        labels = {name: label for name, (label, _) in NAMED.items()}
        return choices(self.here, "period", labels, current=self.period.name, **{"from": None, "through": None})


def _line(
    row: ResourceUsage,
    arithmetic: CostArithmetic | NoArithmetic,
    *,
    rates: Mapping[int | None, PricedRate],
    zone: ZoneHistory,
    several: bool,
) -> UsageLine:
    owners = [row.organization.slug] if several else []
    owners += [one.slug for one in (row.project, row.agent) if one is not None]
    tokens = f"{row.input_tokens:,} in, {row.output_tokens:,} out" if row.input_tokens or row.output_tokens else ""
    return UsageLine(
        href=address("usage-row", row.pk),
        at=instant_words(row.occurred_at, zone=zone),
        owner=one_line(" / ".join(owners)),
        model=one_line(shown_model(row)),
        endpoint=one_line(row.endpoint) if row.endpoint else "",
        tokens=tokens,
        cost=call_cost(row.cost_usd),
        source=row.cost_source,
        kind=row.kind,
        outcome=row.outcome,
        rate=rate_words(rates[row.rate_id]) if row.rate_id in rates else "",
        arithmetic=arithmetic_words(arithmetic),
    )
