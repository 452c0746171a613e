from __future__ import annotations

import pytest
from django.test import Client

from costtrack.models import Budget, Organization, Project
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
        Budget.objects.create(
            organization=owner, name=f"{owner.slug} budget", limit=1, period="day", enforcement="hard"
        )
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
