"""Plan against actual: each run with what its plan said, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from costtrack.access.rows import rows_of, visible_rows
from costtrack.conf import settings
from costtrack.dashboard.addresses import address, choices
from costtrack.dashboard.charts.bars import BudgetBar
from costtrack.dashboard.exports import export_links
from costtrack.dashboard.pages import Page
from costtrack.dashboard.words import NONE, change_text, direction, instant_words
from costtrack.domain.periods import ZoneHistory
from costtrack.domain.variance import Compared
from costtrack.models import UsageRun
from costtrack.models.runs import RunStatus
from costtrack.reporting.current_counters import zones_of
from costtrack.reporting.pages import Key, page_of
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.variance import RunVariance, variances_of
from costtrack.reporting.wording import one_line, usd_text

PAGE_SIZE = 25
NEWEST_FIRST = Key(("started_at", "id"))
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run."""

    id: int
    name: str
    owner: str
    status: str
    started: str
    plan: str
    """Its plan's id, or why there is none to compare with."""
    planned_cost: str
    cost: str
    change: str
    direction: str
    bar: SafeString | None
    calls: str
    tokens: str
    unpriced: int
    usage_href: str


class PlansPage(Page):
    """The runs, newest first."""

    name = "plans"
    heading = "Plans and runs"
    template_name = "costtrack/dashboard/plans.html"
    parameters = ("status", "cursor")

    def content(self) -> dict[str, Any]:
        """A page of them."""
        page = page_of(self._rows(), NEWEST_FIRST, cursor=self.given.get("cursor"), size=PAGE_SIZE)
        variances = variances_of(list(page.rows)) if page.rows else []
        owners = {run.organization for run in page.rows}
        zones = zones_of(owners, using=settings.database) if owners and self.organization is None else {}
        labels = {"": "Any", **{str(value): str(value).capitalize() for value in RunStatus.values}}
        slug = None if self.organization is None else self.organization.slug
        return {
            "lines": [
                _line(one, zone=zones.get(one.run.organization_id, self.zone), several=len(self.organizations) > 1)
                for one in variances
            ],
            "statuses": choices(self.here, "status", labels, current=self.given.get("status", "")),
            "next_href": page.next_cursor and self.here.changed(cursor=page.next_cursor),
            "first_href": self.here.changed() if "cursor" in self.given else "",
            "exports": export_links("runs", {"organization": slug, "status": self.given.get("status")}),
            "is_filtered": "status" in self.given,
        }

    def _rows(self) -> QuerySet[UsageRun]:
        rows = visible_rows(UsageRun.objects.using(settings.database), self.person)
        if self.organization is not None:
            rows = rows_of(rows, [self.organization])
        status = self.given.get("status")
        if status is not None:
            if status not in RunStatus.values:
                raise InvalidParameter("status", status, f"one of {', '.join(map(str, RunStatus.values))}")
            rows = rows.filter(status=status)
        return rows.select_related("organization", "project")


def _line(variance: RunVariance, *, zone: ZoneHistory, several: bool) -> RunLine:
    run, cost = variance.run, variance.cost_usd
    owners = [run.organization.slug] if several else []
    owners += [run.project.slug] if run.project else []
    actual = usd_text(cost.actual_total)
    return RunLine(
        id=run.pk,
        name=one_line(str(run)),
        owner=one_line(" / ".join(owners)) if owners else "",
        status=run.get_status_display(),
        started=instant_words(run.started_at, zone=zone),
        plan=_plan(variance),
        planned_cost=NONE if cost.estimated is None else usd_text(cost.estimated),
        cost=actual,
        change=change_text(cost.actual_total, cost.estimated),
        direction=direction(cost.actual_total, cost.estimated),
        bar=_bar(variance),
        calls=_of(variance.calls),
        tokens=_of(variance.total_tokens),
        unpriced=variance.figures.cost_unknown_for_calls,
        usage_href=address("usage", **_usage_of(run, zone)),
    )


def _plan(variance: RunVariance) -> str:
    if variance.plan is not None:
        return one_line(str(variance.plan))
    return "its plan is not kept" if variance.run.plan_id else "no plan"


def _bar(variance: RunVariance) -> SafeString | None:
    """What it cost, on a bar as long as its plan."""
    cost = variance.cost_usd
    if cost.estimated is None or cost.actual_total is None or cost.estimated <= 0:
        return None
    return BudgetBar(
        id=f"ct-run-{variance.run.pk}",
        title=f"{one_line(str(variance.run))}: {usd_text(cost.actual_total)} of {usd_text(cost.estimated)} planned",
        limit=cost.estimated,
        spent=cost.actual_total,
        class_="ct-over" if cost.actual_total > cost.estimated else "ct-ok",
    ).svg


def _of(one: Compared) -> str:
    """`12 of 10`; without an estimate only what came."""
    actual = f"{int(one.actual or ZERO):,}"
    return actual if one.estimated is None else f"{actual} of {int(one.estimated):,}"


def _usage_of(run: UsageRun, zone: ZoneHistory) -> Mapping[str, str]:
    """What asks for the run's records: from its first day to its last, as far as it has one."""
    query = {
        "organization": run.organization.slug,
        "run": run.run_id,
        "period": "custom",
        "from": zone.day_of(run.started_at).isoformat(),
    }
    return query if run.completed_at is None else {**query, "through": zone.day_of(run.completed_at).isoformat()}
