"""The Anthropic SDK against a server that speaks its wire format: each call is one row at its exact cost."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import pytest
from asgiref.sync import async_to_sync

from costtrack import attribute
from costtrack.exceptions import BudgetExceeded, InvalidUsage
from costtrack.integrations.anthropic import instrument, uninstrument
from costtrack.models import Rate, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import aws_event_stream, event_stream, json_answer
from tests.integrations.wire.anthropic_bodies import MESSAGE_ID, error, events, message, tool_use, usage
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held

pytestmark = pytest.mark.django_db

ASKED: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "y" * 40}],
}


@pytest.fixture
def rate() -> Rate:
    """USD per million: 3 input, 15 output; 0.3 read from the cache, 3.75 written for 5 minutes, 6 for 1 hour."""
    make_organization("default")
    return make_rate(
        "claude-test",
        "anthropic",
        cache_read_usd_per_million=Decimal("0.3"),
        cache_write_usd_per_million=Decimal("3.75"),
        cache_write_1h_usd_per_million=Decimal("6"),
    )


@pytest.fixture
def client(wire: Wire, rate: Rate) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="test", base_url=wire.url, max_retries=0) as client:
        yield instrument(client)


def only_row() -> ResourceUsage:
    return ResourceUsage.objects.get()


def test_a_message_is_one_row_at_the_prices_of_its_cache(wire: Wire, client: anthropic.Anthropic) -> None:
    wire.gives(json_answer(message(usage(100, 200, read=1000, write_5m=400, write_1h=300))))
    with attribute(thread_id="t-1"):
        answer = client.messages.create(**ASKED)
    assert answer.content[0].to_dict() == {"type": "text", "text": "Hello!"}
    row = only_row()
    # 100 x 3 + 1000 x 0.3 + 400 x 3.75 + 300 x 6 + 200 x 15 = 300 + 300 + 1,500 + 1,800 + 3,000 = 6,900 per million
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (Decimal("0.0069"), 1800, 200)
    assert (row.cache_read_tokens, row.cache_write_tokens, row.cache_write_1h_tokens) == (1000, 400, 300)
    assert (row.provider, row.model, row.service_tier) == ("anthropic", "claude-test-20261001", "standard")
    assert (row.idempotency_key, row.thread_id) == (f"anthropic:{MESSAGE_ID}", "t-1")


def test_beta_messages_are_metered(wire: Wire, client: anthropic.Anthropic) -> None:
    wire.gives(json_answer(message()), json_answer({"input_tokens": 5}))
    client.beta.messages.create(**ASKED, betas=["context-management-2025-06-27"])
    client.beta.messages.count_tokens(model="claude-test", messages=ASKED["messages"])
    assert wire.requests[0].headers["anthropic-beta"] == "context-management-2025-06-27"
    assert only_row().cost_usd == Decimal("0.0045")  # 1000 x 3 + 100 x 15 = 4,500 per million


def test_the_fast_mode_has_its_own_price(wire: Wire, client: anthropic.Anthropic) -> None:
    make_rate("claude-test", "anthropic", per_million=("18", "90"), service_tier="fast")
    wire.gives(json_answer(message({**usage(), "speed": "fast"})))
    client.beta.messages.create(**ASKED, speed="fast")
    assert (only_row().service_tier, only_row().cost_usd) == ("fast", Decimal("0.027"))  # 1000 x 18 + 100 x 90


def test_a_streamed_create_is_charged_by_its_first_and_last_usage(wire: Wire, client: anthropic.Anthropic) -> None:
    wire.gives(event_stream(events("Hel", "lo!", told=usage(100, 200, read=1000)), is_named=True))
    kinds = [event.type for event in client.messages.create(**ASKED, stream=True)]
    assert kinds[0] == "message_start"
    row = only_row()
    # 100 x 3 + 1000 x 0.3 + 200 x 15 = 3,600 per million
    assert (row.cost_usd, row.is_estimated, row.metadata) == (Decimal("0.0036"), False, {"finish_reason": "end_turn"})
    assert row.idempotency_key == f"anthropic:{MESSAGE_ID}"


@pytest.mark.parametrize("is_beta", [False, True])
def test_the_helper_for_streams_is_metered(is_beta: bool, wire: Wire, client: anthropic.Anthropic) -> None:
    wire.gives(event_stream(events("Hel", "lo!"), is_named=True))
    messages: Any = client.beta.messages if is_beta else client.messages
    with messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == "Hello!"
    assert stream.get_final_message().id == MESSAGE_ID
    assert (only_row().cost_usd, only_row().metadata) == (Decimal("0.0045"), {"finish_reason": "end_turn"})


@pytest.mark.parametrize("leaving", ["close", "helper"])
def test_a_stream_that_is_left_early_is_estimated_at_once(
    leaving: str, wire: Wire, client: anthropic.Anthropic
) -> None:
    wire.gives(event_stream(events("x" * 400, "x" * 400, is_finished=False), is_named=True, between_seconds=0.01))
    if leaving == "close":
        stream = client.messages.create(**ASKED, stream=True)
        while next(stream).type != "content_block_delta":
            pass
        stream.close()
    else:
        with client.messages.stream(**ASKED) as helper:
            next(helper.text_stream)
    row = only_row()
    # The input was told: 1000 x 3; 400 characters are 100 tokens: 100 x 15
    assert (row.cost_usd, row.is_estimated, row.metadata["stream"]) == (Decimal("0.0045"), True, "ended early")


def test_an_error_in_the_middle_of_a_stream_is_a_failed_call_with_what_has_come(
    wire: Wire, client: anthropic.Anthropic
) -> None:
    told = [*events("x" * 400, is_finished=False), error("overloaded_error", "Overloaded")]
    wire.gives(event_stream(told, is_named=True))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(client.messages.create(**ASKED, stream=True))
    row = only_row()
    assert (row.outcome, row.cost_usd, row.is_estimated) == ("error", Decimal("0.0045"), True)


def test_every_call_of_a_loop_of_tools_is_a_row(wire: Wire, client: anthropic.Anthropic) -> None:
    @anthropic.beta_tool
    def population(city: str) -> str:
        """How many people live there.

        Args:
            city: Its name.
        """
        return "2,100,000"

    first = message(content=tool_use("population", {"city": "Paris"}), stop_reason="tool_use", message_id=MESSAGE_ID)
    wire.gives(json_answer(first), json_answer(message(usage(2000, 50), message_id=f"{MESSAGE_ID}2")))
    runner = client.beta.messages.tool_runner(**ASKED, tools=[population])
    assert runner.until_done().id == f"{MESSAGE_ID}2"
    rows = ResourceUsage.objects.order_by("id").values_list("cost_usd", "metadata__finish_reason")
    # 1000 x 3 + 100 x 15 = 4,500; 2000 x 3 + 50 x 15 = 6,750 per million
    assert list(rows) == [(Decimal("0.0045"), "tool_use"), (Decimal("0.00675"), "end_turn")]


@pytest.mark.parametrize("way", ["raw", "streaming", "lines", "raw stream"])
def test_raw_responses_are_metered(way: str, wire: Wire, client: anthropic.Anthropic) -> None:
    messages: Any = client.messages
    if way == "raw stream":
        wire.gives(event_stream(events("Hello!"), is_named=True))
        assert len(list(messages.with_raw_response.create(**ASKED, stream=True).parse())) == 6
    elif way == "raw":
        wire.gives(json_answer(message()))
        assert messages.with_raw_response.create(**ASKED).parse().id == MESSAGE_ID
    else:
        wire.gives(json_answer(message()))
        with messages.with_streaming_response.create(**ASKED) as streaming:
            assert "".join(streaming.iter_lines()) if way == "lines" else streaming.parse().id == MESSAGE_ID
    assert (only_row().cost_usd, only_row().is_estimated) == (Decimal("0.0045"), False)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "BadRequestError"), (429, "RateLimitError"), (500, "InternalServerError")]
)
def test_a_refusal_by_the_provider_is_a_failed_call_that_costs_nothing(
    status: int, kind: str, wire: Wire, client: anthropic.Anthropic
) -> None:
    wire.gives(json_answer(error(), status))
    with pytest.raises(getattr(anthropic, kind)):
        client.messages.create(**ASKED)
    row = only_row()
    assert (row.outcome, row.error_type, row.cost_usd) == ("error", f"anthropic.{kind}", 0)


def held_while_asking(wire: Wire, client: anthropic.Anthropic, asked: dict[str, Any]) -> Decimal:
    """What a budget of a dollar holds when the SDK sends the request."""
    budget = make_budget(make_organization())
    held = []
    client._client.event_hooks = {"request": [lambda request: held.append(spent_and_held(budget)[1])]}
    wire.gives(json_answer(message()))
    instrument(client, organization="acme").messages.create(**asked)
    assert spent_and_held(budget) == (Decimal("0.0045"), 0)
    return held[0]


CACHED = {"type": "text", "text": "s" * 4000, "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "0.01503"),  # 10 x 3 + 1000 x 15 = 15,030 per million
        ({"system": "s" * 4000}, "0.01803"),  # 1010 x 3 + 1000 x 15
        ({"system": [CACHED]}, "0.02106"),  # at most all of it is written for an hour: 1010 x 6 + 1000 x 15
        ({"messages": [{"role": "user", "content": [CACHED]}]}, "0.021"),  # 1000 x 6 + 1000 x 15
        ({"messages": iter([{"role": "user", "content": "y" * 40}])}, "0.01503"),  # read once, sent all the same
    ],
)
def test_the_worst_case_is_held(more: dict[str, Any], expected: str, wire: Wire, client: anthropic.Anthropic) -> None:
    assert held_while_asking(wire, client, {**ASKED, **more}) == Decimal(expected)
    assert wire.requests[0].json["messages"]


def test_a_refused_call_never_reaches_the_wire(wire: Wire, client: anthropic.Anthropic) -> None:
    make_budget(make_organization(), "0.01502")
    instrument(client, organization="acme")
    asks = (
        lambda: client.messages.create(**ASKED),
        lambda: client.messages.create(**ASKED, stream=True),
        lambda: client.messages.stream(**ASKED).__enter__(),
        lambda: client.beta.messages.create(**ASKED),
    )
    for ask in asks:
        with pytest.raises(BudgetExceeded):
            ask()
    assert (wire.requests, ResourceUsage.objects.count()) == ([], 0)


def test_async_calls_streams_and_helpers_are_metered(wire: Wire, rate: Rate) -> None:
    async def main() -> None:
        async with anthropic.AsyncAnthropic(api_key="test", base_url=wire.url) as client:
            instrument(client)
            await client.messages.create(**ASKED)
            assert len([event async for event in await client.messages.create(**ASKED, stream=True)]) == 6
            async with client.messages.stream(**ASKED) as stream:
                assert await stream.get_final_text() == "Hello!"
            async with client.messages.stream(**ASKED) as left:
                await anext(aiter(left.text_stream))
            assert await ResourceUsage.objects.acount() == 4

    streams = [[{**event} for event in events("Hello!")] for _ in range(3)]
    for number, told in enumerate(streams):
        told[0]["message"] = {**told[0]["message"], "id": f"{MESSAGE_ID}{number}"}
    wire.gives(json_answer(message()), *(event_stream(told, is_named=True, between_seconds=0.005) for told in streams))
    async_to_sync(main)()
    rows = ResourceUsage.objects.order_by("id").values_list("cost_usd", "is_estimated")
    # The last was left with 6 characters, 2 tokens: 1000 x 3 + 2 x 15 = 3,030 per million
    assert list(rows) == [(Decimal("0.0045"), False)] * 3 + [(Decimal("0.00303"), True)]


def test_clients_of_clouds_are_billed_by_them(wire: Wire, rate: Rate) -> None:
    keys: Any = {"aws_access_key": "a", "aws_secret_key": "b", "aws_region": "us-east-1"}
    bedrock = instrument(anthropic.AnthropicBedrock(base_url=wire.url, **keys))
    wire.gives(json_answer(message(message_id="msg_bdrk_01XFDUDYJgAACzvnptvVoYEL")))
    bedrock.messages.create(**{**ASKED, "model": "anthropic.claude-test-20261001-v1:0"})
    assert wire.requests[0].path == "/model/anthropic.claude-test-20261001-v1:0/invoke"
    row = only_row()
    assert (row.provider, row.cost_usd) == ("aws", Decimal("0.0045"))


@pytest.mark.parametrize("way", ["raw", "lines", "left"])
def test_raw_streams_of_bedrocks_client_are_metered(way: str, wire: Wire) -> None:
    make_organization("default")
    make_rate("claude-test", "aws")
    frames = [{"bytes": b64encode(json.dumps(event).encode()).decode()} for event in events("x" * 400)]
    wire.gives(aws_event_stream([("chunk", frame) for frame in frames], request_id="request-1"))
    client = anthropic.AnthropicBedrock(
        aws_access_key="a", aws_secret_key="b", aws_region="us-east-1", base_url=wire.url, max_retries=0
    )
    with instrument(client):
        asked: Any = {"model": "claude-test", "max_tokens": 200, "messages": [{"role": "user", "content": "Hello!"}]}
        if way == "raw":
            stream: Any = client.messages.with_raw_response.create(**asked, stream=True).parse()
            assert len(list(stream)) == len(frames) - 1  # it keeps the ping to itself
        else:
            with client.messages.with_streaming_response.create(**asked, stream=True) as response:
                for _ in response.iter_bytes(1500 if way == "left" else None):
                    if way == "left":
                        break
    row = ResourceUsage.objects.get()
    assert (row.provider, row.input_tokens, row.is_estimated) == ("aws", 1000, way == "left")
    assert way == "left" or row.cost_usd == Decimal("0.0045")


def test_instrumented_twice_is_once_and_not_any_more_is_never(wire: Wire, client: anthropic.Anthropic) -> None:
    wire.gives(json_answer(message()), json_answer(message(message_id=f"{MESSAGE_ID}2")))
    instrument(instrument(client)).messages.create(**ASKED)
    uninstrument(client).messages.create(**ASKED)
    assert only_row().idempotency_key == f"anthropic:{MESSAGE_ID}"
    with pytest.raises(InvalidUsage, match=r"client: got .*anthropic"):
        instrument(object())
