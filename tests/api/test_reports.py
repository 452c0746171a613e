from __future__ import annotations

import pytest
from django.test import Client

from costtrack.budgets.changes import create_budget
from costtrack.models import Organization, Project
from tests.api.callers import person, robot
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("daily", "# Daily Cost Report - 2023-11-16"),
        ("weekly", "# Weekly Cost Report - 2023-11-13"),
        ("monthly", "# Monthly Cost Report - 2023-11"),
    ],
)
def test_a_report_is_markdown(superuser: Client, path: str, title: str, slash: str) -> None:
    book(organization(), "38.21", input_tokens=198_432)
    response = superuser.get(f"/api/costs/report/{path}{slash}", {"target_date": "2023-11-16"})
    assert response.status_code == 200
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    lines = response.content.decode().splitlines()
    assert lines[0] == title
    assert "- gpt-4: $38.21 (1 call, 198,432 tokens)" in lines
    assert "- chat: $38.21 (1 call)" in lines


@pytest.mark.parametrize(("question", "headers"), [({}, {"Accept": "application/json"}), ({"format": "json"}, {})])
def test_a_report_is_json_for_those_who_ask(
    superuser: Client, question: dict[str, str], headers: dict[str, str]
) -> None:
    question = {"target_date": "2023-11-16", **question}
    response = superuser.get("/api/costs/report/daily", question, headers=headers)
    assert response["Content-Type"] == "application/json"
    assert list(response.json()) == ["report"]
    assert response.json()["report"].startswith("# Daily Cost Report - 2023-11-16\n")


def test_json_has_all_sections_as_data_for_those_who_ask(superuser: Client, acme: Organization) -> None:
    create_budget(organization=acme, name="a day", limit=1, period="day", enforcement="hard")
    book(acme, "0.25", input_tokens=3)
    book(acme, None, model="mystery")
    question = {"target_date": "2023-11-16", "organization": "acme", "data": "true", "format": "json"}
    answer = superuser.get("/api/costs/report/daily", question).json()
    assert answer["report"].startswith("# Daily Cost Report - 2023-11-16\n")
    data = answer["data"]
    assert list(data) == [
        "report",
        "organization",
        "period_start",
        "period_end",
        "total_cost",
        "total_tokens",
        "total_calls",
        "cost_by_model",
        "cost_by_endpoint",
        "avg_cost_per_call",
        "avg_tokens_per_call",
        "unpriced_calls",
        "models",
        "endpoints",
        "top_agents",
        "budgets",
        "more_budgets",
        "alerts",
        "more_alerts",
        "plan_variance",
        "runs",
        "more_runs",
        "forecast",
    ]
    assert (data["report"], data["organization"], data["total_cost"], data["total_calls"]) == (
        "daily",
        "acme",
        "0.25",
        2,
    )
    assert data["models"][1] == {"model": "mystery", "cost": None, "calls": 1, "tokens": 0, "unpriced_calls": 1}
    assert [(one["budget"], one["limit"]) for one in data["budgets"]] == [("a day", "1")]
    assert (data["runs"], data["forecast"]) == ([], [])
    del question["data"]
    assert list(superuser.get("/api/costs/report/daily", question).json()) == ["report"]
    assert list(superuser.get("/api/costs/report/daily", {**question, "data": "false"}).json()) == ["report"]


def test_a_key_of_a_project_is_told_of_no_runs(acme: Organization) -> None:
    key = robot(acme, owner=Project.objects.create(organization=acme, slug="website"))
    data = key.get("/api/costs/report/monthly?data=true&format=json").json()["data"]
    assert (data["runs"], data["more_runs"], data["plan_variance"]) == (None, 0, None)


@pytest.mark.parametrize(
    "question", [{"data": "yes", "format": "json"}, {"data": "true"}, {"data": "true", "format": "html"}]
)
def test_data_in_a_format_without_a_place_for_it_is_refused(superuser: Client, question: dict[str, str]) -> None:
    answer = superuser.get("/api/costs/report/daily", question)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "data")


@pytest.mark.parametrize(("question", "headers"), [({}, {"Accept": "text/html"}), ({"format": "html"}, {})])
def test_a_report_is_html_for_those_who_ask(
    superuser: Client, question: dict[str, str], headers: dict[str, str]
) -> None:
    book(organization(), "38.21", model="<script>")
    answer = superuser.get("/api/costs/report/weekly", {"target_date": "2023-11-16", **question}, headers=headers)
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    html = answer.content.decode()
    assert html.startswith("<h1>Weekly Cost Report - 2023-11-13</h1><h2>Summary</h2>")
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_whoever_asks_for_no_format_gets_markdown(superuser: Client) -> None:
    answer = superuser.get("/api/costs/report/daily", headers={"Accept": "text/plain, */*"})
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"


def test_a_report_ends_with_budgets_alerts_plans_and_the_forecast_of_the_caller_s_own(acme: Organization) -> None:
    other = organization("globex")
    for owner in (acme, other):
        create_budget(organization=owner, name=f"{owner.slug} budget", limit=1, period="day", enforcement="hard")
    mary = person("mary", roles={acme: "viewer"})
    text = mary.get("/api/costs/report/monthly").content.decode()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[3:] == ["## Top Agents", "## Budgets", "## Alerts", "## Plan Variance", "## Forecast"]
    assert "- acme: acme budget: $0.00 of $1.00 spent (0 %), ok, until " in text
    assert "globex" not in text
    key = robot(acme, owner=Project.objects.create(organization=acme, slug="website"))
    assert "acme budget" not in key.get("/api/costs/report/monthly").content.decode()


@pytest.mark.parametrize("style", ["html", "md"])
def test_an_error_in_any_format_is_a_problem(superuser: Client, style: str) -> None:
    answer = superuser.get("/api/costs/report/daily", {"target_date": "garbage", "format": style})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_report_s_errors_are_problems_too(superuser: Client) -> None:
    for question, status in (({"target_date": "garbage"}, 400), ({"format": "pdf"}, 404)):
        response = superuser.get("/api/costs/report/daily", question)
        assert response.status_code == status
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status
