"""Exports: which format, under which name, with which headers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from costtrack.models import Organization
from tests.api.callers import ROOT, person, robot
from tests.api.exporting import closed
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization(timezone="Asia/Kolkata")


@pytest.mark.parametrize(
    ("form", "accept", "content_type"),
    [
        (None, "text/csv", "text/csv; charset=utf-8; header=present"),
        (None, "application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        (None, "application/json", "application/json"),
        (None, "*/*", "application/json"),
        (None, "text/html,*/*;q=0.8", "application/json"),
        ("csv", "application/json", "text/csv; charset=utf-8; header=present"),
        ("csv", "image/png", "text/csv; charset=utf-8; header=present"),
        ("parquet", "text/csv", "application/vnd.apache.parquet"),
        ("json", "text/csv", "application/json"),
    ],
)
def test_the_query_says_which_format_or_else_the_accept_header(
    acme: Organization, form: str | None, accept: str, content_type: str
) -> None:
    question = {} if form is None else {"format": form}
    answer: Any = person(roles={acme: "viewer"}).get(f"{ROOT}organizations", question, headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    assert "Accept" in answer["Vary"]
    assert b"acme" in answer.getvalue()


def test_what_is_no_list_is_not_exported(acme: Organization) -> None:
    client = person(roles={acme: "viewer"})
    answer = client.get(f"{ROOT}daily", {"format": "csv"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "format: got 'csv', expected json.")
    assert client.get(f"{ROOT}daily", headers={"Accept": "text/csv"}).status_code == 406


@pytest.mark.parametrize("method", ["post", "options"])
def test_nothing_but_what_is_read_is_exported(acme: Organization, method: str) -> None:
    answer = getattr(robot(acme), method)(f"{ROOT}usage", headers={"Accept": "text/csv"})
    assert (answer.status_code, answer["Content-Type"]) == (406, "application/problem+json")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(("roles", "named"), [(("acme",), "-acme"), (("acme", "globex"), "")])
def test_a_file_is_named_after_the_list_the_only_organization_and_the_local_day(
    acme: Organization, form: str, roles: tuple[str, ...], named: str
) -> None:
    make_organization("globex", timezone="Asia/Kolkata")
    granted = {one: "viewer" for one in Organization.objects.filter(slug__in=roles)}
    client = person(roles=granted)
    with time_machine.travel(datetime(2026, 11, 25, 20, tzinfo=UTC)):  # the 26th in Kolkata
        answer, asked = (
            closed(client.get(f"{ROOT}usage", {"format": form, **question}))
            for question in ({}, {"organization": "acme"})
        )
    day = "2026-11-26" if named else "2026-11-25"
    assert answer["Content-Disposition"] == f'attachment; filename="costtrack-usage{named}-{day}.{form}"'
    assert asked["Content-Disposition"] == f'attachment; filename="costtrack-usage-acme-2026-11-26.{form}"'


def test_a_file_s_name_is_made_of_safe_characters(acme: Organization) -> None:
    Organization.objects.filter(pk=acme.pk).update(slug='a"b\r\n/..\\é')
    answer = person(roles={acme: "viewer"}).get(f"{ROOT}organizations", {"format": "csv"})
    assert answer["Content-Disposition"] == 'attachment; filename="costtrack-organizations-a-b-2026-11-20.csv"'


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_head_has_the_headers_and_makes_nothing(acme: Organization, form: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("costtrack.api.exports.write_parquet", None)
    client = person(roles={acme: "viewer"})
    answer: Any = client.head(f"{ROOT}usage", {"format": form})
    assert (answer.status_code, answer.getvalue()) == (200, b"")
    assert answer["Content-Disposition"].endswith(f'.{form}"')
    assert "Content-Length" not in answer
    assert client.head(f"{ROOT}usage", {"format": form, "from": "garbage"}).status_code == 400


def test_a_parquet_file_says_how_long_it_is(acme: Organization) -> None:
    answer: Any = person(roles={acme: "viewer"}).get(f"{ROOT}usage", {"format": "parquet"})
    content = answer.getvalue()
    assert int(answer["Content-Length"]) == len(content)
    assert content[:4] == content[-4:] == b"PAR1"
