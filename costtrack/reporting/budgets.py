"""How budgets stand in their current periods: limit, spent, held, what is left, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from costtrack.conf import settings
from costtrack.domain.budget_rules import Facts
from costtrack.domain.events import Attribution
from costtrack.exceptions import InvalidUsage, UnknownOrganization
from costtrack.metering.attribution import given_attribution
from costtrack.metering.context import current_attribution
from costtrack.models import Agent, Budget, Organization, Project
from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.budget_lines import dearest_lines, known_lines, statuses_of
from costtrack.reporting.budget_scope import facts_of_attribution, may_count, subjects_written
from costtrack.reporting.current_counters import UNUSED, zones_of

SUBJECTS_SHOWN = 100


def budget_status(
    organization: Organization | str | None = None,
    *,
    budget: Budget | int | str | None = None,
    subject: str | None = None,
    counts_for: Attribution | Mapping[str, object] | None = None,
    now: datetime | None = None,
    limit: int = SUBJECTS_SHOWN,
) -> tuple[BudgetStatus, ...]:
    """How the budgets of an organization stand in the period that `now` is in; the oldest budget first.

    `budget` picks one by itself, its id or name; `subject` one thread, agent ..., as counters store it. `counts_for`
    picks those that an attribution's usage counts in: fields of `attribute`, such as `{"project": "website", "agent":
    "writer"}`. Without an organization that is the calling context's own: what the caller inside of
    `with attribute(...)` has left. Budgets of one model, provider, resource type or endpoint are among them, unless
    the attribution names another.

    A budget with one counter for each of something has one status for each that used or held anything in the period:
    the `limit` dearest ones, and how many others there are. One that rests shows none. Figures are exact on
    PostgreSQL, on SQLite right to a nano-dollar. Raises UnknownOrganization, InvalidUsage for no attribution at all,
    and TypeError for a name that no attribution has.
    """
    alias = settings.database
    said = _attribution(organization, counts_for)
    owner = _organization(organization, said, using=alias)
    if owner is None:
        return ()
    facts = None if said is None else facts_of_attribution(said, organization=owner, using=alias)
    budgets = [one for one in _budgets(owner, budget) if facts is None or may_count(one.rule(), facts)]
    if not budgets:
        return ()
    wanted = [(one, _subject(one, subject, facts)) for one in budgets]
    if subject is not None:
        wanted = [(one, found) for one, found in wanted if found == subject]
    dearest_of = budgets if subject is None and facts is None else []
    only_used = subject is not None and budget is None
    return _statuses(wanted, dearest_of, only_used=only_used, now=now or timezone.now(), limit=limit, using=alias)


def standing_of(
    budgets: Sequence[Budget],
    *,
    subject: str | None = None,
    only_used: bool = False,
    now: datetime,
    limit: int = SUBJECTS_SHOWN,
) -> tuple[BudgetStatus, ...]:
    """The same of these budgets, of any organizations; load them with their organization, project and agent.

    `subject` is one thread, agent ... as it is written for people: `website/writer`. There is a status of it for each
    budget that can have it; with `only_used` for those of which it used or held anything in the period.
    """
    alias = settings.database
    if subject is not None:
        wanted = subjects_written(budgets, subject, using=alias)
        return _statuses(wanted, [], only_used=only_used, now=now, limit=limit, using=alias)
    whole = [(one, "") for one in budgets]
    return _statuses(whole, budgets, only_used=False, now=now, limit=limit, using=alias)


def _statuses(
    wanted: Sequence[tuple[Budget, str]],
    dearest_of: Sequence[Budget],
    *,
    only_used: bool,
    now: datetime,
    limit: int,
    using: str,
) -> tuple[BudgetStatus, ...]:
    """Of the subjects that are wanted, and of the dearest ones of budgets that have several."""
    owners = {one.organization for one in (*(one for one, _ in wanted), *dearest_of)}
    zones = zones_of(owners, using=using)
    lines = known_lines(wanted, zones=zones, now=now, using=using)
    if only_used:
        lines = [line for line in lines if line.figures != UNUSED]
    each = [one for one in dearest_of if one.per and one.is_active]
    lines += dearest_lines(each, zones=zones, now=now, limit=limit, using=using)
    return statuses_of(lines, now=now, using=using)


def budgets_within(organizations: Sequence[Organization], *, owner: Project | Agent | None = None) -> QuerySet[Budget]:
    """The budgets of these organizations, loaded for `standing_of`; of one project or agent those that it is alone in.

    A budget of the whole organization tells what others spend, even if the project's usage counts in it.
    """
    rows = Budget.objects.using(settings.database).filter(organization__in=organizations)
    if owner is not None:
        rows = rows.filter(agent=owner) if isinstance(owner, Agent) else rows.filter(project=owner)
    return rows.select_related("organization", "project", "agent")


def _subject(budget: Budget, subject: str | None, facts: Facts | None) -> str:
    return (subject or "") if facts is None else (budget.rule().subject(facts) or "")


def _attribution(organization: object, counts_for: Attribution | Mapping[str, object] | None) -> Attribution | None:
    if counts_for is None:
        return current_attribution() if organization is None else None
    if isinstance(counts_for, Attribution):
        return counts_for
    if not isinstance(counts_for, Mapping):
        raise InvalidUsage("counts_for", counts_for, 'a mapping of attribution fields, such as {"thread_id": "t1"}')
    return given_attribution(counts_for, caller="budget_status(counts_for=...)").resolve()


def _organization(
    organization: Organization | str | None, said: Attribution | None, *, using: str
) -> Organization | None:
    """None only for the default organization, which appears with its first usage and so has no budgets before."""
    if isinstance(organization, Organization):
        return organization
    slug = organization or (said.organization if said else "") or settings.default_organization
    found = Organization.objects.using(using).filter(slug=slug).first()
    if found is None and slug != settings.default_organization:
        raise UnknownOrganization(slug)
    return found


def _budgets(owner: Organization, budget: Budget | int | str | None) -> list[Budget]:
    rows = budgets_within([owner])
    if isinstance(budget, str):
        rows = rows.filter(name=budget)
    elif budget is not None:
        rows = rows.filter(pk=budget.pk if isinstance(budget, Budget) else budget)
    return list(rows.order_by("id"))
