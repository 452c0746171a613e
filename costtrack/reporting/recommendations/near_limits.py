"""Agents whose budgets are nearly used up, are used up, or will be by the end of their period."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from costtrack.domain.money import decimal_text
from costtrack.domain.quantity_words import quantity_words
from costtrack.reporting.budget_figures import BudgetState, BudgetStatus
from costtrack.reporting.budgets import budgets_within, standing_of
from costtrack.reporting.recommendations.asked import Asked
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.wording import one_line


def agents_near_limits(asked: Asked) -> Iterator[Recommendation]:
    """One for each budget of an agent, as it stands now, whatever the period that is asked for."""
    budgets = budgets_within([asked.organization], owner=asked.owner).filter(is_active=True).order_by("id")
    of_agents = [budget for budget in budgets if budget.agent_id is not None or budget.per == "agent"]
    owners = {budget.pk: budget for budget in of_agents}
    for status in standing_of(of_agents, now=asked.now) if of_agents else ():
        limit = status.limit
        if limit is not None and _is_near(status, limit):
            budget = owners[status.budget_id]
            agent = status.subject_text or (budget.agent.slug if budget.agent else "")
            project = budget.project.slug if budget.project else agent.partition("/")[0]
            yield _recommended(asked, status, limit, project=project, agent=agent.rpartition("/")[2])


def _is_near(status: BudgetStatus, limit: Decimal) -> bool:
    is_taken = status.state in (BudgetState.NEAR, BudgetState.OVER)
    return is_taken or (status.forecast is not None and status.forecast > limit)


def _recommended(asked: Asked, status: BudgetStatus, limit: Decimal, *, project: str, agent: str) -> Recommendation:
    spent, most = quantity_words(status.spent, status.metric), quantity_words(limit, status.metric)
    percent = "" if status.percent is None else f" ({decimal_text(status.percent)} %)"
    forecast = ""
    if status.forecast is not None:
        at_end = quantity_words(status.forecast, status.metric)
        forecast = f" Forecast for the period's end: {at_end} ({status.forecast_method})."
    resets = "never begins anew" if status.resets_at is None else f"begins anew at {status.resets_at.isoformat()}"
    return Recommendation(
        kind=RecommendationKind.NEAR_LIMIT,
        title=f"Look at the budget {one_line(status.budget)} of agent {one_line(agent)} before it is used up",
        explanation=f"Spent {spent} of {most}{percent}; it {resets}.{forecast}",
        condition=(
            "It is about calls that may be refused, or a budget that is passed, not about a saving: raise the limit, "
            "or let the agent use less."
        ),
        confidence=Confidence.HIGH,
        scope={
            "organization": asked.organization.slug,
            **({"project": project} if project else {}),
            "agent": agent,
            "budget": status.budget,
            **({"subject": status.subject_text} if status.subject_text else {}),
        },
    )
