"""Running totals: what usage adds up to overall, per agent and per model, with its average latency.

They come from the daily summaries, so they equal the ledger at every committed moment.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, DailyCostSummary, Organization, Project
from costtrack.models.summaries import AGENT, SummaryQuerySet
from costtrack.reporting.figures import CostLine, Figures, add_up, dearest_first, read_figures, summary_sums
from costtrack.reporting.named import organization_named
from costtrack.reporting.shown_model import SHOWN_MODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotal:
    """What some usage adds up to; corrections count in the figures that they correct."""

    name: str
    """The agent as `organization/project/agent`, or the model; "" overall, and for usage without an agent."""
    calls: int
    errors: int
    """Calls that failed; `calls` holds them too."""
    unpriced_calls: int
    """Calls whose price is unknown; `cost_usd` says nothing about them, so show this beside it."""
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    """None where not one of the calls has a price: an unknown price is no price of 0."""
    average_latency_ms: Decimal | None
    """Milliseconds per call at 2 decimals, half-even; None where none were measured.

    The summaries keep the sum of the latencies, not how many calls had one: a call without one counts as 0 ms.
    """

    @property
    def total_tokens(self) -> int:
        """Input plus output."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotals:
    """A whole and its parts, out of one query: either list adds up to `overall`. Dearest first, equal ones by name."""

    overall: UsageTotal
    by_agent: tuple[UsageTotal, ...]
    by_model: tuple[UsageTotal, ...]
    """Usage without a model is summed under its provider, else its resource type."""


def usage_totals(
    *,
    organization: Organization | str | None = None,
    project: Project | None = None,
    agent: Agent | None = None,
    days: DayRange | None = None,
) -> UsageTotals:
    """The totals of what all given arguments apply to; without any, of everything ever (one query, and one for a slug).

    `days` are local dates: each usage counts on the day that it was in its own organization's zone. Raises
    UnknownOrganization.
    """
    one = None if organization is None else organization_named(organization)
    rows = _summaries_of(organization=one, project=project, agent=agent, days=days)
    path = ("agent__project__organization__slug", "agent__project__slug", "agent__slug")
    by_agent: defaultdict[str, list[Figures]] = defaultdict(list)
    by_model: defaultdict[str, list[Figures]] = defaultdict(list)
    for row in rows.values(*path, shown_model=SHOWN_MODEL).annotate(**summary_sums()).order_by():
        figures = read_figures(row, using=settings.database)
        by_agent["/".join(row[slug] or "" for slug in path) if row["agent__slug"] else ""].append(figures)
        by_model[row["shown_model"]].append(figures)
    models = dearest_first(by_model)
    return UsageTotals(
        overall=_total(CostLine("", add_up(line.figures for line in models))),
        by_agent=tuple(map(_total, dearest_first(by_agent))),
        by_model=tuple(map(_total, models)),
    )


def _summaries_of(
    *, organization: Organization | None, project: Project | None, agent: Agent | None, days: DayRange | None
) -> SummaryQuerySet:
    rows = DailyCostSummary.objects.db_manager(settings.database).at_grain(AGENT)
    if organization is not None:
        rows = rows.filter(organization=organization)
    if project is not None:
        # The organization is said besides because the index begins with it.
        rows = rows.filter(project=project, organization=project.organization_id)
    if agent is not None:
        owner = Project.objects.using(settings.database).filter(pk=agent.project_id)
        rows = rows.filter(agent=agent, organization=owner.values("organization")[:1])
    if days is not None:
        rows = rows.filter(day__gte=days.start, day__lt=days.end)
    return rows


def _total(line: CostLine) -> UsageTotal:
    figures = line.figures
    return UsageTotal(
        name=line.name,
        calls=figures.calls,
        errors=figures.errors,
        unpriced_calls=figures.unpriced_calls,
        input_tokens=figures.input_tokens,
        output_tokens=figures.output_tokens,
        cost_usd=figures.known_cost_usd,
        average_latency_ms=figures.average_latency_ms,
    )
