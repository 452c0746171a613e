"""Why a call was refused, in words and figures."""

from __future__ import annotations

from collections.abc import Sequence

from costtrack.budgets.asking import Answer, Ask, Figures, Taking
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.counters import CounterOf
from costtrack.domain.budget_rules import SEPARATOR, BudgetRule, Per
from costtrack.domain.money import plain
from costtrack.exceptions import BudgetExceeded, BudgetUnavailable, UnknownWorstCase


def refusal(taking: Taking, answer: Answer, budgets: OrganizationBudgets, asked: Ask) -> BudgetExceeded:
    """A limit would be passed."""
    counter, needed = taking
    figures = answer.figures or Figures(counter.rule.limit, *(needed - needed,) * 3)
    return BudgetExceeded(
        budget_id=counter.rule.id,
        budget=counter.rule.name,
        organization=budgets.slug,
        subject=shown_subject(counter, asked),
        scope=counter.rule.shown_scope(counter.key.subject, owners_of(asked)),
        metric=counter.rule.metric.value,
        limit=None if figures.limit is None else plain(figures.limit),
        spent=plain(figures.spent),
        held=plain(figures.held + figures.leased),
        needed=plain(needed),
        resets_at=counter.period.end,
    )


def unpriced_refusal(rule: BudgetRule, asked: Ask, budgets: OrganizationBudgets) -> UnknownWorstCase:
    """A hard budget of dollars, and a call of which nobody knows what it can cost."""
    return UnknownWorstCase(
        budget_id=rule.id,
        budget=rule.name,
        organization=budgets.slug,
        reason=asked.unknown_because or "no price is known for it",
    )


def no_answer(
    counters: Sequence[CounterOf], budgets: OrganizationBudgets, error: Exception | None
) -> BudgetUnavailable:
    """No backend could say whether there is room."""
    hard = [one for one in counters if one.rule.is_hard] or list(counters)
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}" if error else "budgets kept changing"
    return BudgetUnavailable(
        budget_id=hard[0].rule.id, budget=hard[0].rule.name, organization=budgets.slug, reason=reason
    )


def shown_subject(counter: CounterOf, asked: Ask) -> str:
    """The subject for people: an agent as `website/writer`, an entity as `job 42`."""
    owners = owners_of(asked)
    if counter.rule.per is Per.AGENT and "agent" in owners:
        return "/".join(owners.values())
    if counter.rule.per is Per.PROJECT and "project" in owners:
        return owners["project"]
    return counter.key.subject.replace(SEPARATOR, " ")


def owners_of(asked: Ask) -> dict[str, str]:
    """The slugs of the call's project and agent."""
    return {name: asked.about[name] for name in ("project", "agent") if name in asked.about}
