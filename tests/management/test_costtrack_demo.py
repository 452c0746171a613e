"""The demo's traffic and its report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client

from costtrack import budget_status
from costtrack.aggregation import verify_books
from costtrack.budgets.rebuild import counter_differences
from costtrack.management.demo.traffic import days_until, occasions_of
from costtrack.models import DailyCostSummary, Hold, Rate, ResourceUsage
from tests.management.played import NOON, WEDNESDAY, counts, demo, play_quickly

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_meters_reports_and_lets_the_superuser_in_and_a_second_one_changes_nothing(client: Client) -> None:
    text = demo("--days", "2")
    assert "verified: the summaries equal the ledger" in text
    assert verify_books() == []
    assert not DailyCostSummary.objects.filter(grain="pending").exists()
    assert re.search(r"^# Daily Cost Report - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert "## Cost by Endpoint" in text
    assert re.search(r"^demo-biotech/literature/summarizer +\$", text, re.MULTILINE)
    assert re.search(r"^demo-retail +\$\d+\.\d\d +\d+ ", text, re.MULTILINE)
    assert "calls of house-translate-7b by vllm" in text
    drift = r"^Plan variance: literature-review #1: \$0\.\d{6} of \$0\.\d{6} planned .*, 5 of 4 calls\.$"
    assert re.search(drift, text, re.MULTILINE)
    assert "load_rates rates.yaml --organization demo-retail" in text

    found = re.search(r"demo-admin, password (\S+) ", text)
    assert found
    assert client.login(username="demo-admin", password=found[1])
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/costs/daily").status_code == 200

    before = [*counts(), Rate.objects.count(), get_user_model().objects.get().password]
    again = demo("--days", "5", "--seed", "7")
    assert again.startswith("The demo is here already; nothing was changed.")
    assert "changepassword demo-admin" in again
    assert found[1] not in again
    assert [*counts(), Rate.objects.count(), get_user_model().objects.get().password] == before


def test_every_kind_of_traffic_is_priced_as_what_it_is() -> None:
    demo("--days", "5", "--no-progress")
    rows = ResourceUsage.objects.filter(kind="usage")
    sources = {
        (row.provider, row.cost_source) for row in rows if row.outcome == "success" and row.gateway != "openrouter"
    }
    assert sources == {
        ("anthropic", "estimated"),
        ("aws", "estimated"),
        ("azure", "estimated"),
        ("google", "estimated"),
        ("gpu-cloud", "estimated"),
        ("gpu-cluster", "estimated"),
        ("mistral", "estimated"),
        ("ollama", "free"),
        ("openai", "estimated"),
        ("order-lookup", "estimated"),
        ("patent-search", "estimated"),
        ("pubmed", "free"),
        ("vllm", "unpriced"),
    }
    reported = rows.filter(gateway="openrouter")
    assert {(row.provider, row.cost_source) for row in reported} == {("qwen", "reported")}
    assert {row.model for row in rows.filter(cost_source="unpriced")} == {"house-translate-7b"}
    assert {row.resource_type for row in rows} == {"llm_tokens", "api_call", "gpu_seconds"}
    jobs = rows.filter(resource_type="gpu_seconds")
    assert {(row.entity_type, row.entity_id == row.run != "") for row in jobs} == {("job", True)}
    assert not rows.filter(metadata__has_key="_problems").exists()
    failed = rows.filter(outcome="error")
    assert failed.exists()
    assert {row.resource_type for row in failed if row.cost_usd} <= {"gpu_seconds"}
    assert rows.filter(cache_read_tokens__gt=0).exists()
    assert {(row.project_id, row.agent_id) for row in rows if row.agent_id is None} == set()


def test_the_same_seed_gives_the_same_figures_at_any_hour_of_the_day() -> None:
    totals = []
    for hour, seed in ((1, "1"), (22, "1"), (22, "2")):
        with time_machine.travel(datetime(2026, 11, 25, hour, 30, tzinfo=UTC)):
            played = json.loads(demo("--days", "2", "--seed", seed, "--json"))
            assert ResourceUsage.objects.filter(occurred_at__gt=datetime.now(UTC)).count() == 0
            totals.append({name: played[name] for name in ("cost_usd", "calls", "errors", "tokens", "organizations")})
            demo("--flush")
    assert totals[0] == totals[1]
    assert totals[0]["cost_usd"] != totals[2]["cost_usd"]


def test_another_database_gives_the_same_total_to_the_last_digit(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "COV"))}
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'fresh.sqlite3'}"
    finished = subprocess.run(
        [sys.executable, "manage.py", "costtrack_demo", "--days", "2", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    there, here = json.loads(finished.stdout), json.loads(demo("--days", "2", "--json"))
    assert Decimal(there["cost_usd"]) > 1
    assert there["cost_usd"] == here["cost_usd"]
    assert there["organizations"] == here["organizations"]


def test_its_budgets_have_figures_and_refuse_nothing() -> None:
    play_quickly(days=5)
    statuses = [*budget_status("demo-biotech", now=NOON), *budget_status("demo-retail", now=NOON)]
    assert {(one.budget, one.enforcement, one.metric) for one in statuses} == {
        ("GPU jobs, a day", "hard", "cost_usd"),
        ("Shop, a month", "soft", "cost_usd"),
        ("A conversation", "soft", "tokens"),
        ("high_daily_cost", "soft", "cost_usd"),
        ("critical_daily_cost", "soft", "cost_usd"),
        ("high_weekly_cost", "soft", "cost_usd"),
        ("Run literature-review #1: cost_usd", "soft", "cost_usd"),
        ("Run literature-review #1: calls", "soft", "calls"),
    }
    assert all(one.spent > 0 for one in statuses if one.metric == "tokens")
    assert {(one.state, one.held) for one in statuses} == {("ok", Decimal(0)), ("unlimited", Decimal(0))}
    assert {hold.state for hold in Hold.objects.all()} == {"settled"}
    assert counter_differences(using="default", now=NOON) == []


def test_weekends_are_quieter_in_research_and_today_is_half_over() -> None:
    days = days_until(WEDNESDAY, days=45)
    research = {
        day: sum(one.organization.slug == "demo-biotech" for one in occasions_of(day, days=days, seed=1, now=NOON))
        for day in days.days()
    }
    # Saturday 21 and Monday 23, each with a noise of 15 percent
    assert 2 * research[date(2026, 11, 21)] < research[date(2026, 11, 23)]
    assert research[WEDNESDAY] < research[date(2026, 11, 24)]
    assert research[date(2026, 10, 12)] < research[date(2026, 11, 23)]
