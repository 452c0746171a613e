"""CloudEvents 1.0 as events: structured, and batched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.models import Organization, ResourceUsage
from tests.api.callers import ROOT, robot
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/builds/7",
    "type": "com.example.llm-call",
    "time": "2026-11-20T11:59:00Z",
    "subject": "anything",
    "datacontenttype": "application/json",
    "data": {"provider": "openai", "model": "test-model", "input_tokens": 1000, "output_tokens": 100},
}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def client(db: None) -> Client:
    make_rate()
    return robot(make_organization())


def results(client: Client, body: Any, content_type: str = STRUCTURED) -> Any:
    answer = client.post(ROOT + "usage", body, content_type=content_type)
    assert answer.status_code in (202, 400), answer.content
    return answer.json()["results"]


def test_a_structured_event_is_booked_under_its_source_and_id_at_its_time(client: Client) -> None:
    (result,) = results(client, CLOUD_EVENT)
    assert (result["status"], result["cost_usd"]) == ("accepted", "0.0045")
    assert result["idempotency_key"] == "/builds/7 1"
    assert ResourceUsage.objects.get().occurred_at == datetime(2026, 11, 20, 11, 59, tzinfo=UTC)
    assert results(client, CLOUD_EVENT)[0]["status"] == "duplicate"


def test_a_batch_is_a_list_of_them(client: Client) -> None:
    batch = [CLOUD_EVENT, {**CLOUD_EVENT, "id": "2"}, {**CLOUD_EVENT, "source": "/builds/8"}, CLOUD_EVENT]
    found = results(client, batch, BATCHED)
    assert [one["status"] for one in found] == ["accepted", "accepted", "accepted", "duplicate"]


def test_a_media_type_may_have_parameters(client: Client) -> None:
    assert results(client, CLOUD_EVENT, f"{STRUCTURED}; charset=utf-8")[0]["status"] == "accepted"
    assert results(client, [CLOUD_EVENT], f"{BATCHED};charset=utf-8")[0]["status"] == "duplicate"


def test_the_data_s_own_time_wins(client: Client) -> None:
    data = {**CLOUD_EVENT["data"], "occurred_at": "2026-11-20T10:00:00+01:00"}
    results(client, {**CLOUD_EVENT, "data": data})
    assert ResourceUsage.objects.get().occurred_at == datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_without_any_time_it_is_now(client: Client) -> None:
    results(client, {name: value for name, value in CLOUD_EVENT.items() if name != "time"})
    assert ResourceUsage.objects.get().occurred_at == NOON


def test_a_long_source_and_id_are_one_key_all_the_same(client: Client) -> None:
    long = {**CLOUD_EVENT, "id": "x" * 300}
    first, again = results(client, long)[0], results(client, long)[0]
    other = results(client, {**CLOUD_EVENT, "id": "x" * 299 + "y"})[0]
    assert [one["status"] for one in (first, again, other)] == ["accepted", "duplicate", "accepted"]
    assert first["idempotency_key"].startswith("sha256:")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"specversion": "0.3"}, "specversion: got '0.3', expected \"1.0\"."),
        ({"specversion": None}, 'specversion is empty, expected "1.0".'),
        ({"id": ""}, "id is empty, expected a text, which a CloudEvent has to have."),
        ({"id": 7}, "id: got 7, expected a text"),
        ({"source": None}, "source is empty, expected a text"),
        ({"source": "a b"}, "source: got 'a b', expected a URI"),
        ({"source": "a\x00"}, "source: got 'a\\x00', expected a text"),
        ({"type": None}, "type is empty, expected a text"),
        ({"time": "yesterday"}, "time: got 'yesterday', expected a time in ISO 8601 with its offset"),
        ({"time": "2026-11-20T12:00:00"}, "time: got '2026-11-20T12:00:00', expected a time in ISO 8601"),
        ({"time": "2026-09-20T12:00:00Z"}, "occurred_at: got 2026-09-20T12:00:00+00:00, expected a time at most 40"),
        ({"datacontenttype": "text/xml"}, "datacontenttype: got 'text/xml', expected application/json."),
        ({"datacontenttype": 7}, "datacontenttype: got 7, expected application/json."),
        ({"data_base64": "AAAA"}, "data_base64: got 'AAAA', expected the event as a JSON object in `data`."),
        ({"data": None}, "event is empty, expected a JSON object."),
        ({"data": "text"}, "event: got 'text', expected a JSON object."),
        ({"data": {"tokens": 1}}, "tokens: no such field."),
        ({"data": {"idempotency_key": "k"}}, "idempotency_key: got 'k', expected none"),
        ({"data": {"organization": "globex"}}, "organization: got 'globex', expected the slug"),
    ],
)
def test_what_is_no_cloud_event_of_ours_is_rejected_by_its_name(
    client: Client, changes: dict[str, Any], reason: str
) -> None:
    (result,) = results(client, {**CLOUD_EVENT, **changes})
    assert result["status"] == "rejected"
    assert result["reason"].startswith(reason)
    assert not ResourceUsage.objects.exists()


def test_a_bad_one_leaves_the_rest_of_a_batch_alone(client: Client) -> None:
    found = results(client, [{**CLOUD_EVENT, "id": ""}, 7, CLOUD_EVENT], BATCHED)
    assert [one["status"] for one in found] == ["rejected", "rejected", "accepted"]


@pytest.mark.parametrize(("body", "content_type"), [([CLOUD_EVENT], STRUCTURED), (CLOUD_EVENT, BATCHED), ([], BATCHED)])
def test_one_is_no_batch_and_a_batch_is_not_one(client: Client, body: Any, content_type: str) -> None:
    assert client.post(ROOT + "usage", body, content_type=content_type).status_code == 400
    assert not ResourceUsage.objects.exists()


def test_a_plain_event_is_no_cloud_event_and_the_other_way_round(client: Client, db: None) -> None:
    assert results(client, CLOUD_EVENT["data"])[0]["reason"].startswith("specversion is empty")
    assert results(client, CLOUD_EVENT, "application/json")[0]["reason"].startswith("specversion: no such field.")
    assert Organization.objects.count() == 1
