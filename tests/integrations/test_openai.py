"""The OpenAI SDK against a server that speaks its wire format: each call is one row at its exact cost."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pydantic
import pytest

from costtrack import attribute, meter, track_api_call
from costtrack.exceptions import InvalidUsage
from costtrack.integrations.openai import _spoken_to, instrument, uninstrument
from costtrack.metering.database_thread import wait_for_later
from costtrack.models import Rate, ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import event_stream, json_answer, text_answer
from tests.integrations.wire.openai_bodies import (
    CHAT_ID,
    RESPONSE_ID,
    chat_chunks,
    chat_completion,
    chat_usage,
    embeddings,
    error,
    response,
    response_events,
    responses_usage,
)
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]


@pytest.fixture
def rate() -> Rate:
    """USD per million: 3 input, 0.3 read from the cache, 15 output."""
    make_organization("default")
    return make_rate("gpt-test", cache_read_usd_per_million=Decimal("0.3"))


@pytest.fixture
def client(wire: Wire, rate: Rate) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="test", base_url=f"{wire.url}/v1", max_retries=0) as client:
        yield instrument(client, provider="openai")


def ask(client: openai.OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-test", messages=HELLO, **more)


def only_row() -> ResourceUsage:
    return ResourceUsage.objects.get()


def test_a_chat_is_one_row_with_the_cost_of_its_cached_and_reasoning_tokens(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion(chat_usage(1000, 100, cached_tokens=400, reasoning_tokens=60))))
    with attribute(thread_id="t-1", user="u-9"):
        answer = ask(client)
    assert answer.choices[0].message.content == "Hello!"
    row = only_row()
    # 600 x 3 + 400 x 0.3 + 100 x 15 = 3,420 per million
    assert (row.cost_usd, row.cost_source) == (Decimal("0.00342"), "estimated")
    assert (row.provider, row.model, row.service_tier) == ("openai", "gpt-test-2026-08-07", "standard")
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens, row.reasoning_tokens) == (1000, 400, 100, 60)
    assert (row.outcome, row.thread_id, row.user) == ("success", "t-1", "u-9")
    assert row.metadata == {"finish_reason": "stop"}
    assert row.idempotency_key == f"openai:{CHAT_ID}"


def test_a_chat_in_a_metered_block_is_the_blocks_own(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion(chat_usage(1000, 100))))
    with meter("summarize", thread_id="t-1", tags={"team": "red"}) as call:
        call.observe(ask(client))
    row = only_row()
    assert (row.endpoint, row.thread_id, row.tags) == ("summarize", "t-1", {"team": "red"})
    assert row.cost_usd == Decimal("0.0045")  # 1,000 x 3 + 100 x 15 = 4,500 per million


def test_a_response_of_the_responses_api_is_one_row(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(response(responses_usage(2000, 200, cached_tokens=1000, reasoning_tokens=150))))
    client.responses.create(model="gpt-test", input="Hello!")
    row = only_row()
    assert row.cost_usd == Decimal("0.0063")  # 1000 x 3 + 1000 x 0.3 + 200 x 15 = 6,300 per million
    assert (row.reasoning_tokens, row.idempotency_key) == (150, f"openai:{RESPONSE_ID}")


def test_an_embedding_is_one_row_of_input_only(wire: Wire, client: openai.OpenAI) -> None:
    make_rate("embed-test", per_million=("0.02", "0"))
    wire.gives(json_answer(embeddings(1000)), json_answer(embeddings(1000)))
    answer = client.embeddings.create(model="embed-test", input="Hello!")
    client.embeddings.create(model="embed-test", input="Hello!")
    assert len(answer.data[0].embedding) == 2
    rows = ResourceUsage.objects.all()
    assert [row.cost_usd for row in rows] == [Decimal("0.00002")] * 2  # 1000 x 0.02; without an id each is its own
    assert {row.output_tokens for row in rows} == {0}


def test_the_service_tier_that_served_the_call_sets_its_price(wire: Wire, client: openai.OpenAI) -> None:
    make_rate("gpt-test", per_million=("6", "30"), service_tier="priority")
    make_rate("gpt-test", per_million=("1.5", "7.5"), service_tier="flex")
    wire.gives(json_answer(chat_completion(service_tier="priority")))
    wire.gives(json_answer(chat_completion(service_tier="default", response_id=f"{CHAT_ID}2")))
    ask(client, service_tier="auto")
    ask(client, service_tier="flex")
    costs = ResourceUsage.objects.order_by("id").values_list("service_tier", "cost_usd")
    # 1000 x 6 + 100 x 30 = 9,000; flex was not to be had: 1000 x 3 + 100 x 15 = 4,500
    assert list(costs) == [("priority", Decimal("0.009")), ("standard", Decimal("0.0045"))]


def test_a_stream_is_charged_by_its_usage_chunk(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("Hel", "lo!", usage=chat_usage(1000, 100, cached_tokens=400))))
    stream = ask(client, stream=True, stream_options={"include_usage": True})
    assert isinstance(stream, openai.Stream)
    texts = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert "".join(text or "" for text in texts) == "Hello!"
    row = only_row()
    assert (row.cost_usd, row.is_estimated) == (Decimal("0.00342"), False)
    assert (row.idempotency_key, row.metadata) == (f"openai:{CHAT_ID}", {"finish_reason": "stop"})


def test_a_stream_without_a_usage_chunk_is_estimated_and_flagged(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("x" * 400)))
    list(
        client.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": "y" * 40}], stream=True)
    )
    row = only_row()
    # 40 characters are 10 tokens, 400 are 100: 10 x 3 + 100 x 15 = 1,530 per million
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (10, 100, Decimal("0.00153"))
    assert row.is_estimated
    assert row.metadata["estimated"] == "input from 40 characters, output from 400 characters"


@pytest.mark.parametrize("leaving", ["close", "with", "response"])
def test_a_stream_that_is_left_early_is_recorded_at_once(leaving: str, wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("x" * 400, "x" * 400, is_finished=False), between_seconds=0.01))
    stream = ask(client, stream=True)
    if leaving == "with":
        with stream:
            [next(stream), next(stream)]
    else:
        [next(stream), next(stream)]
        (stream if leaving == "close" else stream.response).close()
    row = only_row()
    assert (row.output_tokens, row.is_estimated, row.outcome) == (100, True, "success")
    assert row.metadata["stream"] == "ended early"


def test_a_stream_that_is_dropped_is_recorded(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("x" * 400, "x" * 400, is_finished=False), between_seconds=0.01))
    with capture_usage() as log:
        stream = ask(client, stream=True)
        next(stream), next(stream)
        del stream
        wait_for_later(10)
    (event,) = log
    assert (event.tokens.output_tokens, event.is_estimated) == (100, True)


def test_a_stream_that_breaks_is_recorded_as_failed_with_what_has_come(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("x" * 400, is_finished=False), is_cut=True, is_done_told=False))
    with pytest.raises(openai.APIConnectionError):
        list(ask(client, stream=True))
    row = only_row()
    assert (row.outcome, row.error_type, row.output_tokens) == ("error", "openai.APIConnectionError", 100)
    assert row.is_estimated


def test_the_helper_for_streams_of_chats_is_metered(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("Hel", "lo!", usage=chat_usage())))
    with client.chat.completions.stream(model="gpt-test", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert stream.get_final_completion().choices[0].message.content == "Hello!"
    assert (only_row().cost_usd, only_row().metadata) == (Decimal("0.0045"), {"finish_reason": "stop"})


def test_leaving_the_helper_for_streams_early_records_at_once(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("x" * 400, "x" * 400, is_finished=False), between_seconds=0.01))
    with client.chat.completions.stream(model="gpt-test", messages=HELLO) as stream:
        for event in stream:
            if event.type == "content.delta" and event.delta:
                break
    row = only_row()
    assert (row.output_tokens, row.metadata["stream"]) == (100, "ended early")


def test_streams_of_the_responses_api_are_metered(wire: Wire, client: openai.OpenAI) -> None:
    usage = responses_usage(1000, 100, cached_tokens=400)
    wire.gives(event_stream(response_events("Hel", "lo!", usage=usage), is_named=True))
    list(client.responses.create(model="gpt-test", input="Hello!", stream=True))
    row = only_row()
    assert (row.cost_usd, row.idempotency_key, row.is_estimated) == (
        Decimal("0.00342"),
        f"openai:{RESPONSE_ID}",
        False,
    )


def test_the_helper_for_streams_of_responses_is_metered(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(response_events("Hel", "lo!", usage=responses_usage()), is_named=True))
    with client.responses.stream(model="gpt-test", input="Hello!") as stream:
        assert stream.get_final_response().id == RESPONSE_ID
    assert only_row().cost_usd == Decimal("0.0045")


@pytest.mark.parametrize("way", ["raw", "streaming", "lines"])
def test_raw_responses_are_metered(way: str, wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion(), x_request_id="req_1"))
    chats = client.chat.completions
    if way == "raw":
        raw = chats.with_raw_response.create(model="gpt-test", messages=HELLO)
        assert (raw.headers["x-request-id"], raw.parse().id) == ("req_1", CHAT_ID)
    else:
        with chats.with_streaming_response.create(model="gpt-test", messages=HELLO) as streaming:
            text = "".join(streaming.iter_lines()) if way == "lines" else streaming.text()
            assert CHAT_ID in text
    row = only_row()
    assert (row.cost_usd, row.idempotency_key, row.is_estimated) == (Decimal("0.0045"), f"openai:{CHAT_ID}", False)


@pytest.mark.parametrize("way", ["raw", "streaming", "lines"])
def test_raw_responses_that_stream_are_metered(way: str, wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(chat_chunks("Hel", "lo!", usage=chat_usage())))
    chats: Any = client.chat.completions
    asked = {"model": "gpt-test", "messages": HELLO, "stream": True}
    if way == "raw":
        assert len(list(chats.with_raw_response.create(**asked).parse())) == 5
    else:
        with chats.with_streaming_response.create(**asked) as streaming:
            read = streaming.iter_lines() if way == "lines" else streaming.parse()
            assert len(list(read)) == (12 if way == "lines" else 5)
    row = only_row()
    assert (row.cost_usd, row.metadata) == (Decimal("0.0045"), {"finish_reason": "stop"})


def test_a_raw_response_that_nobody_reads_is_recorded_when_it_is_closed(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion()))
    with client.chat.completions.with_streaming_response.create(model="gpt-test", messages=HELLO) as streaming:
        assert streaming.status_code == 200
        assert not ResourceUsage.objects.exists()
    row = only_row()
    # What it used is not known: its input is estimated, 6 characters are 2 tokens
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (2, 0, True)


def test_a_response_made_in_the_background_is_charged_when_it_is_fetched_whole(
    wire: Wire, client: openai.OpenAI
) -> None:
    def made(status: str) -> Any:
        return json_answer(
            {**response(status=status), "background": True, **({} if whole(status) else {"usage": None})}
        )

    def whole(status: str) -> bool:
        return status == "completed"

    wire.gives(*map(made, ("queued", "in_progress", "completed", "completed")))
    begun = client.responses.create(model="gpt-test", input="Hello!", background=True)
    client.responses.retrieve(begun.id)
    assert not ResourceUsage.objects.exists()
    client.responses.retrieve(begun.id)
    client.responses.retrieve(begun.id)
    row = only_row()
    assert (row.cost_usd, row.idempotency_key, row.outcome) == (Decimal("0.0045"), f"openai:{RESPONSE_ID}", "success")


def test_a_response_that_was_charged_when_it_was_made_is_not_when_it_is_fetched(
    wire: Wire, client: openai.OpenAI
) -> None:
    wire.gives(json_answer(response()), json_answer(response()))
    client.responses.retrieve(client.responses.create(model="gpt-test", input="Hello!").id)
    assert only_row().cost_usd == Decimal("0.0045")


class Answer(pydantic.BaseModel):
    number: int


def test_an_answer_that_does_not_parse_is_charged_all_the_same(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion(content='{"number": 7}')))
    wire.gives(json_answer(chat_completion(content='{"num', finish_reason="length", response_id=f"{CHAT_ID}2")))
    parsed = client.chat.completions.parse(model="gpt-test", messages=HELLO, response_format=Answer)
    assert parsed.choices[0].message.parsed == Answer(number=7)
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="gpt-test", messages=HELLO, response_format=Answer)
    rows = ResourceUsage.objects.order_by("id").values_list("outcome", "cost_usd")
    assert list(rows) == [("success", Decimal("0.0045")), ("error", Decimal("0.0045"))]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "BadRequestError"), (429, "RateLimitError"), (500, "InternalServerError")]
)
def test_a_refusal_by_the_provider_is_a_failed_call_that_costs_nothing(
    status: int, kind: str, wire: Wire, client: openai.OpenAI
) -> None:
    wire.gives(json_answer(error(), status))
    with pytest.raises(getattr(openai, kind)):
        ask(client)
    row = only_row()
    assert (row.outcome, row.error_type, row.model, row.cost_usd) == ("error", f"openai.{kind}", "gpt-test", Decimal(0))


def test_what_the_sdk_tries_again_is_one_call(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(error(), 429, retry_after_ms="1"), json_answer(chat_completion()))
    ask(client.with_options(max_retries=2))
    assert len(wire.requests) == 2
    assert (only_row().outcome, only_row().cost_usd) == ("success", Decimal("0.0045"))


def test_the_same_response_again_is_charged_once(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion()), json_answer(chat_completion()))
    ask(client)
    ask(client)
    assert only_row().cost_usd == Decimal("0.0045")


def test_a_tracked_function_round_the_client_adds_no_row_and_gives_its_name(wire: Wire, client: openai.OpenAI) -> None:
    @track_api_call("summarize")
    def summarize(stream: bool) -> Any:
        return ask(client, stream=stream)

    wire.gives(json_answer(chat_completion()))
    wire.gives(event_stream(chat_chunks("Hello!", usage=chat_usage(), response_id=f"{CHAT_ID}2")))
    summarize(False)
    list(summarize(True))
    rows = ResourceUsage.objects.values_list("endpoint", "cost_usd")
    assert list(rows) == [("summarize", Decimal("0.0045"))] * 2


def test_instrumented_twice_is_metered_once_and_as_said_last(wire: Wire, client: openai.OpenAI) -> None:
    again = instrument(client, provider="openai", endpoint="second")
    wire.gives(json_answer(chat_completion()))
    ask(again)
    assert again is client
    assert only_row().endpoint == "second"


def test_a_client_that_is_not_instrumented_any_more_is_as_it_was(wire: Wire, client: openai.OpenAI) -> None:
    untouched = vars(openai.OpenAI(api_key="test", base_url=wire.url)).keys()
    _ = client.chat
    wire.gives(json_answer(chat_completion()))
    assert uninstrument(uninstrument(client)) is client
    ask(client)
    assert not ResourceUsage.objects.exists()
    assert vars(client).keys() - untouched == {"chat"}


def test_other_calls_of_the_client_are_not_touched(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer({"object": "list", "data": [{"id": "gpt-test", "object": "model"}]}), text_answer("{}"))
    assert [model.id for model in client.models.list()] == ["gpt-test"]
    assert not ResourceUsage.objects.exists()


def test_what_is_no_client_is_refused(rate: Rate) -> None:
    for thing in (object(), openai, None):
        with pytest.raises(InvalidUsage, match=r"client: got .*OpenAI"):
            instrument(thing)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://api.openai.com/v1", {"provider": "openai"}),
        ("https://eu.api.openai.com/v1", {"provider": "openai"}),
        ("https://api.groq.com/openai/v1", {"provider": "groq"}),
        ("https://openrouter.ai/api/v1", {"gateway": "openrouter"}),
        ("https://acme.openai.azure.com/openai/v1", {"provider": "azure"}),
        ("https://bedrock-mantle.us-east-1.api.aws/openai/v1", {"provider": "aws"}),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1", {"provider": "aws"}),
        ("https://ec2-1-2-3-4.compute-1.amazonaws.com/v1", {}),
        ("https://notapi.openai.com.example.org/v1", {}),
        ("http://127.0.0.1:8000/v1", {}),
    ],
)
def test_the_provider_is_told_from_the_address(address: str, expected: dict[str, str]) -> None:
    assert _spoken_to(openai.OpenAI(api_key="test", base_url=address), "", "") == expected


def test_an_id_of_a_server_that_nobody_knows_is_not_trusted(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(chat_completion()), json_answer(chat_completion()))
    instrument(client)
    ask(client)
    ask(client)
    keys = ResourceUsage.objects.values_list("idempotency_key", flat=True)
    assert [CHAT_ID in key for key in keys] == [False, False]


def test_azures_deployments_are_priced_by_the_model_that_answered(wire: Wire, rate: Rate) -> None:
    azure = openai.AzureOpenAI(api_key="test", azure_endpoint=wire.url, api_version="2026-10-01", max_retries=0)
    wire.gives(json_answer(chat_completion()))
    instrument(azure).chat.completions.create(model="our-deployment", messages=HELLO)
    row = only_row()
    assert wire.requests[0].path.startswith("/openai/deployments/our-deployment/chat/completions")
    assert (row.provider, row.model, row.cost_usd) == ("azure", "gpt-test-2026-08-07", Decimal("0.0045"))
