"""`POST usage`: events are booked at once, each exactly once, for the organization of whoever sends them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

import costtrack
from costtrack.domain.events import CostSource
from costtrack.metering.partitions import default_partition_months, partition_name
from costtrack.metering.recorded import RecordedUsage
from costtrack.models import Agent, Organization, Project, ResourceUsage, UsageKey
from tests.api.callers import ROOT, person, program, robot, token_of
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db

EVENT: dict[str, Any] = {
    "idempotency_key": "call-1",
    "occurred_at": "2026-11-20T11:59:00Z",
    "provider": "openai",
    "model": "test-model",
    "input_tokens": 1000,
    "output_tokens": 100,
}
"""1000 x 3 + 100 x 15 = 4500 per million: 0.0045 USD."""


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def send(client: Client, body: Any, *, path: str = "usage", **question: str) -> Any:
    """The answer, parsed; it must be a 202."""
    answer = client.post(ROOT + path, body, content_type="application/json", query_params=question)
    assert answer.status_code == 202, answer.content
    return answer.json()


def rejected(client: Client, body: Any, **question: str) -> str:
    """Why a single event is rejected, with a 400, and nothing is booked."""
    answer = client.post(ROOT + "usage", body, content_type="application/json", query_params=question)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert [problem[name] for name in ("accepted", "duplicate", "conflict", "rejected")] == [0, 0, 0, 1]
    assert problem["detail"] == f"Nothing was booked. Of the first of 1: {problem['results'][0]['reason']}"
    assert not ResourceUsage.objects.exists()
    return str(problem["results"][0]["reason"])


@pytest.mark.parametrize("path", ["usage", "usage/"])
def test_an_event_is_booked_with_its_cost_before_the_answer(acme: Organization, path: str) -> None:
    answer = send(robot(acme), EVENT, path=path)
    row = ResourceUsage.objects.get()
    assert answer == {
        "accepted": 1,
        "duplicate": 0,
        "conflict": 0,
        "rejected": 0,
        "results": [
            {
                "index": 0,
                "status": "accepted",
                "idempotency_key": "call-1",
                "usage_id": row.id,
                "cost_usd": "0.0045",
                "cost_source": "estimated",
                "reason": None,
            }
        ],
    }
    assert (row.organization, row.cost_usd, row.model) == (acme, Decimal("0.0045"), "test-model")
    assert row.occurred_at == datetime(2026, 11, 20, 11, 59, tzinfo=UTC)


def test_what_is_sent_is_read_at_once(acme: Organization) -> None:
    client = robot(acme)
    send(client, EVENT)
    day = client.get(ROOT + "daily", {"target_date": "2026-11-20"}).json()
    assert (day["total_cost"], day["total_calls"], day["total_tokens"]) == ("0.0045", 1, 1100)


@pytest.mark.parametrize("wrap", [lambda events: events, lambda events: {"events": events}])
def test_a_batch_has_one_result_for_each_event_in_its_order(acme: Organization, wrap: Any) -> None:
    events = [
        {**EVENT, "idempotency_key": "a"},
        {**EVENT, "idempotency_key": "b", "input_tokens": -1},
        {**EVENT, "idempotency_key": "a"},
        {**EVENT, "idempotency_key": "a", "input_tokens": 7},
        {**EVENT, "idempotency_key": "c", "model": "unheard-of"},
        {"resource_type": "gpu_seconds", "amount": "2.5", "cost_usd": "0.75"},
    ]
    answer = send(robot(acme), wrap(events))
    assert [answer[name] for name in ("accepted", "duplicate", "conflict", "rejected")] == [3, 1, 1, 1]
    results = answer["results"]
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4, 5]
    assert [result["status"] for result in results] == [
        "accepted", "rejected", "duplicate", "conflict", "accepted", "accepted"
    ]  # fmt: skip
    assert [result["cost_usd"] for result in results] == ["0.0045", None, "0.0045", "0.0045", None, "0.75"]
    assert [result["cost_source"] for result in results][-2:] == ["unpriced", "reported"]
    assert results[0]["usage_id"] == results[2]["usage_id"] == results[3]["usage_id"]
    assert results[1]["reason"].startswith("input_tokens: got -1, expected ")
    assert ResourceUsage.objects.count() == 3


def test_the_same_batch_again_is_all_duplicates(acme: Organization) -> None:
    client = robot(acme)
    batch = [{**EVENT, "idempotency_key": f"key-{number}"} for number in range(1000)]
    first = send(client, batch)
    again = send(client, batch)
    assert (first["accepted"], again["duplicate"]) == (1000, 1000)
    assert [one["usage_id"] for one in again["results"]] == [one["usage_id"] for one in first["results"]]
    assert ResourceUsage.objects.count() == 1000


def test_more_than_a_thousand_events_are_refused_as_a_whole(acme: Organization) -> None:
    batch = [{**EVENT, "idempotency_key": f"key-{number}"} for number in range(1001)]
    answer = robot(acme).post(ROOT + "usage", batch, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "The body has 1,001 events, expected an event or a list of 1 to 1,000 of them."
    assert not ResourceUsage.objects.exists()


def test_every_field_of_record_usage_and_of_attribution_arrives(acme: Organization) -> None:
    event = {
        **EVENT,
        "cache_read_tokens": 200,
        "cache_write_tokens": 100,
        "reasoning_tokens": 50,
        "gateway": "openrouter",
        "service_tier": "batch",
        "cost_usd": 0.1,
        "latency_ms": 250.4,
        "is_estimated": True,
        "saving_usd": "-0.5",
        "saving_kind": "cache",
        "saving_basis": "list price",
        "metadata": {"attempt": 2, "ratio": 0.5},
        "organization": "acme",
        "project": "website",
        "agent": "writer",
        "sprint": "s1",
        "workflow": "w1",
        "stage": "draft",
        "thread_id": "t1",
        "request_id": "r1",
        "entity": ["job", 42],
        "endpoint": "chat",
        "customer": "c1",
        "user": 7,
        "run": "run1",
        "tags": {"tier": "gold", "beta": True, "level": 3, "none": None},
    }
    result = send(robot(acme), event)["results"][0]
    assert (result["cost_usd"], result["cost_source"]) == ("0.1", "reported")
    row = ResourceUsage.objects.select_related("project", "agent").get()
    assert row.project is not None
    assert row.agent is not None
    assert (row.project.slug, row.agent.slug) == ("website", "writer")
    told = {
        name: getattr(row, name)
        for name in (*event, "entity_type", "entity_id")
        if name not in ("idempotency_key", "organization", "project", "agent", "entity", "occurred_at", "cost_usd")
    }
    assert told == {
        **{name: event[name] for name in told if name in event},
        "entity_type": "job",
        "entity_id": "42",
        "user": "7",
        "latency_ms": 250,
        "saving_usd": Decimal("-0.5"),
        "tags": {"tier": "gold", "beta": "true", "level": "3"},
    }


def test_a_failed_call_is_sent_with_its_error(acme: Organization) -> None:
    send(robot(acme), [{**EVENT, "error": "Bearer sk-abcdefghijklmnopqrstuvwxyz012345 timed out"}])
    row = ResourceUsage.objects.get()
    assert row.outcome == "error"
    assert row.error_message.endswith("timed out")
    assert "sk-abcdefghijkl" not in row.error_message
    send(robot(acme), {**EVENT, "idempotency_key": "b", "success": False})
    assert ResourceUsage.objects.filter(outcome="error").count() == 2


def test_nothing_of_the_request_itself_is_told_of_the_usage(acme: Organization) -> None:
    manager = person(roles={acme: "manager"})
    manager.post(ROOT + "usage", EVENT, content_type="application/json", headers={"X-Request-ID": "of-the-post"})
    row = ResourceUsage.objects.get()
    assert (row.request_id, row.user, row.endpoint) == ("", "", "")


def test_subscribers_are_told_once(acme: Organization, django_capture_on_commit_callbacks: Any) -> None:
    told: list[RecordedUsage] = []
    costtrack.subscribe(told.append)
    try:
        for _ in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                send(robot(acme), EVENT)
    finally:
        costtrack.unsubscribe(told.append)
    assert [(one.event.idempotency_key, one.cost_usd, one.cost_source) for one in told] == [
        ("call-1", Decimal("0.0045"), CostSource.ESTIMATED)
    ]


def test_without_a_key_of_its_own_an_event_gets_a_fresh_one(acme: Organization) -> None:
    event = {name: value for name, value in EVENT.items() if name != "idempotency_key"}
    first, second = (send(robot(acme), event)["results"][0] for _ in range(2))
    assert first["status"] == second["status"] == "accepted"
    assert first["idempotency_key"] != second["idempotency_key"]


def test_in_23_a_conflict_alone_is_a_409_and_the_first_record_stands(acme: Organization) -> None:
    client = robot(acme)
    send(client, EVENT)
    answer = client.post(ROOT + "usage", {**EVENT, "output_tokens": 1}, content_type="application/json")
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["results"][0]["cost_usd"] == "0.0045"
    assert ResourceUsage.objects.get().output_tokens == 100


def test_in_24_the_same_key_of_two_organizations_is_two_charges(acme: Organization) -> None:
    globex = make_organization("globex")
    for client in (robot(acme), robot(globex)):
        assert send(client, EVENT)["results"][0]["status"] == "accepted"
        assert send(client, EVENT)["results"][0]["status"] == "duplicate"
    assert UsageKey.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_in_22_one_key_sent_by_many_at_once_is_one_charge() -> None:
    make_rate()
    token = token_of(make_organization())
    statuses: list[str] = []

    def work() -> None:
        try:
            for _ in range(5):
                statuses.append(send(program(token), EVENT)["results"][0]["status"])
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["accepted", *["duplicate"] * 49]
    assert ResourceUsage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_is_booked_in_no_transaction_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    make_rate()
    client = robot(make_organization())
    seen: list[bool] = []
    original = timezone.now

    def now() -> datetime:
        seen.append(connection.in_atomic_block)
        return original()

    monkeypatch.setattr("costtrack.api.authentication.timezone.now", now)
    send(client, EVENT)
    client.get(ROOT + "daily")
    assert seen[:1] == [False]
    assert seen[-1:] == [True]


@pytest.mark.django_db(transaction=True)
def test_a_month_that_has_no_partition_yet_gets_one(settings: Any) -> None:
    settings.COSTTRACK = {"INGEST_MAX_AGE_DAYS": 1000}
    make_rate()
    send(robot(make_organization()), {**EVENT, "occurred_at": "2025-03-05T12:00:00Z"})
    assert ResourceUsage.objects.get().day == date(2025, 3, 5)
    assert default_partition_months() == []
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT tableoid::regclass::text FROM costtrack_resourceusage")
            assert cursor.fetchall() == [(partition_name(date(2025, 3, 1)),)]


# Whose it is.


def test_az_03_the_organization_is_the_key_s_and_another_is_rejected_as_an_unknown_one(acme: Organization) -> None:
    make_organization("globex")
    client = robot(acme)
    foreign = rejected(client, {**EVENT, "organization": "globex"})
    unknown = rejected(client, {**EVENT, "organization": "nobody"})
    assert foreign == "organization: got 'globex', expected the slug of an organization that you may send usage to."
    assert foreign.replace("globex", "nobody") == unknown
    assert Organization.objects.count() == 2
    mixed = send(client, [{**EVENT, "organization": "globex"}, {**EVENT, "organization": "acme"}])
    assert [one["status"] for one in mixed["results"]] == ["rejected", "accepted"]
    assert ResourceUsage.objects.get().organization == acme


def test_az_03_an_organization_in_the_query_is_unknown_too(acme: Organization) -> None:
    make_organization("globex")
    for slug in ("globex", "nobody"):
        answer = robot(acme).post(ROOT + f"usage?organization={slug}", EVENT, content_type="application/json")
        assert answer.status_code == 404
    assert not ResourceUsage.objects.exists()


@pytest.mark.parametrize(
    "field",
    [
        "cost",
        "priced_at",
        "created_by",
        "is_void",
        "spent",
        "reserved",
        "kind",
        "day",
        "hold_id",
        "usage_missing",
        "id",
    ],
)
def test_az_03_what_only_the_server_says_is_no_field(acme: Organization, field: str) -> None:
    assert rejected(robot(acme), {**EVENT, field: 1}).startswith(f"{field}: no such field.")


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("prompt_tokens", "Did you mean input_tokens?"),
        ("total_tokens", "A total has no price: give input_tokens and output_tokens."),
        ("cost", "Did you mean cost_usd?"),
        ("user_id", "Did you mean user?"),
        ("inputtokens", "Did you mean input_tokens?"),
        ("Model", "Did you mean model?"),
        ("zzz", "The fields are agent, amount, "),
    ],
)
def test_an_unknown_field_is_named_with_the_one_that_was_meant(acme: Organization, field: str, hint: str) -> None:
    assert rejected(robot(acme), {**EVENT, field: 1}).startswith(f"{field}: no such field. {hint}")


def test_a_key_of_an_agent_sends_as_that_agent(acme: Organization) -> None:
    writer = Agent.objects.create(project=Project.objects.create(organization=acme, slug="website"), slug="writer")
    client = robot(acme, owner=writer)
    send(client, EVENT)
    send(client, {**EVENT, "idempotency_key": "b", "project": "website", "agent": "writer"})
    assert list(ResourceUsage.objects.values_list("agent", flat=True)) == [writer.pk] * 2
    for field, own in (("project", "website"), ("agent", "writer")):
        answer = client.post(ROOT + "usage", {**EVENT, field: "other"}, content_type="application/json")
        assert (
            answer.json()["results"][0]["reason"] == f"{field}: got 'other', expected {own!r}, which your key is for."
        )
    assert not Project.objects.filter(slug="other").exists()


def test_a_key_of_a_project_sends_for_any_agent_of_it(acme: Organization) -> None:
    client = robot(acme, owner=Project.objects.create(organization=acme, slug="website"))
    send(client, {**EVENT, "agent": "new"})
    row = ResourceUsage.objects.select_related("agent__project").get()
    assert row.agent is not None
    assert (row.agent.slug, row.agent.project.slug) == ("new", "website")


def test_a_manager_sends_for_the_only_organization_or_names_one(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    send(person("one", roles={acme: "manager", globex: "viewer"}), EVENT)
    assert ResourceUsage.objects.get().organization == acme
    of_two = person("two", roles={globex: "manager", initech: "admin", acme: "viewer"})
    send(of_two, {**EVENT, "organization": "initech"})
    send(of_two, EVENT, organization="globex")
    answers = [
        of_two.post(ROOT + "usage", body, content_type="application/json").json()["results"][0]["reason"]
        for body in (EVENT, {**EVENT, "organization": "acme"})
    ]
    expected = "expected the slug of an organization that you may send usage to."
    assert answers == [f"organization is empty, {expected}", f"organization: got 'acme', {expected}"]
    found = ResourceUsage.objects.values_list("organization__slug", flat=True)
    assert sorted(found) == ["acme", "globex", "initech"]


def test_the_default_organization_is_not_made_by_an_event(superuser: Client) -> None:
    for event in (EVENT, {**EVENT, "organization": "default"}):
        answer = superuser.post(ROOT + "usage", event, content_type="application/json")
        assert answer.status_code == 400
    assert not Organization.objects.exists()


# When it was, and how often.


@pytest.mark.parametrize(
    ("days", "seconds", "is_taken"), [(40, 0, True), (40, 1, False), (0, -300, True), (0, -301, False), (-1, 0, False)]
)
def test_in_28_events_are_taken_from_40_days_back_to_5_minutes_ahead(
    acme: Organization, days: int, seconds: int, is_taken: bool
) -> None:
    at = NOON - timedelta(days=days, seconds=seconds)
    event = {**EVENT, "occurred_at": at.isoformat()}
    if is_taken:
        send(robot(acme), event)
        assert ResourceUsage.objects.get().day == at.date()
    else:
        assert rejected(robot(acme), event).startswith(f"occurred_at: got {at.isoformat()}, expected a time at most ")


def test_the_window_is_a_setting(acme: Organization, settings: Any) -> None:
    settings.COSTTRACK = {"INGEST_MAX_AGE_DAYS": 1}
    reason = rejected(robot(acme), {**EVENT, "occurred_at": "2026-11-18T12:00:00Z"})
    assert reason == (
        "occurred_at: got 2026-11-18T12:00:00+00:00, expected a time at most 1 days before 2026-11-20 12:00:00+00:00."
    )


def test_in_28_a_late_event_lands_on_its_own_day_in_the_organization_s_zone(acme: Organization) -> None:
    bharat = make_organization("bharat", timezone="Asia/Kolkata")
    send(robot(bharat), {**EVENT, "occurred_at": "2026-10-31T20:00:00+00:00"})
    assert ResourceUsage.objects.get().day.isoformat() == "2026-11-01"


def test_each_key_may_send_so_often_as_the_setting_says(acme: Organization, settings: Any) -> None:
    from django.core.cache import cache

    cache.clear()
    settings.COSTTRACK = {"INGEST_RATE": "2/minute"}
    one, other = robot(acme), robot(acme)
    statuses = [one.post(ROOT + "usage", EVENT, content_type="application/json").status_code for _ in range(3)]
    assert statuses == [202, 202, 429]
    refused = one.post(ROOT + "usage", EVENT, content_type="application/json")
    assert (refused["Retry-After"], refused["Content-Type"]) == ("60", "application/problem+json")
    send(other, EVENT)
    assert one.get(ROOT + "daily").status_code == 200
    cache.clear()


def test_a_database_that_is_away_is_a_503_that_says_to_send_again(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def fail(*args: object, **options: object) -> None:
        raise OperationalError("the server is gone")

    monkeypatch.setattr("costtrack.api.ingest.record_events", fail)
    answer = robot(acme).post(ROOT + "usage", EVENT, content_type="application/json")
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert "Send them again" in answer.json()["detail"]
