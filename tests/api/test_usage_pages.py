"""Pages of usage: every row is on one of them, and none looks at more rows than it may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from costtrack.metering.ledger import record_events
from costtrack.models import Organization
from costtrack.reporting import usage_pages
from tests.api.callers import ROOT, person, robot
from tests.api.usage_rows import all_of, bulk, ids, listed, walked
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


@pytest.mark.parametrize("who", ["key", "superuser"])
def test_2204_rows_of_one_instant_are_each_reached_once_while_others_come_in(
    acme: Organization, superuser: Client, who: str
) -> None:
    bulk(acme, 2204)
    bulk(make_organization("globex"), 40)
    client = robot(acme) if who == "key" else superuser
    expected = ids(organization=acme) if who == "key" else ids()
    seen: list[int] = []
    for number, page in enumerate(walked(client)):
        seen += page
        if number < 5:
            bulk(acme, 3)
            bulk(acme, 3, day=NOON.date() + timedelta(days=1))
    assert len(seen) == len(set(seen))
    assert [key for key in seen if key in set(expected)] == expected
    assert len(seen) == len(expected)  # of the new ones none stands behind a page that was read


@pytest.mark.parametrize("who", ["key", "superuser"])
def test_rows_that_match_rarely_are_each_reached_once(
    acme: Organization, superuser: Client, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_pages, "LOOKED_AT", 20)
    globex = make_organization("globex")
    for number in range(30):
        day = NOON.date() - timedelta(days=number % 3)
        bulk(acme, 4, day=day)
        bulk(globex, number % 2, day=day)
        bulk(acme if number % 4 else globex, number % 3 // 2, day=day, model="rare")
    client = robot(acme) if who == "key" else superuser
    expected = ids(organization=acme, model="rare") if who == "key" else ids(model="rare")
    assert len(expected) > 6
    pages = list(walked(client, model="rare", page_size="2"))
    assert [key for page in pages for key in page] == expected
    if connection.vendor == "postgresql":
        assert [] in pages  # it looked at 20 rows of each, and went on from there
    assert all(len(page) <= 2 for page in pages)


def test_a_page_looks_at_no_more_rows_than_it_may(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    bulk(acme, 1, model="rare")
    bulk(acme, 50)
    client = robot(acme)
    monkeypatch.setattr(usage_pages, "LOOKED_AT", 25)
    pages = [len(page) for page in walked(client, model="rare", page_size="9")]
    assert pages == ([0, 0, 1] if connection.vendor == "postgresql" else [1])
    assert [len(page) for page in walked(client, page_size="40")] == [40, 11]  # nothing is sifted: pages are full


def test_the_last_row_that_a_page_looks_at_is_on_it(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        bulk(acme, 1, model="rare")
        bulk(acme, 9)
    monkeypatch.setattr(usage_pages, "LOOKED_AT", 10)
    pages = list(walked(robot(acme), model="rare", page_size="2"))
    assert [key for page in pages for key in page] == ids(model="rare")
    assert [len(page) for page in pages] == ([1, 1, 1, 0] if connection.vendor == "postgresql" else [2, 1])


def test_more_organizations_share_what_a_page_looks_at(
    acme: Organization, superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk(acme, 1, model="rare")
    for owner in (acme, make_organization("globex")):
        bulk(owner, 30)
    monkeypatch.setattr(usage_pages, "COUNTED", 22)
    pages = [len(page) for page in walked(superuser, model="rare", page_size="9")]
    # 11 at a time of either one. Globex has the newer rows: 11, 11, 8 with 11 of acme, 11, and the last 9 with the one.
    assert pages == ([0, 0, 0, 0, 1] if connection.vendor == "postgresql" else [1])


def test_pages_of_several_organizations_are_full(acme: Organization, superuser: Client) -> None:
    for slug in ("globex", "initech", "hooli"):
        bulk(make_organization(slug), 7)
    bulk(acme, 3)
    member = person(roles={one: "viewer" for one in Organization.objects.exclude(slug="hooli")})
    assert [len(page) for page in walked(superuser, page_size="5")] == [5, 5, 5, 5, 4]
    assert [len(page) for page in walked(member, page_size="5")] == [5, 5, 5, 2]
    assert all_of(member, page_size="5") == ids(organization__slug__in=["acme", "globex", "initech"])


def test_an_export_has_all_rows_however_few_match(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_pages, "LOOKED_AT", 5)
    bulk(acme, 2, model="rare")
    bulk(acme, 30)
    bulk(acme, 2, model="rare")
    answer = robot(acme).get(ROOT + "usage", {"format": "csv", "model": "rare"})
    assert answer.status_code == 200
    assert len(answer.getvalue().decode().splitlines()) == 1 + 4


def test_in_35_a_cursor_of_another_organization_shows_nothing_of_it(acme: Organization) -> None:
    globex = make_organization("globex")
    bulk(acme, 2)
    bulk(globex, 3)
    following = robot(globex).get(ROOT + "usage", {"page_size": "1"}).json()["next"]
    answer = robot(acme).get(following)
    assert [row["id"] for row in answer.json()["results"]] == ids(organization=acme)[:1]


@pytest.mark.parametrize(
    ("question", "queries"),
    [({}, 1), ({"model": "test-model"}, 2), ({"thread_id": "t1"}, 1), ({"idempotency_key": "k"}, 2)],
)
def test_a_page_takes_as_many_queries_for_many_rows_as_for_one(
    acme: Organization, django_assert_num_queries: Any, question: dict[str, str], queries: int
) -> None:
    client = robot(acme)
    client.get(ROOT + "usage")  # notes when the key was used last
    # The key with its organization, and that one's zone; on PostgreSQL the place to stop at; the rows.
    expected = 2 + (queries if connection.vendor == "postgresql" else 1 + ("idempotency_key" in question))
    for number in range(3):
        for key in ("k", f"k{number}", f"l{number}"):
            record_events([make_event(key=key, attribution={"project": f"p{number}", "agent": key, "thread_id": "t1"})])
        with django_assert_num_queries(expected):
            listed(client, **question)


def test_pages_of_many_organizations_take_as_many_queries_as_those_of_two(django_assert_num_queries: Any) -> None:
    owners = [make_organization(f"o{number}") for number in range(12)]
    for owner in owners:
        for _ in range(3):
            book(owner, "1")
    two, all_twelve = (person(f"of {count}", roles={one: "viewer" for one in owners[:count]}) for count in (2, 12))
    # Session, user, memberships; on PostgreSQL the place to stop at; the rows.
    for client in (two, all_twelve):
        with django_assert_num_queries(5 if connection.vendor == "postgresql" else 4):
            assert len(listed(client, page_size="5")) == 5


def test_a_later_page_begins_in_the_index(acme: Organization, django_assert_num_queries: Any) -> None:
    bulk(acme, 5)
    following = robot(acme).get(ROOT + "usage", {"page_size": "2"}).json()["next"]
    client = robot(acme)
    client.get(ROOT + "usage")
    with django_assert_num_queries(3) as queries:
        client.get(following)
    [sql] = [query["sql"] for query in queries.captured_queries if 'FROM "costtrack_resourceusage"' in query["sql"]]
    assert '("costtrack_resourceusage"."day", "costtrack_resourceusage"."id") < (' in sql
    assert '"costtrack_resourceusage"."day" <= ' in sql  # leaves partitions out
    assert " OR " not in sql
