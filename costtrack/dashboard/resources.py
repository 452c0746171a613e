"""What else was used than tokens: GPU time, tools, searches; by whom, for which jobs, and what is reserved now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.db.models import F, Max, Q, QuerySet

from costtrack.conf import settings
from costtrack.dashboard.addresses import Choice, address, choices
from costtrack.dashboard.hold_lines import HOLDS_SHOWN, hold_lines
from costtrack.dashboard.owners import owner_addresses
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import NAMED, PARAMETERS, ShownPeriod, asked_period, day_text
from costtrack.dashboard.resource_words import reserved_line, unit_cost_text, used_text
from costtrack.dashboard.words import instant_words
from costtrack.domain.events import ResourceType
from costtrack.models import ResourceUsage
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import Figures, ledger_sums, read_figures
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.reserved_use import reserved_use
from costtrack.reporting.summary import Summary, SummaryQuestion, cost_summary
from costtrack.reporting.usage_pages import place_to_stop
from costtrack.reporting.wording import one_line, usd_text

ROWS_SHOWN = 20
FIGURES = ("cost", "calls", "errors", "unpriced_calls", "amount")
NO_TOKENS = ~Q(resource_type=ResourceType.LLM_TOKENS.value)
Line = dict[str, Any]


class ResourcesPage(Page):
    """Resources other than tokens."""

    name = "resources"
    heading = "Resources"
    template_name = "costtrack/dashboard/resources.html"
    parameters = PARAMETERS

    @cached_property
    def period(self) -> ShownPeriod:
        """The days that are asked for."""
        return asked_period(self.given, today=self.today)

    def content(self) -> dict[str, Any]:
        """By type, by what of it, by agent (of many organizations by organization), by job; then what is held."""
        types = self._summary("resource_type")
        rows, since = self._newest_rows() if types.groups else (ledger_rows().none(), None)
        owner = "organization" if self.has_many_organizations else "agent"
        return {
            "period": self.period,
            "period_choices": self._period_choices(),
            "types": [self._type(one.names[0], one.figures) for one in types.groups],
            "total": usd_text(types.total.figures.known_cost_usd),
            "models": self._of_each("model") if types.groups else [],
            "owner": owner,
            "owners": self._of_each(owner) if types.groups else [],
            "reserved": [reserved_line(one) for one in reserved_use(rows)] if types.groups else [],
            "jobs": [self._job(row) for row in _dearest_jobs(rows)] if types.groups else [],
            "since": "" if since is None else day_text(since),
            "rows_shown": ROWS_SHOWN,
            "holds": hold_lines(self.organizations, now=self.minute, zone=self.zone),
            "holds_shown": HOLDS_SHOWN,
            "savings_href": address("recommendations", organization=self._slug),
        }

    @property
    def _slug(self) -> str | None:
        return None if self.organization is None else self.organization.slug

    def _summary(self, *group_by: str) -> Summary:
        rows = summaries_of(self.period.days, by=group_by, organizations=self.summed_organizations)
        question = SummaryQuestion(days=self.period.days, group_by=group_by, limit=ROWS_SHOWN, figures=FIGURES)
        return cost_summary(question, rows.filter(NO_TOKENS))

    def _type(self, name: str, figures: Figures) -> Line:
        href = address("usage", organization=self._slug, resource_type=name, **self.period.query)
        return {"name": one_line(name), "href": href, **_figures(name, figures)}

    def _of_each(self, dimension: str) -> list[Line]:
        """The dearest of a dimension within each type."""
        groups = self._summary("resource_type", dimension).groups
        names = [one.names[1] for one in groups]
        addresses: Mapping[str, str] = {}
        if dimension == "agent":
            addresses = owner_addresses("agent", names, organizations=self.organizations, **self.period.query)
        elif dimension == "organization":
            addresses = {name: address("resources", organization=name, **self.period.query) for name in names}
        own = f"{self.organization.slug}/" if self.organization else ""
        return [
            {
                "type": one_line(resource_type),
                "name": one_line(name.removeprefix(own)),
                "href": addresses.get(name, ""),
                **_figures(resource_type, one.figures),
            }
            for one in groups
            for resource_type, name in (one.names,)
        ]

    def _newest_rows(self) -> tuple[QuerySet[ResourceUsage], date | None]:
        """As much of the ledger as can be read in some milliseconds, and since which day that is, if not all of it."""
        days, organizations = self.period.days, self.organizations
        rows = ledger_rows(organizations=organizations, days=days)
        place = place_to_stop(ledger_rows(days=days), organizations, after=None, size=ROWS_SHOWN, is_sifted=True)
        if place is None:
            return rows, None
        day, key = place
        return rows.filter(Q(day__gt=day) | Q(day=day, id__gte=key)), day

    def _job(self, row: Mapping[str, Any]) -> Line:
        last_at: datetime | None = row["last_at"]
        return {
            "kind": one_line(row["entity_type"]),
            "id": one_line(row["entity_id"]),
            "href": address(
                "usage",
                organization=self._slug,
                entity_type=row["entity_type"],
                entity_id=row["entity_id"],
                resource_type=row["resource_type"],
                **self.period.query,
            ),
            "type": one_line(row["resource_type"]),
            "last": instant_words(last_at, zone=self.zone),
            **_figures(row["resource_type"], read_figures(row, using=settings.database)),
        }

    def _period_choices(self) -> list[Choice]:
        labels = {name: label for name, (label, _) in NAMED.items()}
        return choices(self.here, "period", labels, current=self.period.name, **{"from": None, "through": None})


def _dearest_jobs(rows: QuerySet[ResourceUsage]) -> Sequence[Mapping[str, Any]]:
    of_jobs = rows.filter(NO_TOKENS).exclude(entity_id="").order_by()
    groups = of_jobs.values("entity_type", "entity_id", "resource_type")
    sums = groups.annotate(last_at=Max("occurred_at"), **ledger_sums())
    order = F("sum_cost_usd").desc(nulls_last=True)
    return list(sums.order_by(order, "entity_type", "entity_id", "resource_type")[:ROWS_SHOWN])


def _figures(resource_type: str, figures: Figures) -> Line:
    return {
        "used": used_text(figures.amount, resource_type),
        "unit_cost": unit_cost_text(figures, resource_type),
        "cost": usd_text(figures.known_cost_usd),
        "calls": f"{figures.calls:,}",
        "errors": figures.errors,
        "unpriced": figures.unpriced_calls,
    }
