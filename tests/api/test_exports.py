"""Exports of lists: all rows of the filter, the figures of the pages, for whom the pages are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from costtrack.api.organizations import OrganizationsView
from costtrack.api.urls import urlpatterns
from costtrack.metering.ledger import record_events
from costtrack.models import Organization
from costtrack.reporting.columns import Column, Kind
from tests.api.callers import ROOT, person, robot
from tests.api.exporting import (
    FORMULA,
    LISTS,
    as_decimal,
    closed,
    make_scene,
    organizations,
    path_of,
    read_all,
    read_csv,
    read_parquet,
)
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
COLUMNS: dict[str, list[Column]] = {
    str(pattern.name): list(pattern.callback.cls.columns) for pattern in urlpatterns if pattern.name in LISTS
}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization(timezone="Asia/Kolkata")


def as_cell(kind: Kind, value: Any) -> str:
    """A value of JSON as CSV has it."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    if kind is Kind.DATA:
        return json.dumps(value, separators=(",", ":"))
    return f"'{value}" if kind is Kind.TEXT and value[:1] in ("=", "+", "-", "@") else str(value)


def as_typed(kind: Kind, value: Any) -> Any:
    """A value of JSON as Parquet has it."""
    if value is None:
        return None
    if kind is Kind.DATA:
        return json.dumps(value, separators=(",", ":"))
    if kind is Kind.DECIMAL:
        return as_decimal(value)
    if kind is Kind.INSTANT:
        return datetime.fromisoformat(value).astimezone(UTC)
    return datetime.fromisoformat(value).date() if kind is Kind.DAY else value


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_exported_with_the_columns_and_the_values_of_its_pages(name: str, acme: Organization) -> None:
    parts, client, columns = make_scene(acme), person(roles={acme: "viewer"}), COLUMNS[name]
    pages = read_all(client, path_of(name, parts), page_size="1")
    assert pages
    assert list(pages[0]) == [column.name for column in columns]
    assert read_csv(client, path_of(name, parts)) == [
        {column.name: as_cell(column.kind, row[column.name]) for column in columns} for row in pages
    ]
    assert read_parquet(client, path_of(name, parts)) == [
        {column.name: as_typed(column.kind, row[column.name]) for column in columns} for row in pages
    ]


def test_in_39_in_the_ledger_texts_are_guarded_and_a_refund_is_a_negative_number(acme: Organization) -> None:
    make_scene(acme)
    client = person(roles={acme: "viewer"})
    void, _, unpriced, call = read_csv(client, f"{ROOT}usage")
    assert (void["kind"], void["cost_usd"], void["input_tokens"], void["calls"]) == ("void", "-0.0045", "-1000", "-1")
    assert void["reason"] == "'@mistake"
    assert (call["endpoint"], call["thread_id"], call["run"]) == (f"'{FORMULA}", "'-1", "'+2")
    assert (call["tags"], call["metadata"]) == ('{"a":"b"}', '{"attempt":3}')
    assert (unpriced["cost_usd"], unpriced["cost_source"]) == ("", "unpriced")
    assert call["occurred_at"] == "2026-11-20T17:30:00+05:30"
    (guarded,) = {row["endpoint"] for row in read_csv(client, f"{ROOT}usage", endpoint=FORMULA)}
    assert guarded == f"'{FORMULA}"
    assert {row["endpoint"] for row in read_parquet(client, f"{ROOT}usage")} == {FORMULA, ""}


def test_figures_of_parquet_are_those_of_json_to_the_last_place(acme: Organization) -> None:
    costs = ("0.123456789012", "0.000000000001", "123456789.5")
    record_events([make_event(reported_cost_usd=Decimal(cost)) for cost in costs])
    client = person(roles={acme: "viewer"})
    told = [as_decimal(row["cost_usd"]) for row in read_all(client, f"{ROOT}usage")]
    assert [row["cost_usd"] for row in read_parquet(client, f"{ROOT}usage")] == told
    if connection.vendor == "postgresql":
        assert sorted(told) == sorted(map(Decimal, costs))


# Of all rows.


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("read", [read_csv, read_parquet])
def test_an_export_has_all_rows_however_many_a_page_has(count: int, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrganizationsView, "max_page_size", 2)
    rows = read(organizations(count), f"{ROOT}organizations")
    assert [row["organization"] for row in rows] == [f"o{number}" for number in range(count)]


@pytest.mark.parametrize("name", ["cursor", "page_size"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_has_no_pages(acme: Organization, name: str, form: str) -> None:
    answer = person(roles={acme: "viewer"}).get(f"{ROOT}organizations", {"format": form, name: "1"})
    assert (answer.status_code, answer.json()["parameter"]) == (400, name)
    assert answer.json()["detail"] == f"{name}: got '1', expected no such parameter: an export has all rows."


def test_the_filters_of_the_pages_hold(acme: Organization) -> None:
    record_events([make_event(), make_event(model="other"), make_event()])
    client = person(roles={acme: "viewer"})
    for read in (read_all, read_csv, read_parquet):
        assert [row["model"] for row in read(client, f"{ROOT}usage", model="other")] == ["other"]
        assert read(client, f"{ROOT}usage", model="none") == []


def test_az_02_an_export_shows_what_the_pages_show_and_nothing_of_another_organization(acme: Organization) -> None:
    parts = make_scene(acme)
    project = acme.projects.get()
    clients = {
        "viewer": person("viewer", roles={acme: "viewer"}),
        "key": robot(acme),
        "project key": robot(acme, owner=project),
        "agent key": robot(acme, owner=project.agents.get()),
    }

    def exports() -> dict[str, Any]:
        return {
            f"{kind} {name} {form}": (answer.status_code, b"".join(answer))
            for kind, client in clients.items()
            for name in LISTS
            for form in ("csv", "parquet")
            if (answer := client.get(path_of(name, parts), {"format": form})) is not None
        }

    before = exports()
    globex = make_organization("globex")
    theirs = make_scene(globex)
    assert exports() == before
    assert {status for status, _ in before.values()} <= {200, 404}
    assert not any(b"globex" in content for _, content in before.values())
    for name, needed in LISTS.items():
        for form in ("csv", "parquet"):
            foreign = closed(clients["viewer"].get(path_of(name, {**parts, **theirs}), {"format": form}))
            assert foreign.status_code == (404 if needed else 200)
            asked = clients["viewer"].get(path_of(name, parts), {"format": form, "organization": "globex"})
            assert asked.status_code == 404
            assert Client().get(path_of(name, parts), {"format": form}).status_code == 401
