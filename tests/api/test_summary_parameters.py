"""Parameters of `GET summary` that are not acceptable, and its bounds."""

from __future__ import annotations

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.callers import ROOT, robot
from tests.api.summaries import DIMENSIONS, NOVEMBER, ask
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db

NO_DAYS = ["", "x", "\x00", "2023-02-30", "0001-01-01", "9999-12-31", "2023-11-16T00:00:00", "2023-11-16T01:00:00Z"]


def refused(client: Client, parameter: str, **question: str) -> str:
    """The detail of the 400 that names the parameter."""
    response = client.get(ROOT + "summary", question)
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["parameter"] == parameter
    assert problem["detail"].startswith(f"{parameter}: got ")
    return str(problem["detail"])


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("value", NO_DAYS)
def test_what_is_no_edge_is_a_400(superuser: Client, name: str, value: str) -> None:
    refused(superuser, name, **{**NOVEMBER, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("group_by", value) for value in ("", "day", "x", "model,", "model,model", "Model", "model, agent", "\x00")),
        ("group_by", "model,agent,project"),
        *(("granularity", value) for value in ("", "hour", "Day", "\x00", "day,week")),
        *(("compare", value) for value in ("", "next", "\x00")),
        *(("limit", value) for value in ("", "0", "1001", "-1", "1.5", "x", "\x00", "9" * 5000)),
        *(("figures", value) for value in ("", "x", "cost,cost", "cost,", "amount", "cost,amount", "\x00", "total")),
        *((name, value) for name in DIMENSIONS for value in ("", "a\x00b", "x" * 303)),
        ("sprint", "x" * 201),
        ("organization", ""),
        ("date", "2023-11-16"),
        ("page_size", "5"),
    ],
)
def test_in_36_a_parameter_that_is_not_acceptable_is_a_400_that_names_it(
    superuser: Client, name: str, value: str
) -> None:
    assert len(refused(superuser, name, **{**NOVEMBER, name: value})) < 600


def test_the_refusal_says_what_is_known(superuser: Client) -> None:
    assert refused(superuser, "group_by", group_by="colour") == (
        "group_by: got 'colour', expected different ones of organization, project, agent, sprint, workflow, endpoint, "
        "provider, model, resource_type, with commas between them."
    )
    assert refused(superuser, "granularity", granularity="hour") == (
        "granularity: got 'hour', expected day or week or month, or no such parameter."
    )
    assert refused(superuser, "organisation", organisation="acme").endswith(
        "the known ones are from, to, group_by, granularity, compare, limit, figures, organization, format, "
        "project, agent, sprint, workflow, endpoint, provider, model, resource_type."
    )


@pytest.mark.parametrize("name", ["from", "to", "group_by", "granularity", "compare", "limit", "figures", *DIMENSIONS])
def test_a_parameter_that_is_given_twice_is_a_400(superuser: Client, name: str) -> None:
    response = superuser.get(f"{ROOT}summary?{name}=1&{name}=2")
    assert (response.status_code, response.json()["parameter"]) == (400, name)


@pytest.mark.parametrize(
    ("question", "parameter"),
    [
        ({"from": "2023-11-16", "to": "2023-11-16"}, "to"),
        ({"from": "2023-11-16", "to": "2023-11-15"}, "to"),
        ({"from": "2013-01-01", "to": "2023-01-10"}, "to"),  # 10 x 365 + 2 leap days + 8 = 3,660 to the 9th
        ({"from": "1970-01-01", "to": "9000-12-31"}, "to"),
        ({"from": "1970-01-01"}, "from"),
        ({"from": "9000-12-30"}, "from"),
    ],
)
def test_in_34_a_period_has_a_day_and_at_most_3660(superuser: Client, question: dict[str, str], parameter: str) -> None:
    assert "3,660 days" in refused(superuser, parameter, **question)


def test_in_34_the_longest_periods_are_answered(superuser: Client) -> None:
    edges = {"from": "2013-01-01", "to": "2023-01-09"}
    assert len(ask(superuser, granularity="month", **edges)["buckets"]) == 121
    assert ask(superuser, compare="previous", **edges)["previous"]["period_start"].startswith("2002-12-25")
    assert ask(superuser, compare="previous", **{"from": "1970-01-01", "to": "1970-01-02"})["change"]["cost"] == "0"
    assert ask(superuser, granularity="week", **{"from": "9000-12-29", "to": "9000-12-31"})["total"]["calls"] == 0


def test_in_34_there_are_at_most_1100_buckets(superuser: Client) -> None:
    day = {"granularity": "day", "from": "2020-01-01"}
    assert len(ask(superuser, **day, to="2023-01-05")["buckets"]) == 1100
    detail = refused(superuser, "granularity", **day, to="2023-01-06")
    assert detail == "granularity: got 'day', expected one of which the period has at most 1,100; it has 1,101."


def test_in_34_groups_times_buckets_are_at_most_50000(superuser: Client) -> None:
    book(organization(), "1")
    question = {"group_by": "model", "granularity": "day", "from": "2020-01-01", "to": "2023-01-05"}
    assert refused(superuser, "limit", **question, limit="46").endswith("expected a whole number from 1 to 45.")
    assert ask(superuser, **question, limit="45")["other"] is None
    assert ask(superuser, **question)["other"] is None  # not said: as many as fit


WORDS = st.sampled_from(
    [
        *"model agent model,project day week month previous cost,calls amount 1 -1 1e9 NaN null * % ' json".split(),
        *"2023-11-16 2023-11-01 9000-12-31 1970-01-01 2023-12-01T00:00:00+00:00 (none) acme acme/web globex".split(),
        *("", "\x00", "é" * 100, "x" * 300),
    ]
)
NAMES = st.sampled_from(
    ["from", "to", "group_by", "granularity", "compare", "limit", "figures", "organization", "format", *DIMENSIONS]
)


@given(question=st.dictionaries(NAMES, st.one_of(WORDS, st.text(max_size=12)), max_size=5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_is_an_answer_of_the_contract(question: dict[str, str], any_robot: Client) -> None:
    response = any_robot.get(ROOT + "summary", question)
    assert response.status_code in (200, 400, 404), response.content
    if response.status_code == 200:
        assert set(response.json()) >= {"total", "groups", "other", "buckets"}


@pytest.fixture
def any_robot(db: None) -> Client:
    acme = organization("acme", "Europe/Berlin")
    book(acme, "1")
    return robot(acme)
