"""Which usage a budget is about, and which of its counters that moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import (
    SCOPE,
    BudgetMetric,
    BudgetRule,
    Enforcement,
    Per,
    Quantities,
    raised_limit,
)


def rule(*, per: Per = Per.WHOLE, enforcement: Enforcement = Enforcement.HARD, **scope: object) -> BudgetRule:
    return BudgetRule(
        id=1,
        organization_id=1,
        name="a budget",
        scope=tuple(scope.items()),
        metric=BudgetMetric.COST_USD,
        limit=Decimal(10),
        period=BudgetPeriod.DAY,
        enforcement=enforcement,
        per=per,
    )


def facts(**known: Any) -> dict[str, object]:
    return {**dict.fromkeys(SCOPE, ""), "project_id": None, "agent_id": None, **known}


def test_a_budget_without_a_scope_is_about_all_usage() -> None:
    assert rule().matches(facts())
    assert rule().subject(facts(thread_id="t1")) == ""


def test_every_part_of_a_scope_must_match() -> None:
    both = rule(project_id=7, model="gpt-4o")
    assert both.matches(facts(project_id=7, model="gpt-4o", thread_id="t1"))
    assert not both.matches(facts(project_id=7, model="gpt-4"))
    assert not both.matches(facts(project_id=None, model="gpt-4o"))


def test_a_budget_per_thread_is_not_about_usage_without_a_thread() -> None:
    assert not rule(per=Per.THREAD).matches(facts())
    assert rule(per=Per.THREAD).matches(facts(thread_id="t1"))


@pytest.mark.parametrize(
    ("per", "known", "subject"),
    [
        (Per.THREAD, {"thread_id": "t1"}, "t1"),
        (Per.AGENT, {"agent_id": 12}, "12"),
        (Per.PROJECT, {"project_id": 7}, "7"),
        (Per.ENTITY, {"entity_type": "job", "entity_id": "42"}, "job\x1f42"),
        (Per.CUSTOMER, {"customer": "c-9"}, "c-9"),
    ],
)
def test_a_subject_tells_its_facts_again(per: Per, known: dict[str, object], subject: str) -> None:
    assert rule(per=per).subject(facts(**known)) == subject
    assert rule(per=per).subject_facts(subject) == known


def test_entities_whose_texts_join_alike_are_two_subjects() -> None:
    first = rule(per=Per.ENTITY).subject(facts(entity_type="a b", entity_id="c"))
    assert first != rule(per=Per.ENTITY).subject(facts(entity_type="a", entity_id="b c"))


def test_the_narrowest_scope_is_locked_first_and_the_organization_last() -> None:
    ranks = [rule(project_id=1, agent_id=2, per=Per.THREAD), rule(project_id=1, agent_id=2), rule(model="m"), rule()]
    assert [one.lock_rank for one in ranks] == [-3, -2, -1, 0]


def test_hard_and_shadow_budgets_hold_and_soft_ones_do_not() -> None:
    holding = {one: rule(enforcement=one).holds for one in Enforcement}
    assert holding == {Enforcement.HARD: True, Enforcement.SHADOW: True, Enforcement.SOFT: False}


def test_quantities_give_each_metric_and_none_for_what_is_not_known() -> None:
    quantities = Quantities(cost_usd=None, tokens=1100, calls=1, amount=Decimal("2.5"))
    assert quantities.of(BudgetMetric.COST_USD) is None
    assert quantities.of(BudgetMetric.TOKENS) == Decimal(1100)
    assert quantities.of(BudgetMetric.CALLS) == Decimal(1)
    assert quantities.of(BudgetMetric.AMOUNT) == Decimal("2.5")


@pytest.mark.parametrize("used", ["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-latest"])
def test_a_budget_of_a_model_is_about_all_its_versions(used: str) -> None:
    assert rule(model="gpt-4o").matches(facts(model=used))


@pytest.mark.parametrize("used", ["gpt-4", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4ox", ""])
def test_a_budget_of_a_model_is_not_about_its_siblings(used: str) -> None:
    assert not rule(model="gpt-4o").matches(facts(model=used))


@pytest.mark.parametrize(
    ("limit", "percent", "metric", "raised"),
    [
        ("10", "12.5", "cost_usd", "11.25"),
        ("10", "12.5", "calls", "12"),
        ("10", "10", "tokens", "11"),
        ("100000", "0.01", "tokens", "100010"),
        ("1", "0.01", "calls", "2"),
        ("2.5", "10", "amount", "2.75"),
        ("0", "50", "calls", "0"),
    ],
)
def test_a_limit_is_raised_by_percent_and_of_calls_to_a_whole_one(
    limit: str, percent: str, metric: str, raised: str
) -> None:
    assert raised_limit(Decimal(limit), Decimal(percent), metric=BudgetMetric(metric)) == Decimal(raised)


def test_a_budget_of_one_version_is_not_about_the_others() -> None:
    assert not rule(model="gpt-4o-2024-08-06").matches(facts(model="gpt-4o"))
