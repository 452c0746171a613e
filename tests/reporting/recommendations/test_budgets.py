"""Recommendations about reservations and budgets, each figure worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

import costtrack
from costtrack.budgets.holds import sweep_expired
from costtrack.metering.ledger import record_events
from costtrack.models import Agent, BudgetCounter, Hold, Organization, Project, Rate
from costtrack.pricing.ratebook import forget_rates
from costtrack.reporting.recommendations import RecommendationKind
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.recommendations.habits import recommended

pytestmark = pytest.mark.django_db
IDLE, NEAR = RecommendationKind.IDLE_RESERVATIONS, RecommendationKind.NEAR_LIMIT
JOB = {"organization": "acme", "project": "fold", "agent": "trainer", "resource_type": "gpu_seconds", "model": "a100"}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture
def acme() -> Organization:
    """With a second of an A100 at 0.0005 USD."""
    Rate.objects.create(model="a100", resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005"))
    make_rate()
    forget_rates()
    return make_organization()


def job(*, used: int | None, amount: int = 3600, **more: Any) -> None:
    """Reserve, use, settle; with None nobody settles, and the hold expires."""
    with costtrack.reserve("fold", amount=amount, **{**JOB, **more}) as hold:
        if used is not None:
            hold.settle(amount=used)
            return
        held = Hold.objects.get(pk=hold.id)
        Hold.objects.filter(pk=held.pk).update(expires_at=NOON - timedelta(seconds=1))
        sweep_expired(using="default")


def test_gpu_time_that_was_held_and_not_used_is_idle(acme: Organization) -> None:
    make_budget(acme, "100000", metric="amount", resource_type="gpu_seconds")
    job(used=600)
    job(used=1800)
    job(used=1801)  # more than half
    job(used=None)
    [found] = recommended(acme, IDLE)
    # (3600 - 600) + (3600 - 1800) + 3600 = 8400 seconds x 0.0005
    assert (found.calls, found.saving_usd) == (3, Decimal("4.2"))
    assert "3 reservations held 10800 GPU seconds and used 2400 of them; 1 expired" in found.explanation
    assert found.scope == {
        "organization": "acme",
        "project": "fold",
        "agent": "trainer",
        "endpoint": "fold",
        "model": "a100",
    }
    assert "rented GPUs" in found.condition


def test_a_budget_of_dollars_tells_the_seconds_too(acme: Organization) -> None:
    make_budget(acme, "100")
    job(used=600)
    assert [one.saving_usd for one in recommended(acme, IDLE)] == [Decimal("1.5")]  # 3000 x 0.0005


def test_what_was_held_is_known_after_the_counters_are_gone(acme: Organization) -> None:
    make_budget(acme, "100")
    job(used=600)
    costtrack.flush()
    BudgetCounter.objects.all().delete()
    assert [one.saving_usd for one in recommended(acme, IDLE)] == [Decimal("1.5")]


def test_idle_time_of_others_is_none_of_it(acme: Organization) -> None:
    other = make_organization("other")
    for owner in (acme, other):
        make_budget(owner, "100000", metric="amount", resource_type="gpu_seconds")
    job(used=600)
    job(used=0, organization="other")
    job(used=60, project="app")
    fold = Project.objects.get(organization=acme, slug="fold")
    assert [one.saving_usd for one in recommended(acme, IDLE)] == [Decimal("1.77"), Decimal("1.5")]
    assert [one.saving_usd for one in recommended(acme, IDLE, project=fold)] == [Decimal("1.5")]
    assert [one.scope["organization"] for one in recommended(other, IDLE)] == ["other"]


def test_released_holds_were_given_back_and_are_not_idle(acme: Organization) -> None:
    make_budget(acme, "100000", metric="amount", resource_type="gpu_seconds")
    with costtrack.reserve("fold", amount=3600, **JOB) as hold:
        hold.release()
    assert recommended(acme, IDLE) == []


def make_agent(owner: Organization, path: str) -> Agent:
    project, _, slug = path.partition("/")
    return Agent.objects.create(project=Project.objects.get_or_create(organization=owner, slug=project)[0], slug=slug)


def test_an_agent_near_its_limit_is_named_with_its_figures(acme: Organization) -> None:
    writer = make_agent(acme, "website/writer")
    make_budget(acme, "0.005", name="a day", agent=writer, project=writer.project)
    make_budget(acme, "0.001", name="everybody")
    record_events([make_event(attribution={"project": "website", "agent": "writer"})])
    [found] = recommended(acme, NEAR)
    # 0.0045 of 0.005; half of the day has passed
    assert found.scope == {"organization": "acme", "project": "website", "agent": "writer", "budget": "a day"}
    assert found.explanation.startswith("Spent $0.004500 of $0.005000 (90 %); it begins anew at 2026-11-21T00:00:00+")
    assert (found.saving_usd, found.cost_usd) == (None, None)


def test_an_agent_that_will_pass_its_limit_is_named_one_far_from_it_is_not(acme: Organization) -> None:
    make_budget(acme, "2000", metric="tokens", per="agent", name="tokens")
    for agent, calls in (("writer", 1), ("reader", 0)):
        make_agent(acme, f"website/{agent}")
        record_events([make_event(attribution={"project": "website", "agent": agent}) for _ in range(calls)])
    record_events([make_event(10, 0, attribution={"project": "website", "agent": "reader"})])
    [found] = recommended(acme, NEAR, now=NOON)
    # 1100 tokens at noon are 2200 by midnight
    assert found.scope["agent"] == "writer"
    assert found.scope["subject"] == "website/writer"
    assert "Spent 1,100 tokens of 2,000 tokens (55 %)" in found.explanation
    assert "Forecast for the period's end: 2,200 tokens (run rate" in found.explanation


def test_budgets_of_another_organization_or_project_are_not_told(acme: Organization) -> None:
    other = make_organization("other")
    for owner, path in ((other, "website/writer"), (acme, "app/writer")):
        agent = make_agent(owner, path)
        make_budget(owner, "0.001", agent=agent, project=agent.project)
        said = {"organization": owner.slug, "project": agent.project.slug, "agent": "writer"}
        record_events([make_event(attribution=said)])
    website = Project.objects.create(organization=acme, slug="website")
    assert [one.scope["project"] for one in recommended(acme, NEAR)] == ["app"]
    assert recommended(acme, NEAR, project=website) == []
