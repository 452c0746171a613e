"""`GET recommendations`: each with its saving and how it was worked out, for whom it may be asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from costtrack.models import Organization, Project
from tests.api.callers import ROOT, person, robot
from tests.factories import make_organization, make_rate
from tests.reporting.recommendations.habits import book_calls

PERIOD = {"from": "2026-11-01", "to": "2026-12-01"}


@pytest.fixture
def failures(acme: Organization, website: Project) -> Organization:
    """Of website/writer 5 failed calls of 0.0045, of app/reader 4, of the organization globex 3; globex."""
    make_rate()
    globex = make_organization("globex")
    book_calls(5, 1000, 100, outcome="error", error_type="Timeout")
    book_calls(4, 1000, 100, outcome="error", attribution={"project": "app", "agent": "reader"})
    book_calls(3, 1000, 100, outcome="error", attribution={"organization": "globex"})
    return globex


def found(client: Client, **question: str) -> Any:
    answer = client.get(f"{ROOT}recommendations", {**PERIOD, **question})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_each_says_what_to_do_what_it_saves_and_how_that_was_worked_out(
    manager: Client, failures: Organization
) -> None:
    answer = found(manager)
    assert answer["savings_by_kind"] == {"failures": "0.0405"}  # 9 x 0.0045
    first, second = answer["recommendations"]
    assert (first["kind"], first["saving_usd"], first["calls"], first["confidence"]) == (
        "failures",
        "0.0225",
        5,
        "high",
    )
    assert first["scope"] == {
        "organization": "acme",
        "project": "website",
        "agent": "writer",
        "endpoint": "digest",
        "provider": "openai",
        "model": "test-model",
    }
    assert first["explanation"].startswith("5 failed calls cost $0.02")
    assert second["saving_usd"] == "0.018"
    assert answer["period_end"] == "2026-12-01T00:00:00+00:00"


def test_everybody_sees_their_own(
    manager: Client, failures: Organization, acme: Organization, website: Project
) -> None:
    both = person("both", roles={acme: "viewer", failures: "viewer"})
    savings = {
        "manager": found(manager),
        "both": found(both),
        "one": found(both, organization="globex"),
        "project": found(robot(acme, owner=website)),
        "agent": found(robot(acme, owner=website.agents.get(slug="writer"))),
    }
    assert {name: answer["savings_by_kind"]["failures"] for name, answer in savings.items()} == {
        "manager": "0.0405",
        "both": "0.054",
        "one": "0.0135",
        "project": "0.0225",
        "agent": "0.0225",
    }
    assert manager.get(f"{ROOT}recommendations", {"organization": "globex"}).status_code == 404


def test_where_there_is_nothing_to_say_the_list_is_empty(manager: Client) -> None:
    answer = found(manager)
    assert (answer["recommendations"], answer["savings_by_kind"]) == ([], {})


def test_a_bad_parameter_is_a_400(manager: Client) -> None:
    answer = manager.get(f"{ROOT}recommendations", {"from": "2026-12-01", "to": "2026-11-01"})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "to")
    assert manager.get(f"{ROOT}recommendations", {"project": "website"}).status_code == 400
