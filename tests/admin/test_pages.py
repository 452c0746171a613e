"""Every screen opens with rows in it, and only what may be changed can be changed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from costtrack.access.keys import create_key
from costtrack.models import (
    Agent,
    AlertAction,
    AlertChannel,
    AlertDelivery,
    BudgetAlert,
    BudgetCounter,
    DailyCostSummary,
    Hold,
    JobRun,
    Membership,
    Organization,
    ReportDelivery,
    ResourceUsage,
    UsageDelivery,
    UsageKey,
)
from tests.admin.plan_rows import make_plan_and_run
from tests.admin.rows import adding, changing, deleting, gpt_4, listing, page, use
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON

pytestmark = pytest.mark.django_db

EDITABLE = ("organization", "project", "agent", "membership", "rate", "budget", "alertchannel")
OF_ALERTS = ("budgetalert", "alertdelivery", "reportdelivery", "usagedelivery", "jobrun")
OF_RUNS = ("costplan", "usagerun")
READ_ONLY = ("resourceusage", "dailycostsummary", "budgetcounter", "hold", "agentkey", *OF_RUNS, *OF_ALERTS)


def rows_of_every_screen(agent: Agent) -> list[object]:
    organization = agent.project.organization
    person = get_user_model().objects.get(username="root")
    rate = gpt_4()
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(60))
    used = gpt_4(model="gpt-4o", is_used=True)
    membership = Membership.objects.create(user=person, organization=organization, role="admin")
    budget = make_budget(organization)
    budget.thresholds.create(level=80)
    hold()
    channel = AlertChannel.objects.create(
        organization=organization, name="hook", kind="webhook", target="https://hooks.example.org/a-secret-path"
    )
    alert = BudgetAlert.objects.create(
        budget=budget,
        organization=organization,
        threshold=budget.thresholds.get(),
        period_start=NOON,
        severity="warning",
        message="Too much",
        figures={"cost": "1"},
        raised_at=NOON,
    )
    AlertAction.objects.create(alert=alert, action="noted", at=NOON, by=person, note="Odd.")
    sending: dict[str, Any] = {"channel": channel, "created_at": NOON, "next_attempt_at": NOON}
    return [
        channel,
        alert,
        AlertDelivery.objects.create(alert=alert, **sending),
        ReportDelivery.objects.create(organization=organization, report="daily", day=NOON.date(), **sending),
        UsageDelivery.objects.create(usage=[[1, "2026-11-20"]], **sending),
        JobRun.objects.create(name="check_budgets", started_at=NOON),
        organization,
        agent.project,
        agent,
        membership,
        rate,
        used,
        ResourceUsage.objects.get(),
        DailyCostSummary.objects.get(),
        budget,
        BudgetCounter.objects.get(),
        Hold.objects.get(),
        create_key(organization=organization, name="robot", can_ingest=True, can_read=True, now=NOON).key,
        *make_plan_and_run(organization),
    ]


def test_every_model_but_the_usage_keys_has_a_screen() -> None:
    ours = {model.__name__ for model in admin.site._registry if model._meta.app_label == "costtrack"}

    assert ours == {
        "Organization",
        "Project",
        "Agent",
        "AgentKey",
        "Membership",
        "Rate",
        "ResourceUsage",
        "DailyCostSummary",
        "Budget",
        "BudgetCounter",
        "Hold",
        "BudgetAlert",
        "AlertChannel",
        "AlertDelivery",
        "ReportDelivery",
        "UsageDelivery",
        "JobRun",
        "CostPlan",
        "UsageRun",
    }
    assert not admin.site.is_registered(UsageKey)


@pytest.mark.parametrize("model", EDITABLE + READ_ONLY)
def test_every_list_opens_empty_full_and_searched(browser: Client, agent: Agent, model: str) -> None:
    page(browser, listing(model))
    rows_of_every_screen(agent)

    page(browser, listing(model))
    page(browser, listing(model), q="a")
    page(browser, listing(model), q="1")


@pytest.mark.parametrize("model", EDITABLE + READ_ONLY)
def test_a_nul_in_the_query_string_is_no_server_error(browser: Client, agent: Agent, model: str) -> None:
    rows_of_every_screen(agent)
    for name in (
        "model",
        "provider",
        "slug",
        "name",
        "role",
        "organization",
        "is_used",
        "validity",
        "q",
        "o",
        "p",
        "\x00",
    ):
        assert browser.get(listing(model), {name: "\x00"}).status_code in (200, 302, 400), name


def test_a_nul_to_complete_is_completed_by_nothing(browser: Client, agent: Agent) -> None:
    for field in ("organization", "project"):
        asked = {"app_label": "costtrack", "model_name": "agent" if field == "project" else "project"}
        found = browser.get(reverse("admin:autocomplete"), {**asked, "field_name": field, "term": "a\x00"})
        assert found.json()["results"] == []


def test_every_row_opens(browser: Client, agent: Agent) -> None:
    for row in rows_of_every_screen(agent):
        page(browser, changing(row))


@pytest.mark.parametrize("model", EDITABLE)
def test_every_form_for_a_new_row_opens(browser: Client, agent: Agent, model: str) -> None:
    page(browser, adding(model))


@pytest.mark.parametrize("model", READ_ONLY)
def test_nothing_can_be_added_to_the_ledger_or_the_summaries(browser: Client, model: str) -> None:
    assert browser.get(adding(model)).status_code == 403
    assert browser.post(adding(model), {"day": "2026-03-03"}).status_code == 403


def test_nothing_of_the_ledger_or_the_summaries_can_be_changed_or_deleted(browser: Client, agent: Agent) -> None:
    for row in (ResourceUsage.objects.get(), DailyCostSummary.objects.get()):
        assert browser.post(changing(row), {"cost_usd": "0"}).status_code == 403
        assert browser.get(deleting(row)).status_code == 403
        assert browser.post(deleting(row), {"post": "yes"}).status_code == 403
        browser.post(
            listing(str(row._meta.model_name)),
            {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"},
        )

    assert ResourceUsage.objects.get().cost_usd == Decimal("0.06")
    assert DailyCostSummary.objects.get().cost_usd == Decimal("0.06")


def test_text_that_people_and_callers_enter_is_shown_escaped(browser: Client, agent: Agent) -> None:
    evil = '<script>alert("x")</script>'
    Organization.objects.update(name=evil)
    row = use(
        agent,
        tags={evil: evil},
        metadata={"note": evil},
        model=evil,
        customer=evil,
        error_message=evil,
    )
    budget = make_budget(agent.project.organization, name=evil, per="thread", note=evil)
    hold(thread_id=evil)
    for address in (
        listing("budget"),
        changing(budget),
        listing("budgetcounter"),
        changing(BudgetCounter.objects.get()),
        changing(Hold.objects.get()),
        listing("organization"),
        listing("project"),
        listing("agent"),
        listing("resourceusage"),
        listing("dailycostsummary"),
        changing(agent.project.organization),
        changing(row),
    ):
        text = page(browser, address)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_no_page_needs_inline_script_or_style(browser: Client, agent: Agent) -> None:
    addresses = [listing(model) for model in EDITABLE + READ_ONLY] + [adding(model) for model in EDITABLE]
    for address in addresses + [changing(row) for row in rows_of_every_screen(agent)]:
        text = page(browser, address)
        scripts = re.findall(r"<script\b[^>]*>", text)
        assert [tag for tag in scripts if "src=" not in tag and "application/json" not in tag] == [], address
        assert re.findall(r"<style\b|\sstyle=|\son[a-z]+=\"", text) == [], address
