"""Conditional GET: who has the answer already is told so."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.utils.http import parse_etags

from costtrack.models import DailyCostSummary, Organization
from tests.api.callers import ROOT, person, robot
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db

DAY = {"target_date": "2023-11-16"}
QUESTIONS: dict[str, dict[str, str]] = {
    "summary": {"from": "2023-11-01", "to": "2023-12-01", "group_by": "model", "granularity": "day"},
    "daily": DAY,
    "weekly": DAY,
    "monthly": DAY,
    "trend": {"days": "7"},
    "top-conversations": {},
    "conversation/t1": {},
    "entity/job": {},
    "entity/job/1": {},
    "report/daily": DAY,
    "report/weekly": DAY,
    "report/monthly": DAY,
}
PATHS = list(QUESTIONS)


@pytest.fixture(autouse=True)
def the_day() -> Any:
    with time_machine.travel("2023-11-16T12:00:00Z", tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    owner = organization()
    use(owner)
    return owner


def use(owner: Organization, cost: str | None = "1", **fields: Any) -> None:
    book(owner, cost, **{"thread_id": "t1", "entity_type": "job", "entity_id": "1", **fields})


def get(client: Client, path: str, etag: str | None = None, *, method: str = "get", **headers: str) -> Any:
    sent = headers if etag is None else {"If-None-Match": etag, **headers}
    return getattr(client, method)(ROOT + path, QUESTIONS[path], headers=sent)


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_known_again_until_it_changes(acme: Organization, path: str) -> None:
    client = person(roles={acme: "viewer"})
    first = get(client, path)
    assert first.status_code == 200
    etag = first["ETag"]
    assert parse_etags(etag) == [etag]
    assert not etag.startswith("W/")
    assert first["Cache-Control"] == "private, no-cache"
    assert {name.strip() for name in first["Vary"].split(",")} >= {"Authorization", "Cookie", "Accept"}
    same = get(client, path, etag)
    assert (same.status_code, same.content) == (304, b"")
    assert {name: same[name] for name in ("ETag", "Cache-Control", "Vary")} == {
        name: first[name] for name in ("ETag", "Cache-Control", "Vary")
    }
    assert same["X-Request-ID"]
    assert "Content-Type" not in same
    use(acme)
    changed = get(client, path, etag)
    assert (changed.status_code, changed["ETag"] == etag) == (200, False)
    assert changed.content != first.content


@pytest.mark.parametrize("path", PATHS)
def test_head_is_told_the_same_without_a_body(acme: Organization, path: str) -> None:
    client = robot(acme)
    full, head = get(client, path), get(client, path, method="head")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Cache-Control", "Vary", "Content-Type", "Content-Length"):
        assert head[name] == full[name]
    assert get(client, path, full["ETag"], method="head").status_code == 304


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("*", 304),
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"x", W/{etag}, "y"', 304),
        ('"x"', 200),
        ("{bare}", 200),
        ("", 200),
        (", ,", 200),
        ('"' + "x" * 5000 + '"', 200),
        ("\u00e9", 200),
    ],
)
def test_if_none_match_is_a_list_and_compares_weakly(acme: Organization, given: str, status: int) -> None:
    client = robot(acme)
    etag = get(client, "summary")["ETag"]
    given = given.format(etag=etag, bare=etag.strip('"'))
    assert get(client, "summary", given).status_code == status


@pytest.mark.parametrize("path", ["summary", "daily", "trend", "report/daily"])
def test_a_fold_changes_no_answer(acme: Organization, path: str) -> None:
    use(acme, "0.25", model="b")
    client = robot(acme)
    etag = get(client, path)["ETag"]
    call_command("aggregate_costs", verbosity=0)
    assert not DailyCostSummary.all_grains.filter(grain="pending").exists()
    assert get(client, path, etag).status_code == 304


def test_another_format_is_another_answer(acme: Organization) -> None:
    client = robot(acme)
    etags = {
        get(client, "report/daily")["ETag"],
        get(client, "report/daily", Accept="application/json")["ETag"],
        get(client, "report/daily", Accept="application/json; indent=2")["ETag"],
    }
    assert len(etags) == 3
    of_json = get(client, "report/daily", Accept="application/json")["ETag"]
    assert get(client, "report/daily", of_json).status_code == 200
    assert get(client, "report/daily", of_json, Accept="application/json").status_code == 304
    by_name = client.get(ROOT + "report/daily", {**DAY, "format": "json"}, headers={"If-None-Match": of_json})
    assert by_name.status_code == 304


def test_what_is_told_beside_the_body_changes_the_answer_too() -> None:
    globex = organization("globex")
    client = robot(globex)
    fields = {"organization": globex, "day": date(2023, 11, 16), "calls": 2, "unpriced_calls": 1}
    row = DailyCostSummary.all_grains.create(grain="pending", **fields)
    before = get(client, "daily")
    # One of two calls was free, the other turns out to be free as well: the sums stay, the header does not.
    DailyCostSummary.all_grains.filter(pk=row.pk).update(unpriced_calls=0)
    after = get(client, "daily", before["ETag"])
    assert (after.status_code, after.content == before.content) == (200, True)
    assert (before["Costtrack-Unpriced-Calls"], after["Costtrack-Unpriced-Calls"]) == ("1", "0")


def test_a_304_has_the_request_s_id_without_our_middleware_too(acme: Organization, settings: Any) -> None:
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "costtrack" not in one]
    client = robot(acme)
    etag = get(client, "summary")["ETag"]
    same = get(client, "summary", etag, **{"X-Request-ID": "r-1"})
    assert (same.status_code, same["X-Request-ID"]) == (304, "r-1")


def test_an_export_has_no_etag_but_is_kept_by_nobody_else(acme: Organization) -> None:
    response = get(robot(acme), "summary", Accept="text/csv")
    assert (response.status_code, "ETag" in response) == (200, False)
    assert response["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie", "Accept"} <= {name.strip() for name in response["Vary"].split(",")}


def test_errors_have_no_etag(acme: Organization) -> None:
    client = robot(acme)
    for path, status in (("conversation/t2", 404), ("daily?target_date=x", 400), ("summary?organization=globex", 404)):
        response = client.get(ROOT + path, headers={"If-None-Match": "*"})
        assert response.status_code == status
        assert not {"ETag", "Cache-Control"} & set(response.headers)
    nobody = Client().get(ROOT + "daily", headers={"If-None-Match": "*"})
    assert (nobody.status_code, "ETag" in nobody) == (401, False)


def test_a_condition_that_does_not_hold_is_a_problem_document(acme: Organization) -> None:
    client = robot(acme)
    etag = get(client, "summary")["ETag"]
    assert get(client, "summary", **{"If-Match": etag}).status_code == 200
    response = get(client, "summary", **{"If-Match": '"x"'})
    assert (response.status_code, response["Content-Type"]) == (412, "application/problem+json")
    assert response.json()["detail"] == f"If-Match: expected {etag}, which is the answer's ETag, or no such condition."


def test_dates_are_no_conditions_because_answers_have_none(acme: Organization) -> None:
    client = robot(acme)
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        response = get(client, "summary", **{name: "Sat, 01 Jan 2000 00:00:00 GMT"})
        assert (response.status_code, "Last-Modified" in response) == (200, False)
        assert response.json()["total"]["cost"] == "1"


def test_who_lost_the_right_to_an_answer_is_not_told_that_it_is_the_same(acme: Organization) -> None:
    client = person(roles={acme: "viewer"})
    etag = get(client, "summary")["ETag"]
    acme.memberships.all().delete()
    assert get(client, "summary", etag).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_c13_another_organization_changes_no_etag(acme: Organization, path: str) -> None:
    client = robot(acme)
    etag = get(client, path)["ETag"]
    globex = organization("globex")
    use(globex, "5")
    assert get(client, path, etag).status_code == 304
    assert get(robot(globex), path, etag).status_code == 200
