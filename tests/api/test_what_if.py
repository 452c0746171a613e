"""`GET what-if`: another model's price, for whom it may be asked, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from costtrack.metering.ledger import record_events
from costtrack.models import Organization, Project
from tests.api.callers import ROOT, robot
from tests.factories import make_event, make_organization, make_rate

PERIOD = {"from": "2026-11-01", "to": "2026-12-01"}
SMALL = {**PERIOD, "target_model": "small-model", "target_provider": "openai"}


@pytest.fixture(autouse=True)
def rates(db: None) -> None:
    make_rate()
    make_rate("small-model", per_million=("1", "4"))


def asked(client: Client, **question: str) -> Any:
    answer = client.get(f"{ROOT}what-if", {**SMALL, **question})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_another_model_costs_so_much_less(manager: Client) -> None:
    record_events([make_event(), make_event()])
    found = asked(manager)
    # twice 4500 and 1400 per million
    figures = {name: found["total"][name] for name in ("calls", "booked_usd", "what_if_usd", "difference_usd")}
    assert figures == {"calls": 2, "booked_usd": "0.009", "what_if_usd": "0.0028", "difference_usd": "-0.0062"}
    assert (found["target_model"], found["read_from"], found["read_because"]) == ("small-model", "summaries", None)
    assert (found["period_start"], found["period_end"]) == ("2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00")
    assert [line["model"] for line in found["models"]] == ["test-model"]


def test_the_filters_of_summary_narrow_it_in_the_summaries_and_in_the_ledger(manager: Client) -> None:
    record_events(
        [
            make_event(attribution={"project": "website", "agent": "writer", "endpoint": "chat"}),
            make_event(attribution={"project": "app", "agent": "writer"}),
        ]
    )
    filters = [{"project": "website"}, {"agent": "acme/app/writer"}, {"endpoint": "(none)"}, {"model": "other"}]
    assert [asked(manager, **one)["total"]["calls"] for one in filters] == [1, 1, 1, 0]
    make_rate("small-model", per_million=("0.5", "2"), service_tier="batch")
    by_ledger = [asked(manager, **one) for one in filters]
    assert {one["read_from"] for one in by_ledger} == {"ledger"}
    assert [one["total"]["calls"] for one in by_ledger] == [1, 1, 1, 0]


def test_what_can_not_be_priced_is_listed_and_null(manager: Client) -> None:
    record_events([make_event(model="house-model")])
    found = manager.get(f"{ROOT}what-if", PERIOD).json()
    assert (found["total"]["what_if_usd"], found["total"]["not_priced_calls"]) == (None, 1)
    [one] = found["not_priced"]
    assert (one["model"], one["reason"], one["booked_usd"]) == ("house-model", "no_rate", "0")


def test_a_key_of_a_project_sees_that_and_another_organization_is_not_there(
    manager: Client, acme: Organization, website: Project
) -> None:
    other = make_organization("other")
    make_rate("secret-model", organization=other)
    record_events(
        [
            make_event(attribution={"project": "website"}),
            make_event(attribution={"project": "app"}),
            make_event(attribution={"organization": "other"}),
        ]
    )
    assert asked(manager)["total"]["calls"] == 2
    assert asked(robot(acme, owner=website))["total"]["calls"] == 1
    answer = manager.get(f"{ROOT}what-if", {**SMALL, "target_model": "secret-model"})
    unknown = manager.get(f"{ROOT}what-if", {**SMALL, "target_model": "nobody-model"})
    assert (answer.status_code, unknown.status_code) == (400, 400)
    assert answer.content.replace(b"secret", b"nobody") == unknown.content


@pytest.mark.parametrize(
    ("question", "parameter"),
    [
        ({"target_model": "no-such-model"}, "target_model"),
        ({"target_model": ""}, "target_model"),
        ({"target_model": "x" * 201}, "target_model"),
        ({"target_provider": "a\x00"}, "target_provider"),
        ({"at": "soon"}, "at"),
        ({"from": "2026-12-01"}, "to"),
        ({"colour": "red"}, "colour"),
        ({"project": ""}, "project"),
    ],
)
def test_what_is_not_acceptable_is_a_400_that_names_it(
    manager: Client, question: dict[str, str], parameter: str
) -> None:
    answer = manager.get(f"{ROOT}what-if", {**SMALL, **question})
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


def test_a_provider_without_a_model_is_a_400(manager: Client) -> None:
    answer = manager.get(f"{ROOT}what-if", {**PERIOD, "target_provider": "openai"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "target_provider: got 'openai', expected target_model with it."
