"""What lists show of budgets, and of their history; and by what budgets are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import django_filters

from costtrack.api.filters import AgentFilter, CostFilterSet, FlagFilter, ProjectFilter, TextFilter, choices_of
from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import TEXT_SCOPE, BudgetMetric, Enforcement, Expiry, Per, Unavailable, Unpriced
from costtrack.models import Budget, BudgetChange
from costtrack.reporting.columns import Column, Kind

EACH = tuple(one.value for one in Per if one)


def _scope(name: str) -> Column:
    return Column(name, Kind.TEXT, lambda row: getattr(row, name) or None, is_nullable=True, about="null: any.")


def _choice(name: str, choices: tuple[str, ...], about: str = "") -> Column:
    return Column(name, Kind.TEXT, lambda row: getattr(row, name), about=about, choices=choices)


COLUMNS = (
    Column("id", Kind.INTEGER, lambda row: row.id),
    Column("organization", Kind.TEXT, lambda row: row.organization.slug),
    Column("name", Kind.TEXT, lambda row: row.name),
    Column("project", Kind.TEXT, lambda row: row.project and row.project.slug, is_nullable=True, about="null: any."),
    Column("agent", Kind.TEXT, lambda row: row.agent and row.agent.slug, is_nullable=True, about="null: any."),
    *map(_scope, TEXT_SCOPE),
    _choice("metric", tuple(BudgetMetric), "What is counted; the limit is so many of them."),
    Column("limit", Kind.DECIMAL, lambda row: row.limit, is_nullable=True, about="null: it is unlimited."),
    Column("is_unlimited", Kind.BOOLEAN, lambda row: row.is_unlimited, about="It only counts."),
    _choice("period", tuple(BudgetPeriod)),
    Column(
        "per",
        Kind.TEXT,
        lambda row: row.per or None,
        is_nullable=True,
        about="Of what each has the limit for itself; null: there is one counter for all.",
        choices=EACH,
    ),
    _choice("enforcement", tuple(Enforcement)),
    _choice("on_unpriced", tuple(Unpriced), "What becomes of calls whose worst case has no known price."),
    _choice("on_expiry", tuple(Expiry), "What becomes of holds that nobody settled."),
    _choice("on_unavailable", tuple(Unavailable), "What becomes of calls while no database answers."),
    Column("is_active", Kind.BOOLEAN, lambda row: row.is_active, about="One that rests neither counts nor refuses."),
    Column("created_at", Kind.INSTANT, lambda row: row.created_at),
)


class BudgetFilters(CostFilterSet):
    """By what a budget is about, and how it holds."""

    name = TextFilter()
    project = ProjectFilter(field_name="project__slug")
    agent = AgentFilter(field_name="agent__slug")
    sprint = TextFilter()
    workflow = TextFilter()
    run = TextFilter()
    thread_id = TextFilter()
    entity_type = TextFilter()
    entity_id = TextFilter()
    endpoint = TextFilter()
    customer = TextFilter()
    provider = TextFilter()
    model = TextFilter()
    resource_type = TextFilter()
    metric = django_filters.ChoiceFilter(choices=choices_of(tuple(BudgetMetric)))
    period = django_filters.ChoiceFilter(choices=choices_of(tuple(BudgetPeriod)))
    per = django_filters.ChoiceFilter(choices=choices_of(EACH))
    enforcement = django_filters.ChoiceFilter(choices=choices_of(tuple(Enforcement)))
    is_unlimited = FlagFilter()
    is_active = FlagFilter()


CHANGE_COLUMNS = (
    Column("id", Kind.INTEGER, lambda row: row.id),
    Column("changed_at", Kind.INSTANT, lambda row: row.changed_at),
    Column(
        "changed_by",
        Kind.TEXT,
        lambda row: row.changed_by and row.changed_by.get_username(),
        is_nullable=True,
        about="The user's name; null: nobody known, such as a script, or somebody who is deleted.",
    ),
    Column(
        "before",
        Kind.DATA,
        lambda row: _named(row, row.before),
        about="The fields that changed, as they were; empty for a new budget.",
    ),
    Column("after", Kind.DATA, lambda row: _named(row, row.after), about="The same, as they have been since."),
    Column("note", Kind.TEXT, lambda row: row.note),
)


class ChangeFilters(CostFilterSet):
    """None."""


def _named(change: BudgetChange, fields: Mapping[str, Any]) -> dict[str, Any]:
    """With slugs: what a budget is about never changes, so they are the budget's own."""
    return {**fields, **{name: slug for name, slug in _owners(change.budget).items() if name in fields}}


def _owners(budget: Budget) -> dict[str, str | None]:
    return {
        "organization": budget.organization.slug,
        "project": budget.project.slug if budget.project else None,
        "agent": budget.agent.slug if budget.agent else None,
    }
