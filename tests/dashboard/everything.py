"""Two organizations with rows on every page, and the paths of all pages."""

from __future__ import annotations

from dataclasses import dataclass

from costtrack.access.keys import create_key
from costtrack.models import (
    Agent,
    AlertChannel,
    AlertDelivery,
    Budget,
    BudgetAlert,
    Organization,
    ResourceUsage,
    UsageRun,
)
from tests.budgets.asked import make_budget
from tests.reporting.booked import NOVEMBER_16, agent, book, organization

NOON = "2023-11-16T12:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An organization's rows; every text of them begins with its slug."""

    organization: Organization
    agent: Agent
    usage: ResourceUsage
    budget: Budget
    alert: BudgetAlert

    @property
    def paths(self) -> dict[str, str]:
        """The pages that are about one row of it, by the route's name."""
        return {
            "project": f"projects/{self.agent.project_id}/",
            "agent": f"agents/{self.agent.pk}/",
            "budget": f"budgets/{self.budget.pk}/",
            "usage-row": f"usage/{self.usage.pk}/",
        }


LISTS = {
    "overview": "",
    "budgets": "budgets/",
    "alerts": "alerts/",
    "usage": "usage/",
    "resources": "resources/",
    "plans": "plans/",
    "rates": "rates/",
    "reconcile": "reconcile/",
    "recommendations": "recommendations/",
    "mine": "mine/",
}
"""The pages that anybody may open who belongs to an organization, by the route's name."""


def world(slug: str, *, cost: str = "5") -> World:
    """Usage, a budget with a threshold and past, an alert that goes to a channel, a key, a run; at noon of the 16th."""
    from django.utils import timezone

    now = timezone.now()
    owner = organization(slug)
    bot = agent(owner, f"{slug}-web/{slug}-bot")
    own = {"agent": bot, "project": bot.project, "model": f"{slug}-model", "provider": f"{slug}-provider"}
    usage = book(owner, cost, endpoint=f"{slug}-chat", customer=f"{slug}-customer", run=f"{slug}-run", **own)
    book(owner, None, endpoint=f"{slug}-chat", **own)
    budget = make_budget(owner, "20", name=f"{slug}-budget", period="month")
    budget.thresholds.create(level=80)
    make_budget(owner, "9", name=f"{slug}-threads", period="month", per="thread")
    alert = BudgetAlert.objects.create(
        budget=budget,
        organization=owner,
        threshold=budget.thresholds.get(),
        period_start=now,
        severity="warning",
        message=f"{slug}-message",
        raised_at=now,
    )
    channel = AlertChannel.objects.create(
        organization=owner, name=f"{slug}-hook", kind="webhook", target="https://hooks.example.org/x"
    )
    AlertDelivery.objects.create(alert=alert, channel=channel, created_at=now, next_attempt_at=now, last_error="boom")
    create_key(organization=owner, name=f"{slug}-key", can_ingest=True, can_read=True, now=now)
    UsageRun.objects.create(
        organization=owner, project=bot.project, run_id=f"{slug}-run", name=f"{slug}-work", run_index=1, started_at=now
    )
    assert usage.day == NOVEMBER_16
    return World(organization=owner, agent=bot, usage=usage, budget=budget, alert=alert)
