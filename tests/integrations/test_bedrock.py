"""boto3's Bedrock client against a server that speaks AWS's wire format: each call is one row at its exact cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError, ParamValidationError, ReadTimeoutError

from costtrack import track_api_call
from costtrack.exceptions import BudgetExceeded, InvalidUsage
from costtrack.integrations.bedrock import instrument, uninstrument
from costtrack.metering.database_thread import wait_for_later
from costtrack.models import Hold, Rate, ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_organization, make_rate
from tests.integrations.wire import anthropic_bodies as claude
from tests.integrations.wire.answers import aws_event_stream, json_answer
from tests.integrations.wire.bedrock_bodies import (
    REQUEST_ID,
    converse,
    converse_stream,
    invoked,
    invoked_stream,
    throttled,
    usage,
)
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held, states

pytestmark = pytest.mark.django_db

MODEL = "anthropic.claude-test-20261001-v1:0"
HELLO: list[Any] = [{"role": "user", "content": [{"text": "y" * 40}]}]
ASKED: dict[str, Any] = {"modelId": MODEL, "messages": HELLO, "inferenceConfig": {"maxTokens": 1000}}
CLAUDE = json.dumps(
    {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": [{"role": "user", "content": "y" * 40}]}
)


@pytest.fixture
def rate() -> Rate:
    """USD per million: 3 input, 15 output; 0.3 read from the cache, 3.75 written for 5 minutes, 6 for 1 hour."""
    make_organization("default")
    return make_rate(
        MODEL,
        "aws",
        cache_read_usd_per_million=Decimal("0.3"),
        cache_write_usd_per_million=Decimal("3.75"),
        cache_write_1h_usd_per_million=Decimal("6"),
    )


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")


@pytest.fixture
def client(wire: Wire, rate: Rate, session: boto3.Session) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=0.3)
    client = session.client("bedrock-runtime", endpoint_url=wire.url, config=config)
    yield instrument(client)
    client.close()


def only_row() -> ResourceUsage:
    return ResourceUsage.objects.get()


def test_converse_is_one_row_at_the_prices_of_its_cache(wire: Wire, client: Any) -> None:
    wire.gives(converse(usage(100, 200, read=1000, write=400, write_1h=300)))
    answer = client.converse(**ASKED)
    assert answer["output"]["message"]["content"][0]["text"] == "Hello!"
    row = only_row()
    # 100 x 3 + 1000 x 0.3 + 400 x 3.75 + 300 x 6 + 200 x 15 = 300 + 300 + 1,500 + 1,800 + 3,000 = 6,900 per million
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (Decimal("0.0069"), 1800, 200)
    assert (row.cache_read_tokens, row.cache_write_tokens, row.cache_write_1h_tokens) == (1000, 400, 300)
    assert (row.provider, row.model, row.idempotency_key) == ("aws", MODEL, f"aws:{REQUEST_ID}")
    assert row.metadata == {"finish_reason": "end_turn"}


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        (f"us.{MODEL}", "0.00495"),  # its own price: 1000 x 3.3 + 100 x 16.5 = 4,950 per million
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}", "0.00495"),
        (f"global.{MODEL}", "0.0045"),  # the model's own: 1000 x 3 + 100 x 15
        (f"eu.{MODEL}", "0.0045"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}", "0.0045"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3", None),
    ],
)
def test_inference_profiles_are_priced_by_their_ids(model: str, cost: str | None, wire: Wire, client: Any) -> None:
    make_rate(f"us.{MODEL}", "aws", per_million=("3.3", "16.5"))
    wire.gives(converse())
    client.converse(**{**ASKED, "modelId": model})
    assert only_row().cost_usd == (None if cost is None else Decimal(cost))


def test_a_profile_that_does_not_tell_its_model_is_priced_by_what_is_said(wire: Wire, client: Any) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
    wire.gives(converse())
    instrument(client, models={arn: MODEL}).converse(**{**ASKED, "modelId": arn})
    assert (only_row().model, only_row().cost_usd) == (MODEL, Decimal("0.0045"))


def test_the_service_tier_that_served_the_call_sets_its_price(wire: Wire, client: Any) -> None:
    make_rate(MODEL, "aws", per_million=("6", "30"), service_tier="priority")
    wire.gives(converse(serviceTier={"type": "priority"}))
    client.converse(**ASKED, serviceTier={"type": "priority"})
    assert (only_row().service_tier, only_row().cost_usd) == ("priority", Decimal("0.009"))


def test_a_stream_of_converse_is_charged_by_its_last_event(wire: Wire, client: Any) -> None:
    wire.gives(converse_stream("Hel", "lo!", told=usage(100, 200, read=1000)))
    stream = client.converse_stream(**ASKED)["stream"]
    assert len(list(stream)) == 6
    row = only_row()
    # 100 x 3 + 1000 x 0.3 + 200 x 15 = 3,600 per million
    assert (row.cost_usd, row.is_estimated, row.idempotency_key) == (Decimal("0.0036"), False, f"aws:{REQUEST_ID}")


def test_a_stream_that_is_closed_early_is_estimated(wire: Wire, client: Any) -> None:
    wire.gives(converse_stream("x" * 400, "x" * 400, is_finished=False))
    stream = client.converse_stream(**ASKED)["stream"]
    for event in stream:
        if "contentBlockDelta" in event:
            break
    stream.close()
    row = only_row()
    # 40 characters sent are 10 tokens, 400 that came are 100: 10 x 3 + 100 x 15 = 1,530 per million
    assert (row.cost_usd, row.is_estimated, row.metadata["stream"]) == (Decimal("0.00153"), True, "ended early")


def test_an_error_in_the_middle_of_a_stream_is_a_failed_call_with_what_has_come(wire: Wire, client: Any) -> None:
    events: list[Any] = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x" * 400}}),
        ("modelStreamErrorException", {"message": "The model broke."}),
    ]
    wire.gives(aws_event_stream(events, request_id=REQUEST_ID))
    with pytest.raises(EventStreamError):
        list(client.converse_stream(**ASKED)["stream"])
    assert (only_row().outcome, only_row().cost_usd) == ("error", Decimal("0.00153"))


def test_an_invoked_model_is_charged_by_its_makers_body(wire: Wire, client: Any) -> None:
    wire.gives(
        invoked(claude.message(claude.usage(100, 200, read=1000, write_1h=300)), input_tokens=100, output_tokens=200)
    )
    answer = client.invoke_model(modelId=MODEL, body=CLAUDE)
    assert json.loads(answer["body"].read())["content"][0]["text"] == "Hello!"
    row = only_row()
    # 100 x 3 + 1000 x 0.3 + 300 x 6 + 200 x 15 = 5,400 per million: the headers know nothing of the cache
    assert (row.cost_usd, row.model, row.idempotency_key) == (Decimal("0.0054"), MODEL, f"aws:{REQUEST_ID}")


def test_an_invoked_model_without_counts_in_its_body_is_charged_by_the_headers(wire: Wire, client: Any) -> None:
    wire.gives(invoked({"outputs": [{"text": "Hello!", "stop_reason": "stop"}]}))
    answer = client.invoke_model(modelId=MODEL, body=json.dumps({"prompt": "Hello!", "max_tokens": 10}))
    assert b"".join(answer["body"].iter_chunks(5)).startswith(b'{"outputs"')
    assert only_row().cost_usd == Decimal("0.0045")


def test_an_invoked_stream_is_charged_by_bedrocks_metrics(wire: Wire, client: Any) -> None:
    metrics = {"inputTokenCount": 1000, "outputTokenCount": 100, "invocationLatency": 42, "firstByteLatency": 9}
    wire.gives(invoked_stream(claude.events("Hel", "lo!", told=claude.usage(1000, 100)), metrics=metrics))
    stream = client.invoke_model_with_response_stream(modelId=MODEL, body=CLAUDE)["body"]
    assert len([event["chunk"]["bytes"] for event in stream]) == 8
    assert (only_row().cost_usd, only_row().is_estimated) == (Decimal("0.0045"), False)


@pytest.mark.parametrize("operation", ["converse", "converse_stream", "invoke_model"])
def test_a_refusal_by_the_provider_is_a_failed_call_that_costs_nothing(operation: str, wire: Wire, client: Any) -> None:
    wire.gives(throttled())
    asked = {"modelId": MODEL, "body": CLAUDE} if operation == "invoke_model" else ASKED
    with pytest.raises(ClientError):
        getattr(client, operation)(**asked)
    row = only_row()
    assert (row.outcome, row.cost_usd, row.error_type) == ("error", 0, "botocore.exceptions.ClientError")
    assert "Too many requests." in row.error_message


def test_a_call_that_gets_no_answer_is_a_failed_call_that_costs_its_input(wire: Wire, client: Any) -> None:
    wire.gives(json_answer({}, after_seconds=0.5))
    with pytest.raises(ReadTimeoutError):
        client.converse(**ASKED)
    assert (only_row().outcome, only_row().error_type) == ("error", "botocore.exceptions.ReadTimeoutError")
    assert (only_row().is_estimated, only_row().input_tokens, only_row().output_tokens) == (True, 10, 0)


def test_a_call_that_is_interrupted_is_recorded_as_cut_off(wire: Wire, client: Any) -> None:
    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    client.meta.events.register("before-send.bedrock-runtime.Converse", interrupt)
    with capture_usage() as log:
        try:
            client.converse(**ASKED)
        except KeyboardInterrupt as error:
            error.__traceback__ = None
        wait_for_later(10)
    (event,) = log
    assert (event.tokens.input_tokens, event.is_estimated) == (10, True)


CACHED = {"system": [{"text": "s" * 4000}, {"cachePoint": {"type": "default"}}]}
TOOLS = [{"toolSpec": {"name": "n" * 4, "description": "d" * 16, "inputSchema": {"json": {"type": "object"}}}}]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "0.01503"),  # 10 x 3 + 1000 x 15 = 15,030 per million
        ({"system": [{"text": "s" * 4000}]}, "0.01803"),  # 1010 x 3 + 1000 x 15
        (CACHED, "0.02106"),  # at most all of it is written for an hour: 1010 x 6 + 1000 x 15
        ({"toolConfig": {"tools": TOOLS}}, "0.015054"),  # 4 + 16 + "typeobject" + 40 = 70 characters, 18 tokens x 3
    ],
)
def test_the_worst_case_is_held_and_settled(more: dict[str, Any], expected: str, wire: Wire, client: Any) -> None:
    budget = make_budget(make_organization())
    held = []
    client.meta.events.register("before-send", lambda **_: held.append(spent_and_held(budget)[1]))
    wire.gives(converse())
    instrument(client, organization="acme").converse(**ASKED, **more)
    assert held == [Decimal(expected)]
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])


@pytest.mark.parametrize(
    "body",
    [
        CLAUDE,
        json.dumps({"prompt": "y" * 40, "max_gen_len": 1000}),
        json.dumps({"inputText": "y" * 40, "textGenerationConfig": {"maxTokenCount": 1000}}),
        json.dumps({"messages": HELLO, "inferenceConfig": {"maxTokens": 1000}}),
        json.dumps({"message": "y" * 40, "max_tokens": 1000}).encode(),
    ],
)
def test_a_refused_call_never_reaches_the_wire_whatever_its_format(body: Any, wire: Wire, client: Any) -> None:
    budget = make_budget(make_organization(), "0.01502")
    instrument(client, organization="acme")
    asks = (
        lambda: client.converse(**ASKED),
        lambda: client.converse_stream(**ASKED),
        lambda: client.invoke_model(modelId=MODEL, body=body),
        lambda: client.invoke_model_with_response_stream(modelId=MODEL, body=body),
    )
    for ask in asks:
        with pytest.raises(BudgetExceeded) as refused:
            ask()
        assert "0.01503" in str(refused.value)
    assert (wire.requests, ResourceUsage.objects.count(), spent_and_held(budget)) == ([], 0, (0, 0))


def test_a_call_that_boto3_itself_refuses_holds_nothing(wire: Wire, client: Any) -> None:
    make_budget(make_organization())
    with pytest.raises(ParamValidationError):
        instrument(client, organization="acme").converse(**ASKED, nonsense=1)
    assert (Hold.objects.count(), ResourceUsage.objects.count()) == (0, 0)


def test_a_tracked_function_round_the_client_adds_no_row_and_gives_its_name(wire: Wire, client: Any) -> None:
    @track_api_call("summarize")
    def summarize() -> Any:
        return client.converse(**ASKED)

    @track_api_call("summarize")
    def stream() -> Any:
        return client.converse_stream(**ASKED)

    wire.gives(converse(request_id=f"{REQUEST_ID}-2"), converse_stream("Hello!"))
    summarize()
    list(stream()["stream"])
    rows = ResourceUsage.objects.values_list("endpoint", "cost_usd")
    assert list(rows) == [("summarize", Decimal("0.0045"))] * 2


def test_instrumented_twice_is_once_and_not_any_more_is_never(wire: Wire, client: Any) -> None:
    wire.gives(converse(), converse(request_id=f"{REQUEST_ID}-2"))
    instrument(instrument(client), endpoint="last").converse(**ASKED)
    assert uninstrument(uninstrument(client)) is client
    client.converse(**ASKED)
    assert only_row().endpoint == "last"


def test_what_is_no_client_of_bedrock_is_refused(session: boto3.Session) -> None:
    for thing in (object(), session.client("bedrock"), session):
        with pytest.raises(InvalidUsage, match="bedrock-runtime"):
            instrument(thing)
