"""Which budgets there are: kept by every process, and renewed when an organization's epoch says that they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfoNotFoundError

from django.db import connections

from costtrack.domain.budget_periods import BudgetPeriod, Period, period_at
from costtrack.domain.budget_rules import BudgetRule
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Budget, Organization, OrganizationZone


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationBudgets:
    """The active budgets of one organization, and its zones, as of an epoch."""

    organization_id: int
    slug: str
    epoch: int
    zones: ZoneHistory
    rules: tuple[BudgetRule, ...]
    """In the order in which counters are locked."""
    holding: tuple[BudgetRule, ...] = field(init=False)
    """Those for which calls reserve before they are made."""
    _latest: dict[BudgetPeriod, Period] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Pick out the ones that admission asks for."""
        object.__setattr__(self, "holding", tuple(rule for rule in self.rules if rule.holds))

    def period(self, kind: BudgetPeriod, instant: datetime) -> Period:
        """The period of that kind that `instant` is in; mostly that of the instant asked for before."""
        latest = self._latest.get(kind)
        if latest is None or not latest.holds(instant):
            latest = self._latest[kind] = period_at(kind, instant, self.zones)
        return latest


Book = Mapping[int, OrganizationBudgets]
"""By organization. One that never had a budget is not in it."""


def loaded_book(known: Book, *, using: str, slug: str | None = None) -> dict[int, OrganizationBudgets]:
    """The budgets of all organizations, or of one; those of an epoch that is `known` are taken from there.

    One query if all are.
    """
    rows = Organization.objects.using(using).filter(budget_epoch__gt=0)
    if slug is not None:
        rows = rows.filter(slug=slug)
    return _of(rows.values_list("id", "slug", "timezone", "budget_epoch"), known, using=using)


def book_for_writer(known: Book, organizations: Iterable[int], *, using: str) -> dict[int, OrganizationBudgets]:
    """The budgets that hold for what this transaction writes: until it ends, nobody changes them.

    Locks the organizations FOR KEY SHARE, as the foreign keys of ledger rows do anyway; who changes budgets takes them
    FOR UPDATE first, and so waits for every writer, and every writer for him.
    """
    ids = sorted(organizations)
    if connections[using].vendor != "postgresql":
        rows = Organization.objects.using(using).filter(id__in=ids)
        found = list(rows.values_list("id", "slug", "timezone", "budget_epoch"))
    else:
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT id, slug, timezone, budget_epoch FROM costtrack_organization WHERE id = ANY(%s) "
                "ORDER BY id FOR KEY SHARE",
                [ids],
            )
            found = cursor.fetchall()
    return _of([row for row in found if row[3]], known, using=using)


def _of(rows: Iterable[tuple[int, str, str, int]], known: Book, *, using: str) -> dict[int, OrganizationBudgets]:
    book: dict[int, OrganizationBudgets] = {}
    changed: list[tuple[int, str, str, int]] = []
    for row in rows:
        kept = known.get(row[0])
        if kept is not None and (kept.slug, kept.epoch) == (row[1], row[3]):
            book[row[0]] = kept
        else:
            changed.append(row)
    if not changed:
        return book
    ids = [row[0] for row in changed]
    rules: dict[int, list[BudgetRule]] = {}
    budgets = Budget.objects.using(using).filter(organization__in=ids, is_active=True)
    for budget in budgets.select_related("organization", "project", "agent"):
        rules.setdefault(budget.organization_id, []).append(budget.rule())
    zones: dict[int, list[tuple[str, datetime | None]]] = {}
    history = OrganizationZone.objects.using(using).filter(organization__in=ids)
    for organization_id, timezone, effective_from in history.values_list(
        "organization_id", "timezone", "effective_from"
    ):
        zones.setdefault(organization_id, []).append((timezone, effective_from))
    for organization_id, slug, timezone, epoch in changed:
        try:
            history_here = ZoneHistory.of(timezone, zones.get(organization_id, []))
        except (ZoneInfoNotFoundError, ValueError):  # its usage is refused for that reason, which says so
            continue
        book[organization_id] = OrganizationBudgets(
            organization_id=organization_id,
            slug=slug,
            epoch=epoch,
            zones=history_here,
            rules=tuple(sorted(rules.get(organization_id, []), key=lambda rule: (rule.lock_rank, rule.id))),
        )
    return book
