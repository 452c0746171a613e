"""What is sent to `POST usage` by mistake or on purpose: never a server error. Each row of the list of bad inputs."""

from __future__ import annotations

import gzip
import io
import json
import logging
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from rest_framework.request import Request

from costtrack.api.bodies import BodyTooLarge, read_json
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary, Organization, ResourceUsage
from tests.api.callers import GET_PATHS, ROOT, person, robot
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

GOOD = {"provider": "openai", "model": "test-model", "input_tokens": 1000, "output_tokens": 100}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def client(db: None) -> Client:
    make_rate()
    return robot(make_organization())


def post(client: Client, body: bytes | str, content_type: str = "application/json", **options: Any) -> Any:
    """The answer to these bytes, which is a problem document if it is an error."""
    answer = client.generic("POST", ROOT + "usage", body, content_type=content_type, **options)
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    return answer


def rejected(client: Client, **fields: Any) -> str:
    """Why this event is rejected: alone with a 400, and beside a good one, which lands."""
    event = {**GOOD, **fields}
    alone = post(client, json.dumps(event))
    assert alone.status_code == 400, alone.content
    assert not ResourceUsage.objects.exists()
    together = post(client, json.dumps([event, GOOD]))
    assert together.status_code == 202
    assert [one["status"] for one in together.json()["results"]] == ["rejected", "accepted"]
    assert ResourceUsage.objects.count() == 1
    reason = together.json()["results"][0]["reason"]
    assert reason == alone.json()["results"][0]["reason"]
    assert len(reason) < 500 + 80
    return str(reason)


def rejected_once(client: Client, **fields: Any) -> str:
    """Why this event alone is rejected."""
    return str(post(client, json.dumps({**GOOD, **fields})).json()["results"][0]["reason"])


def refused(client: Client, body: bytes | str, *, status: int = 400, **options: Any) -> str:
    """Why the body as a whole is refused; nothing of it is booked."""
    answer = post(client, body, **options)
    assert answer.status_code == status, answer.content
    assert "results" not in answer.json()
    assert not ResourceUsage.objects.exists()
    return str(answer.json()["detail"])


# Figures.

FIGURES = ["cost_usd", "amount", "saving_usd"]
COUNTS = ["input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "latency_ms"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", [*FIGURES, *COUNTS])
def test_in_01_in_02_numbers_that_are_not_finite_are_no_json(client: Client, field: str, text: str) -> None:
    assert refused(client, f'{{"model": "m", "{field}": {text}}}').startswith("The body is no JSON: ")


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "sNaN", "Infinity", "-inf", "1e999", "-1e999", "1e-999", "", "x", "0x1"]
)
@pytest.mark.parametrize("field", FIGURES)
def test_in_01_in_02_nor_as_texts(client: Client, field: str, text: str) -> None:
    assert rejected(client, resource_type="gpu_seconds", **{field: text}).startswith(f"{field}")


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "cost_usd", "amount", "latency_ms"])
@pytest.mark.parametrize("value", [-1, -0.75])
def test_in_03_negative_figures_are_rejected(client: Client, field: str, value: float) -> None:
    event = {"resource_type": "gpu_seconds", "amount": 1, field: value}
    assert rejected(client, **event).startswith(f"{field}: got {round(value) if field == 'latency_ms' else value}, ")


@pytest.mark.parametrize("value", [10**12, "1000000000000", 1e12, 10**18])
@pytest.mark.parametrize("field", FIGURES)
def test_in_06_money_with_a_digit_too_many_is_rejected(client: Client, field: str, value: Any) -> None:
    assert rejected(client, resource_type="gpu_seconds", **{field: value}).startswith(f"{field}: got ")


@pytest.mark.parametrize("value", [2**63, 2**63 - 1, 2**64, 10**30, 1e300, 10**11 + 1])
@pytest.mark.parametrize("field", ["input_tokens", "output_tokens"])
def test_in_07_counts_that_no_column_holds_are_rejected(client: Client, field: str, value: Any) -> None:
    assert rejected(client, **{field: value}).startswith(f"{field}: got ")


def test_in_07_the_largest_counts_add_up(client: Client) -> None:
    most = {**GOOD, "input_tokens": 10**11, "output_tokens": 10**11}
    assert post(client, json.dumps([most] * 100)).json()["accepted"] == 100
    assert sum(DailyCostSummary.objects.values_list("input_tokens", flat=True)) == 10**13


@pytest.mark.parametrize("sign", ["", "-"])
def test_in_08_an_integer_of_5000_digits_is_no_json(client: Client, sign: str) -> None:
    refused(client, f'{{"input_tokens": {sign}{"9" * 5000}}}')


def test_in_10_many_tiny_costs_lose_nothing(client: Client) -> None:
    events = [{"model": "m", "cost_usd": "0.000000000001", "input_tokens": 1} for _ in range(1000)]
    assert post(client, json.dumps(events)).status_code == 202
    assert sum(ResourceUsage.objects.values_list("cost_usd", flat=True)) == Decimal("0.000000001")


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, "12", "1e3"])
@pytest.mark.parametrize("field", COUNTS)
def test_a_count_is_a_number(client: Client, field: str, value: Any) -> None:
    assert rejected(client, **{field: value}).startswith(f"{field}: got ")


@pytest.mark.parametrize("value", [True, [1], {"a": 1}])
@pytest.mark.parametrize("field", FIGURES)
def test_a_figure_is_a_number_or_its_text(client: Client, field: str, value: Any) -> None:
    assert rejected(client, resource_type="gpu_seconds", **{field: value}).startswith(f"{field}: got ")


@pytest.mark.parametrize("part", ["cache_read_tokens", "reasoning_tokens"])
def test_a_part_is_not_larger_than_its_whole(client: Client, part: str) -> None:
    assert rejected(client, **{part: 1001}).startswith(f"{part}: got 1001, expected ")


# Metadata and tags.


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"k": "\x00"}},
        {"metadata": {"\x00": 1}},
        {"metadata": {"k": [{"k": ["a\x00b"]}]}},
        {"tags": {"k": "\x00"}},
        {"tags": {"\x00": "v"}},
    ],
)
def test_in_12_nul_in_metadata_is_rejected_and_the_rest_of_the_batch_lands(
    client: Client, fields: dict[str, Any]
) -> None:
    assert "without NUL" in rejected(client, **fields)


@pytest.mark.parametrize("depth", [900, 6_000, 100_000])
@pytest.mark.parametrize("field", ["metadata", "tags", "model", "unknown", "entity", "input_tokens"])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_in_14_nested_without_end(client: Client, depth: int, field: str, opening: str, closing: str) -> None:
    refused(client, f'{{"model": "m", "{field}": {opening * depth}1{closing * depth}}}')


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, "[" * 900 + "]" * 900])
def test_in_14_the_body_itself_nested_without_end(client: Client, body: str) -> None:
    refused(client, body)


@pytest.mark.parametrize("levels", [9, 11, 13])
def test_in_14_metadata_deeper_than_8_levels_are_rejected(client: Client, levels: int) -> None:
    data: Any = 1
    for _ in range(levels):
        data = {"x": data}
    assert rejected(client, metadata=data) == "metadata: got 'something deeper', expected at most 8 levels."


def test_in_14_metadata_of_8_levels_are_kept(client: Client) -> None:
    data: Any = 1
    for _ in range(8):
        data = {"x": data}
    assert post(client, json.dumps({**GOOD, "metadata": data})).status_code == 202
    assert ResourceUsage.objects.get().metadata == data


@pytest.mark.parametrize(
    "metadata", [{"k": "x" * 10_000_000}, {"x" * 6_000_000: 1}, {str(number): "x" * 60 for number in range(100_000)}]
)
def test_in_15_a_body_of_megabytes_is_a_413_unread(client: Client, metadata: dict[str, Any]) -> None:
    body = json.dumps({**GOOD, "metadata": metadata})
    began = time.perf_counter()
    assert refused(client, body, status=413).startswith("The body is longer than 5,242,880 bytes.")
    assert time.perf_counter() - began < 1


def test_in_15_the_limit_is_a_setting_and_takes_what_is_just_as_long(client: Client, settings: Any) -> None:
    settings.COSTTRACK = {"INGEST_MAX_BYTES": 1025}
    refused(client, b" " * 1026, status=413)
    refused(client, b" " * 1025, status=400)


def test_in_15_a_body_that_does_not_say_its_length_is_not_read_to_its_end(settings: Any) -> None:
    settings.COSTTRACK = {"INGEST_MAX_BYTES": 1024}
    scope = {"method": "POST", "path": "/", "headers": [(b"content-type", b"application/json")], "query_string": b""}
    body = io.BytesIO(b" " * 5000)
    with pytest.raises(BodyTooLarge):
        read_json(Request(ASGIRequest(scope, body)))
    assert body.tell() == 1025


@pytest.mark.parametrize(
    "metadata", [{"k": "x" * 1_000_000}, {"x" * 1_000_000: 1}, {str(number): 1 for number in range(100_000)}]
)
def test_in_15_large_metadata_are_cut_to_what_is_kept(client: Client, metadata: dict[str, Any]) -> None:
    assert post(client, json.dumps({**GOOD, "metadata": metadata})).status_code == 202
    stored = ResourceUsage.objects.get().metadata
    assert len(json.dumps(stored)) <= 8192
    assert len(stored) <= 201


def test_in_17_keys_of_metadata_are_data_and_nothing_else(client: Client) -> None:
    metadata = {"__proto__": 1, "constructor": 2, "organization_id": 3, "cost": 4, "is_void": True}
    assert post(client, json.dumps({**GOOD, "metadata": metadata})).status_code == 202
    row = ResourceUsage.objects.get()
    assert row.metadata == metadata
    assert (row.organization.slug, row.cost_usd, row.kind) == ("acme", Decimal("0.0045"), "usage")


def test_in_18_secrets_and_prompts_do_not_reach_the_ledger(client: Client) -> None:
    metadata = {
        "note": "call me at jane@example.com",
        "authorization": "Bearer abc",
        "prompt": "Tell me a story",
        "card": "4111 1111 1111 1111",
    }
    tags = {"mail": "jane@example.com"}
    assert post(client, json.dumps({**GOOD, "metadata": metadata, "tags": tags})).status_code == 202
    stored = json.dumps([ResourceUsage.objects.get().metadata, ResourceUsage.objects.get().tags])
    for secret in ("jane@", "Bearer abc", "story", "4111"):
        assert secret not in stored


@pytest.mark.parametrize("value", [[], "text", 1, True])
@pytest.mark.parametrize("field", ["metadata", "tags"])
def test_metadata_and_tags_are_objects(client: Client, field: str, value: Any) -> None:
    assert rejected(client, **{field: value}).startswith(f"{field}: got ")


@pytest.mark.parametrize("value", [{}, [], ["a"], ["a", "b", "c"], "a", ["a", None], ["a", ["b"]]])
def test_an_entity_is_a_pair(client: Client, value: Any) -> None:
    assert rejected(client, entity=value).startswith("entity")


# Texts.

TEXTS = ["model", "provider", "gateway", "service_tier", "resource_type", "idempotency_key", "error"]
ATTRIBUTED = ["organization", "project", "agent", "thread_id", "entity_id", "customer", "user", "endpoint"]


@pytest.mark.parametrize("field", [*TEXTS, *ATTRIBUTED])
def test_in_20_nul_in_a_text_is_rejected(client: Client, field: str) -> None:
    assert rejected(client, **{field: "a\x00b"}) == f"{field}: got 'a\\x00b', expected a text without NUL."


@pytest.mark.parametrize("value", [[], {}, True, 1.5, ["a"]])
@pytest.mark.parametrize("field", [*TEXTS, *ATTRIBUTED])
def test_a_text_is_a_text(client: Client, field: str, value: Any) -> None:
    assert rejected(client, **{field: value}).startswith(f"{field}: got ")


@pytest.mark.parametrize(
    "text", ["\u202egnp.exe", "a" + "\u0301" * 10_000, "a\x1b[31mb", "gpt\n4", "\ufeff", "\U0001f4a9", "x" * 5000]
)
@pytest.mark.parametrize("field", ["model", "customer", "thread_id", "error"])
def test_in_20_in_21_other_odd_texts_are_cleaned_to_one_line(
    client: Client, caplog: pytest.LogCaptureFixture, field: str, text: str
) -> None:
    caplog.set_level(logging.INFO)
    assert post(client, json.dumps({**GOOD, field: text})).status_code == 202
    stored = str(getattr(ResourceUsage.objects.get(), "error_message" if field == "error" else field))
    assert not any(character in stored for character in "\n\x1b\u202e\x00")
    assert len(stored) <= 500
    assert all("\n" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("model", ["../../x", "*", "", "x" * 5000, "no such model"])
def test_in_21_what_is_no_known_model_is_unpriced_and_never_free(client: Client, model: str) -> None:
    (result,) = post(client, json.dumps({**GOOD, "model": model})).json()["results"]
    assert (result["status"], result["cost_usd"], result["cost_source"]) == ("accepted", None, "unpriced")
    assert ResourceUsage.objects.get().unpriced_calls == 1


def test_an_idempotency_key_that_does_not_fit_is_rejected(client: Client) -> None:
    assert "at most 255 characters" in rejected(client, idempotency_key="x" * 256)
    assert "without control characters" in rejected_once(client, idempotency_key="a\nb")


@pytest.mark.parametrize("field", ["success", "is_estimated"])
@pytest.mark.parametrize("value", [0, 1, "true", "", []])
def test_a_flag_is_true_or_false(client: Client, field: str, value: Any) -> None:
    assert rejected(client, **{field: value}).startswith(field)


# Times.


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T12:00:00",
        "2026-11-20",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "now",
        "",
        "\x00",
        "2026-11-20T12:00:00Z\x00",
        "9" * 5000,
        1_795_176_000,
        True,
        [],
    ],
)
def test_in_27_times_that_cannot_be_are_rejected(client: Client, value: Any) -> None:
    assert rejected(client, occurred_at=value).startswith("occurred_at")


@pytest.mark.parametrize(
    "value", ["2026-11-21T02:00:00+14:00", "2026-11-20T00:00:00-12:00", "2026-11-20T12:00:00.123456789Z"]
)
def test_in_27_offsets_at_their_edges_are_converted(client: Client, value: str) -> None:
    assert post(client, json.dumps({**GOOD, "occurred_at": value})).status_code == 202
    assert ResourceUsage.objects.get().occurred_at.replace(microsecond=0) == NOON


# Bodies, queries, methods.


@pytest.mark.parametrize("body", [b" ", b"{", b"x", b"\xff\xfe", b'{"model": "\xff"}', b"\x00", b'{"model": "\x00"}'])
def test_bytes_that_are_no_json_in_utf_8_are_a_400(client: Client, body: bytes) -> None:
    assert refused(client, body).startswith("The body is no JSON: ")


def test_no_body_is_a_415_or_a_400(client: Client) -> None:
    refused(client, b"", status=415)
    answer = client.post(
        ROOT + "usage", b"", content_type="application/json", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_half_a_surrogate_pair_is_a_400(client: Client) -> None:
    refused(client, '{"model": "\\ud800"}')


@pytest.mark.parametrize(
    "body", ["null", "1", '"text"', "true", "[]", '{"events": []}', '{"events": 7}', '{"events": null}']
)
def test_what_is_no_event_and_no_list_of_them_is_a_400(client: Client, body: str) -> None:
    assert "expected an event or a list of 1 to 1,000 of them." in refused(client, body)


@pytest.mark.parametrize("one", [None, 1, "text", [], True])
def test_what_is_no_event_in_a_list_is_rejected_by_its_index(client: Client, one: Any) -> None:
    answer = post(client, json.dumps([GOOD, one])).json()
    assert [result["status"] for result in answer["results"]] == ["accepted", "rejected"]
    assert answer["results"][1]["index"] == 1
    assert answer["results"][1]["reason"].startswith("event")


NOTHING_USED = (
    "event: got 'nothing that was used', expected at least one of model, provider, a count of tokens, amount, "
    "cost_usd, resource_type and error."
)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"model": " ", "provider": ""},
        {"endpoint": "chat", "thread_id": "t1", "latency_ms": 250, "metadata": {"k": 1}},
        {"resource_type": "llm_tokens", "success": True, "idempotency_key": "k", "amount": 0},
    ],
)
def test_an_event_that_says_nothing_of_what_was_used_is_rejected_and_the_others_land(
    client: Client, event: dict[str, Any]
) -> None:
    alone = post(client, json.dumps([event]))
    assert alone.status_code == 400
    assert alone.json()["detail"] == f"Nothing was booked. Of the first of 1: {NOTHING_USED}"
    together = post(client, json.dumps([event, GOOD, event]))
    assert together.status_code == 202
    assert [one["status"] for one in together.json()["results"]] == ["rejected", "accepted", "rejected"]
    assert [one["reason"] for one in together.json()["results"]] == [NOTHING_USED, None, NOTHING_USED]
    assert ResourceUsage.objects.count() == 1


def test_an_empty_cloud_event_is_rejected(client: Client) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/meter", "type": "usage", "data": {}}
    answer = post(client, json.dumps(event), content_type="application/cloudevents+json")
    assert (answer.status_code, answer.json()["results"][0]["reason"]) == (400, NOTHING_USED)


@pytest.mark.parametrize(
    "event",
    [
        {"model": "test-model"},
        {"provider": "openai"},
        {"gateway": "openrouter"},
        {"input_tokens": 0, "output_tokens": 0},
        {"amount": 7},
        {"cost_usd": "0.5"},
        {"resource_type": "api_call"},
        {"saving_usd": "0.5"},
        {"success": False},
        {"error": "Timeout"},
    ],
)
def test_an_event_that_says_one_thing_is_kept(client: Client, event: dict[str, Any]) -> None:
    assert post(client, json.dumps(event)).json()["accepted"] == 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "multipart/form-data; boundary=x", "application/xml", "\xff"]
)
def test_another_media_type_is_a_415(client: Client, content_type: str) -> None:
    detail = refused(client, json.dumps(GOOD), status=415, content_type=content_type)
    assert detail.startswith("Content-Type: got ")


def test_a_compressed_body_is_a_415(client: Client) -> None:
    body = gzip.compress(json.dumps(GOOD).encode())
    detail = refused(client, body, status=415, headers={"Content-Encoding": "gzip"})
    assert detail == "Content-Encoding: got 'gzip', expected none."


@pytest.mark.parametrize(
    "query",
    [
        *("organization=%00", "organization=", "organisation=acme", "%00=1", "organization=a&organization=b"),
        *("cursor=x", "page_size=1", "from=2026-11-20", "model=test-model"),
    ],
)
def test_in_36_a_bad_query_is_a_400(client: Client, query: str) -> None:
    answer = client.generic("POST", ROOT + "usage?" + query, json.dumps(GOOD), content_type="application/json")
    assert answer.status_code == 400
    assert not ResourceUsage.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_a_405(client: Client, method: str) -> None:
    answer = getattr(client, method)(ROOT + "usage")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_az_11_a_session_needs_its_csrf_token() -> None:
    make_rate()
    acme = make_organization()
    manager = person(roles={acme: "manager"})
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = manager.cookies
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = strict.generic("POST", ROOT + "usage", json.dumps(GOOD), content_type=content_type)
        assert answer.status_code == 403
        assert "CSRF" in answer.json()["detail"]
    assert not ResourceUsage.objects.exists()


def test_az_01_no_route_takes_a_foreign_id(client: Client) -> None:
    globex: Organization = make_organization("globex")
    record_events(
        [
            make_event(
                attribution={"organization": globex.slug, "thread_id": "t1", "entity_type": "job", "entity_id": "1"}
            )
        ]
    )
    for name in ("conversation", "entity", "entity-type"):
        foreign = client.get(ROOT + GET_PATHS[name])
        unknown = client.get(ROOT + GET_PATHS[name].replace("t1", "t2").replace("job", "jot"))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.content.replace(b"t1", b"t2").replace(b"job", b"jot") == unknown.content
