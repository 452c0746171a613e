"""Filters of usage: what is found by them, and what can not be asked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from costtrack.api.usage_filters import UsageFilters
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import Organization
from tests.api.callers import ROOT, robot
from tests.api.usage_rows import FULL, all_of, ids, listed, record
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


MATCHES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (value, {"attribution": {name: value}}) for name, value in FULL.items() if name != "agent"},
    "agent": ("writer", {"attribution": {"project": "website", "agent": "writer"}}),
    "kind": ("usage", {}),
    "provider": ("anthropic", {"provider": "anthropic"}),
    "gateway": ("litellm", {"gateway": "litellm"}),
    "model": ("gpt-4", {"model": "gpt-4"}),
    "service_tier": ("batch", {"service_tier": "batch"}),
    "resource_type": ("gpu_seconds", {"resource_type": "gpu_seconds"}),
    "outcome": ("error", {"outcome": "error"}),
    "cost_source": ("reported", {"reported_cost_usd": Decimal(1)}),
    "is_estimated": ("true", {"is_estimated": True}),
    "tag": ("team=red", {"attribution": {"tags": {"team": "red"}}}),
    "environment": ("prod", {"attribution": {"tags": {"env": "prod"}}}),
    "idempotency_key": ("call 1/ä", {"key": "call 1/ä"}),
}
"""By the filter: a value, and an event that has it."""


def test_every_filter_is_tried() -> None:
    assert {*MATCHES, "corrects"} == set(UsageFilters.names())


@pytest.mark.parametrize("name", MATCHES)
def test_a_filter_finds_the_rows_that_have_its_value_and_no_other(
    acme: Organization, superuser: Client, name: str
) -> None:
    value, fields = MATCHES[name]
    make_organization("globex")
    record_events([make_event(attribution={"organization": slug, "project": "other"}) for slug in ("acme", "globex")])
    expected = [record(**fields)]
    if name == "kind":
        value, expected = "void", [void_usage(expected[0], reason="sent twice").pk]
    assert [row["id"] for row in listed(robot(acme), **{name: value})] == expected
    assert [row["id"] for row in listed(superuser, **{name: value})] == expected
    if name not in ("kind", "outcome", "cost_source", "is_estimated"):
        if name in ("project", "agent"):
            assert robot(acme).get(ROOT + "usage", {name: value + "x"}).status_code == 404
        else:
            assert listed(robot(acme), **{name: value + "x"}) == []


def test_filters_narrow_one_another(acme: Organization) -> None:
    events = [
        make_event(attribution={"thread_id": thread, "customer": customer}, model=model)
        for thread in ("t1", "t2")
        for customer in ("c1", "c2")
        for model in ("m1", "m2")
    ]
    record_events(events)
    found = all_of(robot(acme), thread_id="t1", customer="c2", model="m1", page_size="1")
    assert found == ids(thread_id="t1", customer="c2", model="m1")
    assert len(found) == 1


def test_corrections_are_rows_of_their_own_found_by_what_they_correct(acme: Organization) -> None:
    first, second = record(), record()
    adjusted = adjust_usage(first, cost_usd="-0.0005", reason="rebate", idempotency_key="rebate-1")
    voided = void_usage(first, reason="sent twice")
    void_usage(second, reason="sent twice")
    client = robot(acme)
    rows = listed(client, corrects=str(first))
    assert [(row["id"], row["kind"], row["corrects"], row["calls"], row["cost_usd"]) for row in rows] == [
        (voided.pk, "void", first, -1, "-0.004"),
        (adjusted.pk, "adjustment", first, 0, "-0.0005"),
    ]
    assert [row["reason"] for row in rows] == ["sent twice", "rebate"]
    assert len(listed(client)) == 5
    assert listed(client, idempotency_key="rebate-1") == []  # a key of usage is not one of corrections


def test_in_24_a_key_that_two_organizations_used_finds_to_each_its_own(acme: Organization, superuser: Client) -> None:
    globex = make_organization("globex")
    for slug in ("acme", "globex"):
        record_events([make_event(key="same", attribution={"organization": slug})])
    assert all_of(robot(acme), idempotency_key="same") == ids(organization=acme)
    assert all_of(superuser, idempotency_key="same", organization="globex") == ids(organization=globex)
    assert all_of(superuser, idempotency_key="same") == ids()


def test_from_and_to_are_days_of_the_organization_and_to_is_exclusive() -> None:
    kolkata = make_organization("kolkata", timezone="Asia/Kolkata")
    rows = {day: book(kolkata, "1", day=date(2026, 11, day)).pk for day in (18, 19, 20)}
    client = robot(kolkata)
    assert all_of(client, **{"from": "2026-11-19", "to": "2026-11-20"}) == [rows[19]]
    assert all_of(client, **{"from": "2026-11-19"}) == [rows[20], rows[19]]
    assert all_of(client, to="2026-11-19") == [rows[18]]
    midnight = "2026-11-19T00:00:00+05:30"
    assert all_of(client, **{"from": midnight, "page_size": "1"}) == [rows[20], rows[19]]


@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
def test_occurred_from_and_to_are_instants_wherever_the_day_is(timezone: str) -> None:
    owner = make_organization(timezone=timezone)
    zone = owner.zone_history()
    for hour in (-13, -1, 0, 1, 13):
        at = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hour)
        book(owner, "1", day=zone.day_of(at), at=at)
    for low in (-13, -1, 0, 1, 13):
        since = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=low)
        expected = ids(occurred_at__gte=since, occurred_at__lt=since + timedelta(hours=1))
        question = {"occurred_from": since.isoformat(), "occurred_to": (since + timedelta(hours=1)).isoformat()}
        assert all_of(robot(owner), **question) == expected
        assert len(expected) == 1
        assert all_of(robot(owner), occurred_from=since.isoformat()) == ids(occurred_at__gte=since)
        assert all_of(robot(owner), occurred_to=since.isoformat()) == ids(occurred_at__lt=since)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("from", "to") for value in ("", "yesterday", "2026-02-30", "0001-01-01", "\x00")),
        ("from", "2026-11-20T01:00:00Z"),
        *(
            (name, value)
            for name in ("occurred_from", "occurred_to")
            for value in ("", "2026-11-20", "2026-11-20T12:00:00", "9999-12-31T00:00:00Z", "1", "\x00", "9" * 5000)
        ),
        *((name, "") for name in UsageFilters.names()),
        *((name, "a\x00") for name in UsageFilters.names()),
        *((name, "x" * 256) for name in UsageFilters.names()),
        ("kind", "refund"),
        ("outcome", "SUCCESS"),
        ("cost_source", "guessed"),
        ("is_estimated", "1"),
        *(("tag", value) for value in ("team", "=red", "team=", "n" * 101 + "=x", "n=" + "x" * 201)),
        *(("corrects", value) for value in ("x", "-1", "1.5", "1e3", " 1", "٣", "007", str(2**63), "9" * 200)),
        *(("cursor", value) for value in ("x", "W10", "WyIyMDI2LTExLTIwIiwidCJd")),
        *(("page_size", value) for value in ("0", "1001", "-1", "9" * 400)),
        ("modell", "x"),
        ("agent_id", "1"),
        ("project__organization__slug", "globex"),
    ],
)
def test_in_35_in_36_what_can_not_be_asked_is_a_400_that_names_it(acme: Organization, name: str, value: str) -> None:
    book(acme, "1")
    answer = robot(acme).get(ROOT + "usage", {name: value})
    assert answer.status_code == 400, answer.content
    problem = answer.json()
    assert problem["parameter"] == name
    assert problem["detail"].startswith(f"{name}: got ")
    assert len(problem["detail"]) < 1200


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ({"from": "2026-11-20", "to": "2026-11-20"}, "to"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "to"),
        ({"occurred_from": "2026-11-20T12:00:00Z", "occurred_to": "2026-11-20T13:00:00+01:00"}, "occurred_to"),
    ],
)
def test_a_period_that_ends_before_it_begins_is_a_400(acme: Organization, question: dict[str, str], named: str) -> None:
    answer = robot(acme).get(ROOT + "usage", question)
    assert (answer.status_code, answer.json()["parameter"]) == (400, named)


def test_periods_that_share_no_day_have_no_rows(acme: Organization) -> None:
    book(acme, "1", day=NOON.date(), at=NOON)
    question = {"from": "2026-11-20", "occurred_to": "2026-11-10T00:00:00Z"}
    assert listed(robot(acme), **question) == []


@pytest.mark.parametrize("name", UsageFilters.names())
def test_a_filter_that_is_given_twice_is_a_400(acme: Organization, name: str) -> None:
    answer = robot(acme).get(f"{ROOT}usage?{name}=1&{name}=1")
    assert (answer.status_code, answer.json()["parameter"]) == (400, name)
