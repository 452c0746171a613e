from __future__ import annotations

import pytest
from django.test import Client

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


def test_a_report_s_errors_are_problems_too(superuser: Client) -> None:
    for question, status in (({"target_date": "garbage"}, 400), ({"format": "pdf"}, 404)):
        response = superuser.get("/api/costs/report/daily", question)
        assert response.status_code == status
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status
