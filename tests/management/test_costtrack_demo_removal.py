"""What removes the demo: a flush, an interrupt, books that do not agree."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError

from costtrack import record_usage
from costtrack.aggregation import Difference, fold_pending, verify_books
from costtrack.models import (
    Agent,
    AlertChannel,
    AlertDelivery,
    Budget,
    BudgetAlert,
    BudgetChange,
    BudgetCounter,
    DailyCostSummary,
    Hold,
    JobRun,
    Organization,
    Project,
    Rate,
    ResourceUsage,
)
from tests.budgets.asked import hold, make_budget
from tests.factories import make_organization, make_rate
from tests.management.played import NOON, OURS, WEDNESDAY, counts, demo, play_quickly

pytestmark = pytest.mark.django_db


def test_a_flush_removes_the_demo_and_nothing_else() -> None:
    play_quickly()
    acme = make_organization("acme")
    make_rate(organization=acme)
    make_rate("global-model")
    record_usage(organization="acme", project="app", agent="bot", model="test-model", input_tokens=1000)
    fold_pending()
    get_user_model().objects.create_user("host-user")
    theirs = {
        model: model._base_manager.filter(organization=acme).count()
        for model in OURS
        if model not in (Organization, Agent)
    }
    theirs[DailyCostSummary] += 1  # and one of the site, which is what acme has

    text = demo("--flush")
    assert text.startswith("Removed 2 organizations with ")
    assert "The global price data stays." in text
    assert list(Organization.objects.values_list("slug", flat=True)) == ["acme"]
    assert list(Agent.objects.values_list("slug", flat=True)) == ["bot"]
    assert {model: model._base_manager.count() for model in theirs} == theirs
    assert sorted(Rate.objects.values_list("model", flat=True)) == ["global-model", "test-model"]
    assert list(get_user_model().objects.values_list("username", flat=True)) == ["host-user"]
    assert verify_books() == []
    with pytest.raises(Exception, match="append-only"):
        ResourceUsage.objects.update(reason="the ledger is closed again")


def test_a_flush_removes_the_demo_s_budgets_with_counters_holds_and_history() -> None:
    play_quickly(days=5)
    ours = (Budget, BudgetCounter, Hold, BudgetChange)
    assert all(model._base_manager.exists() for model in ours)
    project = Project.objects.filter(organization__slug="demo-retail").earliest("id")
    make_budget(project.organization, project=project)  # it keeps its project from being deleted
    theirs = make_budget(make_organization("acme"))
    hold()
    demo("--flush")
    assert [model._base_manager.count() for model in ours] == [1, 1, 1, 1]
    assert Budget.objects.get() == theirs


def test_a_flush_leaves_a_demo_admin_that_has_become_somebody_s_own() -> None:
    play_quickly()
    users = get_user_model().objects
    users.create_superuser("demo-admin", email="mine@example.org")
    demo("--flush")
    assert users.filter(username="demo-admin").exists()


def test_a_flush_without_a_demo_says_so() -> None:
    assert demo("--flush") == "There is no demo here: nothing to remove.\n"
    assert json.loads(demo("--flush", "--json")) == {"status": "absent"}


def test_nothing_stays_of_a_run_that_is_interrupted() -> None:
    def interrupt(day: date) -> None:
        if day == WEDNESDAY:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_quickly(days=2, on_day=interrupt)
    assert counts() == [0, 0, 0, 0, 0, 0]
    assert not Rate.objects.exists()


def test_books_that_do_not_agree_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    difference = Difference("agent", WEDNESDAY, {}, {"cost_usd": Decimal("0.01")})
    monkeypatch.setattr("costtrack.management.demo.run.verify_books", lambda **_: [difference])
    with pytest.raises(CommandError, match=r"^The summaries differ from the ledger in 1 place"):
        demo("--days", "1")
    assert counts() == [0, 0, 0, 0, 0, 0]


def test_a_flush_removes_its_alerts_channels_and_rules() -> None:
    made = json.loads(demo("--days", "3", "--json"))
    assert made["alerts"] == BudgetAlert.objects.count() > 0
    assert AlertChannel.objects.count() == 2
    assert AlertDelivery.objects.exists()
    JobRun.objects.create(name="check_budgets", started_at=NOON)
    demo("--flush")
    assert [model.objects.count() for model in (BudgetAlert, AlertChannel, AlertDelivery, Budget)] == [0, 0, 0, 0]
    assert json.loads(demo("--days", "1", "--json"))["status"] == "played"
