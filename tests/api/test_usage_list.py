"""`GET usage`: the ledger's rows, to those who may read them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import Organization, ResourceUsage
from costtrack.reporting import usage_pages
from costtrack.reporting.usage_columns import USAGE_COLUMNS
from tests.api.callers import ROOT, person, robot
from tests.api.usage_rows import FULL, all_of, ids, listed
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.booked import agent, book

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def test_a_row_shows_all_that_was_recorded(acme: Organization) -> None:
    metadata = {"temperature": 0.5, "__proto__": {"id": 1}, "organization": "globex", "<b>": "</script>"}
    event = make_event(
        key="call-1",
        input_tokens=1000,
        output_tokens=100,
        cache_read_tokens=400,
        attribution={**FULL, "tags": {"team": "search"}},
        saving_usd=Decimal("-0.25"),
        saving_kind="cache",
        saving_basis="list price",
        gateway="litellm",
        metadata=metadata,
    )
    record_events([event])
    stored = ResourceUsage.objects.get()
    [row] = listed(robot(acme))
    # 1000 x 3 (cached ones have no price of their own) + 100 x 15 = 4500 per million.
    assert row == {
        "id": stored.pk,
        "organization": "acme",
        **FULL,
        "kind": "usage",
        "corrects": None,
        "reason": "",
        "idempotency_key": "call-1",
        "occurred_at": "2026-11-20T12:00:00+00:00",
        "recorded_at": stored.recorded_at.isoformat(),
        "day": "2026-11-20",
        "tags": {"team": "search"},
        "resource_type": "llm_tokens",
        "provider": "openai",
        "gateway": "litellm",
        "model": "test-model",
        "service_tier": "standard",
        "calls": 1,
        "errors": 0,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cache_read_tokens": 400,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "reasoning_tokens": 0,
        "amount": "1100",
        "latency_ms": 250,
        "outcome": "success",
        "error_type": "",
        "error_message": "",
        "is_estimated": False,
        "usage_missing": False,
        "cost_usd": "0.0045",
        "cost_source": "estimated",
        "unpriced_calls": 0,
        "rate": stored.rate_id,
        "saving_usd": "-0.25",
        "saving_kind": "cache",
        "saving_basis": "list price",
        "metadata": metadata,
    }


def test_every_column_of_the_ledger_is_shown_but_one() -> None:
    fields = {field.name for field in ResourceUsage._meta.get_fields()}
    assert fields - {column.name for column in USAGE_COLUMNS} == {"baseline_rate"}


def test_what_is_not_known_is_null_and_not_zero(acme: Organization) -> None:
    record_events([make_event(model="unheard-of", latency_ms=None)])
    [row] = listed(robot(acme))
    nothing = ("cost_usd", "rate", "project", "agent", "corrects", "latency_ms")
    assert {name: row[name] for name in nothing} == dict.fromkeys(nothing)
    assert (row["cost_source"], row["unpriced_calls"]) == ("unpriced", 1)


def test_instants_have_the_offset_of_the_organization_s_zone() -> None:
    kolkata = make_organization("kolkata", timezone="Asia/Kolkata")
    book(kolkata, "1", at=datetime(2026, 11, 20, 20, tzinfo=UTC), day=date(2026, 11, 21))
    [row] = listed(robot(kolkata))
    assert (row["occurred_at"], row["day"]) == ("2026-11-21T01:30:00+05:30", "2026-11-21")


def test_the_newest_day_comes_first_and_within_a_day_the_newest_record(acme: Organization) -> None:
    days = [date(2026, 11, 18), date(2026, 11, 20), date(2026, 11, 19), date(2026, 11, 20)]
    first, second, third, fourth = (book(acme, "1", day=day).pk for day in days)
    assert [row["id"] for row in listed(robot(acme))] == [fourth, second, third, first]


def test_az_02_the_rows_of_others_are_not_there_however_they_are_asked_for(acme: Organization) -> None:
    globex = make_organization("globex")
    record_events([make_event(key="theirs", attribution={**FULL, "organization": "globex"})])
    theirs = ResourceUsage.objects.get()
    void_usage(theirs.pk, reason="sent twice")
    questions: list[dict[str, Any]] = [
        {},
        *({name: value} for name, value in FULL.items() if name not in ("project", "agent")),
        {"idempotency_key": "theirs"},
        {"corrects": str(theirs.pk)},
    ]
    for client in (robot(acme), person(roles={acme: "admin"})):
        assert [listed(client, **question) for question in questions] == [[] for _ in questions]
        for name, value in (("organization", "globex"), ("project", "website"), ("agent", "writer")):
            unknown, nobody = (client.get(ROOT + "usage", {name: one}) for one in (value, "nobody"))
            assert (unknown.status_code, nobody.status_code) == (404, 404)
            assert unknown.content.replace(value.encode(), b"nobody") == nobody.content
    assert all(listed(robot(globex), **question) for question in questions)


def test_a_key_of_a_project_or_an_agent_reads_its_own_rows(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, editor, other = (agent(acme, path) for path in ("website/writer", "website/editor", "app/writer"))
    for owner in (writer, editor, other):
        for _ in range(3):
            book(acme, "1", project=owner.project, agent=owner)
    book(acme, "1")
    monkeypatch.setattr(usage_pages, "LOOKED_AT", 4)
    assert all_of(robot(acme, owner=writer), page_size="2") == ids(agent=writer)
    assert all_of(robot(acme, owner=writer.project), page_size="2") == ids(project=writer.project)
    for question in ({"agent": "editor"}, {"project": "app"}, {"project": "website", "agent": "editor"}):
        assert robot(acme, owner=writer).get(ROOT + "usage", question).status_code == 404
    assert all_of(robot(acme, owner=writer), project="website", agent="writer") == ids(agent=writer)


def test_reading_takes_the_scope_read_and_sending_the_scope_ingest(acme: Organization) -> None:
    reader, sender = robot(acme, scopes="read"), robot(acme, scopes="ingest")
    body = json.dumps({"model": "test-model", "input_tokens": 1})
    with time_machine.travel(NOON, tick=False):
        sent = [one.post(ROOT + "usage", body, content_type="application/json") for one in (reader, sender)]
    assert [answer.status_code for answer in sent] == [403, 202]
    assert [one.get(ROOT + "usage").status_code for one in (reader, sender)] == [200, 403]
    assert len(listed(reader)) == 1


def test_a_viewer_reads_what_it_may_not_send(acme: Organization) -> None:
    viewer = person(roles={acme: "viewer"})
    assert listed(viewer) == []
    assert viewer.post(ROOT + "usage", {"model": "m"}, content_type="application/json").status_code == 403


def test_only_sending_is_counted_for_how_often(acme: Organization, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "INGEST_RATE": "1/day"}
    client = robot(acme)
    body = {"model": "test-model", "input_tokens": 1}
    for _ in range(3):
        assert client.get(ROOT + "usage").status_code == 200
    statuses = [client.post(ROOT + "usage", body, content_type="application/json").status_code for _ in range(2)]
    assert statuses == [202, 429]
    assert client.get(ROOT + "usage").status_code == 200


def test_head_is_answered_and_other_methods_are_not(acme: Organization) -> None:
    client = robot(acme)
    assert client.head(ROOT + "usage").status_code == 200
    assert client.put(ROOT + "usage")["Allow"] == "GET, POST, HEAD, OPTIONS"
