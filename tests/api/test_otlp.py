"""`POST otlp/v1/traces`: the calls among spans are booked, each once, and every answer is OTLP's."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from costtrack.models import Organization, Project, ResourceUsage
from tests.api.callers import ROOT, person, robot
from tests.api.otlp_bodies import (
    CALL,
    CHAT_ID,
    PROTOBUF,
    TRACE,
    dumped,
    json_attributes,
    json_export,
    json_span,
    now_ns,
    protobuf_export,
)
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db

TRACES = ROOT + "otlp/v1/traces"
COST = Decimal("0.0045")


@pytest.fixture
def key(acme: Organization) -> Client:
    """A client with a key of acme, which has a rate."""
    make_rate()
    return robot(acme, scopes="ingest")


def sent(client: Client, body: Any, *, media_type: str = "application/json", path: str = TRACES, **headers: str) -> Any:
    data = body if isinstance(body, (str, bytes)) else dumped(body)
    return client.generic("POST", path, data, content_type=media_type, headers=headers)


def rejected(answer: Any) -> tuple[str, str]:
    """How many, and why; nothing else is wrong."""
    assert answer.status_code == 200, answer.content
    partial = answer.json()["partialSuccess"]
    return partial["rejectedSpans"], partial["errorMessage"]


def test_a_call_in_json_is_booked_with_its_time_its_owner_and_its_key(key: Client) -> None:
    span = json_span(attributes={**CALL, "costtrack.thread_id": "t-1", "gen_ai.agent.name": "writer"})
    resource = {"service.name": "website", "costtrack.tags.team": "search", "deployment.environment.name": "test"}
    answer = sent(key, json_export(span, resource=resource))
    assert (answer.status_code, answer.json(), answer["Content-Type"]) == (200, {}, "application/json")
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.idempotency_key, row.thread_id) == (COST, f"openai:{CHAT_ID}", "t-1")
    assert row.project is not None
    assert row.agent is not None
    assert (row.organization.slug, row.project.slug, row.agent.slug) == ("acme", "website", "writer")
    assert row.tags == {"team": "search", "environment": "test"}
    assert int(row.occurred_at.timestamp()) == int(span["startTimeUnixNano"]) // 10**9
    assert row.latency_ms == 1000
    assert row.metadata == {
        "finish_reason": "stop",
        "trace_id": TRACE,
        "span_id": "0000000000000001",
        "instrumentation": "test.instrumentation",
    }


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", ["json", "protobuf"])
def test_json_and_protobuf_packed_or_not_are_the_same_call(key: Client, kind: str, is_packed: bool) -> None:
    body = protobuf_export() if kind == "protobuf" else dumped(json_export(json_span())).encode()
    media_type = PROTOBUF if kind == "protobuf" else "application/json; charset=utf-8"
    headers = {"Content-Encoding": "gzip"} if is_packed else {}
    for _ in range(2):
        answer = sent(key, gzip.compress(body) if is_packed else body, media_type=media_type, **headers)
        assert answer.status_code == 200
        if kind == "protobuf":
            assert answer["Content-Type"] == PROTOBUF
            assert not ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success")
        else:
            assert answer.json() == {}
    assert ResourceUsage.objects.get().cost_usd == COST


def test_the_span_of_a_call_that_was_sent_as_an_event_adds_nothing(key: Client) -> None:
    event = {"model": "test-model", "provider": "openai", "input_tokens": 1000, "output_tokens": 100}
    booked = sent(key, {**event, "idempotency_key": f"openai:{CHAT_ID}"}, path=ROOT + "usage").json()
    assert booked["accepted"] == 1
    assert sent(key, json_export(json_span())).json() == {}
    assert ResourceUsage.objects.count() == 1


def test_two_captures_of_one_response_are_one_charge_though_one_of_them_knows_less(key: Client) -> None:
    assert sent(key, json_export(json_span(1))).json() == {}
    fuller = {**CALL, "gen_ai.usage.cache_read.input_tokens": 400, "openai.response.service_tier": "flex"}
    assert sent(key, json_export(json_span(2, fuller))).json() == {}  # a duplicate, not a conflict
    assert ResourceUsage.objects.get().cost_usd == COST


def test_agents_chains_and_tools_are_not_billed_beside_their_calls_and_other_spans_not_at_all(key: Client) -> None:
    spans = [
        json_span(1, {**CALL, "gen_ai.operation.name": "invoke_agent"}),
        json_span(2, parentSpanId=f"{1:016x}"),
        json_span(3, {"http.request.method": "GET"}),
        json_span(4, {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 1000}),
    ]
    assert sent(key, json_export(*spans)).json() == {}
    assert ResourceUsage.objects.get().metadata["span_id"] == "0000000000000002"


def test_a_call_that_failed_is_booked_as_one(key: Client) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "test-model", "error.type": "timeout"}
    event = {
        "name": "exception",
        "attributes": json_attributes({"exception.message": "too late", "exception.type": "T"}),
    }
    assert sent(key, json_export(json_span(attributes=attributes, status={"code": 2}, events=[event]))).json() == {}
    row = ResourceUsage.objects.get()
    assert (row.outcome, row.error_type, row.error_message, row.input_tokens) == ("error", "timeout", "too late", 0)


def test_a_key_narrowed_to_a_project_books_there_whatever_the_service_is_called(
    acme: Organization, website: Project
) -> None:
    make_rate()
    narrowed = robot(acme, owner=website)
    assert sent(narrowed, json_export(json_span(1), resource={"service.name": "other"})).json() == {}
    assert ResourceUsage.objects.get().project == website
    said = json_span(2, {**CALL, "gen_ai.response.id": "chatcmpl-" + "B" * 29, "costtrack.project": "other"})
    count, reason = rejected(sent(narrowed, json_export(said)))
    assert (count, reason) == (
        "1",
        "span 0000000000000002: project: got 'other', expected 'website', which your key is for.",
    )


def test_an_organization_that_is_not_granted_is_as_one_that_does_not_exist(key: Client) -> None:
    make_organization("globex")
    for slug in ("globex", "nowhere"):
        span = json_span(attributes={**CALL, "costtrack.organization": slug})
        count, reason = rejected(sent(key, json_export(span)))
        expected = "expected the slug of an organization that you may send usage to."
        assert (count, reason.replace(slug, "X")) == ("1", f"span 0000000000000001: organization: got 'X', {expected}")
    assert not ResourceUsage.objects.exists()


def test_of_a_manager_of_several_the_parameter_says_which(acme: Organization) -> None:
    make_rate()
    globex = make_organization("globex")
    client = person(roles={acme: "manager", globex: "manager"})
    assert rejected(sent(client, json_export(json_span())))[0] == "1"
    assert sent(client, json_export(json_span()), path=f"{TRACES}?organization=globex").json() == {}
    assert ResourceUsage.objects.get().organization == globex
    assert sent(client, json_export(), path=f"{TRACES}?organization=nowhere").status_code == 200  # nothing asks for it


def test_what_is_too_old_or_has_no_ids_is_told_and_the_rest_is_booked(key: Client) -> None:
    old = str(now_ns(days_ago=41))
    spans = [
        json_span(1, {**CALL, "gen_ai.response.id": ""}, startTimeUnixNano=old, endTimeUnixNano=old),
        json_span(2),
        {**json_span(3), "traceId": "0" * 32},
        {**json_span(4), "spanId": "xyz"},
        {},
    ]
    count, reason = rejected(sent(key, json_export(*spans)))
    assert (count, reason) == ("4", "a span has no valid traceId and spanId. The first of 4.")
    assert ResourceUsage.objects.get().metadata["span_id"] == "0000000000000002"


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"gen_ai.usage.input_tokens": -5}, "gen_ai.usage.input_tokens is -5"),
        ({"gen_ai.usage.input_tokens": 10**12}, "gen_ai.usage.input_tokens is 1000000000000"),
        ({"gen_ai.usage.output_tokens": "many"}, "gen_ai.usage.output_tokens is 'many'"),
    ],
)
def test_counts_that_are_none_leave_the_call_unpriced_and_are_told_in_its_row(
    key: Client, attributes: dict[str, Any], problem: str
) -> None:
    assert sent(key, json_export(json_span(attributes={**CALL, **attributes}))).json() == {}
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.cost_source) == (None, "unpriced")
    assert row.metadata["_problems"][0] == problem


def test_a_clock_far_ahead_or_of_no_use_books_at_the_present(key: Client) -> None:
    for number, start in enumerate(
        (str(now_ns(days_ago=-400)), "0", str(2**64), "-5", "soon", None, 1.5, [1]), start=1
    ):
        attributes = {**CALL, "gen_ai.response.id": f"chatcmpl-{number:029}"}
        answer = sent(key, json_export(json_span(number, attributes, startTimeUnixNano=start)))
        assert answer.json() == {}, start
    days = {row.occurred_at.timestamp() * 10**9 > now_ns(days_ago=1) for row in ResourceUsage.objects.all()}
    assert (days, ResourceUsage.objects.count()) == ({True}, 8)


BAD_BODIES: list[Any] = [
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"7",
    b"\xff\xfe",
    b'{"resourceSpans": {}}',
    b'{"resourceSpans": [7]}',
    b'{"resourceSpans": [{"scopeSpans": "x"}]}',
    b'{"resourceSpans": [{"resource": []}]}',
    b'{"resourceSpans": [{"scopeSpans": [{"scope": 7}]}]}',
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [[]]}]}]}',
    b"[" * 100_000,
    b'{"resourceSpans":' * 2000,
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_body_that_is_none_is_a_400_in_otlps_form(key: Client, body: bytes) -> None:
    answer = sent(key, body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert list(answer.json()) == ["message"]


@pytest.mark.parametrize(
    "span",
    [
        json_span(attributes={}, status=7),
        json_span(attributes={}, events=[7]),
        json_span(attributes={}, events={"name": "exception"}),
        {**json_span(), "attributes": [None]},
        {**json_span(), "attributes": {"a": 1}},
        {**json_span(), "attributes": [{"key": "a", "value": {"arrayValue": 7}}]},
    ],
)
def test_a_span_that_is_built_wrong_is_a_400(key: Client, span: Any) -> None:
    assert sent(key, json_export(span)).status_code == 400


@pytest.mark.parametrize(
    "attributes",
    [
        [{}],
        [{"key": 7, "value": {"intValue": 1}}],
        [{"key": "gen_ai.request.model", "value": {}}],
        [{"key": "gen_ai.request.model", "value": {"stringValue": 7}}],
        [{"key": "gen_ai.request.model", "value": {"intValue": "7" * 5000}}],
        [{"key": "gen_ai.request.model", "value": {"kvlistValue": {"values": []}}}],
        [{"key": "gen_ai.request.model", "value": {"stringValue": "a\u0000b\u202e"}}],
        [{"key": "gen_ai.request.model", "value": {"stringValue": "m" * 100_000}}],
        [{"key": "costtrack.thread_id", "value": {"stringValue": "\u0000"}}],
        [{"key": f"costtrack.tags.{number}", "value": {"stringValue": "x" * 999}} for number in range(100)],
        [{"key": "gen_ai.provider.name", "value": {"arrayValue": {"values": [{"arrayValue": {}}]}}}],
    ],
)
def test_whatever_attributes_a_call_has_it_is_booked(key: Client, attributes: Any) -> None:
    known = [one for one in json_attributes(CALL) if one["key"] != "gen_ai.request.model"]
    assert sent(key, json_export({**json_span(), "attributes": [*known, *attributes]})).json() == {}
    assert ResourceUsage.objects.count() == 1


@pytest.mark.parametrize("body", [b"\x00", b"\xff" * 50, b"\n\x05abc", b"{}"])
def test_protobuf_that_is_none_is_a_400_with_a_status_in_protobuf(key: Client, body: bytes) -> None:
    answer = sent(key, body, media_type=PROTOBUF)
    assert (answer.status_code, answer["Content-Type"]) == (400, PROTOBUF)
    assert answer.content[:1] == b"\x12"  # field 2 of google.rpc.Status, the message
    assert b"no ExportTraceServiceRequest" in answer.content


def test_rejections_in_protobuf_are_told_in_protobuf(key: Client) -> None:
    body = protobuf_export(attributes={**CALL, "costtrack.organization": "globex"})
    partial = ExportTraceServiceResponse.FromString(sent(key, body, media_type=PROTOBUF).content).partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message.startswith("span 0000000000000001: organization: got 'globex'")


def test_without_the_extra_protobuf_is_a_415_that_says_what_to_install(
    key: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.proto.collector.trace.v1", None)
    answer = sent(key, protobuf_export(), media_type=PROTOBUF)
    assert answer.status_code == 415
    assert b"pip install 'costtrack[otel]'" in answer.content
    assert sent(key, json_export(json_span())).json() == {}


@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [("text/plain", ""), ("", ""), ("application/grpc", ""), ("application/json", "br"), (PROTOBUF, "deflate")],
)
def test_other_media_types_and_compressions_are_a_415(key: Client, media_type: str, encoding: str) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    assert sent(key, b"{}", media_type=media_type, **headers).status_code == 415


@pytest.mark.parametrize(
    "body", [b"{}", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"more"], ids=["none", "cut off", "followed"]
)
def test_what_is_no_gzip_is_a_400(key: Client, body: bytes) -> None:
    answer = sent(key, body, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("The body is no gzip")


def test_a_body_is_bounded_packed_and_unpacked_and_in_its_spans(key: Client, settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline", "INGEST_MAX_BYTES": 100_000}
    bomb = gzip.compress(b'{"resourceSpans": []' + b" " * 50_000_000 + b"}")
    assert len(bomb) < 100_000
    for body, headers in ((b" " * 100_001, {}), (bomb, {"Content-Encoding": "gzip"})):
        answer = sent(key, body, **headers)
        assert (answer.status_code, "100,000 bytes" in answer.json()["message"]) == (413, True)
    many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([b"{}"] * 10_001) + b"]}]}]}"
    assert len(many) < 100_000
    assert sent(key, many).status_code == 413


def test_protobuf_of_a_million_empty_messages_is_a_413_before_they_take_half_a_gigabyte(key: Client) -> None:
    def message(field: int, content: bytes) -> bytes:
        length, size = bytearray(), len(content)
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([field << 3 | 2, *length, size]) + content

    spans = message(1, message(2, b"\x12\x00" * 1_000_000))
    attributes = message(1, message(2, message(2, b"\x4a\x00" * 1_000_000)))
    values = message(1, message(1, message(1, message(2, message(5, b"\x0a\x00" * 1_000_000)))))
    for body in (spans, attributes, values):
        assert len(body) < 5 << 20
        packed = sent(key, gzip.compress(body, 1), media_type=PROTOBUF, **{"Content-Encoding": "gzip"})
        assert (packed.status_code, b"200,000 messages" in packed.content) == (413, True)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_body_gets_an_answer_of_otlp(key: Client, data: st.DataObject) -> None:
    name = st.sampled_from(["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "status", "resource"])
    anything = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just(TRACE)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(name, inner, max_size=4)),
    )
    as_json = st.one_of(anything, st.builds(lambda one: json_export({**json_span(), "attributes": one}), anything))
    assert sent(key, dumped(data.draw(as_json))).status_code in (200, 400)
    whole = protobuf_export()
    cut = data.draw(st.one_of(st.binary(max_size=60), st.integers(0, len(whole)).map(lambda end: whole[:end])))
    assert sent(key, cut or b"\x0a\x00", media_type=PROTOBUF).status_code in (200, 400)


def test_who_may_not_send_is_told_so_in_otlps_form(acme: Organization) -> None:
    told = [
        sent(client, json_export(json_span()))
        for client in (Client(), robot(acme, scopes="read"), person(roles={acme: "viewer"}))
    ]
    assert [answer.status_code for answer in told] == [401, 403, 403]
    assert told[0]["WWW-Authenticate"] == 'Bearer realm="costtrack"'
    assert all(list(answer.json()) == ["message"] for answer in told)
    assert not ResourceUsage.objects.exists()


def test_a_database_that_is_away_is_a_503_that_exporters_try_again(
    key: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr("costtrack.api.ingest.record_events", away)
    assert sent(key, json_export(json_span())).status_code == 503
    assert sent(key, json_export()).json() == {}


def test_a_throttled_exporter_is_told_when_to_try_again(key: Client, settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline", "INGEST_RATE": "1/hour"}
    answers = [sent(key, json_export()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1]["Retry-After"]) > 0


def test_the_accept_header_changes_nothing(key: Client) -> None:
    for accept in ("application/x-protobuf", "text/html", "*/*", ""):
        assert sent(key, json_export(), Accept=accept)["Content-Type"] == "application/json"
    assert sent(key, json_export(), path=f"{TRACES}?format=json").status_code == 200
    unknown = sent(key, json_export(), path=f"{TRACES}?format=csv")
    assert (unknown.status_code, unknown.json()) == (404, {"message": "format: got 'csv', expected json."})


def test_two_thousand_calls_at_once_are_booked(key: Client) -> None:
    spans = [json_span(number, {**CALL, "gen_ai.response.id": f"chatcmpl-{number:029}"}) for number in range(1, 2001)]
    assert sent(key, json_export(*spans)).json() == {}
    assert ResourceUsage.objects.count() == 2000
