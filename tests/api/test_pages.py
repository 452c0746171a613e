from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest

from costtrack.metering.ledger import record_events
from costtrack.models import ResourceUsage
from costtrack.reporting.pages import Key, chunks_of, page_of
from costtrack.reporting.parameters import InvalidParameter
from tests.api.callers import ROOT, person
from tests.factories import make_event, make_organization

pytestmark = pytest.mark.django_db

BY_DAY = Key(("day", "id"))


def walk(key: Key, *, size: int) -> list[int]:
    rows = ResourceUsage.objects.all()
    found: list[int] = []
    cursor = None
    while True:
        page = page_of(rows, key, cursor=cursor, size=size)
        found += [row.pk for row in page.rows]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.parametrize("key", [Key(("id",)), Key(("id",), is_descending=False), BY_DAY])
@pytest.mark.parametrize("size", [1, 3, 7, 8, 100])
def test_pages_of_rows_of_the_same_instant_reach_each_row_once(key: Key, size: int) -> None:
    make_organization()
    record_events([make_event() for _ in range(7)])
    ids = sorted(ResourceUsage.objects.values_list("id", flat=True), reverse=key.is_descending)
    assert walk(key, size=size) == ids
    chunked = [[row.pk for row in chunk] for chunk in chunks_of(ResourceUsage.objects.all(), key, size=size)]
    assert [pk for chunk in chunked for pk in chunk] == ids
    assert all(0 < len(chunk) <= size for chunk in chunked)


def test_rows_that_come_in_between_pages_repeat_none_and_hide_none() -> None:
    make_organization()
    record_events([make_event() for _ in range(4)])
    rows = ResourceUsage.objects.all()
    first = page_of(rows, BY_DAY, cursor=None, size=2)
    record_events([make_event() for _ in range(3)])
    second = page_of(rows, BY_DAY, cursor=first.next_cursor, size=5)
    assert sorted(row.pk for row in (*first.rows, *second.rows)) == sorted(rows.values_list("id", flat=True))[:4]
    assert second.next_cursor is None


def cursor_of(values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%00",
        "é",
        "A" * 501,
        cursor_of({}),
        cursor_of([]),
        cursor_of(["2026-11-20"]),
        cursor_of(["2026-11-20", 1, 1]),
        cursor_of(["2026-13-20", 1]),
        cursor_of(["0001-01-01", 1]),
        cursor_of(["9999-12-31", 1]),
        cursor_of(["2026-11-20", 2**70]),
        cursor_of(["2026-11-20", "1\x00"]),
        cursor_of(["2026-11-20", 1.5]),
        cursor_of(["2026-11-20", True]),
        cursor_of(["2026-11-20", None]),
        cursor_of([[], {}]),
    ],
)
def test_in_35_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidParameter):
        page_of(ResourceUsage.objects.all(), BY_DAY, cursor=cursor, size=10)


def test_a_page_begins_after_the_day_and_id_of_its_cursor() -> None:
    make_organization()
    record_events([make_event()])
    row = ResourceUsage.objects.get()
    assert row.day == date(2026, 11, 20)

    def found(*values: Any) -> int:
        return len(page_of(ResourceUsage.objects.all(), BY_DAY, cursor=cursor_of(values), size=9).rows)

    assert found("2026-11-21", 0) == 1
    assert found("2026-11-20", row.pk + 1) == 1
    assert found("2026-11-20", row.pk) == 0
    assert found("2026-11-19", row.pk + 1) == 0


def test_a_list_names_the_address_of_its_next_page_until_the_last() -> None:
    client = person(roles={make_organization(slug): "viewer" for slug in ("acme", "globex", "initech")})
    make_organization("other")
    first = client.get(ROOT + "organizations", {"page_size": "2", "is_active": "true"}).json()
    assert [row["organization"] for row in first["results"]] == ["acme", "globex"]
    assert first["next"].startswith("http://testserver/api/costs/organizations?")
    last = client.get(first["next"]).json()
    assert [row["organization"] for row in last["results"]] == ["initech"]
    assert last["next"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", "0"),
        ("page_size", "1001"),
        ("page_size", "9" * 5000),
        ("page_size", "-1"),
        ("cursor", "garbage"),
        ("is_active", "\x00"),
        ("is_active", "yes"),
        ("is_active", ""),
        ("name", ""),
        ("name", "a\x00b"),
        ("name", "a" * 201),
        ("nme", "x"),
    ],
)
def test_in_35_in_36_a_bad_parameter_of_a_list_is_a_400_that_names_it(name: str, value: str) -> None:
    client = person(roles={make_organization(): "viewer"})
    response = client.get(ROOT + "organizations", {name: value})
    assert response.status_code == 400
    assert response.json()["parameter"] == name


def test_a_parameter_that_is_given_twice_is_a_400() -> None:
    client = person(roles={make_organization(): "viewer"})
    for query in ("name=a&name=b", "cursor=a&cursor=b", "page_size=1&page_size=2"):
        assert client.get(f"{ROOT}organizations?{query}").status_code == 400
